#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/mcp.h"

/* What SMCP speaks; it answers with its own and does not insist. */
#define PROTOCOL "2024-11-05"
#define SHOWN 20

static struct jdoc *
request(const char *method)
{
	struct jdoc *doc = jdoc_new_object();

	jdoc_set_str(doc, "jsonrpc", "2.0");
	jdoc_set_str(doc, "method", method);
	return doc;
}

static void
finish(struct jdoc *doc, struct buf *out)
{
	jdoc_write(doc, out);
	jdoc_free(doc);
}

void
mcp_initialize(struct buf *out, int64_t id)
{
	struct jdoc *doc = request("initialize");
	struct jdoc *params = jdoc_new_object(), *client = jdoc_new_object();

	jdoc_set_str(client, "name", "sanctumctl");
	jdoc_set_str(client, "version", PACKAGE_VERSION);
	jdoc_set_str(params, "protocolVersion", PROTOCOL);
	jdoc_set(params, "capabilities", jdoc_new_object());
	jdoc_set(params, "clientInfo", client);
	jdoc_set(doc, "params", params);
	jdoc_set(doc, "id", jdoc_new_int(id));
	finish(doc, out);
}

void
mcp_initialized(struct buf *out)
{
	finish(request("notifications/initialized"), out);
}

void
mcp_tools_list(struct buf *out, int64_t id, const char *cursor)
{
	struct jdoc *doc = request("tools/list"), *params;

	if (cursor) {
		params = jdoc_new_object();
		jdoc_set_str(params, "cursor", cursor);
		jdoc_set(doc, "params", params);
	}
	jdoc_set(doc, "id", jdoc_new_int(id));
	finish(doc, out);
}

void
mcp_tools_call(struct buf *out, int64_t id, const char *tool,
    const struct jdoc *arguments)
{
	struct jdoc *doc = request("tools/call"), *params = jdoc_new_object();

	jdoc_set_str(params, "name", tool);
	jdoc_set(params, "arguments", arguments ? jdoc_copy(arguments) :
	    jdoc_new_object());
	jdoc_set(doc, "params", params);
	jdoc_set(doc, "id", jdoc_new_int(id));
	finish(doc, out);
}

void
mcp_request(struct buf *out, const char *path, unsigned int port,
    const struct secret *key, const char *json)
{
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	    "User-Agent: sanctumctl\r\nAccept: text/event-stream, "
	    "application/json\r\n", json ? "POST" : "GET", path, port);
	if (key) {
		buf_str(out, "Authorization: Bearer ");
		buf_add(out, secret_bytes(key), secret_len(key));
		buf_str(out, "\r\n");
	}
	if (json)
		buf_printf(out, "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\nConnection: close\r\n",
		    strlen(json));
	buf_str(out, "\r\n");
	buf_str(out, json ? json : "");
}

bool
mcp_endpoint_ok(const char *path)
{
	if (path[0] != '/' || path[1] == '/' || strlen(path) > 1024)
		return false;
	for (; *path; path++) {
		if ((unsigned char)*path <= ' ' || *path == 0x7f)
			return false;
	}
	return true;
}

int
mcp_reply(const char *text, size_t len, int64_t id, struct jdoc **result,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	const struct jdoc *failure = jdoc_get(doc, "error");
	const char *words = jdoc_get_str(failure, "message");
	struct buf shown = BUF_INIT(512);
	int rc = 0;

	*result = NULL;
	if (!doc)
		return err_ctx(err, "a message of the MCP server");
	if (jdoc_type(jdoc_get(doc, "id")) != JDOC_NUMBER ||
	    jdoc_int(jdoc_get(doc, "id")) != id || jdoc_has(doc, "method")) {
		jdoc_free(doc);
		return 0;
	}
	if (jdoc_type(failure) == JDOC_OBJECT) {
		str_printable(&shown, words ? words : "no reason given",
		    words ? strlen(words) : 15);
		rc = err_set(err, ERR_FAILED, "the MCP server answers with "
		    "an error: %s", buf_cstr(&shown));
	} else if (jdoc_type(jdoc_get(doc, "result")) != JDOC_OBJECT) {
		rc = err_set(err, ERR_DATA, "a reply of the MCP server has "
		    "no result");
	} else {
		*result = jdoc_copy(jdoc_get(doc, "result"));
	}
	buf_clear(&shown);
	jdoc_free(doc);
	return rc;
}

int
mcp_tool_names(const struct jdoc *result, struct jdoc *names,
    const char **cursor, struct err *err)
{
	const struct jdoc *tools = jdoc_get(result, "tools");
	const char *name;

	*cursor = jdoc_get_str(result, "nextCursor");
	if (*cursor && !**cursor)
		*cursor = NULL;
	if (jdoc_type(tools) != JDOC_ARRAY)
		return err_set(err, ERR_DATA, "tools/list: no list of tools");
	for (size_t i = 0; i < jdoc_len(tools); i++) {
		name = jdoc_get_str(jdoc_at(tools, i), "name");
		if (!name)
			return err_set(err, ERR_DATA, "tools/list: a tool "
			    "without a name");
		jdoc_push(names, jdoc_new_str(name));
	}
	return 0;
}

static bool
has(const struct jdoc *names, const char *name)
{
	for (size_t i = 0; i < jdoc_len(names); i++) {
		if (str_eq(jdoc_str(jdoc_at(names, i)), name))
			return true;
	}
	return false;
}

const char *
mcp_harmless(const struct jdoc *names, struct jdoc **arguments)
{
	const char *name;

	*arguments = NULL;
	if (has(names, "demo_text__echo")) {
		*arguments = jdoc_new_object();
		jdoc_set_str(*arguments, "message", "sanctumctl");
		return "demo_text__echo";
	}
	if (has(names, "sanctum__tools"))
		return "sanctum__tools";
	for (size_t i = 0; i < jdoc_len(names); i++) {
		name = jdoc_str(jdoc_at(names, i));
		if (str_starts(name, "demo_text__"))
			return name;
	}
	return NULL;
}

bool
mcp_call_worked(const struct jdoc *result)
{
	return jdoc_type(result) == JDOC_OBJECT &&
	    !jdoc_bool(jdoc_get(result, "isError"));
}

static size_t
missing(const struct jdoc *of, const struct jdoc *in, struct buf *out)
{
	const char *name;
	size_t n = 0;

	for (size_t i = 0; i < jdoc_len(of); i++) {
		name = jdoc_str(jdoc_at(of, i));
		if (has(in, name))
			continue;
		if (n++ < SHOWN) {
			buf_str(out, n > 1 ? ", " : "");
			str_printable(out, name, strlen(name));
		}
	}
	if (n > SHOWN)
		buf_printf(out, " and %zu more", n - SHOWN);
	return n;
}

bool
mcp_same_names(const struct jdoc *want, const struct jdoc *have,
    struct buf *lacks, struct buf *extra)
{
	size_t n = missing(want, have, lacks);

	return n + missing(have, want, extra) == 0;
}
