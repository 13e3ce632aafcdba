#include "base/base.h"

#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker_mcp.h"
#include "flow/worker_smcp.h"
#include "flow/worker_users.h"
#include "io/host.h"

/*
 * Parts of a worker's move, one by one, for the end-to-end tests:
 *
 *     worker_parts STATE JOB PART [DB]
 *
 * of the job's first worker; DB is a path on its target's host.  The note
 * goes to stdout, a failure to stderr, with the program's exit code.
 */

typedef int part(struct run *, const struct step *, struct host *,
    const char *db, struct plan_note *, struct err *);

static int
probe(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	enum plan_found found = PLAN_WAITS;
	int rc = step->kind->probe(run, step, note, &found, err);

	if (rc == 0)
		(void)printf("%s\n", found == PLAN_DONE ? "done" :
		    found == PLAN_TODO ? "to do" : "waits");
	return rc;
}

static int
users_map(struct run *run, const struct step *step, struct host *to,
    const char *db, struct plan_note *note, struct err *err)
{
	return worker_users_map(run, step->subject, to, db, note, err);
}

static int
users_apply(struct run *run, const struct step *step, struct host *to,
    const char *db, struct plan_note *note, struct err *err)
{
	(void)note;
	return worker_users_apply(run, step->subject, to, db, err);
}

static int
users_detach(struct run *run, const struct step *step, struct host *to,
    const char *db, struct plan_note *note, struct err *err)
{
	(void)note;
	return worker_users_detach(run, step->subject, to, db, err);
}

static int
smcp_connect(struct run *run, const struct step *step, struct host *to,
    const char *db, struct plan_note *note, struct err *err)
{
	(void)to;
	(void)db;
	return worker_smcp_connect(run, step->subject, note, err);
}

static int
smcp_ask(struct run *run, const struct step *step, struct host *to,
    const char *db, struct plan_note *note, struct err *err)
{
	struct worker_mcp_seen seen;
	int rc;

	(void)to;
	(void)db;
	rc = worker_smcp_ask(run, step->subject, true, &seen, err);
	if (rc == 0)
		jdoc_write(seen.names, &note->diff);
	if (rc == 0 && seen.called)
		buf_str(&note->diff, " called\n");
	jdoc_free(seen.names);
	return rc;
}

static const struct {
	const char *word;
	part *run;
} parts[] = {
	{ "map", users_map }, { "apply", users_apply },
	{ "detach", users_detach }, { "connect", smcp_connect },
	{ "ask", smcp_ask },
};

/* "users.probe", "smcp.act", "users.undo", or a word of the table. */
static int
do_part(struct run *run, const char *word, const char *db,
    struct plan_note *note, struct err *err)
{
	const struct conf_worker *worker = run->conf->workers;
	struct step step = { .name = word, .subject = worker,
	    .kind = str_starts(word, "users.") ? &worker_users_kind :
	    &worker_smcp_kind };
	const char *what = strchr(word, '.');
	struct host *to;

	if (run_host(run, worker->to_host, &to, err) != 0)
		return -1;
	if (what && str_eq(what, ".probe"))
		return probe(run, &step, note, err);
	if (what && str_eq(what, ".act"))
		return step.kind->act(run, &step, note, err);
	if (what)
		return step.kind->undo(run, &step, note, err);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (str_eq(word, parts[i].word))
			return parts[i].run(run, &step, to, db, note, err);
	}
	return err_set(err, ERR_USAGE, "no part %s", word);
}

int
main(int argc, char **argv)
{
	struct run_options options = { .writer = true, .secrets = true };
	struct plan_note note = { .glyph = ' ' };
	struct err err = ERR_INIT;
	struct run *run = NULL;
	int rc;

	if (argc < 4)
		return 2;
	stop_catch();
	buf_init(&note.summary, 65536);
	buf_init(&note.diff, 1024 * 1024);
	options.state_dir = argv[1];
	rc = run_open(argv[2], &options, &run, &err);
	if (rc == 0)
		rc = do_part(run, argv[3], argc > 4 ? argv[4] : NULL, &note,
		    &err);
	(void)printf("%s\n%s", buf_cstr(&note.summary), buf_cstr(&note.diff));
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	run_close(run);
	return rc == 0 ? 0 : err_exit(&err);
}
