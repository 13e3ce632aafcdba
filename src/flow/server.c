#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "core/letta_answer.h"
#include "flow/server.h"
#include "io/http.h"

#define TRIES 4
#define FIRST_PAUSE_MS 500
#define REQUEST_TIMEOUT_MS 600000
#define DETAIL_MAX 1024

static enum err_kind
kind_of(long status)
{
	switch (status) {
	case 401:
	case 403:
		return ERR_AUTH;
	case 404:
		return ERR_MISSING;
	case 408:
	case 429:
	case 502:
	case 503:
	case 504:
		return ERR_AGAIN;
	default:
		return ERR_FAILED;
	}
}

int
server_status(struct server *server, const char *method, const char *path,
    long status, struct buf *body, struct err *err)
{
	struct buf detail = BUF_INIT(DETAIL_MAX);

	if (status >= 200 && status < 300)
		return 0;
	letta_answer_detail(buf_cstr(body), body->len, server->token,
	    &detail);
	(void)err_set(err, kind_of(status), "%s: %s %s%s: %ld: %s%s",
	    server->name, method, http_url(server->http), path, status,
	    buf_cstr(&detail), kind_of(status) == ERR_AUTH ?
	    "; check the token of this section in the job file" : "");
	buf_clear(&detail);
	return -1;
}

/* One exchange; *pause_ms is what the server asks us to wait. */
static int
exchange(struct server *server, const char *method, const char *path,
    const char *json, struct buf *answer, uint64_t *pause_ms,
    struct err *err)
{
	struct http_reply reply = { .body = *answer };
	int rc;

	rc = http_call(server->http, method, path, json, REQUEST_TIMEOUT_MS,
	    &reply, err);
	*answer = reply.body;
	*pause_ms = reply.retry_after_ms;
	if (rc != 0)
		return err_ctx(err, "%s", server->name);
	secret_hide(server->token, reply.location, strlen(reply.location));
	if (reply.location[0] && reply.status / 100 == 3)
		return err_set(err, ERR_FAILED, "%s: %s %s%s: %ld: it points "
		    "to %s; the url of this section must be the server's own",
		    server->name, method, http_url(server->http), path,
		    reply.status, reply.location);
	return server_status(server, method, path, reply.status, answer, err);
}

/* In slices: a signal that comes just before a wait does not cut it short. */
static int
pause_for(uint64_t ms, struct err *err)
{
	uint64_t end_ms = clock_ms() + ms;
	int left_ms;

	do {
		if (stop_check(err) != 0)
			return -1;
		left_ms = clock_left_ms(end_ms);
		clock_sleep_ms((uint64_t)(left_ms < STOP_SLICE_MS ? left_ms :
		    STOP_SLICE_MS));
	} while (left_ms > 0);
	return 0;
}

int
server_get(struct server *server, const char *path, struct buf *answer,
    struct err *err)
{
	uint64_t asked_ms = 0, pause_ms = FIRST_PAUSE_MS, wait_ms;
	int rc;

	rc = exchange(server, "GET", path, NULL, answer, &asked_ms, err);
	for (int i = 1; rc != 0 && err->transient && i < TRIES; i++) {
		wait_ms = asked_ms > pause_ms ? asked_ms : pause_ms;
		log_detail("%s; again in %" PRIu64 " ms", err->text, wait_ms);
		err_clear(err);
		if (pause_for(wait_ms, err) != 0)
			return -1;
		rc = exchange(server, "GET", path, NULL, answer, &asked_ms,
		    err);
		pause_ms *= 2;
	}
	return rc;
}

int
server_get_doc(struct server *server, const char *path, const char *what,
    struct jdoc **out, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	*out = NULL;
	rc = server_get(server, path, &answer, err);
	if (rc == 0) {
		*out = jdoc_parse(buf_cstr(&answer), answer.len, err);
		if (!*out)
			rc = err_ctx(err, "%s: %s", server->name, what);
	}
	buf_wipe(&answer);
	return rc;
}

