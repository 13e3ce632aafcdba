#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/http.h"
#include "fake_http.h"

static size_t
times(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

#define LOG_MAX (8 * 1024 * 1024)
#define BODY_MAX 1000
#define WAIT_MS 20000

/* What a test of one fake server and one client needs. */
struct scene {
	struct fake_http fake;
	struct http *http;
	struct http_reply reply;
	struct secret *token;
	struct buf log;
};

static void
begin(struct scene *s, const struct fake_turn *turns)
{
	struct err err = ERR_INIT;
	struct http_spec spec = { .silence_s = 1 };

	memset(s, 0, sizeof(*s));
	buf_init(&s->log, LOG_MAX);
	buf_init(&s->reply.body, BODY_MAX);
	s->token = secret_new("t0ken", 5);
	fake_http_start(&s->fake, turns);
	spec.url = s->fake.url;
	spec.token = s->token;
	OK(http_open(&spec, &s->http, &err));
}

/* Close the client, then have the server's log. */
static const char *
stop(struct scene *s)
{
	http_close(s->http);
	fake_http_stop(&s->fake, &s->log);
	return buf_cstr(&s->log);
}

static void
end(struct scene *s)
{
	buf_clear(&s->log);
	buf_clear(&s->reply.body);
	secret_free(s->token);
}

#define GET(s, path) http_call((s)->http, "GET", path, NULL, WAIT_MS,	\
	&(s)->reply, &err)
