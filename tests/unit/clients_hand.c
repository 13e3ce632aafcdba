#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"

/*
 * The step `clients' of an upgrade by hand, for tests/e2e: no test, and not
 * installed.
 *
 *     clients_hand STATE JOB plan|apply|cancel
 *
 * Prints "todo" or "done" (plan), how many steps acted, and what it said.
 */
static void
tell(void *ctx, const struct plan_event *event)
{
	(void)ctx;
	if (event->note)
		(void)printf("%s\n%s", buf_cstr(&event->note->summary),
		    buf_cstr(&event->note->diff));
}

static int
go(struct run *run, const char *verb, struct err *err)
{
	const struct conf_upgrade *upgrade = &run->conf->upgrades[0];
	const struct plan_watch watch = { .event = tell };
	struct plan plan = { .n_steps = 0 };
	size_t n = 0;
	int rc;

	plan_add(&plan, "upgrade", upgrade->name, &upgrade_clients_kind,
	    upgrade);
	if (str_eq(verb, "plan"))
		rc = plan_look(run, &plan, &watch, &n, err);
	else if (str_eq(verb, "apply"))
		rc = plan_apply(run, &plan, &watch, &n, err);
	else
		rc = plan_cancel(run, &plan, &watch, &n, err);
	if (rc == 0)
		(void)printf("%zu\n", n);
	plan_clear(&plan);
	return rc;
}

int
main(int argc, char *argv[])
{
	struct run_options options = { .writer = true };
	struct err err = ERR_INIT;
	struct run *run;
	int rc;

	if (argc != 4)
		return 2;
	options.state_dir = argv[1];
	if (run_open(argv[2], &options, &run, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	rc = go(run, argv[3], &err);
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	run_close(run);
	return rc == 0 ? 0 : err_exit(&err);
}
