#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/letta_answer.h"
#include "flow/agent_list.h"
#include "flow/server.h"
#include "io/http.h"
#include "catch_fd.h"
#include "fake_http.h"

/* A whole answer; the length is that of the body. */
#define ANSWER(status, headers, len, body) {			\
	"HTTP/1.1 " status "\r\n" headers			\
	"Content-Length: " #len "\r\n\r\n" body, FAKE_KEEP }
#define HEALTHY ANSWER("200 OK", "", 34,			\
	"{\"version\":\"0.16.2\",\"status\":\"ok\"}")
#define NO_AGENTS ANSWER("200 OK", "", 2, "[]")
#define END { NULL, FAKE_KEEP }

/* A fake server, our end of it, and what it was asked. */
struct bed {
	struct fake_http fake;
	struct secret *token;
	struct server *server;
	struct buf log;
	struct buf answer;
};

static int
try_open(struct bed *b, const struct fake_turn *turns, const char *pinned,
    struct err *err)
{
	struct http_spec spec = { 0 };

	*b = (struct bed){ .log = BUF_INIT(1024 * 1024) };
	buf_init(&b->answer, 65536);
	fake_http_start(&b->fake, turns);
	b->token = secret_new("hush", 4);
	spec.url = b->fake.url;
	spec.token = b->token;
	return server_open(&spec, "home", pinned, &b->server, err);
}

static void
bed_open(struct bed *b, const struct fake_turn *turns)
{
	struct err err = ERR_INIT;

	OK(try_open(b, turns, "0.16.2", &err));
	assert_string_equal(b->server->caps.version, "0.16.2");
	assert_string_equal(b->server->name, "home");
}

/* How often the server was asked for what begins so. */
static int
asked(const struct bed *b, const char *request)
{
	const char *at = buf_cstr(&b->log);
	int n = 0;

	for (; (at = strstr(at, request)) != NULL; at++)
		n++;
	return n;
}

/* Leave, and read what was asked. */
static void
bed_leave(struct bed *b)
{
	server_close(b->server);
	b->server = NULL;
	fake_http_stop(&b->fake, &b->log);
}

static void
bed_close(struct bed *b)
{
	secret_free(b->token);
	buf_clear(&b->log);
	buf_clear(&b->answer);
}

static void
test_a_server_is_looked_at(void **state)
{
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS, END };
	struct bed b;

	(void)state;
	bed_open(&b, turns);
	assert_int_equal(b.server->caps.patch, 2);
	bed_leave(&b);
	assert_int_equal(asked(&b, "GET /v1/health/ "), 1);
	assert_int_equal(asked(&b, "GET /v1/agents/?limit=1 "), 1);
	assert_int_equal(asked(&b, "\r\nAuthorization: Bearer hush\r\n"), 2);
	bed_close(&b);
}

/* server_open must fail so, and the message never has the token. */
static void
expect_refused(const struct fake_turn *turns, const char *pinned,
    enum err_kind kind, const char *words)
{
	struct err err = ERR_INIT;
	struct bed b;
	int rc = try_open(&b, turns, pinned, &err);

	assert_null(b.server);
	bed_leave(&b);
	if (rc != -1 || err.kind != kind || !strstr(err.text, words) ||
	    !str_starts(err.text, "home: ") || strstr(err.text, "hush"))
		fail_msg("%s: %s", err_word(err.kind), err.text);
	bed_close(&b);
}

static void
test_a_token_that_is_refused(void **state)
{
	static const struct fake_turn wrong[] = { HEALTHY,
		ANSWER("401 Unauthorized", "", 25,
		    "{\"detail\":\"Unauthorized\"}"), END };
	static const struct fake_turn forbidden[] = {
		ANSWER("403 Forbidden", "", 0, ""), END };

	(void)state;
	expect_refused(wrong, NULL, ERR_AUTH, "/v1/agents/?limit=1: 401: "
	    "Unauthorized; check the token");
	expect_refused(forbidden, NULL, ERR_AUTH, "/v1/health/: 403: "
	    "(empty answer); check the token");
}

static void
test_versions(void **state)
{
	static const struct fake_turn pinned[] = { HEALTHY, END };
	static const struct fake_turn old[] = { ANSWER("200 OK", "", 34,
	    "{\"version\":\"0.11.2\",\"status\":\"ok\"}"), END };
	static const struct fake_turn newer[] = { ANSWER("200 OK", "", 20,
	    "{\"version\":\"0.17.0\"}"), NO_AGENTS, END };
	static const struct fake_turn later[] = { ANSWER("200 OK", "", 20,
	    "{\"version\":\"0.16.8\"}"), NO_AGENTS, END };
	struct err err = ERR_INIT;
	struct bed b;

	(void)state;
	expect_refused(pinned, "0.16.8", ERR_DATA, "runs Letta 0.16.2 and the "
	    "job file pins 0.16.8");
	expect_refused(old, NULL, ERR_DATA, "server is Letta 0.11.2; known");
	OK(try_open(&b, newer, NULL, &err));
	assert_true(b.server->caps.untried);
	bed_leave(&b);
	bed_close(&b);
	OK(try_open(&b, later, NULL, &err));
	bed_leave(&b);
	bed_close(&b);
}

