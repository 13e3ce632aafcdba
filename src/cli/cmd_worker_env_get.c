#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/env_file.h"
#include "flow/host_word.h"

/* The value and nothing else, so that $(...) has it; it may be a secret. */
static void
show(const struct opt *opt, const char *key, const struct buf *value)
{
	struct jdoc *object;

	if (!opt->json) {
		(void)printf("%s\n", buf_cstr(value));
		return;
	}
	object = show_new("env_value");
	jdoc_set_str(object, "key", key);
	jdoc_set_str(object, "value", buf_cstr(value));
	show_object(object);
}

static int
run(const struct opt *opt, struct err *err)
{
	const char *key = opt->words[1];
	struct host_word at;
	struct buf value;
	bool set = false;
	int rc;

	if (host_word_open(opt->words[0], &at, err) != 0)
		return -1;
	buf_init_still(&value, ENV_FILE_MAX);
	rc = env_file_get(&at, key, &value, &set, err);
	if (rc == 0 && set)
		show(opt, key, &value);
	else if (rc == 0)
		rc = err_set(err, ERR_MISSING, "%s: %s is not set", at.where,
		    key);
	buf_wipe(&value);
	host_word_close(&at);
	return rc;
}

const struct cmd cmd_worker_env_get = {
	.name = "worker env get",
	.args = "FILE KEY",
	.about = "the value that python-dotenv reads for a key",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
