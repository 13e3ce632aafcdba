#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/shown.h"
#include "flow/command.h"
#include "io/host.h"

/* What it ended with, and what it said; one that is not there ends with 127. */
static int
take(struct proc_result *result, int rc, int *status, struct buf *out,
    struct buf *err_out, struct err *err)
{
	*status = rc == 0 ? result->status : 127;
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (rc == 0 && out)
		buf_add(out, buf_cstr(&result->out), result->out.len);
	/* What it said beyond that is not here either. */
	if (rc == 0 && out && result->out.full)
		out->full = true;
	if (rc == 0 && err_out)
		buf_add(err_out, buf_cstr(&result->err_out),
		    result->err_out.len);
	buf_wipe(&result->out);
	proc_result_clear(result);
	return rc;
}

int
command_run(struct host *host, const char *const *argv, const char *input,
    size_t input_len, int *status, struct buf *out, struct buf *err_out,
    struct err *err)
{
	const struct proc_spec spec = { .argv = argv, .input = input,
	    .input_len = input_len, .timeout_ms = COMMAND_MS };
	struct proc_result result;

	proc_result_init(&result, COMMAND_TEXT_MAX);
	return take(&result, host_run(host, &spec, &result, err), status, out,
	    err_out, err);
}

int
command_ask(struct host *host, const char *const *argv, int *status,
    struct buf *out, struct err *err)
{
	const struct proc_spec spec = { .argv = argv,
	    .timeout_ms = COMMAND_MS };
	struct proc_result result;

	proc_result_init(&result, COMMAND_TEXT_MAX);
	return take(&result, host_ask(host, &spec, &result, err), status, out,
	    NULL, err);
}

int
command_must(struct host *host, const char *const *argv,
    const char *input, size_t input_len, struct err *err)
{
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	struct buf out = BUF_INIT(COMMAND_TEXT_MAX);
	struct buf shown = BUF_INIT(1024);
	const struct buf *words = &said;
	int status, rc;

	rc = command_run(host, argv, input, input_len, &status, &out, &said,
	    err);
	if (rc == 0 && status != 0) {
		/* screen complains on its stdout. */
		words = said.len > 0 ? &said : &out;
		str_printable(&shown, buf_cstr(words),
		    words->len > 200 ? 200 : words->len);
		rc = err_set(err, status == 127 ? ERR_MISSING : ERR_FAILED,
		    "%s: %s %s: %s (exit code %d)", host_name(host), argv[0],
		    argv[1] ? argv[1] : "", status == 127 ?
		    "no such program" : buf_cstr(&shown), status);
	}
	buf_clear(&shown);
	buf_clear(&out);
	buf_clear(&said);
	return rc;
}

void
command_said(struct buf *out, const struct buf *said, size_t max)
{
	struct buf masked = BUF_INIT(2 * said->len + 1);
	struct buf line = BUF_INIT(2 * said->len + 1);
	bool gap = false;
	size_t from;
	char c;

	shown_mask(&masked, buf_cstr(said), said->len);
	from = masked.len > max ? masked.len - max : 0;
	for (size_t i = from; i < masked.len; i++) {
		c = masked.data[i];
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			gap = line.len > 0;
			continue;
		}
		if (gap)
			buf_char(&line, ' ');
		gap = false;
		buf_char(&line, c);
	}
	str_printable(out, buf_cstr(&line), line.len);
	buf_clear(&line);
	buf_clear(&masked);
}
