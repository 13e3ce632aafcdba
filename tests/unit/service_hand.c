#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/template.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/service.h"

/*
 * flow/service.h by hand, for tests/e2e: no test, and not installed.
 *
 *     service_hand STATE JOB up|down|look STAMP
 *     service_hand STATE JOB ensure NAME
 *
 * The service is "letta1" of the first host of the job file, of the template
 * letta: /opt/letta1/bin/letta, as account letta1, in /var/lib/letta1.  With
 * the stamp "transient" it is that, too.
 */
static int
on_service(struct run *run, const char *verb, const char *stamp,
    struct err *err)
{
	static const struct template_value values[] = {
		{ "environment", TEMPLATE_PATH, "/etc/letta1.env" },
		{ "port", TEMPLATE_PORT, "18399" },
		{ "program", TEMPLATE_PATH, "/opt/letta1/bin/letta" },
		{ "readonly", TEMPLATE_PATH, "/opt/letta1" },
	};
	const struct service_spec spec = {
		.on = &run->conf->hosts[0], .key = "letta.test.service",
		.name = "letta1", .template = "letta", .values = values,
		.n_values = 4, .account = "letta1",
		.directory = "/var/lib/letta1", .stamp = stamp,
		.transient = str_eq(stamp, "transient"),
	};
	struct plan_note note = { .summary = BUF_INIT(4096),
	    .diff = BUF_INIT(65536) };
	struct service *service;
	bool said = false;
	int rc = service_open(run, &spec, &service, err);

	if (rc != 0)
		return -1;
	if (str_eq(verb, "up"))
		rc = service_up(service, run, &said, err);
	else if (str_eq(verb, "down"))
		rc = service_down(service, run, &said, err);
	else
		rc = service_look(service, run, &note, &said, err);
	if (rc == 0)
		(void)printf("%s %s\n%s\n%s",
		    service_manager_word(service_manager_of(service)),
		    said ? "yes" : "no", buf_cstr(&note.summary),
		    buf_cstr(&note.diff));
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	service_close(service);
	return rc;
}

static int
ensure(struct run *run, const char *name, struct err *err)
{
	struct host *host;
	bool acted;

	if (run_host(run, &run->conf->hosts[0], &host, err) != 0 ||
	    service_ensure(host, name, &acted, err) != 0)
		return -1;
	(void)printf("%s\n", acted ? "yes" : "no");
	return 0;
}

int
main(int argc, char *argv[])
{
	struct run_options options = { .writer = true };
	struct err err = ERR_INIT;
	struct run *run;
	int rc;

	if (argc != 5)
		return 2;
	options.state_dir = argv[1];
	if (run_open(argv[2], &options, &run, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	rc = str_eq(argv[3], "ensure") ? ensure(run, argv[4], &err) :
	    on_service(run, argv[3], argv[4], &err);
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	run_close(run);
	return rc == 0 ? 0 : err_exit(&err);
}
