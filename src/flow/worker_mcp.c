#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/answer.h"
#include "core/jdoc.h"
#include "core/mcp.h"
#include "core/sse.h"
#include "flow/worker_mcp.h"
#include "io/host.h"

#define TIMEOUT_MS 30000
#define DIAL_MS 5000
#define SLICE_MS 1000
#define BYTES_MAX (1024 * 1024)
#define REQUEST_MAX (MCP_TEXT_MAX + 65536)
#define TOOL_PAGES_MAX 100

/* A session: the stream, and what came on it last. */
struct session {
	struct host *host;
	const struct worker_mcp_spec *spec;
	uint64_t end_ms;
	unsigned int stream;
	bool open;
	struct answer answer;
	struct sse sse;
	char *endpoint;		/* to post to */
	int64_t id;		/* of the request that is open */
	struct jdoc *result;	/* its reply */
};

static int
late(const struct session *s, const char *what, struct err *err)
{
	if (clock_left_ms(s->end_ms) > 0)
		return 0;
	return err_set(err, ERR_UNREACHABLE, "SMCP at port %u of %s: no %s "
	    "in time", s->spec->port, host_name(s->host), what);
}

static uint64_t
slice(const struct session *s)
{
	uint64_t left_ms = (uint64_t)clock_left_ms(s->end_ms);

	return left_ms < SLICE_MS ? left_ms : SLICE_MS;
}

static int
refuse(const struct session *s, const char *what, unsigned int status,
    struct err *err)
{
	if (status == 401 || status == 403)
		return err_set(err, ERR_AUTH, "SMCP at port %u of %s: %s: "
		    "%u: the key is refused; MCP_API_KEY of its .env is %s",
		    s->spec->port, host_name(s->host), what, status,
		    s->spec->key ? "another" : "not set");
	return err_set(err, ERR_FAILED, "SMCP at port %u of %s: %s: %u",
	    s->spec->port, host_name(s->host), what, status);
}

static int
on_event(void *ctx, const char *type, const char *data, size_t len,
    struct err *err)
{
	struct session *s = ctx;

	if (str_eq(type, "endpoint") && !s->endpoint) {
		if (!mcp_endpoint_ok(data))
			return err_set(err, ERR_DATA, "SMCP says to post to "
			    "no path of its own");
		s->endpoint = mem_strdup(data);
	} else if (str_eq(type, "message") && s->id > 0 && !s->result) {
		return mcp_reply(data, len, s->id, &s->result, err);
	}
	return 0;
}

/* What has come on the stream, or nothing within a slice of time. */
static int
listen_once(struct session *s, struct err *err)
{
	struct buf bytes = BUF_INIT(BYTES_MAX), body = BUF_INIT(BYTES_MAX);
	bool ended;
	int rc;

	rc = host_hear(s->host, s->stream, slice(s), &bytes, &ended, err);
	if (rc == 0)
		rc = answer_feed(&s->answer, buf_cstr(&bytes), bytes.len,
		    &body, err);
	if (rc == 0 && s->answer.status != 0 && s->answer.status != 200)
		rc = refuse(s, "GET " MCP_PATH_SSE, s->answer.status, err);
	if (rc == 0)
		rc = sse_feed(&s->sse, buf_cstr(&body), body.len, on_event,
		    s, err);
	if (rc == 0 && (ended || s->answer.done) && !s->result)
		rc = err_set(err, ERR_UNREACHABLE, "SMCP at port %u of %s "
		    "closed the stream", s->spec->port, host_name(s->host));
	buf_clear(&bytes);
	buf_clear(&body);
	return rc;
}

static int
send_request(struct session *s, unsigned int line, const char *path,
    const char *json, struct err *err)
{
	struct buf request;
	int rc;

	buf_init_still(&request, REQUEST_MAX);
	mcp_request(&request, path, s->spec->port, s->spec->key, json);
	rc = buf_check(&request, "request to SMCP", err);
	if (rc == 0)
		rc = host_talk(s->host, line, request.data, request.len, err);
	buf_wipe(&request);
	return rc;
}

