#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/env_lint.h"
#include "core/jdoc.h"
#include "flow/env_file.h"
#include "flow/host_word.h"

/* A reader has another value; the file cannot be edited safely. */
#define EXIT_DIFFERS 3
#define EXIT_UNEDITABLE 14

static void
row_json(const struct env_lint_row *row)
{
	struct jdoc *object = show_new("env_key");
	struct jdoc *readers = jdoc_new_array(), *one;

	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		one = jdoc_new_object();
		jdoc_set_str(one, "reader", env_reader_name(r));
		jdoc_set_str(one, "verdict",
		    env_verdict_word(row->verdicts[r]));
		jdoc_set(one, "line", jdoc_new_int((int64_t)row->lines[r]));
		jdoc_set_str(one, "why", row->whys[r] ? row->whys[r] : "");
		jdoc_push(readers, one);
	}
	jdoc_set_str(object, "key", row->key);
	jdoc_set(object, "line", jdoc_new_int((int64_t)row->line));
	jdoc_set(object, "readers", readers);
	show_object(object);
}

/* A line a key; what is not the same is told below it. */
static void
row_text(const struct env_lint_row *row)
{
	struct buf key = BUF_INIT(ENV_FILE_MAX);

	str_printable(&key, row->key, strlen(row->key));
	(void)printf("%-28s %5zu", buf_cstr(&key), row->line);
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++)
		(void)printf("  %-13s", env_verdict_word(row->verdicts[r]));
	(void)printf("\n");
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		if (row->whys[r])
			(void)printf("    %s, line %zu: %s\n",
			    env_reader_name(r), row->lines[r], row->whys[r]);
	}
	buf_clear(&key);
}

static int
show_row(void *ctx, const struct env_lint_row *row, struct err *err)
{
	const struct opt *opt = ctx;

	(void)err;
	if (opt->json)
		row_json(row);
	else
		row_text(row);
	return 0;
}

static int
show_result(const struct opt *opt, const struct host_word *at,
    const struct env_lint_result *result)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new("env_lint");
		jdoc_set_str(object, "path", at->where);
		jdoc_set(object, "keys",
		    jdoc_new_int((int64_t)result->keys));
		jdoc_set(object, "differing",
		    jdoc_new_int((int64_t)result->rows_differing));
		jdoc_set_str(object, "uneditable", result->uneditable ?
		    result->uneditable : "");
		jdoc_set(object, "line",
		    jdoc_new_int((int64_t)result->uneditable_line));
		show_object(object);
	} else if (result->uneditable)
		(void)printf("%s:%zu: cannot be edited safely: %s\n",
		    at->where, result->uneditable_line, result->uneditable);
	else
		(void)printf("%s: %zu keys, %zu that not all read alike\n",
		    at->where, result->keys, result->rows_differing);
	if (result->uneditable)
		return EXIT_UNEDITABLE;
	return result->rows_differing > 0 ? EXIT_DIFFERS : 0;
}

static void
show_head(const struct opt *opt)
{
	if (opt->json)
		return;
	(void)printf("%-28s %5s", "KEY", "LINE");
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++)
		(void)printf("  %-13s", env_reader_name(r));
	(void)printf("\n");
}

static int
run(const struct opt *opt, struct err *err)
{
	struct env_lint_result result;
	struct host_word at;
	struct buf text;
	int rc;

	if (host_word_open(opt->words[0], &at, err) != 0)
		return -1;
	buf_init_still(&text, ENV_FILE_MAX);
	rc = env_file_read(&at, &text, err);
	if (rc == 0) {
		show_head(opt);
		rc = env_lint(buf_cstr(&text), text.len, show_row,
		    (void *)(uintptr_t)opt, &result, err);
	}
	if (rc == 0)
		rc = show_result(opt, &at, &result);
	buf_wipe(&text);
	host_word_close(&at);
	return rc;
}

const struct cmd cmd_worker_env_lint = {
	.name = "worker env lint",
	.args = "FILE",
	.about = "does each key read the same in python-dotenv, sh, systemd "
	    "and docker?",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
