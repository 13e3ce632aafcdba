#ifndef FLOW_EDGE_SERVICE_H
#define FLOW_EDGE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct host;
struct run;

/*
 * nginx as a program of a host: tested, told to read its files again, started
 * when it does not run, ended when nobody else uses it.
 */
#define EDGE_NGINX_TIMEOUT_MS 30000
#define EDGE_DUMP_MAX (8 * 1024 * 1024)

/* `nginx -t'; ERR_FAILED with its words, about the file at path. */
int edge_service_test(struct host *, const struct conf_edge *,
    const char *path, struct err *) MUST_CHECK;

/*
 * Let a running nginx read its files again.  *status is not 0 when none runs,
 * and when it refuses what it reads: it then serves what it did.
 */
int edge_service_signal(struct host *, const struct conf_edge *, int *status,
    struct buf *said, struct err *) MUST_CHECK;

/*
 * The same, or start one.  The journal keeps that it was us, and how many
 * files were not ours then.
 */
int edge_service_reload(struct run *, struct host *, const struct conf_edge *,
    struct err *) MUST_CHECK;

/*
 * At the end: stop an nginx that this job started and that serves nobody
 * else's file since; else let it read what is there.  One that does not run
 * any more has nothing to read: its exit code tells no more than that.
 */
int edge_service_settle(struct run *, struct host *, const struct conf_edge *,
    struct err *) MUST_CHECK;

/*
 * What nginx says of a new configuration that it cannot use is in its error
 * log alone: take the log's end before the reload, and append the first
 * [emerg] behind it, "" for none.  *final: nginx has given up.
 */
int edge_service_log_end(struct host *, uint64_t *out, struct err *)
    MUST_CHECK;
int edge_service_log_says(struct host *, uint64_t from, struct buf *said,
    bool *final, struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_SERVICE_H */
