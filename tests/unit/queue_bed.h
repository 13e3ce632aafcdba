#ifndef TESTS_QUEUE_BED_H
#define TESTS_QUEUE_BED_H

#include "journal_bed.h"

struct conf_worker;
struct host;
struct run;

/*
 * A worker with its queue, on this machine: ROOT/old and ROOT/new with a
 * broca/sanctum.db each, and a run of the job that moves it.
 */
struct queue_bed {
	const struct journal_bed *files;
	struct run *run;
	const struct conf_worker *worker;
	struct host *from, *to;
	char *old_db, *new_db;
};

#define QUEUE_BED_AGENT "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define QUEUE_BED_ADA "identity-00000000-0000-4000-8000-000000000001"

/*
 * The old one has users ada (telegram 7) and bob, and no rows in its queue.
 * url and to_url are the servers of the source and the target.
 */
void queue_bed_open(struct queue_bed *, const struct journal_bed *,
    const char *url, const char *to_url);
void queue_bed_close(struct queue_bed *);
/* Close the run and open it again, as a further process does. */
void queue_bed_again(struct queue_bed *);

/* SQL on a database; the second gives all rows as "a|b\n" (NULL: "-"). */
void queue_bed_sql(const char *db, const char *sql);
void queue_bed_expect(const char *db, const char *sql, const char *want);
/* A message of ada's and its row, both of the same time. */
void queue_bed_row(const char *db, int id, const char *status, int attempts,
    const char *text, const char *time);
void queue_bed_copy(const char *from, const char *to);

#endif /* !TESTS_QUEUE_BED_H */
