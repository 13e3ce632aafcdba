#include "base/base.h"

#include <sys/random.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "io/b64.h"
#include "io/host.h"
#include "io/journal.h"

#define OUT_MAX (256 * 1024)
#define SAID_MAX 600
#define WORDS_MAX 48
#define PASSWORD_BYTES 32

void
runtime_plan(struct plan *plan, const struct conf_letta *letta)
{
	static const struct step_kind *const venv[] = {
		&runtime_account_kind, &runtime_database_kind,
		&runtime_install_kind, &runtime_environment_kind,
		&runtime_schema_kind, &runtime_service_kind,
		&runtime_ready_kind, NULL };
	static const struct step_kind *const compose[] = {
		&runtime_account_kind, &runtime_compose_install_kind,
		&runtime_environment_kind, &runtime_compose_service_kind,
		&runtime_ready_kind, NULL };
	const struct step_kind *const *kinds =
	    letta->runtime == CONF_RUNTIME_COMPOSE ? compose : venv;

	for (; letta->runtime != CONF_RUNTIME_THERE && *kinds; kinds++)
		plan_add(plan, "letta", letta->name, *kinds, letta);
}

int
runtime_open(struct runtime *rt, struct run *run, const struct step *step,
    struct err *err)
{
	*rt = (struct runtime){ .run = run, .letta = step->subject };
	return run_host(run, rt->letta->host, &rt->host, err);
}

int
runtime_get(const struct runtime *rt, const char *word, char **out,
    struct err *err)
{
	char *key = run_key("letta", rt->letta->name, word);
	int rc = journal_get(rt->run->journal, key, out, err);

	if (rc == 0 && *out && **out == '\0') {
		free(*out);
		*out = NULL;
	}
	free(key);
	return rc;
}

int
runtime_put(const struct runtime *rt, const char *word, const char *value,
    struct err *err)
{
	char *key = run_key("letta", rt->letta->name, word);
	int rc = journal_put(rt->run->journal, key, value, err);

	free(key);
	return rc;
}

static int
step_state(struct run *run, const struct conf_letta *letta, const char *step,
    enum journal_state *out, struct err *err)
{
	char *key = run_key("letta", letta->name, step);
	int rc = journal_step_state(run->journal, key, out, err);

	free(key);
	return rc;
}

int
runtime_begun(const struct runtime *rt, const char *step, bool *out,
    struct err *err)
{
	enum journal_state state;

	if (step_state(rt->run, rt->letta, step, &state, err) != 0)
		return -1;
	*out = state == JOURNAL_BEGUN || state == JOURNAL_DONE;
	return 0;
}

int
runtime_is_ready(struct run *run, const struct conf_letta *letta, bool *out,
    struct err *err)
{
	enum journal_state state;

	if (step_state(run, letta, runtime_ready_kind.word, &state, err) != 0)
		return -1;
	*out = state == JOURNAL_DONE;
	return 0;
}

/* What it said last: on stderr, or where that is empty on stdout. */
static int
fail(struct host *host, const struct runtime_call *call,
    const struct proc_result *result, struct err *err)
{
	const struct buf *text = result->err_out.len > 0 ? &result->err_out :
	    &result->out;
	struct buf said = BUF_INIT(8 * SAID_MAX);
	size_t len = text->len;

	while (len > 0 && (text->data[len - 1] == '\n' ||
	    text->data[len - 1] == ' '))
		len--;
	str_printable(&said, buf_cstr(text) + (len > SAID_MAX ?
	    len - SAID_MAX : 0), len > SAID_MAX ? SAID_MAX : len);
	(void)err_set(err, ERR_FAILED, "%s: %s (exit code %d): %s",
	    host_name(host), call->what, result->status, buf_cstr(&said));
	buf_clear(&said);
	return -1;
}

int
runtime_do(struct host *host, const struct runtime_call *call,
    struct buf *out, struct err *err)
{
	const char *const as[] = { "runuser", "-u", call->account, "--" };
	const char *const open[] = { "sh", "-c",
	    "umask 022 && exec \"$@\"", "sh" };
	const char *argv[WORDS_MAX] = { NULL };
	size_t n = 0;
	struct proc_spec spec = {
		.argv = argv, .env = call->env, .input = call->input,
		.input_len = call->input_len,
		.timeout_ms = call->timeout_ms ? call->timeout_ms :
		    RUNTIME_ASK_MS,
	};
	struct proc_result result;
	int rc;

	for (size_t i = 0; call->account && i < 4; i++)
		argv[n++] = as[i];
	for (size_t i = 0; call->open && i < 4; i++)
		argv[n++] = open[i];
	for (size_t i = 0; call->argv[i] && n < WORDS_MAX - 1; i++)
		argv[n++] = call->argv[i];
	proc_result_init(&result, OUT_MAX);
	rc = call->asks ? host_ask(host, &spec, &result, err) :
	    host_run(host, &spec, &result, err);
	if (rc != 0)
		(void)err_ctx(err, "%s", call->what);
	else if (result.status != 0)
		rc = fail(host, call, &result, err);
	else if (out)
		buf_add(out, buf_cstr(&result.out), result.out.len);
	proc_result_clear(&result);
	return rc;
}

void
runtime_line(struct host *host, const struct runtime_call *call, char *out,
    size_t size)
{
	struct buf text = BUF_INIT(OUT_MAX);
	struct err ignored = ERR_INIT;

	out[0] = '\0';
	if (runtime_do(host, call, &text, &ignored) == 0)
		(void)snprintf(out, size, "%.*s",
		    (int)strcspn(buf_cstr(&text), "\n"), buf_cstr(&text));
	buf_clear(&text);
}

int
runtime_draw(struct buf *out, struct err *err)
{
	unsigned char random[PASSWORD_BYTES];
	size_t from = out->len;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(err, ERR_FAILED, "getrandom");
	b64_encode(out, random, sizeof(random), 1);
	secret_wipe(random, sizeof(random));
	for (size_t i = from; i < out->len; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
	}
	return 0;
}

int
runtime_sum(const struct buf *a, const struct buf *b,
    char out[static 2 * HASH_SIZE + 1], struct err *err)
{
	struct hash *hash = hash_new(err);
	int rc;

	out[0] = '\0';
	if (!hash)
		return -1;
	hash_add(hash, buf_cstr(a), a->len);
	hash_add(hash, buf_cstr(b), b->len);
	rc = hash_end_hex(hash, out, err);
	hash_free(hash);
	return rc;
}

char *
runtime_venv_dir(const struct runtime *rt)
{
	return mem_printf(RUNTIME_OPT "/%s", rt->letta->version);
}
