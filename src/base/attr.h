#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/*
 * Compiler attributes under short names.  gcc and clang are the compilers
 * that we build with; there is no fallback.
 */

/* The format is argument F, its first value argument V (0: a va_list). */
#define PRINTF(f, v) __attribute__((format(printf, f, v)))

/* The result tells of a failure and must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define NORETURN __attribute__((noreturn))

#endif /* !BASE_ATTR_H */