static void
test_what_is_no_letta_server(void **state)
{
	static const struct fake_turn html[] = { ANSWER("200 OK",
	    "Content-Type: text/html\r\n", 22, "<html>\033[2Jhello</html>"),
	    END };
	static const struct fake_turn other[] = { ANSWER("200 OK", "", 15,
	    "{\"status\":\"ok\"}"), END };
	static const struct fake_turn error[] = { ANSWER(
	    "500 Internal Server Error", "Content-Type: text/html\r\n", 22,
	    "<html>\033[2Jhello</html>"), END };
	static const struct fake_turn none[] = { ANSWER("404 Not Found", "",
	    22, "{\"detail\":\"Not Found\"}"), END };
	static const struct fake_turn moved[] = { ANSWER(
	    "301 Moved Permanently", "Location: https://else.test/\r\n", 0,
	    ""), END };

	(void)state;
	expect_refused(html, NULL, ERR_DATA, "is this a Letta server?");
	expect_refused(other, NULL, ERR_DATA, "is this a Letta server?");
	expect_refused(error, NULL, ERR_FAILED, "500: <html>\\x1b[2Jhello");
	expect_refused(none, NULL, ERR_MISSING, "404: Not Found");
	expect_refused(moved, NULL, ERR_FAILED, "https://else.test/");
}

static void
test_kinds_of_answers(void **state)
{
	static const struct {
		long status;
		enum err_kind kind;
	} cases[] = {
		{ 199, ERR_FAILED }, { 300, ERR_FAILED }, { 400, ERR_FAILED },
		{ 401, ERR_AUTH }, { 403, ERR_AUTH }, { 404, ERR_MISSING },
		{ 408, ERR_AGAIN }, { 409, ERR_FAILED }, { 422, ERR_FAILED },
		{ 429, ERR_AGAIN }, { 500, ERR_FAILED }, { 501, ERR_FAILED },
		{ 502, ERR_AGAIN }, { 503, ERR_AGAIN }, { 504, ERR_AGAIN },
		{ 505, ERR_FAILED },
	};
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS, END };
	struct buf body = BUF_INIT(100);
	struct err err = ERR_INIT;
	struct bed b;

	(void)state;
	bed_open(&b, turns);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		FAILS(server_status(b.server, "PUT", "/x", cases[i].status,
		    &body, &err), cases[i].kind, "home: PUT http://127.0.0.1");
		assert_int_equal(err.transient, cases[i].kind == ERR_AGAIN);
	}
	OK(server_status(b.server, "PUT", "/x", 200, &body, &err));
	OK(server_status(b.server, "PUT", "/x", 299, &body, &err));
	bed_leave(&b);
	bed_close(&b);
}

#define BUSY ANSWER("503 Service Unavailable", "Retry-After: 1\r\n", 0, "")
#define BAD_GATEWAY ANSWER("502 Bad Gateway", "", 0, "")

static void
test_a_get_is_tried_again(void **state)
{
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS, BUSY,
		BAD_GATEWAY, ANSWER("200 OK", "", 4, "done"), END };
	struct err err = ERR_INIT;
	struct catch_fd c;
	struct bed b;
	char *log;
	int rc;

	(void)state;
	bed_open(&b, turns);
	buf_str(&b.answer, "what it held");
	log_set_level(LOG_LEVEL_DETAIL);
	catch_fd_begin(&c, stderr);
	rc = server_get(b.server, "/v1/x", &b.answer, &err);
	log = catch_fd_end(&c);
	log_set_level(LOG_LEVEL_INFO);
	OK(rc);

	/* What it asks for, but once: it does not grow from try to try. */
	assert_non_null(strstr(log, "503: (empty answer); again in 1000 ms"));
	assert_non_null(strstr(log, "502: (empty answer); again in 1000 ms"));
	free(log);
	assert_int_equal(err.kind, ERR_NONE);
	assert_string_equal(err.text, "");
	assert_string_equal(buf_cstr(&b.answer), "done");
	bed_leave(&b);
	assert_int_equal(asked(&b, "GET /v1/x "), 3);
	bed_close(&b);
}

/* Four in all, and the last failure is told. */
static void
test_a_get_is_given_up(void **state)
{
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS,
		BAD_GATEWAY, BAD_GATEWAY, BAD_GATEWAY, ANSWER("503 Busy", "",
		    17, "{\"detail\":\"last\"}"), NO_AGENTS, END };
	struct err err = ERR_INIT;
	struct bed b;

	(void)state;
	bed_open(&b, turns);
	FAILS(server_get(b.server, "/v1/x", &b.answer, &err), ERR_AGAIN,
	    "/v1/x: 503: last");
	assert_true(err.transient);
	bed_leave(&b);
	assert_int_equal(asked(&b, "GET /v1/x "), 4);
	bed_close(&b);
}

