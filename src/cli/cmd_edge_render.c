#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/edge_hand.h"
#include "flow/run.h"

static void
show(void *ctx, const char *path, const char *generation)
{
	const struct opt *opt = ctx;
	struct jdoc *object;

	if (!opt->json) {
		(void)printf("%s  generation %s\n", path, generation);
		return;
	}
	object = show_new("rendering");
	jdoc_set_str(object, "path", path);
	jdoc_set_str(object, "generation", generation);
	show_object(object);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct conf *conf;
	int rc = 0;

	if (!opt->out || !*opt->out)
		return err_set(err, ERR_USAGE, "edge render: --out DIR is "
		    "missing: where the files are to be");
	if (run_read(opt->job, &conf, err) != 0)
		return -1;
	if (conf->n_edges == 0)
		rc = err_set(err, ERR_USAGE, "%s: there is no [edge HOST] in "
		    "it", opt->job);
	for (size_t i = 0; rc == 0 && i < conf->n_edges; i++)
		rc = edge_hand_render(conf, &conf->edges[i], opt->out, show,
		    (void *)(uintptr_t)opt, err);
	conf_free(conf);
	if (rc == 0 && !opt->json)
		(void)printf("next: sanctumctl edge test %s\n", opt->job);
	return rc;
}

const struct cmd cmd_edge_render = {
	.name = "edge render",
	.args = "JOB --out DIR",
	.about = "write both phases of its nginx file here; ask no host",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
