#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/host_word.h"
#include "flow/repoint.h"

/* Done, and something is left for a person. */
#define EXIT_BY_HAND 3
#define EXIT_CHANGES 4

static void
show_json(const struct opt *opt, const struct repoint_report *report)
{
	struct jdoc *object = show_new("repoint");

	jdoc_set_str(object, "from", report->from);
	jdoc_set_str(object, "to", report->to);
	jdoc_set(object, "dry_run", jdoc_new_bool(opt->dry_run));
	jdoc_set(object, "files", jdoc_new_int((int64_t)report->files));
	jdoc_set(object, "places", jdoc_new_int((int64_t)report->places));
	jdoc_set_str(object, "diff", buf_cstr(&report->diff));
	jdoc_set_str(object, "by_hand", buf_cstr(&report->by_hand));
	show_object(object);
}

static void
show_text(const struct opt *opt, const struct repoint_report *report)
{
	(void)fputs(buf_cstr(&report->diff), stdout);
	if (report->was_done)
		(void)printf("nothing to do: all says %s already\n",
		    report->to);
	else
		(void)printf("%s -> %s: %zu places in %zu files%s\n",
		    report->from, report->to, report->places, report->files,
		    opt->dry_run ? "; nothing was changed" : "; a worker "
		    "that runs has to be started again");
	if (report->by_hand.len > 0)
		(void)printf("to be changed by hand:\n%s",
		    buf_cstr(&report->by_hand));
}

static int
run(const struct opt *opt, struct err *err)
{
	const struct repoint_options options = {
		.state_dir = opt->state_dir,
		.dry_run = opt->dry_run,
		.reverse = opt->reverse,
	};
	struct repoint_report report;
	struct host_word at;
	int rc;

	if ((opt->n_words == 2) == opt->reverse)
		return err_set(err, ERR_USAGE, "worker repoint wants either "
		    "an agent's id or --reverse");
	if (host_word_open(opt->words[0], &at, err) != 0)
		return -1;
	rc = repoint(&at, opt->reverse ? NULL : opt->words[1], &options,
	    &report, err);
	if (rc == 0 && opt->json)
		show_json(opt, &report);
	else if (rc == 0)
		show_text(opt, &report);
	if (rc == 0 && opt->dry_run && !report.was_done)
		rc = EXIT_CHANGES;
	else if (rc == 0 && report.by_hand.len > 0)
		rc = EXIT_BY_HAND;
	repoint_report_clear(&report);
	host_word_close(&at);
	return rc;
}

const struct cmd cmd_worker_repoint = {
	.name = "worker repoint",
	.args = "DIR AGENT_ID | --reverse DIR",
	.about = "the same worker for another agent; --dry-run shows it",
	.min_words = 1,
	.max_words = 2,
	.run = run,
};