static void
test_what_is_not_tried_again(void **state)
{
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS,
		BUSY, BUSY, BUSY, BUSY, ANSWER("500 Error", "", 26,
		    "{\"detail\":\"boom \\u001b[m\"}"), NO_AGENTS, END };
	static const char *const methods[] = { "POST", "PATCH", "PUT",
		"DELETE" };
	struct err err = ERR_INIT;
	struct bed b;

	(void)state;
	bed_open(&b, turns);
	for (size_t i = 0; i < 4; i++) {
		FAILS(server_send(b.server, methods[i], "/v1/x", "{\"a\":1}",
		    &b.answer, &err), ERR_AGAIN, methods[i]);
		assert_true(err.transient);
	}

	/* A GET neither, when the failure will not pass. */
	FAILS(server_get(b.server, "/v1/y", &b.answer, &err), ERR_FAILED,
	    "GET http://127.0.0.1:");
	assert_non_null(strstr(err.text, "/v1/y: 500: boom \\x1b[m"));
	err_clear(&err);
	OK(server_send(b.server, "POST", "/v1/z", NULL, &b.answer, &err));
	assert_string_equal(buf_cstr(&b.answer), "[]");
	bed_leave(&b);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(asked(&b, methods[i]), i == 0 ? 2 : 1);
	assert_int_equal(asked(&b, "GET /v1/y "), 1);
	assert_int_equal(asked(&b, "{\"a\":1}"), 4);
	bed_close(&b);
}

/* A child that sends us SIGTERM when we say on stderr that we shall wait. */
static pid_t
start_killer(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(ends[0], &byte, 1) == 1)
			(void)kill(getppid(), SIGTERM);
		_exit(0);
	}
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return pid;
}

/* In a child, since a caught signal stays: 0 when all was as it should be. */
static int
stopped(void)
{
	static const struct fake_turn turns[] = { HEALTHY, NO_AGENTS,
		ANSWER("503 Busy", "Retry-After: 200\r\n", 0, ""), NO_AGENTS,
		END };
	struct err err = ERR_INIT;
	struct bed b;
	pid_t killer;
	int rc;

	stop_catch();
	bed_open(&b, turns);
	killer = start_killer();
	log_set_level(LOG_LEVEL_DETAIL);
	rc = server_get(b.server, "/v1/x", &b.answer, &err);
	(void)waitpid(killer, NULL, 0);
	bed_leave(&b);
	if (rc != -1 || err.kind != ERR_INTERRUPTED)
		return 1;
	if (!str_eq(err.text, "interrupted by SIGTERM"))
		return 2;
	rc = asked(&b, "GET /v1/x ") == 1 ? 0 : 3;
	bed_close(&b);
	return rc;
}

static void
test_a_signal_ends_the_waiting(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(stopped());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_nobody_listens(void **state)
{
	struct http_spec spec = { 0 };
	struct server *server = NULL;
	struct err err = ERR_INIT;
	unsigned int port;
	char url[64];

	(void)state;
	(void)close(fake_http_listen(&port));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	spec.url = url;
	FAILS(server_open(&spec, "home", NULL, &server, &err),
	    ERR_UNREACHABLE, "home: ");
	assert_null(server);
	spec.url = "ftp://x";
	FAILS(server_open(&spec, "home", NULL, &server, &err), ERR_USAGE, "");
	assert_null(server);
	server_close(NULL);
}

static int
note_agent(void *ctx, const struct letta_agent *agent, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s ", agent->name);
	return 0;
}

#define ONE(name) "{\"id\":\"agent-" name "\",\"name\":\"" name "\"}"

static void
test_an_agent_is_listed_once(void **state)
{
	static const struct fake_turn twice[] = { HEALTHY, NO_AGENTS,
		ANSWER("200 OK", "", 85, "[" ONE("a") "," ONE("a") ","
		    ONE("b") "]"), NO_AGENTS, END };
	/* The cursor's own again, and again: no agent is new. */
	static const struct fake_turn endless[] = { HEALTHY, NO_AGENTS,
		ANSWER("200 OK", "", 57, "[" ONE("a") "," ONE("b") "]"),
		ANSWER("200 OK", "", 29, "[" ONE("b") "]"), END };
	struct buf names = BUF_INIT(1024);
	struct err err = ERR_INIT;
	struct bed b;

	(void)state;
	bed_open(&b, twice);
	OK(agent_list(b.server, note_agent, &names, &err));
	assert_string_equal(buf_cstr(&names), "a b ");
	bed_leave(&b);
	bed_close(&b);
	bed_open(&b, endless);
	FAILS(agent_list(b.server, note_agent, &names, &err), ERR_AGAIN,
	    "begins anew after agent-b");
	bed_leave(&b);
	bed_close(&b);
	buf_clear(&names);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_is_looked_at),
		cmocka_unit_test(test_a_token_that_is_refused),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_what_is_no_letta_server),
		cmocka_unit_test(test_kinds_of_answers),
		cmocka_unit_test(test_a_get_is_tried_again),
		cmocka_unit_test(test_a_get_is_given_up),
		cmocka_unit_test(test_what_is_not_tried_again),
		cmocka_unit_test(test_a_signal_ends_the_waiting),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_an_agent_is_listed_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
