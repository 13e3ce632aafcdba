#ifndef FLOW_UPGRADE_CLOSED_H
#define FLOW_UPGRADE_CLOSED_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct compose_service;
struct conf_letta;
struct err;
struct run;
struct secret;
struct upgrade;

/*
 * From its first start until the step `open' the new server of an upgrade is
 * closed: its password is one that this job has drawn, which clients do not
 * know.  They get 401, and neither see a part of the agents nor write what a
 * rollback would drop.
 *
 * The password begins with words of the job, so that it tells by itself that
 * it is none to keep.  It lies on the host alone: in RUNTIME_ENV, or, with
 * `runtime = compose', in a file of our own, 0600, beside that of the service
 * (compose_service_closed_path), which goes again when the server is opened or
 * taken down.  The fact "upgrade.NAME.closed" says that this is our file.
 */

/*
 * Whether the server is to be closed: the new one of this job, whose `open'
 * was not begun, or was taken back.
 */
int upgrade_closed_wanted(struct run *, const struct conf_letta *, bool *out,
    struct err *) MUST_CHECK;

/* Whether a password is of the kind that this job draws. */
bool upgrade_closed_is(const struct run *, const char *password);

/* Such a one, appended; the caller wipes it. */
int upgrade_closed_draw(const struct run *, struct buf *out, struct err *)
    MUST_CHECK;

/*
 * The password of the server as it stands there, if it is closed, else NULL;
 * also of one that is not this job's new server, or was not made yet.  The
 * caller frees it.
 */
int upgrade_closed_password(struct run *, const struct conf_letta *,
    struct secret **out, struct err *) MUST_CHECK;

/*
 * The file that closes a service of compose; made unless it is there.
 * ERR_STALE: there is one that this job has not made.  Gone is a success.
 */
int upgrade_closed_file_make(const struct upgrade *,
    const struct compose_service *, struct err *) MUST_CHECK;
int upgrade_closed_file_remove(const struct upgrade *,
    const struct compose_service *, struct err *) MUST_CHECK;
int upgrade_closed_file_is_there(const struct upgrade *, bool *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_CLOSED_H */
