#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "flow/run.h"
#include "flow/secrets.h"
#include "io/fs.h"
#include "io/proc.h"

#define SECRET_MAX 65536
#define COMMAND_WORDS_MAX 64
#define COMMAND_TIMEOUT_MS 60000

/* One secret is one line, or some: without a newline behind, not empty. */
static int
take(struct buf *text, const char *ref, bool lines, struct secret **out,
    struct err *err)
{
	if (text->full)
		return err_set(err, ERR_USAGE, "secret %s is over %d bytes",
		    ref, SECRET_MAX);
	while (text->len > 0 && (text->data[text->len - 1] == '\n' ||
	    text->data[text->len - 1] == '\r'))
		buf_truncate(text, text->len - 1);
	if (text->len == 0)
		return err_set(err, ERR_USAGE, "secret %s is empty", ref);
	for (size_t i = 0; i < text->len; i++) {
		if (((unsigned char)text->data[i] < 0x20 &&
		    !(lines && text->data[i] == '\n')) ||
		    text->data[i] == 0x7f)
			return err_set(err, ERR_USAGE, "secret %s has a "
			    "control character in it", ref);
	}
	*out = secret_new(text->data, text->len);
	return 0;
}

static int
from_env(const char *name, const char *ref, bool lines,
    struct secret **out, struct err *err)
{
	struct buf text;
	const char *value = getenv(name);
	int rc;

	if (!value || !*value)
		return err_set(err, ERR_USAGE, "secret %s: the environment "
		    "variable %s is not set", ref, name);
	buf_init_still(&text, SECRET_MAX);
	buf_add(&text, value, strlen(value));
	rc = take(&text, ref, lines, out, err);
	buf_wipe(&text);
	return rc;
}

static int
from_file(const char *name, const char *ref, bool lines,
    struct secret **out, struct err *err)
{
	struct buf text;
	char *path = run_local_path(name);
	struct fs_meta meta;
	int rc = -1;

	buf_init_still(&text, SECRET_MAX);
	if (fs_read(path, &text, &meta, err) != 0) {
		(void)err_ctx(err, "secret %s", ref);
		err->kind = ERR_USAGE;
	} else if ((meta.mode & 077) != 0) {
		(void)err_set(err, ERR_USAGE, "secret %s: others than its "
		    "owner can read it; chmod 600 %s", ref, path);
	} else
		rc = take(&text, ref, lines, out, err);
	buf_wipe(&text);
	free(path);
	return rc;
}

static int
from_command(const char *words, const char *ref, bool lines,
    struct secret **out, struct err *err)
{
	const char *argv[COMMAND_WORDS_MAX + 1] = { NULL };
	struct proc_spec spec = {
		.argv = argv,
		.timeout_ms = COMMAND_TIMEOUT_MS,
	};
	struct proc_result result;
	char *copy = mem_strdup(words), *rest = NULL, *word;
	size_t n = 0;
	int rc = -1;

	proc_result_init(&result, SECRET_MAX);
	buf_init_still(&result.out, SECRET_MAX);
	buf_init_still(&result.err_out, SECRET_MAX);
	for (word = strtok_r(copy, " \t", &rest);
	    word && n < COMMAND_WORDS_MAX; word = strtok_r(NULL, " \t", &rest))
		argv[n++] = word;
	if (n == 0 || word) {
		(void)err_set(err, ERR_USAGE, "secret %s: 1 to %d words are "
		    "a command", ref, COMMAND_WORDS_MAX);
	} else if (proc_run(&spec, &result, err) != 0) {
		(void)err_ctx(err, "secret %s", ref);
		err->kind = ERR_USAGE;
	} else if (result.status != 0) {
		(void)err_set(err, ERR_USAGE, "secret %s: the command ended "
		    "with exit code %d", ref, result.status);
	} else
		rc = take(&result.out, ref, lines, out, err);
	buf_wipe(&result.out);
	buf_wipe(&result.err_out);
	proc_result_clear(&result);
	free(copy);
	return rc;
}

static int
fetch(const char *ref, bool lines, struct secret **out, struct err *err)
{
	if (str_starts(ref, "env:"))
		return from_env(ref + 4, ref, lines, out, err);
	if (str_starts(ref, "file:"))
		return from_file(ref + 5, ref, lines, out, err);
	if (str_starts(ref, "cmd:"))
		return from_command(ref + 4, ref, lines, out, err);
	return err_set(err, ERR_USAGE, "a secret is given as env:NAME, "
	    "file:PATH or cmd:ARGV...");
}

int
secrets_fetch(const char *ref, struct secret **out, struct err *err)
{
	return fetch(ref, false, out, err);
}

int
secrets_fetch_lines(const char *ref, struct secret **out, struct err *err)
{
	return fetch(ref, true, out, err);
}

bool
secrets_in_environment(const char *ref)
{
	return str_starts(ref, "env:");
}

void
secrets_forget(const char *ref)
{
	char *value;

	if (!secrets_in_environment(ref))
		return;
	value = getenv(ref + 4);
	if (!value)
		return;
	/* They are where /proc/PID/environ shows them, too. */
	secret_wipe(value, strlen(value));
	(void)unsetenv(ref + 4);
}
