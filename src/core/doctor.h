#ifndef CORE_DOCTOR_H
#define CORE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * What `doctor' knows: a table of traps, each of them met in a real run or
 * read in the source of the program that falls into it, and the count of what
 * was looked for.  Those who look are core/nginx_look.h, core/fetch.h and
 * flow/doctor_*.c; they tell of each trap
 *
 *     doctor_fine(d, "tls-chain")                     looked, not there
 *     doctor_found(d, "tls-chain", url, "expired")    there, and how it shows
 *     doctor_unknown(d, "ade-stream", url, "...")     not compared, and why
 *
 * A trap that is not there is never said to be found because something else
 * failed: what could not be asked is unknown.
 */
enum doctor_severity {
	DOCTOR_NOTICE,		/* costs a human time, some day */
	DOCTOR_WARNING,		/* will fail, or fails for some */
	DOCTOR_CRITICAL		/* fails now, or is open to strangers */
};

struct doctor_trap {
	const char *id;		/* stable: "worker-debug-mode" */
	enum doctor_severity severity;
	const char *title;	/* what is wrong, in a few words */
	const char *cure;	/* what to do, for an operator */
	const char *fact;	/* where it was seen */
};

/* All of them, by subject. */
extern const struct doctor_trap doctor_traps[];
extern const size_t doctor_n_traps;

/* "notice", "warning", "critical". */
const char *doctor_severity_word(enum doctor_severity);

struct doctor_finding {
	const struct doctor_trap *trap;
	bool known;		/* false: it could not be looked for */
	const char *where;	/* host:path:line, URL; printable */
	const char *evidence;	/* what was seen, or why nothing; printable,
				 * never a secret */
};

struct doctor {
	void (*tell)(void *ctx, const struct doctor_finding *);
	void *ctx;
	uint64_t looked;	/* questions that had an answer */
	uint64_t found;
	uint64_t unknown;
	uint64_t by_severity[DOCTOR_CRITICAL + 1];
};

/* The trap of an id, which must be in the table. */
const struct doctor_trap *doctor_trap(const char *id);

void doctor_fine(struct doctor *, const char *id);
/* where and what comes of fmt may have bytes of a peer. */
void doctor_found(struct doctor *, const char *id, const char *where,
    const char *fmt, ...) PRINTF(4, 5);
void doctor_unknown(struct doctor *, const char *id, const char *where,
    const char *fmt, ...) PRINTF(4, 5);

/* doctor_found when it is there, else doctor_fine. */
#define doctor_judge(d, there, id, ...) do {		\
	if (there)					\
		doctor_found((d), (id), __VA_ARGS__);	\
	else						\
		doctor_fine((d), (id));			\
} while (0)

#endif /* !CORE_DOCTOR_H */