#define POST(s, path, json) http_call((s)->http, "POST", path, json,	\
	WAIT_MS, &(s)->reply, &err)

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void
test_requests_on_one_connection(void **state)
{
	static const struct fake_turn turns[] = {
		{ "HTTP/1.1 200 OK\r\ncontent-type: text/a\x1b[2J\r\n"
		    "Content-Length: 5\r\n\r\nhello", FAKE_KEEP },
		{ "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "2\r\nno\r\n0\r\nLocation: late\r\n\r\n", FAKE_KEEP },
		{ "HTTP/1.1 100 Go\r\nLocation: early\r\n\r\n"
		    "HTTP/1.1 204 Done\r\n\r\n", FAKE_KEEP },
		{ HELLO, FAKE_KEEP }, { HELLO, FAKE_KEEP },
		{ NULL, FAKE_CLOSE },
	};
	struct err err = ERR_INIT;
	struct scene s;
	const char *log;

	(void)state;
	begin(&s, turns);
	OK(GET(&s, "/v1/health/"));
	assert_int_equal(s.reply.status, 200);
	assert_string_equal(buf_cstr(&s.reply.body), "hello");
	assert_string_equal(s.reply.content_type, "text/a\\x1b[2J");
	OK(POST(&s, "/v1/agents?a=..", "{\"n\":1e400}"));
	assert_int_equal(s.reply.status, 404);
	assert_string_equal(buf_cstr(&s.reply.body), "no");
	assert_string_equal(s.reply.content_type, "");
	assert_string_equal(s.reply.location, "");
	OK(http_call(s.http, "DELETE", "/v1/x", NULL, 0, &s.reply, &err));
	assert_int_equal(s.reply.status, 204);
	assert_string_equal(s.reply.location, "");
	OK(http_call(s.http, "PATCH", "/v1/y", "{}", 0, &s.reply, &err));
	OK(http_call(s.http, "PUT", "/v1/z", NULL, 0, &s.reply, &err));

	log = stop(&s);
	assert_int_equal(times(log, "#connection"), 1);
	assert_int_equal(times(log, "\r\nAuthorization: Bearer t0ken\r\n"), 5);
	assert_int_equal(times(log, "Accept-Encoding"), 0);
	assert_int_equal(times(log, "GET /v1/health/ HTTP/1.1\r\n"), 1);
	assert_int_equal(times(log, "DELETE /v1/x HTTP/1.1\r\n"), 1);
	assert_int_equal(times(log, "PATCH /v1/y HTTP/1.1\r\n"), 1);
	assert_int_equal(times(log, "PUT /v1/z HTTP/1.1\r\n"), 1);
	assert_int_equal(times(log, "Content-Type: application/json"), 2);
	assert_int_equal(times(log, "\r\n\r\n{\"n\":1e400}DELETE"), 1);
	end(&s);
}

/* As a browser asks: its own fields, and all of the answer's. */
static void
test_probe(void **state)
{
	static const struct fake_turn turns[] = {
		{ "HTTP/1.1 100 Go\r\nEarly: 1\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nVary: Origin\r\nVary: \x1b\r\n"
		    "Content-Length: 5\r\n\r\nhello", FAKE_KEEP },
		{ HELLO, FAKE_KEEP }, { HELLO, FAKE_KEEP },
		{ NULL, FAKE_CLOSE },
	};
	static const struct http_field fields[] = {
		{ "Origin", "https://app.letta.com" },
		{ "Access-Control-Request-Method", "PATCH" },
	};
	struct buf head = BUF_INIT(1024);
	struct http_probe probe = { .fields = fields, .n_fields = 2,
	    .head = &head };
	struct err err = ERR_INIT;
	struct scene s;
	const char *log;

	(void)state;
	begin(&s, turns);
	OK(http_probe(s.http, "OPTIONS", "/v1/agents/", &probe, WAIT_MS,
	    &s.reply, &err));
	assert_string_equal(buf_cstr(&head), "Vary: Origin\nVary: \\x1b\n"
	    "Content-Length: 5\n");
	assert_string_equal(buf_cstr(&s.reply.body), "hello");
	assert_true(probe.first_ms > 0);
	assert_true(probe.total_ms >= probe.first_ms);

	/* What the first answer had is not in the second's. */
	probe.body = "{}";
	OK(http_probe(s.http, "POST", "/", &probe, WAIT_MS, &s.reply, &err));
	assert_string_equal(buf_cstr(&head), "Content-Length: 5\n");
	OK(GET(&s, "/"));
	log = stop(&s);
	assert_int_equal(times(log, "OPTIONS /v1/agents/ HTTP/1.1\r\n"), 1);
	assert_int_equal(times(log, "Origin: https://app.letta.com\r\n"), 2);
	assert_int_equal(times(log, "application/json"), 3);
	buf_clear(&head);
	end(&s);
}

static void
test_redirect_is_not_followed(void **state)
{
	char answer[128];
	struct fake_turn turns[] = { { answer, FAKE_KEEP },
		{ NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	unsigned int port;
	struct scene s;
	int other = fake_http_listen(&port);

	(void)state;
	(void)snprintf(answer, sizeof(answer), "HTTP/1.1 307 There\r\n"
	    "Location: http://127.0.0.1:%u/x\r\nContent-Length: 0\r\n\r\n",
	    port);
	begin(&s, turns);
	OK(POST(&s, "/v1/agents", "{}"));
	assert_int_equal(s.reply.status, 307);
	assert_true(str_starts(s.reply.location, "http://127.0.0.1:"));
	(void)stop(&s);

	/* Nobody came to the other one, so no token did. */
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(other, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(other);
	end(&s);
}

static void
test_retry_after(void **state)
{
	static const struct fake_turn turns[] = {
		{ "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n"
		    "Content-Length: 0\r\n\r\n", FAKE_KEEP },
		{ "HTTP/1.1 401 Who\r\nRetry-After: 7\r\n"
		    "WWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
		    FAKE_KEEP },
		{ NULL, FAKE_CLOSE },
	};
	struct err err = ERR_INIT;
	struct scene s;

	(void)state;
	begin(&s, turns);
	OK(GET(&s, "/"));
	assert_int_equal(s.reply.status, 503);
	assert_int_equal(s.reply.retry_after_ms, 7000);
	OK(GET(&s, "/"));
	assert_int_equal(s.reply.status, 401);
	assert_int_equal(s.reply.retry_after_ms, 0);
	(void)stop(&s);
	end(&s);
}

static void
test_answers_that_are_refused(void **state)
{
	static const struct {
		const char *answer;
		enum fake_then then;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", FAKE_HANG,
		    ERR_DATA, "answer larger than 1000 bytes" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999"
		    "\r\n\r\n", FAKE_HANG, ERR_DATA, "larger than 1000 bytes" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "4\r\nab", FAKE_CLOSE, ERR_UNREACHABLE, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		    FAKE_CLOSE, ERR_UNREACHABLE, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -9\r\n\r\nhello",
		    FAKE_CLOSE, ERR_DATA, "not HTTP" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
		    FAKE_HANG, ERR_UNREACHABLE, "" },
		{ "HTTP/1.1 200 OK\r\nContent-", FAKE_CLOSE, ERR_UNREACHABLE,
		    "before a whole answer" },
		{ "HTTP/1.1 101 Wait\r\n\r\n", FAKE_CLOSE, ERR_UNREACHABLE,
		    "before a whole answer" },
		{ "SSH-2.0-OpenSSH_9\033[2J\r\n", FAKE_CLOSE, ERR_DATA,
		    "not HTTP" },
		{ "", FAKE_HANG, ERR_UNREACHABLE, "" },
	};
	struct fake_turn turns[] = { { "", FAKE_CLOSE }, { NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		turns[0].answer = cases[i].answer;
		turns[0].then = cases[i].then;
		begin(&s, turns);
		FAILS(http_call(s.http, "GET", "/a", NULL, 300, &s.reply,
		    &err), cases[i].kind, cases[i].words);
		assert_int_equal(err.transient,
		    cases[i].kind == ERR_UNREACHABLE);
		assert_non_null(strstr(err.text, "GET http://127.0.0.1:"));
		assert_null(strstr(err.text, "t0ken"));
		assert_null(strchr(err.text, '\033'));
		assert_int_equal(s.reply.status, 0);
		assert_int_equal(s.reply.body.len, 0);
		(void)stop(&s);
		end(&s);
	}
}

static void
test_flood_is_cut(void **state)
{
	struct buf head = BUF_INIT(1024 * 1024), body = BUF_INIT(1024 * 1024);
	struct fake_turn turns[] = { { "", FAKE_HANG },
		{ NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;
	int i;

	(void)state;
	buf_str(&head, "HTTP/1.1 200 OK\r\n");
	buf_str(&body, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n");

	/* More than our bound, less than the one of newer libcurl. */
	for (i = 0; i < 275; i++) {
		buf_printf(&head, "X-%d: %01000d\r\n", i, 0);
		buf_printf(&body, "10\r\n%016d\r\n", i);
	}
	buf_str(&head, "Content-Length: 0\r\n\r\n");
	turns[0].answer = buf_cstr(&head);
	begin(&s, turns);
	FAILS(GET(&s, "/a"), ERR_DATA, "headers of the answer are larger");
	(void)stop(&s);
	end(&s);

	turns[0].answer = buf_cstr(&body);
	begin(&s, turns);
	FAILS(GET(&s, "/a"), ERR_DATA, "answer larger than 1000 bytes");
	(void)stop(&s);
	end(&s);
	buf_clear(&body);
	buf_clear(&head);
}

static void
test_excess_is_not_the_next_answer(void **state)
{
	static const struct fake_turn turns[] = {
		{ HELLO "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
		    FAKE_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
		    FAKE_KEEP },
		{ NULL, FAKE_CLOSE },
	};
	struct err err = ERR_INIT;
	struct scene s;

	(void)state;
	begin(&s, turns);
	OK(GET(&s, "/1"));
	assert_string_equal(buf_cstr(&s.reply.body), "hello");
	OK(GET(&s, "/2"));
	assert_string_equal(buf_cstr(&s.reply.body), "good");
	(void)stop(&s);
	end(&s);
}

static void
test_silence_ends_a_call(void **state)
{
	static const struct fake_turn turns[] = { { "", FAKE_HANG },
		{ NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;

	(void)state;
	begin(&s, turns);
	FAILS(http_call(s.http, "GET", "/a", NULL, 0, &s.reply, &err),
	    ERR_UNREACHABLE, "");
	(void)stop(&s);
	end(&s);
}

/* Only what has no effect is sent again when a kept connection was closed. */
static void
test_write_is_sent_once(void **state)
{
	static const struct fake_turn turns[] = { { HELLO, FAKE_KEEP },
		{ "", FAKE_CLOSE }, { HELLO, FAKE_KEEP },
		{ NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;
	const char *log;

	(void)state;
	begin(&s, turns);
	OK(GET(&s, "/1"));
	FAILS(POST(&s, "/2", "{}"), ERR_UNREACHABLE,
	    "whether the server acted on it is not known");
	assert_false(err.transient);
	log = stop(&s);
	assert_int_equal(times(log, "POST /2"), 1);
	end(&s);

	begin(&s, turns);
	OK(GET(&s, "/1"));
	OK(GET(&s, "/2"));
	log = stop(&s);
	assert_int_equal(times(log, "GET /2"), 2);
	end(&s);
}

/* Bytes of a file that is made while sent; fails at fail_at when not 0. */
struct maker {
	size_t at, size, fail_at;
};

static char
byte_at(size_t i)
{
	return (char)((i * 2654435761u) >> 13);
}

static ptrdiff_t
make(void *ctx, char *data, size_t size, struct err *err)
{
	struct maker *m = ctx;
	size_t i, end = m->at + size;

	if (m->fail_at && m->at >= m->fail_at)
		return err_set(err, ERR_STALE, "row %zu went away", m->at);
	if (end > m->size)
		end = m->size;
	for (i = 0; m->at < end; i++, m->at++)
		data[i] = byte_at(m->at);
	return (ptrdiff_t)i;
}

static const struct http_field fields[] = {
	{ "append_copy_suffix", "false" }, { "name", "a \"b\"\r\n\xc3\xa4" },
};

#define UPLOAD(s, m) http_upload((s)->http, "/v1/agents/import", fields, 2, \
	"sage.af", make, m, WAIT_MS, &(s)->reply, &err)

static void
test_upload(void **state)
{
	static const struct fake_turn turns[] = { { HELLO, FAKE_CLOSE },
		{ HELLO, FAKE_CLOSE }, { HELLO, FAKE_CLOSE },
		{ NULL, FAKE_CLOSE } };
	struct maker m = { .size = 3000001 }, none = { .size = 0 };
	struct err err = ERR_INIT;
	const char *log, *at;
	struct scene s;
	size_t i;

	(void)state;
	begin(&s, turns);
	OK(GET(&s, "/1"));
	OK(UPLOAD(&s, &m));
	assert_int_equal(s.reply.status, 200);
	assert_string_equal(buf_cstr(&s.reply.body), "hello");
	OK(UPLOAD(&s, &none));
	log = stop(&s);
	assert_non_null(strstr(log, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(log, "Authorization: Bearer t0ken\r\n"));
	assert_non_null(strstr(log, "name=\"append_copy_suffix\"\r\n\r\n"
	    "false\r\n--"));
	assert_non_null(strstr(log, "name=\"name\"\r\n\r\na \"b\"\r\n\xc3\xa4"
	    "\r\n--"));
	at = strstr(log, "name=\"file\"; filename=\"sage.af\"\r\n");
	assert_non_null(at);
	at = strstr(at, "\r\n\r\n") + 4;
	assert_true(s.log.len - (size_t)(at - log) > m.size);
	for (i = 0; i < m.size; i++)
		if (at[i] != byte_at(i))
			fail_msg("byte %zu differs", i);
	assert_true(str_starts(at + m.size, "\r\n--"));
	end(&s);
}

static void
test_upload_cut_by_its_source(void **state)
{
	static const struct fake_turn turns[] = { { HELLO, FAKE_KEEP },
		{ NULL, FAKE_CLOSE } };
	struct maker m = { .size = 3000000, .fail_at = 1000000 };
	struct err err = ERR_INIT;
	struct scene s;

	(void)state;
	begin(&s, turns);
	FAILS(UPLOAD(&s, &m), ERR_STALE, "went away");
	assert_true(str_starts(err.text, "POST http://127.0.0.1:"));
	assert_null(strstr(err.text, "not known"));
	(void)stop(&s);
	assert_true(str_ends(buf_cstr(&s.log), "#cut\n") ||
	    memmem(s.log.data, s.log.len, "#cut\n", 5));
	end(&s);
}

static void
test_signal_ends_a_call(void **state)
{
	static const struct fake_turn turns[] = { { "", FAKE_STOP_PARENT },
		{ NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;
	int status;
	pid_t pid;

	/* In a child, since a signal is remembered for good. */
	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		stop_catch();
		begin(&s, turns);
		http_close(s.http);

		/* No limit but 120 s: the server would end itself before. */
		OK(http_open(&(struct http_spec){ .url = s.fake.url },
		    &s.http, &err));
		FAILS(http_call(s.http, "POST", "/a", "{}", 0, &s.reply,
		    &err), ERR_INTERRUPTED, "not known");
		FAILS(GET(&s, "/a"), ERR_INTERRUPTED, "SIGTERM");
		(void)stop(&s);
		end(&s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_nobody_there(void **state)
{
	static const struct fake_turn turns[] = { { NULL, FAKE_CLOSE } };
	struct err err = ERR_INIT;
	struct scene s;
	unsigned int port;
	int fd;

	/* A port that was ours a moment ago. */
	(void)state;
	begin(&s, turns);
	(void)stop(&s);
	fd = fake_http_listen(&port);
	(void)close(fd);
	(void)snprintf(s.fake.url, sizeof(s.fake.url), "http://127.0.0.1:%u",
	    port);
	OK(http_open(&(struct http_spec){ .url = s.fake.url }, &s.http,
	    &err));
	FAILS(POST(&s, "/a", "{}"), ERR_UNREACHABLE, "connect");
	assert_true(err.transient);
	http_close(s.http);
	end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_on_one_connection),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_redirect_is_not_followed),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_answers_that_are_refused),
		cmocka_unit_test(test_flood_is_cut),
		cmocka_unit_test(test_excess_is_not_the_next_answer),
		cmocka_unit_test(test_silence_ends_a_call),
		cmocka_unit_test(test_write_is_sent_once),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_cut_by_its_source),
		cmocka_unit_test(test_signal_ends_a_call),
		cmocka_unit_test(test_nobody_there),
	};

	/* A proxy that nobody serves: loopback must not ask it. */
	(void)setenv("http_proxy", "http://127.0.0.1:9", 1);
	(void)setenv("all_proxy", "http://127.0.0.1:9", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
