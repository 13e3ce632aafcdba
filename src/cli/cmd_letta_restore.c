#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "cli/show_ids.h"
#include "core/jdoc.h"
#include "flow/backup.h"
#include "flow/restore.h"
#include "flow/restore_ids.h"
#include "flow/run.h"
#include "io/journal.h"

#define NAMES_MAX (16 * 1024)

static void
show_json(const struct restore_totals *totals)
{
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{ "agents", totals->agents }, { "same", totals->restored },
		{ "there", totals->there }, { "ours", totals->ours },
		{ "others", totals->others },
	};
	struct jdoc *object = show_new("restore");

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		jdoc_set(object, counts[i].key,
		    jdoc_new_int((int64_t)counts[i].count));
	jdoc_set(object, "named", jdoc_copy(totals->named));
	jdoc_set(object, "missing", jdoc_copy(totals->missing));
	show_object(object);
}

static void
show_text(const struct restore_totals *totals)
{
	struct buf others = BUF_INIT(NAMES_MAX);

	restore_others(totals, &others);
	(void)printf("%" PRIu64 " of %" PRIu64 " agents are restored, each "
	    "compared with its bundle and the same\n", totals->restored,
	    totals->agents);
	(void)printf("the server has %" PRIu64 " agents: %" PRIu64 " of this "
	    "backup, %" PRIu64 " others%s%s\n", totals->there, totals->ours,
	    totals->others, totals->others > 0 ? ": " : "",
	    buf_cstr(&others));
	buf_clear(&others);
}

/* An agent whose bundle is not sound fails alone, before it is sent. */
static int
warn(void *ctx, const char *file, const char *what, struct err *err)
{
	const struct opt *opt = ctx;

	(void)err;
	log_warn("%s/%s: %s", opt->words[0], file, what);
	return 0;
}

static int
tell_ids(const struct job_cmd *cmd, struct err *err)
{
	char *path = restore_ids_path(journal_path(cmd->run->journal));
	int rc;

	rc = restore_ids_write(cmd->run, err);
	if (rc == 0)
		rc = show_ids(cmd->opt, path, err);
	free(path);
	return rc;
}

/* What some of the agents have failed with is told beside the totals. */
static int
apply(const struct job_cmd *cmd, struct err *err)
{
	struct restore_totals totals = { 0 };
	struct err second = ERR_INIT;
	int rc;

	if (restore_check_target(cmd->run, err) != 0)
		return -1;
	rc = job_cmd_apply(cmd, err);
	if (rc != 0 && err->kind != ERR_PARTIAL)
		return rc;
	if (restore_count(cmd->run, &totals, rc == 0 ? err : &second) != 0) {
		rc = -1;
	} else if (cmd->opt->json) {
		show_json(&totals);
	} else {
		show_text(&totals);
	}
	restore_totals_clear(&totals);
	if (tell_ids(cmd, rc == 0 ? err : &second) != 0)
		rc = -1;
	return rc;
}

static int
plan(const struct job_cmd *cmd, struct err *err)
{
	if (restore_check_target(cmd->run, err) != 0)
		return -1;
	return job_cmd_plan(cmd, err);
}

static int
run(const struct opt *opt, struct err *err)
{
	const struct restore_options options = {
		.state_dir = opt->state_dir, .tools = opt->tools
	};
	struct opt as_job = *opt;
	struct backup_figures figures;
	char *job;
	int rc;

	if (backup_check(opt->words[0], warn, &as_job, &figures, err) != 0 ||
	    restore_order(opt->words[0], opt->words[1], &options, &job,
	    err) != 0)
		return -1;
	show_job(opt, job);
	as_job.job = job;
	rc = job_cmd_run(&as_job, opt->dry_run ? plan : apply, err);
	free(job);
	return rc;
}

const struct cmd cmd_letta_restore = {
	.name = "letta restore",
	.args = "DIR SERVER [--tools WORD] [--dry-run]",
	.about = "bring every agent of a backup to a server",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
