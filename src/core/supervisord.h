#ifndef CORE_SUPERVISORD_H
#define CORE_SUPERVISORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Program sections of a configuration of supervisord 4.2, and changes to one
 * that leave every other byte as it was.  (inih gives keys and no places in
 * the text, which a change needs.)
 *
 *     size_t at = 0;
 *
 *     while (supervisord_next(text, len, &at, &program))
 *             ... supervisord_program_clear(&program);
 *
 * A section that was put out of use has ";sanctumctl-MARK; " before each of
 * its lines that is not empty.
 */
struct supervisord_program {
	char *name;		/* of [program:NAME] */
	char *command, *directory, *user;	/* or NULL */
	char *text;		/* the section, without our prefix */
	size_t begin, end;	/* in the text */
	size_t line;		/* of its head; the first is 1 */
	bool disabled;
	char *mark;		/* NULL unless disabled */
};

bool supervisord_next(const char *text, size_t len, size_t *at,
    struct supervisord_program *);
void supervisord_program_clear(struct supervisord_program *);

/*
 * Put the section of a program out of use, or back.  *changed is false when
 * there is none in that state.  Fails with ERR_DATA, text as it was, when it
 * grows too large.
 */
int supervisord_disable(struct buf *text, const char *name, const char *mark,
    bool *changed, struct err *) MUST_CHECK;
int supervisord_enable(struct buf *text, const char *name, const char *mark,
    bool *changed, struct err *) MUST_CHECK;

#endif /* !CORE_SUPERVISORD_H */
