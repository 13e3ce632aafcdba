#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/env_dialect.h"
#include "core/jdoc.h"
#include "flow/env_file.h"
#include "flow/host_word.h"

#define VALUE_MAX (64 * 1024)

/* All of stdin; one line break at its end is not part of the value. */
static int
read_value(struct buf *out, struct err *err)
{
	char part[4096];
	size_t n;

	do {
		n = fread(part, 1, sizeof(part), stdin);
		buf_add(out, part, n);
	} while (n == sizeof(part));
	secret_wipe(part, sizeof(part));
	if (ferror(stdin))
		return err_sys(err, ERR_FAILED, "read the value from stdin");
	if (out->len > 0 && out->data[out->len - 1] == '\n')
		buf_truncate(out, out->len - 1);
	if (out->len > 0 && out->data[out->len - 1] == '\r')
		buf_truncate(out, out->len - 1);
	if (out->len > 0 && memchr(out->data, '\0', out->len))
		return err_set(err, ERR_USAGE, "the value on stdin holds a "
		    "NUL byte");
	return buf_check(out, "the value on stdin", err);
}

static void
show(const struct opt *opt, const struct host_word *at, bool changed,
    unsigned int disagree)
{
	struct jdoc *object, *readers = jdoc_new_array();

	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		if (!(disagree & (1u << r)))
			continue;
		jdoc_push(readers, jdoc_new_str(env_reader_name(r)));
		if (!opt->json)
			(void)printf("%s reads it otherwise, or not at all; "
			    "see `sanctumctl worker env lint'\n",
			    env_reader_name(r));
	}
	if (!opt->json) {
		(void)printf("%s: %s %s\n", at->where, opt->words[1],
		    changed ? "is set" : "was so already");
		jdoc_free(readers);
		return;
	}
	object = show_new("env_set");
	jdoc_set_str(object, "key", opt->words[1]);
	jdoc_set(object, "changed", jdoc_new_bool(changed));
	jdoc_set(object, "disagree", readers);
	show_object(object);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct host_word at = { 0 };
	unsigned int disagree = 0;
	bool changed = false;
	struct buf value;
	int rc;

	buf_init_still(&value, VALUE_MAX);
	rc = read_value(&value, err);
	if (rc == 0)
		rc = host_word_open(opt->words[0], &at, err);
	if (rc == 0)
		rc = env_file_set(&at, opt->words[1], buf_cstr(&value),
		    &disagree, &changed, err);
	if (rc == 0)
		show(opt, &at, changed, disagree);
	buf_wipe(&value);
	host_word_close(&at);
	return rc;
}

const struct cmd cmd_worker_env_set = {
	.name = "worker env set",
	.args = "FILE KEY",
	.about = "set a key to what is on stdin",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