/* Asked apart: a failure of another host does not say which kind it is. */
static int
check_listens(const struct session *s, struct err *err)
{
	static const char *const loopback[] = { "127.0.0.1", "::1" };
	bool taken = false;

	for (size_t i = 0; i < 2 && !taken; i++) {
		if (host_connects(s->host, loopback[i], s->spec->port,
		    &taken, err) != 0)
			return -1;
	}
	return taken ? 0 : err_set(err, ERR_UNREACHABLE, "SMCP at port %u of "
	    "%s: nobody listens there", s->spec->port, host_name(s->host));
}

static int
open_stream(struct session *s, struct err *err)
{
	if (check_listens(s, err) != 0)
		return -1;
	if (host_dial(s->host, s->spec->port, DIAL_MS, &s->stream, err) != 0)
		return -1;
	s->open = true;
	if (send_request(s, s->stream, MCP_PATH_SSE, NULL, err) != 0)
		return -1;
	while (!s->endpoint) {
		if (late(s, "event `endpoint'", err) != 0 ||
		    listen_once(s, err) != 0)
			return -1;
	}
	return 0;
}

/* The answer to a POST: 202, its body of no interest. */
static int
hear_accepted(struct session *s, unsigned int line, struct err *err)
{
	struct answer answer;
	struct buf bytes = BUF_INIT(BYTES_MAX), body = BUF_INIT(BYTES_MAX);
	bool ended = false;
	int rc = 0;

	answer_init(&answer);
	while (rc == 0 && answer.status == 0 && !ended) {
		rc = late(s, "answer to a POST", err);
		if (rc == 0)
			rc = host_hear(s->host, line, slice(s), &bytes,
			    &ended, err);
		if (rc == 0)
			rc = answer_feed(&answer, buf_cstr(&bytes),
			    bytes.len, &body, err);
		buf_clear(&bytes);
	}
	if (rc == 0 && answer.status / 100 != 2)
		rc = refuse(s, "POST", answer.status, err);
	answer_clear(&answer);
	buf_clear(&body);
	return rc;
}

static int
post(struct session *s, const struct buf *json, struct err *err)
{
	struct err ignored = ERR_INIT;
	unsigned int line;
	int rc;

	if (host_dial(s->host, s->spec->port, DIAL_MS, &line, err) != 0)
		return -1;
	rc = send_request(s, line, s->endpoint, buf_cstr(json), err);
	if (rc == 0)
		rc = hear_accepted(s, line, err);
	if (host_hangup(s->host, line, rc == 0 ? err : &ignored) != 0)
		rc = -1;
	return rc;
}

/* Post, and wait for the reply on the stream; it is the caller's. */
static int
ask(struct session *s, const struct buf *json, const char *what,
    struct jdoc **result, struct err *err)
{
	int rc;

	*result = NULL;
	rc = buf_check(json, what, err);
	if (rc == 0)
		rc = post(s, json, err);
	while (rc == 0 && !s->result) {
		rc = late(s, what, err);
		if (rc == 0)
			rc = listen_once(s, err);
	}
	*result = s->result;
	s->result = NULL;
	return rc == 0 ? 0 : err_ctx(err, "%s", what);
}

static int
initialize(struct session *s, struct err *err)
{
	struct buf json = BUF_INIT(MCP_TEXT_MAX);
	struct jdoc *result = NULL;
	int rc;

	mcp_initialize(&json, ++s->id);
	rc = ask(s, &json, "initialize", &result, err);
	buf_clear(&json);
	if (rc == 0) {
		mcp_initialized(&json);
		rc = post(s, &json, err);
	}
	jdoc_free(result);
	buf_clear(&json);
	return rc;
}

