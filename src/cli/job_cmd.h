#ifndef CLI_JOB_CMD_H
#define CLI_JOB_CMD_H

#include "base/attr.h"

struct conf;
struct err;
struct opt;
struct plan;
struct plan_watch;
struct run;
struct units;

/* What the commands that run a job's plan share. */
struct job_cmd {
	const struct opt *opt;
	struct run *run;
	const struct plan *plan;
	struct units *units;
	const struct plan_watch *watch;	/* prints each event */
};

/*
 * Open the job as its one writer, make its plan, call body, close it.  What
 * body returns is returned: an exit code, or -1 with err filled.
 */
int job_cmd_run(const struct opt *,
    int (*body)(const struct job_cmd *, struct err *), struct err *)
    MUST_CHECK;

/* The same for what takes back or completes (struct run_options). */
int job_cmd_run_back(const struct opt *,
    int (*body)(const struct job_cmd *, struct err *), struct err *)
    MUST_CHECK;

/*
 * Call body with the node of the job locked (flow/node_lock.h): for what
 * changes a host.  ERR_LOCKED: another job has it.
 */
int job_cmd_locked(const struct job_cmd *,
    int (*body)(const struct job_cmd *, struct err *), struct err *)
    MUST_CHECK;

/*
 * Look at every step before the first one acts, so that what cannot work is
 * said while source and target are as they were; then call act, with the node
 * locked when there is something to do.
 */
int job_cmd_look_then(const struct job_cmd *,
    int (*act)(const struct job_cmd *, struct err *), struct err *)
    MUST_CHECK;

/*
 * The end of a command that goes on past what fails: list the failures, and
 * fail when there is one.
 */
int job_cmd_conclude(const struct job_cmd *, struct err *) MUST_CHECK;

/* Bodies: `apply', and `plan', which returns an exit code. */
int job_cmd_apply(const struct job_cmd *, struct err *) MUST_CHECK;
int job_cmd_plan(const struct job_cmd *, struct err *) MUST_CHECK;

/* The same for some of its steps, which make adds: `edge apply'. */
int job_cmd_run_part(const struct opt *,
    void (*make)(struct plan *, const struct conf *),
    int (*body)(const struct job_cmd *, struct err *), struct err *)
    MUST_CHECK;

/* ERR_USAGE for a job of another kind than upgrade. */
int job_cmd_is_upgrade(const struct opt *, struct err *) MUST_CHECK;

#endif /* !CLI_JOB_CMD_H */
