#ifndef FLOW_RUN_H
#define FLOW_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct conf;
struct conf_host;
struct conf_letta;
struct conf_secret;
struct endpoint;
struct err;
struct host;
struct journal;
struct secret;
struct server;

/*
 * One run of one job: the checked job file, its secrets, its journal, and the
 * hosts and servers that were needed so far.  Every step gets it.
 *
 * Hosts and servers are opened when they are first asked for and stay open;
 * they belong to the run.
 */
#define RUN_NONCE_BYTES 8

struct run {
	const struct conf *conf;
	struct journal *journal;
	/*
	 * Twelve hexadecimal digits, drawn once per job and kept in its
	 * journal.  What the job makes at a peer carries it until it is
	 * finished, so that the next run finds it.
	 */
	const char *mark;
	/* Drawn anew by each process: what bears it was done by this one. */
	char nonce[2 * RUN_NONCE_BYTES + 1];
	bool rehearsal;			/* this is one: flow/rehearse.h */
	bool discard;			/* what targets queued stays there */
	bool purge;			/* uninstall: data and packages, too */
	bool backend_down;		/* seen by this process: the server
					 * behind the edge, or the new one of
					 * an upgrade, is to be started */
	struct run_peers *peers;	/* of run.c */
};

struct run_options {
	const char *state_dir;	/* NULL: $XDG_STATE_HOME/sanctumctl, else
				 * ~/.local/state/sanctumctl */
	bool writer;		/* take the journal's lock */
	bool rehearsal;		/* the journal of rehearsals */
	bool secrets;		/* fetch the tokens; without them no server
				 * can be asked */
	/*
	 * Of an upgrade that is taken back or completed: the new server's
	 * token and its [env] may be lacking, as those of `from' and of
	 * databases may not.
	 */
	bool new_may_lack;
	/*
	 * Of a job within another one, which has one server: its token and
	 * connect_to, in the place of what the job file says.  No secret is
	 * fetched then.  Borrowed until run_close; NULL.
	 */
	const struct endpoint *given;
};

/*
 * Read and check the job file at path, fetch the secrets if that is wanted,
 * open the journal STATE_DIR/JOB_NAME/journal.db (or rehearsal.db).  Variables
 * that held a secret are not in the environment any more after.  With secrets,
 * what a killed verify has left beside the journal is removed.
 *
 * Fails with ERR_USAGE (job file, missing secret), ERR_LOCKED, ERR_STALE when
 * the journal was made by a job that moved other things (another agent id,
 * another target): nothing is touched then.
 */
int run_open(const char *path, const struct run_options *, struct run **out,
    struct err *) MUST_CHECK;
/*
 * The job file and its secrets without a journal, which is NULL then: for who
 * only asks, of a job that may never have been planned.
 */
int run_open_alone(const char *path, struct run **out, struct err *)
    MUST_CHECK;
void run_close(struct run *);

/* The job file alone: no secret is fetched, nothing else opened. */
int run_read(const char *path, struct conf **out, struct err *) MUST_CHECK;

/*
 * "STATE_DIR/JOB/FILE": where what is kept of a job lies; state_dir as in
 * struct run_options.  The caller frees it.
 */
char *run_state_path(const char *state_dir, const char *job,
    const char *file);

/* Write it, 0600, and make its directory, 0700. */
int run_state_write(const char *state_dir, const char *job, const char *file,
    const char *text, struct err *) MUST_CHECK;

/* The directory of an open run's journal; the caller frees it. */
char *run_dir(const struct run *);

/* The job file and its secrets alone, for `check`. */
int run_check(const char *path, struct conf **out, struct err *) MUST_CHECK;

int run_host(struct run *, const struct conf_host *, struct host **out,
    struct err *) MUST_CHECK;

/*
 * Close every host; each is connected to anew when it is asked for.  What
 * run_host has given before is not valid any more.
 */
void run_disconnect(struct run *);

/* A [host] section's machine without a run; the caller closes it. */
int run_host_open(const struct conf_host *, struct host **out, struct err *)
    MUST_CHECK;

/*
 * The server of a [letta] section, found to be healthy, of the pinned
 * version where one is given, and letting our token in.  One that stands on
 * a host is reached by the https address of that host's edge.
 */
int run_server(struct run *, const struct conf_letta *, struct server **out,
    struct err *) MUST_CHECK;

/* A secret of the job file; NULL when none is given, or fetched. */
const struct secret *run_secret(struct run *, const struct conf_secret *);

/*
 * The token of a [letta] section.  *out is NULL when none is given, or
 * fetched.  Of a server that this job brings up without a `token' it is the
 * password that was made on its host, read from there once; NULL before that
 * step was.  Of the new server of an upgrade, while that is closed, it is what
 * closes it (flow/upgrade_closed.h), valid until the next call.
 */
int run_token(struct run *, const struct conf_letta *,
    const struct secret **out, struct err *) MUST_CHECK;

/*
 * The address under which clients reach a server: the url of its section,
 * https://SITE of its edge, or, of an upgrade on this machine, its port on
 * the loopback.  The caller frees it.
 */
char *run_server_url(const struct conf_letta *);

/*
 * A path of the job file on this machine, with its "~/" replaced by $HOME;
 * NULL for NULL.  The caller frees it.
 */
char *run_local_path(const char *path);

/*
 * A verdict is computed in a journal of its own beside the job's, so that it
 * changes nothing there and needs no lock.  The path of one, which the caller
 * frees, and the removal of its files.
 */
char *run_scratch_path(const struct run *);
void run_scratch_remove(const char *path);

/* "agent.sage.shell" and the like, for a journal key; the caller frees it. */
char *run_key(const char *group, const char *name, const char *what);

#endif /* !FLOW_RUN_H */
