#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/backup.h"
#include "flow/endpoint.h"

#define KEEP_MAX 10000

static int
number(const char *text, const char *option, uint64_t max, unsigned int *out,
    struct err *err)
{
	uint64_t n;

	if (!text)
		return 0;
	if (!str_u64(text, max, &n) || n == 0)
		return err_set(err, ERR_USAGE, "option %s wants a number "
		    "from 1 to %" PRIu64, option, max);
	*out = (unsigned int)n;
	return 0;
}

static void
show_json(const char *dir, const struct backup_figures *f)
{
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{ "agents", f->agents },
		{ "read", f->read },
		{ "linked", f->linked },
		{ "kept", f->kept },
		{ "failed", f->failed },
		{ "changed", f->changed },
		{ "gone", f->gone },
		{ "removed", f->removed },
		{ "losses", f->losses },
		{ "messages", f->messages },
		{ "passages", f->passages },
		{ "conversations", f->conversations },
	};
	struct jdoc *object = show_new("backup");

	jdoc_set_str(object, "path", dir);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		jdoc_set(object, counts[i].key,
		    jdoc_new_int((int64_t)counts[i].count));
	show_object(object);
}

static void
show_text(const char *dir, const struct backup_figures *f)
{
	(void)printf("%s: %" PRIu64 " agents, %" PRIu64 " messages, %" PRIu64
	    " passages\n%" PRIu64 " agents read, %" PRIu64 " linked from an "
	    "older backup, %" PRIu64 " as they were\n", dir, f->agents,
	    f->messages, f->passages, f->read, f->linked, f->kept);
	if (f->gone > 0)
		(void)printf("%" PRIu64 " agents are not at the server any "
		    "more; their bundles stay\n", f->gone);
	if (f->removed > 0)
		(void)printf("%" PRIu64 " older backups removed\n",
		    f->removed);
	(void)printf("%" PRIu64 " kinds of things of the server are in no "
	    "bundle: `losses' in " BACKUP_INDEX " says which and why\n",
	    f->losses);
	(void)printf("next: sanctumctl letta check %s\n", dir);
}

static int
make(const struct opt *opt, const char *dir, struct err *err)
{
	struct backup_options options = {
		.since = opt->since, .state_dir = opt->state_dir,
	};
	struct backup_figures figures = { 0 };
	struct endpoint at;
	int rc;

	if (number(opt->jobs, "--jobs", BACKUP_JOBS_MAX, &options.jobs,
	    err) != 0 ||
	    number(opt->keep, "--keep", KEEP_MAX, &options.keep, err) != 0 ||
	    endpoint_find(opt->words[0], &at, err) != 0)
		return -1;
	rc = endpoint_fetch(&at, 1, err);
	if (rc == 0)
		rc = backup_make(&at, dir, &options, &figures, err);
	/* What there is of it is told, too, when it is not all. */
	if (rc == 0 || err->kind == ERR_PARTIAL)
		(opt->json ? show_json : show_text)(dir, &figures);
	endpoint_clear(&at);
	return rc;
}

static int
run(const struct opt *opt, struct err *err)
{
	char *dir = opt->n_words > 1 ? mem_strdup(opt->words[1]) :
	    backup_dir_name();
	int rc = make(opt, dir, err);

	free(dir);
	return rc;
}

const struct cmd cmd_letta_backup = {
	.name = "letta backup",
	.args = "SERVER [DIR] [--jobs N] [--since DIR] [--keep N]",
	.about = "every agent of a server, a bundle each, into a directory",
	.min_words = 1,
	.max_words = 2,
	.run = run,
};
