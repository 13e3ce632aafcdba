#ifndef FLOW_UPGRADE_H
#define FLOW_UPGRADE_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_upgrade;
struct err;
struct plan;
struct run;
struct verdict;

/*
 * A job of kind upgrade: one Letta server of a host gets another version, with
 * a database built anew, and every agent back.  Its steps are "upgrade.NAME."
 * and, of the new server, "letta.NAME.":
 *
 *     look       both ends: the old server answers and its service, database
 *                and clients are found; room on the disks    upgrade_look.c
 *     backup     every agent into bundles (flow/backup.h)    upgrade_backup.c
 *     account, install   of the new server, while the old one works
 *                                                   flow/runtime.h
 *     pull       with `runtime = compose' in their place: the image of the
 *                new version                     upgrade_compose_pull.c
 *     rehearse   all of it restored to a scratch server of the new version
 *                with a database of its own, and compared    upgrade_rehearse.c
 *     stop       the old server; nothing was written to it since the backup,
 *                or the backup is made again                 upgrade_stop.c
 *     dump       pg_dump -Fc of its database, and that pg_restore can read it
 *                                                            upgrade_dump.c
 *     database   its database dropped and made anew; all others are as they
 *                were                                   upgrade_database.c
 *     environment, schema, service, ready   of the new server, as in a node
 *     compose    with `runtime = compose' in their place: the pinned tag in
 *                its file, and `up'                      upgrade_compose.c
 *     sequence   the default of messages.sequence_id    upgrade_sequence.c
 *     restore    every agent from its bundle, each with its verdict; totals
 *                                                        upgrade_restore.c
 *     open       the new server gets the password that the job gives it, so
 *                that clients are let in; until then it has one that nobody
 *                else knows                                upgrade_open.c
 *     clients    files that name the old address         upgrade_clients.c
 *
 * Nothing before `stop' changes what serves.  undo of each step from the last
 * to `stop' is the rollback: the dump is restored, the old service started.
 * What the old server was asked for then is compared with the bundles.
 */
void upgrade_plan(struct plan *, const struct conf_upgrade *);

/* Each agent's verdict, and the totals, computed now. */
int upgrade_verify(struct run *, const struct conf_upgrade *,
    struct verdict *, struct err *) MUST_CHECK;

/*
 * After a rollback: the old server's agents against their bundles.  Writes
 * nothing there.
 */
int upgrade_verify_old(struct run *, const struct conf_upgrade *,
    struct verdict *, struct err *) MUST_CHECK;

/*
 * Where the bundles are, on this machine, and "HOST:PATH" of the dump, or ""
 * when there is none.  The caller frees each.
 */
int upgrade_stays(struct run *, char **backup, char **dump, struct err *)
    MUST_CHECK;

/* Where the agents' new ids are (flow/restore_ids.h); the caller frees it. */
char *upgrade_ids_path(const struct run *);

/* Whether the database of this job is the one that was made anew. */
int upgrade_rebuilt(struct run *, bool *out, struct err *) MUST_CHECK;

/*
 * Whether `stop' has told the old service anything and it was not taken back,
 * so that it may be down, or was replaced; and whether it ever was.
 */
int upgrade_has_stopped(struct run *, bool *out, struct err *) MUST_CHECK;

int upgrade_was_stopped(struct run *, bool *out, struct err *) MUST_CHECK;

/* What `rollback' can do now. */
enum upgrade_back {
	UPGRADE_BACK_NONE,	/* completed */
	UPGRADE_BACK_GONE,	/* the dump is, and the old database */
	UPGRADE_BACK_WHOLE,	/* nothing is lost by it */
	UPGRADE_BACK_DROPS	/* what the new server was told since */
};

int upgrade_back(struct run *, enum upgrade_back *out, struct err *)
    MUST_CHECK;

/*
 * For an apply that has failed: behind its cause, what leads back, if there
 * is a way, and what goes on.  job is the word of the command line.
 */
void upgrade_advise(struct run *, const char *job, struct err *);

/*
 * Drop what the way back needs: the dump, and the environment file that was
 * there before.  Bundles stay, and so does what the old server was made of.
 * Before that upgrade_verify is asked: ERR_VERDICT when what it says is not
 * `same'; with run->discard what differs is warned of, since it was the same
 * when it was restored.  ERR_STALE when a step is not done.  Nothing is removed
 * then.
 * Once it was `same', an end that was interrupted is not asked for again.
 */
int upgrade_complete(struct run *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_H */
