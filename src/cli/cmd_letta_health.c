#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/finding.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "core/letta_code.h"
#include "flow/letta_health.h"

static void
health_json(const struct letta_health *health)
{
	const struct letta_code_need *need = letta_code_needs;
	struct jdoc *object = show_new("letta_health");
	struct jdoc *list = jdoc_new_array(), *row;
	struct err ignored = ERR_INIT;
	bool target;

	target = health->caps.version[0] && letta_caps_target(&health->caps,
	    &ignored) == 0;
	err_clear(&ignored);
	jdoc_set_str(object, "server", health->server);
	jdoc_set_str(object, "url", health->url);
	jdoc_set_str(object, "letta", health->caps.version);
	jdoc_set(object, "known", jdoc_new_bool(health->caps.version[0] &&
	    !health->caps.untried));
	jdoc_set(object, "target", jdoc_new_bool(target));
	for (; need < letta_code_needs + letta_code_n_needs; need++) {
		row = jdoc_new_object();
		jdoc_set_str(row, "since", need->since);
		jdoc_set_str(row, "letta", need->server);
		jdoc_set(row, "met", jdoc_new_bool(letta_code_met(need,
		    &health->caps)));
		jdoc_set_str(row, "without", need->what);
		jdoc_push(list, row);
	}
	jdoc_set(object, "letta_code", list);
	show_object(object);
}

static void
health_text(const struct letta_health *health)
{
	const struct letta_code_need *need = letta_code_needs;
	struct err ignored = ERR_INIT;

	(void)printf("%s: ", health->url);
	if (!health->caps.version[0]) {
		(void)printf("no Letta answers\n");
		return;
	}
	(void)printf("Letta %s, %s\n", health->caps.version,
	    health->caps.untried ? "which was not tried" :
	    letta_caps_target(&health->caps, &ignored) == 0 ?
	    "known as source and target" : "known as a source only");
	err_clear(&ignored);
	for (; need < letta_code_needs + letta_code_n_needs; need++)
		(void)printf("  Letta Code %s and later want %s: %s\n",
		    need->since, need->server, letta_code_met(need,
		    &health->caps) ? "met" : need->what);
}

static void
tell(void *ctx, const struct letta_health *health)
{
	const struct finding_telling *telling = ctx;

	if (telling->opt->json)
		health_json(health);
	else
		health_text(health);
	(void)fflush(stdout);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct finding_telling telling = { .opt = opt };
	struct doctor d = { .tell = finding_tell, .ctx = &telling };
	const struct letta_health_options options = { .on = opt->on,
	    .ca_file = opt->ca_file, .connect_to = opt->connect_to };

	if (opt->list) {
		finding_list(opt, letta_health_has);
		return 0;
	}
	if (opt->n_words == 0)
		return err_set(err, ERR_USAGE, "health of what?  give a URL, "
		    "a job file or JOB#NAME, or --list");
	if (letta_health(&d, opt->words[0], &options, tell, &telling,
	    err) != 0)
		return -1;
	return finding_result(opt, &d);
}

const struct cmd cmd_letta_health = {
	.name = "letta health",
	.args = "[--on HOST] URL|JOB|JOB#NAME",
	.about = "what a server is, whether its tables fit, and who would "
	    "notice an upgrade",
	.min_words = 0,
	.max_words = 1,
	.run = run,
};