int
server_get_list(struct server *server, const char *path, const char *what,
    struct jdoc **out, struct err *err)
{
	if (server_get_doc(server, path, what, out, err) != 0)
		return -1;
	if (jdoc_type(*out) == JDOC_ARRAY)
		return 0;
	jdoc_free(*out);
	*out = NULL;
	return err_set(err, ERR_DATA, "%s: %s: the answer is no list",
	    server->name, what);
}

int
server_get_identity(struct server *server, const char *key,
    struct jdoc **out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const struct jdoc *one;
	int rc;

	*out = NULL;
	letta_path_identities_by_key(&path, key);
	rc = buf_check(&path, "path", err);
	if (rc == 0)
		rc = server_get_list(server, buf_cstr(&path),
		    "identities by key", &found, err);
	for (size_t i = 0; i < jdoc_len(found) && rc == 0 && !*out; i++) {
		one = jdoc_at(found, i);
		if (jdoc_is(one, "identifier_key", key) &&
		    jdoc_get_str(one, "id"))
			*out = jdoc_copy(one);
	}
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

/* Empty, or begun as JSON is: a page for people begins with "<". */
static bool
may_be_json(const struct buf *answer)
{
	const char *text = buf_cstr(answer);

	text += strspn(text, " \t\r\n");
	return !*text || strchr("{[\"-0123456789tfn", *text);
}

int
server_send(struct server *server, const char *method, const char *path,
    const char *json, struct buf *answer, struct err *err)
{
	uint64_t asked_ms;

	if (exchange(server, method, path, json, answer, &asked_ms, err) != 0)
		return -1;
	if (!may_be_json(answer))
		return err_set(err, ERR_DATA, "%s: %s %s%s: the answer is a "
		    "success and no JSON: something before the server gave "
		    "it, and whether the server acted is not known",
		    server->name, method, http_url(server->http), path);
	return 0;
}

int
server_delete(struct server *server, const char *path, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	rc = server_send(server, "DELETE", path, NULL, &answer, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&answer);
	return rc;
}

static int
look(struct server *server, const char *pinned, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	rc = server_get(server, LETTA_PATH_HEALTH, &answer, err);
	if (rc == 0) {
		secret_hide(server->token, answer.data, answer.len);
		rc = letta_caps_read(buf_cstr(&answer), answer.len,
		    &server->caps, err);
		if (rc != 0)
			(void)err_ctx(err, "%s: %s", server->name,
			    http_url(server->http));
	}
	if (rc == 0 && pinned && !str_eq(pinned, server->caps.version))
		rc = err_set(err, ERR_DATA, "%s: %s runs Letta %s and the job "
		    "file pins %s; nothing was changed", server->name,
		    http_url(server->http), server->caps.version, pinned);
	if (rc == 0 && server->caps.untried)
		log_warn("%s: %s runs Letta %s, which is newer than any that "
		    "was tried (0.16.8); it is read, and what is not "
		    "understood is an error", server->name,
		    http_url(server->http), server->caps.version);
	/* Health answers without a token; this does not. */
	if (rc == 0)
		rc = server_get(server, "/v1/agents/?limit=1", &answer, err);
	buf_clear(&answer);
	return rc;
}

int
server_reopen(const struct http_spec *spec, const char *name,
    const struct letta_caps *caps, struct server **out, struct err *err)
{
	struct server *server = mem_zero(1, sizeof(*server));
	int rc;

	server->name = mem_strdup(name);
	server->token = spec->token;
	server->caps = *caps;
	rc = http_open(spec, &server->http, err);
	if (rc != 0) {
		server_close(server);
		server = NULL;
	}
	*out = server;
	return rc;
}

int
server_open(const struct http_spec *spec, const char *name,
    const char *pinned, struct server **out, struct err *err)
{
	static const struct letta_caps unknown;
	int rc;

	rc = server_reopen(spec, name, &unknown, out, err);
	if (rc == 0)
		rc = look(*out, pinned, err);
	if (rc != 0) {
		server_close(*out);
		*out = NULL;
	}
	return rc;
}

void
server_close(struct server *server)
{
	if (!server)
		return;
	http_close(server->http);
	free(server->name);
	free(server);
}
