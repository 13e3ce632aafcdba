#ifndef FLOW_BACKUP_H
#define FLOW_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/backup_index.h"

struct buf;
struct endpoint;
struct err;

/*
 * A backup: every agent of a server as a bundle in DIR/agents/AGENT_ID, and
 * DIR/index.json, written last.  sanctumctl-backup(5) is the manual of it.
 *
 *     making    flow/backup.c, with one process an agent (backup_jobs.h), the
 *               looks at the server (backup_look.h), one agent
 *               (backup_agent.h), what is taken from an older one
 *               (backup_agent_link)
 *     looking   flow/backup_check.c
 */
#define BACKUP_JOBS 2		/* agents that are read at a time */
#define BACKUP_JOBS_MAX 16
#define BACKUP_PREFIX "letta-backup-"	/* and the day: YYYYMMDD */

/*
 * Whoever may ask the database of the server, too, sees what no answer of the
 * server tells (sanctumctl-backup(5)): take gives a text of core/pg_tally.h
 * with a line for each agent, by its id, whose count and mark move with
 * whatever is written to its rows, such as postgres_agents.
 *
 * It is one more mark of a fingerprint, taken before the agent is read and
 * kept in the index with its bundle, and with what is staged of it.  So a
 * bundle that holds by it is what the server has, whoever has read it and
 * when: one that was read without such a mark, or before a write, is read
 * again, and a call that was killed has lost nothing of that.
 */
struct backup_census {
	int (*take)(void *ctx, struct buf *out, struct err *);
	void *ctx;
};
#define BACKUP_CENSUS_MAX (16 * 1024 * 1024)

struct backup_options {
	unsigned int jobs;	/* 0: BACKUP_JOBS */
	/*
	 * Another backup of this server: an agent that has not changed since
	 * is linked from there.  NULL: the newest sibling of that name.
	 */
	const char *since;
	/*
	 * So many backups stay, this one among them: older siblings of this
	 * server, named by a day, are removed after a run that wrote its
	 * index; the newest in which no agent failed stays beside them.
	 * 0: all.
	 */
	unsigned int keep;
	const char *state_dir;	/* as in struct run_options */
	const struct backup_census *census;	/* NULL: nobody may ask */
};

struct backup_figures {
	uint64_t agents;	/* in the index, but those that are gone */
	uint64_t read;		/* from the server, by this run */
	uint64_t linked;	/* from another backup */
	uint64_t kept;		/* the bundle was there, and holds */
	uint64_t failed, changed, gone;
	uint64_t refused;	/* not in the index: their id is none */
	uint64_t removed;	/* older backups, by keep */
	uint64_t losses;	/* of the server: the index lists them */
	uint64_t messages, passages, blocks, conversations, identities;
	uint64_t files, bytes;	/* of the bundles; by backup_check */
};

/* "letta-backup-YYYYMMDD" of today, in UTC; the caller frees it. */
char *backup_dir_name(void);

/*
 * Bring dir up to date: made when it is not there, gone on with when a run was
 * killed, and what has changed since read again when it is whole.  at has its
 * token (endpoint_fetch).  Children are forked, one an agent; nothing that is
 * open in this process is touched by them.
 *
 * Fails with ERR_PARTIAL when the index is written, and in it are agents that
 * could not be read (failed) or that somebody wrote to meanwhile
 * (changed_during): each was told as a warning; or agents were refused.  Any
 * other failure: there is no new index, and the same call goes on.
 * ERR_LOCKED: another process writes there.
 */
int backup_make(const struct endpoint *at, const char *dir,
    const struct backup_options *, struct backup_figures *, struct err *)
    MUST_CHECK;

/*
 * Check a backup without a server: the index, each bundle (bundle_check), that
 * their counts are the index's, modes, and that nothing else is there.  found
 * is called for each fault with the file, below dir, and what is wrong with
 * it, both printable; what it returns but 0 ends the check with -1.
 */
int backup_check(const char *dir,
    int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, struct backup_figures *, struct err *)
    MUST_CHECK;

/*
 * The index of a backup; that of a run that was stopped is laid over the one
 * that it would have replaced, and has no ended_at.  Clear it with
 * backup_index_clear.  ERR_MISSING: there is none.
 */
int backup_index_read(const char *dir, struct backup_index *, struct err *)
    MUST_CHECK;

/* The bundle of an entry, "DIR/agents/ID"; NULL when it has none. */
char *backup_bundle_path(const char *dir, const struct backup_entry *);

/* An agent that is not as its bundle, or has none. */
struct backup_change {
	const char *id, *name;
	const char *what;	/* "messages, blocks", "new", "gone", why it
				 * could not be asked, why it has no bundle */
	bool bundled;		/* by the index: read, without a failure */
};

/*
 * Ask the server which agents are not any more as they were read; a few cheap
 * requests each (sanctumctl-backup(5) says what these cannot see, and a census,
 * which may be NULL, does).  Nothing is written.
 */
int backup_changed(const struct endpoint *at, const char *dir,
    const struct backup_census *,
    int (*each)(void *ctx, const struct backup_change *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/*
 * The same without the server, which may be down: agents of the index whose
 * rows are not what they were before they were read.  One that was made since
 * is not seen.
 */
int backup_rows_changed(const char *dir, const struct backup_census *,
    int (*each)(void *ctx, const struct backup_change *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !FLOW_BACKUP_H */
