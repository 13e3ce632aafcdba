#ifndef FLOW_WORKER_QUEUE_PART_H
#define FLOW_WORKER_QUEUE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "flow/worker_queue.h"
#include "io/db_script.h"

struct buf;
struct err;
struct host;
struct journal;

/* What the files of flow/worker_queue.h and worker_queue_back.h share. */

/* For the lock of a worker that is at work. */
#define WORKER_QUEUE_WAIT_MS 30000
/* Text of a list of ids: a million of them. */
#define WORKER_QUEUE_IDS_MAX (16 * 1024 * 1024)

/* "worker/NAME/WHAT", or "worker/NAME/WHAT-reverse"; the caller frees it. */
char *worker_queue_scope(const struct conf_worker *, enum worker_way,
    const char *what);

/* The ids of a scope's rows, as far as wanted says so (NULL: all). */
struct worker_queue_ids {
	int64_t *list;
	size_t n;
};
int worker_queue_ids_load(struct journal *, const char *scope,
    bool (*wanted)(const char *body), struct worker_queue_ids *,
    struct err *) MUST_CHECK;
void worker_queue_ids_add(struct worker_queue_ids *, int64_t id);
bool worker_queue_ids_has(const struct worker_queue_ids *, int64_t id);
/* As a list in JSON. */
int worker_queue_ids_text(const struct worker_queue_ids *, struct buf *,
    struct err *) MUST_CHECK;
void worker_queue_ids_clear(struct worker_queue_ids *);

/* Whether the body of a result says that the row stays held. */
bool worker_queue_is_unclear(const char *body);

/* A column that is a number; ERR_DATA, as "queue: WHAT ...". */
int worker_queue_number(const char *column, const char *what, int64_t *out,
    struct err *) MUST_CHECK;

/* host_db_script of these statements, on a file that is another program's. */
int worker_queue_script(struct host *, const char *db, bool write,
    const struct db_statement *, size_t n, db_row *each, void *ctx,
    struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_QUEUE_PART_H */
