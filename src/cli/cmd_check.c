#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/run.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct conf *conf;
	struct jdoc *object;

	if (run_check(opt->job, &conf, err) != 0)
		return -1;
	if (opt->json) {
		object = show_new("check");
		jdoc_set_str(object, "job", conf->name);
		jdoc_set_str(object, "kind", conf_kind_name(conf->kind));
		jdoc_set(object, "agents",
		    jdoc_new_int((int64_t)conf->n_agents));
		jdoc_set(object, "workers",
		    jdoc_new_int((int64_t)conf->n_workers));
		show_object(object);
	} else
		(void)printf("%s: job %s of kind %s: %zu agents, %zu workers; "
		    "every secret is there\nnext: sanctumctl plan %s\n",
		    opt->job, conf->name, conf_kind_name(conf->kind),
		    conf->n_agents, conf->n_workers, opt->job);
	conf_free(conf);
	return 0;
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "JOB",
	.about = "check the job file and its secrets; contact nobody",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
