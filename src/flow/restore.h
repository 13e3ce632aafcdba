#ifndef FLOW_RESTORE_H
#define FLOW_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct endpoint;
struct err;
struct jdoc;
struct plan_watch;
struct run;
struct verdict;

/*
 * A backup (flow/backup.h) back onto a server.  It becomes a job of kind
 * agent, with one [agent] section a bundle, in a state directory:
 *
 *     STATE_DIR/restore-HASH/job.conf, journal.db
 *
 * so a restore is planned, continued after a kill, verified and cancelled as
 * any other job: each agent is a unit of its own (flow/units.h), two that
 * shared a block share one again, a name that no server takes is mapped.
 *
 * By hand the job is run as a job file is (cli/cmd_letta_restore.c).  Within
 * another job, which has the server's token in memory and no variable of the
 * environment any more, it is nested:
 *
 *     restore_job(dir, &to, &options, &job, err)    the same call, same job
 *     restore_look(job, &to, &watch, &todo, err)    what there is to do
 *     restore_run(job, &to, &watch, &totals, err)   do it
 *     restore_verify(job, &to, &verdict, err)       compare all of it anew
 *     restore_forget(job, err)                      the server is gone
 *
 * `to' is borrowed; its token and connect_to are used in the place of what
 * the job file says.  The events that watch gets name the steps of the nested
 * job, "agent.sage-10418b8d.import".
 */

struct restore_options {
	const char *state_dir;	/* as in struct run_options */
	const char *name;	/* of the job, its directory; NULL:
				 * "restore-HASH" of directory and server */
	const char *tools;	/* "stop", ...; NULL: the job's default */
	/*
	 * Ids of agents that may stay behind, with one blank between; NULL.
	 * Of a nested job: what of these is refused is a warning, and is not
	 * compared.  It is tried in each run that has something to do.
	 */
	const char *leave;
};

/*
 * What became of a restore, by the journal's map of ids: a server has agents
 * of its own, which no total may count.
 */
struct restore_totals {
	uint64_t agents;	/* of the backup, in the job */
	uint64_t restored;	/* compared, `same', and given their name */
	uint64_t there;		/* agents that the server has now */
	uint64_t ours;		/* of these, that the job has brought */
	uint64_t others;	/* of these, any other */
	struct jdoc *named;	/* [{"id":"agent-...","name":"..."}] of the
				 * others, the first RESTORE_NAMED_MAX */
	struct jdoc *missing;	/* of the backup, not restored:
				 * [{"id":"agent-...","agent":"sage-10418b8d"}]
				 * with the section's name */
};
#define RESTORE_NAMED_MAX 100

void restore_totals_clear(struct restore_totals *);

/* Those that may stay behind, and have, are no agents to be counted. */
void restore_totals_leave(struct restore_totals *, const char *leave);

/*
 * Write the job.  *job is its path, which the caller frees.  Nothing is asked
 * of the server.
 *
 * Fails with ERR_MISSING and ERR_DATA: no backup, or none with an agent in it;
 * ERR_USAGE: a path that a job file does not take; ERR_STALE: without a name
 * of its own, the job of this directory has brought other bundles than are
 * there now, and they were not taken back.
 */
int restore_job(const char *dir, const struct endpoint *to,
    const struct restore_options *, char **job, struct err *) MUST_CHECK;

/* The same for a server that a command's word names (flow/endpoint.h). */
int restore_order(const char *dir, const char *server,
    const struct restore_options *, char **job, struct err *) MUST_CHECK;

/*
 * Whether such a job can be written, for this server or one with other words
 * in its section; nothing is written.  ERR_USAGE: the backup has more agents
 * than one job file takes, by CONF_SECTIONS_MAX and CONF_SIZE_MAX.
 */
int restore_fits(const char *dir, const struct endpoint *to, struct err *)
    MUST_CHECK;

/* *todo counts the steps of it that are not done; nothing is changed. */
int restore_look(const char *job, const struct endpoint *to,
    const struct plan_watch *, size_t *todo, struct err *) MUST_CHECK;

/*
 * Run it, or go on with it.  Fails with ERR_PARTIAL, naming them, when some
 * agents were not restored and others were: the same call takes them up.
 * totals, which the caller clears, are filled then too, and are without those
 * that may stay behind and have.
 */
int restore_run(const char *job, const struct endpoint *to,
    const struct plan_watch *, struct restore_totals *, struct err *)
    MUST_CHECK;

/*
 * Every agent compared with its bundle, as the server has it now: checks
 * "agent.NAME.CHECK", and "agents": how many of the backup are there.
 */
int restore_verify(const char *job, const struct endpoint *to,
    struct verdict *, struct err *) MUST_CHECK;

/*
 * Remove the job with its journal: for a server whose database is no more.
 * It is then restored anew by the next restore_job.
 */
int restore_forget(const char *job, struct err *) MUST_CHECK;

/*
 * Each agent of the backup that has no bundle, as a check "agent.ID" that was
 * not compared, with the reason; leave as in struct restore_options.  One
 * whose bundle is not current, as "agent.ID.current".
 */
int restore_add_without(const char *dir, const char *leave,
    struct verdict *, struct err *) MUST_CHECK;

/*
 * The proof of a rollback: each bundle against the agent of its id on the
 * server that it came from, as checks "agent.NAME.CHECK", and "agents".
 * Nothing is written there.  state_dir is where what is read is staged, in a
 * directory that is removed.  goes_on: clients may have written to it since:
 * rows behind the bundle's last one are counted, and not called different.
 */
int restore_compare(const char *dir, const struct endpoint *,
    const char *state_dir, bool goes_on, struct verdict *, struct err *)
    MUST_CHECK;

/* The same for who has opened the job himself. */

/* ERR_DATA when nothing can be restored to a server of its version. */
int restore_check_target(struct run *, struct err *) MUST_CHECK;

/* The journal's map against a listing of the server. */
int restore_count(struct run *, struct restore_totals *, struct err *)
    MUST_CHECK;

/* Add the check "agents", by these totals, but for those in leave. */
int restore_judge(struct run *, const char *leave, struct verdict *,
    struct err *) MUST_CHECK;

/* Names of the others, printable and cut: "Sage, Thalia and 20 more". */
void restore_others(const struct restore_totals *, struct buf *out);

#endif /* !FLOW_RESTORE_H */
