#ifndef FLOW_AGENT_HAND_H
#define FLOW_AGENT_HAND_H

#include <stdbool.h>

#include "base/attr.h"
#include "flow/agent.h"

struct bundle_figures;
struct err;
struct server;
struct verdict;

/*
 * The agent path by hand, without a job file.  server is a word of
 * flow/endpoint.h, state_dir as in struct run_options.
 */

/*
 * Read an agent and write it to path: a plain agent file when that ends in
 * ".af" (bundle_is_af), else a bundle.  What is read is staged in a journal
 * of its own below state_dir, which is removed in the end: a call that was
 * killed is continued by the same call.
 */
int agent_export(const char *server, const char *id, const char *path,
    const char *state_dir, struct bundle_figures *, struct err *)
    MUST_CHECK;

/* One side of a comparison: an agent on a server, or a path. */
struct agent_place {
	const char *server;	/* NULL: path */
	const char *id;
	const char *path;
};

/*
 * The places that the words of a command name: SERVER AGENT or a path, each.
 * Fails with ERR_USAGE unless they are two.
 */
int agent_places(const char *const *words, int n,
    struct agent_place places[static 2], struct err *) MUST_CHECK;

/* Read both and compare them; nothing is changed anywhere. */
int agent_diff(const struct agent_place places[static 2],
    const char *state_dir, struct verdict *, struct err *) MUST_CHECK;

/*
 * The agent of an open server, and a bundle of that very agent: nothing of it
 * was converted on a way between, so rows are compared as they are stored.
 * The server is the source.
 */
int agent_diff_own(struct server *, const char *id, const char *bundle,
    const char *state_dir, enum agent_since, struct verdict *,
    struct err *) MUST_CHECK;

/* An import as it is asked for by hand. */
struct agent_order {
	const char *path;	/* of a bundle or agent file */
	const char *server;
	const char *name;	/* there; NULL: as it is */
	const char *tools;	/* "stop", ...; NULL: the job's own default */
	const char *state_dir;
};

/*
 * Write the job that an import stands for, so that it is run, continued,
 * verified and cancelled as any other: STATE_DIR/import-HASH/job.conf, where
 * HASH is of what goes where.  The same order is the same job.  *job is its
 * path, which the caller frees.
 */
int agent_order_job(const struct agent_order *, char **job, struct err *)
    MUST_CHECK;

#endif /* !FLOW_AGENT_HAND_H */
