#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;
struct opt;
struct plan_event;
struct unit_failure;
struct verdict;

/*
 * Results as a person reads them, or with --json one object a line.  Every
 * object has "type" and "version": 1; share/doc/sanctumctl has the schema.
 */

/* An event of plan.h; ctx is the struct opt. */
void show_event(void *ctx, const struct plan_event *);

/* A verdict: an object a check and one on all of them, or a table. */
void show_verdict(const struct opt *, const struct verdict *);

/* The same of agents that were only looked at; ERR_VERDICT unless `same'. */
int show_judged(const struct opt *, const struct verdict *, struct err *)
    MUST_CHECK;

/* The failure that ends the program: stderr, and with --json stdout too. */
void show_error(const struct opt *, const struct err *);

/* An agent or worker that failed while the job went on: stdout. */
void show_failure(const struct opt *, const struct unit_failure *);

/* How a command has ended that runs steps forward. */
struct show_acted {
	const char *type;	/* of its object */
	const char *of;		/* "" or " of ...": which steps */
	const char *journal;	/* its path; NULL: it is not named */
	const char *next;	/* the command that follows */
	size_t steps, acted;
};
void show_acted(const struct opt *, const struct show_acted *);

/* One figure: {"type": TYPE, ..., KEY: n}, or "N TEXT". */
void show_count(const struct opt *, const char *type, const char *key,
    size_t n, const char *text);

/* The job that a command has written, to be verified and cancelled by. */
void show_job(const struct opt *, const char *path);

/* Print one object and a newline; the object is freed. */
void show_object(struct jdoc *take);

/* {"type": TYPE, "version": 1} to add to. */
struct jdoc *show_new(const char *type);

#endif /* !CLI_SHOW_H */
