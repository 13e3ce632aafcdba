#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "flow/upgrade_since.h"

/*
 * For tests/e2e/test_postgres.py: of an upgrade the steps of its database
 * alone, which need no Letta.
 *
 *     drive_upgrade --state DIR plan|apply|cancel|rows JOB
 *
 * Words and exit codes are near those of sanctumctl, whose commands run all
 * steps.
 *
 * In the place of plan: `restored' notes what the step of that name does in
 * the end, `back' and `discard' ask what a rollback does, without and with
 * --discard.
 *
 * For tests/e2e/test_upgrade_service.py: `service' tells what runs the old
 * server, `off' and `on' do that first.
 */

static void
show(void *ctx, const struct plan_event *event)
{
	(void)ctx;
	if (event->type != PLAN_EVENT_BEGIN)
		(void)printf("%s: %s\n%s", event->step,
		    buf_cstr(&event->note->summary),
		    buf_cstr(&event->note->diff));
}

static int
ask(struct run *run, const char *verb, struct err *err)
{
	const struct upgrade up = { .run = run, .conf = run->conf->upgrades };

	run->discard = str_eq(verb, "discard");
	return str_eq(verb, "restored") ? upgrade_since_keep(&up, err) :
	    upgrade_may_go_back(run, err);
}

static int
drive(struct run *run, const char *verb, struct err *err)
{
	const struct plan_watch watch = { .event = show };
	const struct conf_upgrade *upgrade = &run->conf->upgrades[0];
	struct plan plan = { 0 };
	size_t n = 0;
	int rc;

	if (str_eq(verb, "restored") || str_eq(verb, "back") ||
	    str_eq(verb, "discard"))
		return ask(run, verb, err);
	plan_add(&plan, "upgrade", upgrade->name, &upgrade_dump_kind, upgrade);
	plan_add(&plan, "upgrade", upgrade->name, &upgrade_database_kind,
	    upgrade);
	plan_add(&plan, "upgrade", upgrade->name, &upgrade_sequence_kind,
	    upgrade);
	rc = str_eq(verb, "plan") ? plan_look(run, &plan, &watch, &n, err) :
	    str_eq(verb, "apply") ? plan_apply(run, &plan, &watch, &n, err) :
	    plan_cancel(run, &plan, &watch, &n, err);
	if (rc == 0)
		(void)printf("%zu steps\n", n);
	plan_clear(&plan);
	return rc;
}

/* What `backup' and `stop' ask of each agent. */
static int
show_rows(struct run *run, struct err *err)
{
	struct buf rows = BUF_INIT(65536);
	struct postgres *pg;
	int rc;

	if (postgres_open(&pg, run, run->conf->upgrades[0].from, err) != 0)
		return -1;
	rc = upgrade_rows(pg, &rows, err);
	(void)fputs(buf_cstr(&rows), stdout);
	buf_clear(&rows);
	postgres_close(pg);
	return rc;
}

static int
on_service(struct run *run, const char *verb, struct err *err)
{
	struct upgrade up = { .run = run, .conf = run->conf->upgrades };
	struct upgrade_service service = { .where = NULL };
	int rc;

	if (run_host(run, up.conf->from->host, &up.host, err) != 0)
		return -1;
	rc = upgrade_service_find(&service, &up, err);
	if (rc == 0 && !str_eq(verb, "service")) {
		rc = str_eq(verb, "off") ? upgrade_service_off(&service, err) :
		    upgrade_service_on(&service, true, err);
		upgrade_service_clear(&service);
		if (rc == 0)
			rc = upgrade_service_find(&service, &up, err);
	}
	if (rc == 0)
		(void)printf("%s %s %s %s\n", upgrade_service_word(&service),
		    service.where, service.enabled ? "enabled" : "-",
		    service.active ? "active" : "-");
	upgrade_service_clear(&service);
	return rc;
}

static bool
is_of_service(const char *verb)
{
	return str_eq(verb, "service") || str_eq(verb, "off") ||
	    str_eq(verb, "on");
}

int
main(int argc, char **argv)
{
	struct run_options options = { .writer = true, .secrets = true };
	struct err err = ERR_INIT;
	struct run *run = NULL;
	int rc;

	if (argc != 5)
		return 2;
	options.state_dir = argv[2];
	rc = run_open(argv[4], &options, &run, &err);
	if (rc == 0)
		rc = str_eq(argv[3], "rows") ? show_rows(run, &err) :
		    is_of_service(argv[3]) ? on_service(run, argv[3], &err) :
		    drive(run, argv[3], &err);
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	run_close(run);
	return rc == 0 ? 0 : err_exit(&err);
}
