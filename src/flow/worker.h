#ifndef FLOW_WORKER_H
#define FLOW_WORKER_H

#include <stdbool.h>

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct conf_worker;
struct db_report;
struct err;
struct host;
struct plan;
struct plan_note;
struct run;
struct step_kind;
struct verdict;

/*
 * The worker path: one worker's directory goes from host to host.
 *
 *     account   who runs it there, made if the job names one that is not
 *               there                                     worker_account.c
 *     copy      its trees, into a staging directory beside the target, only
 *               what differs                              worker_copy.c
 *     snapshot  sanctum.db, while Broca writes            worker_snapshot.c
 *     env       the staged .env files, all or none        worker_env.c
 *     install   staging and target change places in one instant; what was
 *               there before stays in the staging name    worker_install.c
 *
 * Until `install` nothing outside the staging directory has changed on the
 * target.  On the source nothing changes at all, but for a directory below
 * ~/.cache/sanctumctl that holds the snapshot while it is fetched.  Neither
 * worker is stopped or started here.
 */
void worker_plan(struct plan *, const struct conf_worker *);
/*
 * And those of the switch: flow/worker_switch.h.  with_agent: its agent is
 * caught up with and gets its name there (flow/agent_delta.h).
 */
void worker_plan_switch(struct plan *, const struct conf_worker *,
    bool with_agent);

/* Compare source and target as they are now, and add to the verdict. */
int worker_verify(struct run *, const struct conf_worker *, struct verdict *,
    struct err *) MUST_CHECK;

extern const struct step_kind worker_account_kind;
extern const struct step_kind worker_copy_kind;
extern const struct step_kind worker_snapshot_kind;
extern const struct step_kind worker_env_kind;
extern const struct step_kind worker_venv_kind;
extern const struct step_kind worker_install_kind;

/* What the four steps share (worker.c). */

/* "TO_PATH.sanctumctl-MARK"; the caller frees it. */
char *worker_staging(const struct run *, const struct conf_worker *);

/*
 * "messages=30 queue=12": the tables of a database and their rows.  The
 * snapshot's are in the journal, "worker.NAME.rows".  The caller frees it.
 */
char *worker_row_counts(const struct db_report *);

/* DIR "/" NAME; the caller frees it. */
char *worker_path(const char *dir, const char *name);

/* Whether broca, and with it sanctum.db, is among the trees. */
bool worker_has_broca(const struct conf_worker *);

/*
 * Broca's database below dir, the worker's directory on that host.  *path is
 * NULL, and that is a success, when there is none or broca is not among the
 * trees.  The caller frees it.
 */
int worker_find_db(struct host *, const struct conf_worker *,
    const char *dir, char **path, struct err *) MUST_CHECK;

/*
 * "DIR/.sanctumctl-MARK", the file by which a directory is known as the one
 * that this job made; the caller frees it.
 */
char *worker_marker(const struct run *, const char *dir);

/* What is at the target; worker.c says which states there are, and why. */
struct worker_place {
	bool target;		/* something is at TO_PATH */
	bool installed;		/* and holds the mark */
	bool staging;		/* something has the staging name */
	bool staged;		/* and holds the mark */
};

/*
 * Look.  Fails with ERR_STALE, saying what is where, when it cannot be told
 * which directory is this job's; then nothing there may be touched.
 */
int worker_place(struct run *, const struct conf_worker *,
    struct worker_place *, struct err *) MUST_CHECK;

/*
 * What the step `copy' does.  With live, files that are written without pause
 * may be left for later; the worker standing, they are ERR_STALE.
 */
int worker_copy_send(struct run *, const struct conf_worker *, bool live,
    struct plan_note *, struct err *) MUST_CHECK;

/*
 * Whether the worker is in its place, as worker_place: then the steps before
 * `install' have nothing left to do.
 */
int worker_installed(struct run *, const struct conf_worker *, bool *out,
    struct err *) MUST_CHECK;

/*
 * The agent that the worker serves from now on.  *id is NULL, and that is a
 * success, when this job has not imported it yet.  The caller frees it.
 */
int worker_agent_id(struct run *, const struct conf_worker *, char **id,
    struct err *) MUST_CHECK;

/*
 * What the copy leaves at the source, as far as it can be said cheaply: the
 * directories beside the trees, and what the rules of core/worker.h pass over
 * among the names right below the worker's directory and its trees.  The
 * .env files and sanctum.db, which have steps of their own, are not counted.
 * Names are printable, the first 20 of each, with ", ..." for the others.
 */
struct worker_left {
	uint64_t n_beside, n_inside;
	struct buf beside, inside;
	struct buf unknown;	/* why it could not be listed, or "" */
};

int worker_look_left(struct run *, const struct conf_worker *,
    struct worker_left *, struct err *) MUST_CHECK;
void worker_left_clear(struct worker_left *);

/*
 * The .env files of the target against what this job would write there now,
 * byte for byte; a file that the source has not any more has nothing to be
 * compared with.
 */
struct worker_env_seen {
	uint64_t n_files;	/* of the source */
	uint64_t n_same;
	uint64_t n_gone;	/* only on the target */
	struct buf reason;	/* the first file not the same, or why nothing
				 * could be compared: printable, no value */
};

int worker_env_look(struct run *, const struct conf_worker *, const char *id,
    struct worker_env_seen *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_H */
