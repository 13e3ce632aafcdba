#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/host_word.h"
#include "io/db.h"
#include "io/host.h"

static void
show(const struct opt *opt, const struct host_word *at,
    const struct db_report *report)
{
	struct jdoc *object, *rows;

	if (!opt->json) {
		(void)printf("%s: %s: %" PRIu64 " bytes, integrity_check ok, "
		    "the source's journal_mode is %s\n", at->where,
		    opt->words[1], report->size_bytes, report->journal_mode);
		for (size_t i = 0; i < report->n_tables; i++)
			(void)printf("  %s: %" PRIu64 " rows\n",
			    report->tables[i].name, report->tables[i].rows);
		return;
	}
	object = show_new("snapshot");
	rows = jdoc_new_object();
	jdoc_set_str(object, "path", opt->words[1]);
	jdoc_set(object, "bytes",
	    jdoc_new_int((int64_t)report->size_bytes));
	jdoc_set_str(object, "journal_mode", report->journal_mode);
	for (size_t i = 0; i < report->n_tables; i++)
		jdoc_set(rows, report->tables[i].name,
		    jdoc_new_int((int64_t)report->tables[i].rows));
	jdoc_set(object, "rows", rows);
	show_object(object);
}

/* Both are on one machine: a copy of a live file cannot be made elsewhere. */
static int
run(const struct opt *opt, struct err *err)
{
	struct host_word at = { 0 };
	struct db_report report = { 0 };
	struct fs_meta meta;
	int rc;

	if (host_word_open(opt->words[0], &at, err) != 0)
		return -1;
	rc = host_stat(at.host, opt->words[1], &meta, err);
	if (rc == 0 && meta.type != FS_NONE)
		rc = err_set(err, ERR_USAGE, "%s:%s: something is there "
		    "already; a snapshot replaces nothing",
		    host_name(at.host), opt->words[1]);
	if (rc == 0)
		rc = host_snapshot(at.host, at.path, opt->words[1], &report,
		    err);
	if (rc == 0)
		show(opt, &at, &report);
	host_word_close(&at);
	return rc;
}

const struct cmd cmd_worker_snapshot = {
	.name = "worker snapshot",
	.args = "FILE COPY",
	.about = "copy an SQLite file as of one instant, while it is written",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