static int
list_tools(struct session *s, struct jdoc *names, struct err *err)
{
	struct buf json = BUF_INIT(MCP_TEXT_MAX);
	struct jdoc *result = NULL, *next = NULL;
	const char *cursor = NULL;
	int rc = 0;

	for (int page = 0; rc == 0 && (page == 0 || cursor); page++) {
		if (page == TOOL_PAGES_MAX) {
			rc = err_set(err, ERR_DATA, "tools/list has no end");
			break;
		}
		mcp_tools_list(&json, ++s->id, cursor);
		rc = ask(s, &json, "tools/list", &next, err);
		buf_clear(&json);
		jdoc_free(result);
		result = next;
		if (rc == 0)
			rc = mcp_tool_names(result, names, &cursor, err);
	}
	jdoc_free(result);
	return rc;
}

static int
call_tool(struct session *s, const struct jdoc *names, bool *called,
    struct err *err)
{
	struct buf json = BUF_INIT(MCP_TEXT_MAX);
	struct jdoc *arguments, *result = NULL;
	const char *tool = mcp_harmless(names, &arguments);
	int rc = 0;

	if (tool) {
		mcp_tools_call(&json, ++s->id, tool, arguments);
		rc = ask(s, &json, "tools/call", &result, err);
		if (rc == 0 && !mcp_call_worked(result))
			rc = err_set(err, ERR_FAILED, "SMCP at port %u of %s: "
			    "a call of %s ends with an error", s->spec->port,
			    host_name(s->host), tool);
		*called = rc == 0;
	}
	jdoc_free(arguments);
	jdoc_free(result);
	buf_clear(&json);
	return rc;
}

static int
compare(const struct session *s, const struct jdoc *names, struct err *err)
{
	struct buf lacks = BUF_INIT(4096), extra = BUF_INIT(4096);
	int rc = 0;

	if (s->spec->want &&
	    !mcp_same_names(s->spec->want, names, &lacks, &extra))
		rc = err_set(err, ERR_VERDICT, "SMCP at port %u of %s has "
		    "other tools than the source's: it lacks %s; it has "
		    "besides %s", s->spec->port, host_name(s->host),
		    lacks.len ? buf_cstr(&lacks) : "none",
		    extra.len ? buf_cstr(&extra) : "none");
	buf_clear(&lacks);
	buf_clear(&extra);
	return rc;
}

static void
session_init(struct session *s, struct host *host,
    const struct worker_mcp_spec *spec)
{
	*s = (struct session){ .host = host, .spec = spec };
	s->end_ms = clock_ms() + (spec->timeout_ms ? spec->timeout_ms :
	    TIMEOUT_MS);
	answer_init(&s->answer);
	sse_init(&s->sse);
}

/* A host that is gone by now was told of before. */
static void
session_clear(struct session *s)
{
	struct err ignored = ERR_INIT;

	if (s->open && host_hangup(s->host, s->stream, &ignored) != 0)
		err_clear(&ignored);
	answer_clear(&s->answer);
	sse_clear(&s->sse);
	jdoc_free(s->result);
	free(s->endpoint);
}

int
worker_mcp_check(struct host *host, const struct worker_mcp_spec *spec,
    struct worker_mcp_seen *seen, struct err *err)
{
	struct jdoc *names = jdoc_new_array();
	struct session s;
	int rc;

	*seen = (struct worker_mcp_seen){ 0 };
	session_init(&s, host, spec);
	rc = open_stream(&s, err);
	if (rc == 0)
		rc = initialize(&s, err);
	if (rc == 0)
		rc = list_tools(&s, names, err);
	if (rc == 0)
		rc = compare(&s, names, err);
	if (rc == 0 && spec->call)
		rc = call_tool(&s, names, &seen->called, err);
	if (rc == 0 || err->kind == ERR_VERDICT)
		seen->names = names;
	else
		jdoc_free(names);
	session_clear(&s);
	return rc;
}
