#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/http.h"
#include "fake_http.h"

/*
 * TLS against `openssl s_server -www`, a real server whose certificate is its
 * own issuer.  Skipped, by name, when there is no openssl(1).
 */
struct tls {
	char *dir;
	char *cert;
	char *key;
	pid_t pid;
	unsigned int port;
};

/* Start argv with stdout to a pipe whose end is returned; stderr is lost. */
static int
spawn(const char *const *argv, pid_t *pid)
{
	int out[2], nothing;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(nothing, STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(nothing, STDERR_FILENO);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(out[1]);
	return out[0];
}

static int
make_certificate(const struct tls *t)
{
	const char *argv[] = { "openssl", "req", "-x509", "-newkey", "ec",
		"-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
		"2", "-subj", "/CN=sanctum.test", "-addext",
		"subjectAltName=DNS:sanctum.test", "-keyout", t->key, "-out",
		t->cert, NULL };
	int status;
	pid_t pid;

	(void)close(spawn(argv, &pid));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* s_server says "ACCEPT 127.0.0.1:PORT" once it listens. */
static void
start_server(struct tls *t)
{
	const char *argv[] = { "openssl", "s_server", "-accept",
		"127.0.0.1:0", "-cert", t->cert, "-key", t->key, "-www",
		NULL };
	char line[256];
	FILE *out;

	out = fdopen(spawn(argv, &t->pid), "r");
	assert_non_null(out);
	while (t->port == 0 && fgets(line, sizeof(line), out))
		(void)sscanf(line, "ACCEPT 127.0.0.1:%u", &t->port);
	(void)fclose(out);
	assert_true(t->port != 0);
}

static int
set_up(void **state)
{
	struct tls *t = mem_zero(1, sizeof(*t));
	const char *tmp = getenv("TMPDIR");

	t->dir = mem_printf("%s/test_http_tls.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(t->dir))
		return -1;
	t->cert = mem_printf("%s/cert.pem", t->dir);
	t->key = mem_printf("%s/key.pem", t->dir);
	*state = t;
	if (make_certificate(t) == 0)
		start_server(t);
	return 0;
}

static int
tear_down(void **state)
{
	struct err err = ERR_INIT;
	struct tls *t = *state;
	int rc = fs_remove(t->dir, &err);

	if (t->pid > 0) {
		(void)kill(t->pid, SIGTERM);
		(void)waitpid(t->pid, NULL, 0);
	}
	free(t->key);
	free(t->cert);
	free(t->dir);
	free(t);
	return rc;
}

/* GET / from host at the server's port; 0 with a status of 200. */
static int
get(const struct tls *t, const char *host, const char *connect_to,
    const char *ca_file, struct err *err)
{
	struct http_reply reply = { .body = BUF_INIT(64 * 1024) };
	char *url = mem_printf("https://%s:%u", host, t->port);
	struct http_spec spec = { .url = url, .ca_file = ca_file,
		.connect_to = connect_to };
	struct http *h = NULL;
	int rc;

	rc = http_open(&spec, &h, err);
	if (rc == 0)
		rc = http_call(h, "GET", "/", NULL, 20000, &reply, err);
	if (rc == 0)
		assert_int_equal(reply.status, 200);
	buf_clear(&reply.body);
	http_close(h);
	free(url);
	return rc;
}

static void
test_certificate_must_verify(void **state)
{
	struct tls *t = *state;
	struct err err = ERR_INIT;

	if (t->port == 0)
		skip();
	FAILS(get(t, "sanctum.test", "127.0.0.1", NULL, &err), ERR_AUTH,
	    "its certificate does not verify: ");
	assert_non_null(strstr(err.text, "GET https://sanctum.test:"));
	OK(get(t, "sanctum.test", "127.0.0.1", t->cert, &err));

	/* The right issuer, but not the name that was asked. */
	FAILS(get(t, "127.0.0.1", NULL, t->cert, &err), ERR_AUTH,
	    "its certificate does not verify: ");
	FAILS(get(t, "other.test", "127.0.0.1", t->cert, &err), ERR_AUTH,
	    "its certificate does not verify: ");
}

/* The certificate as it is served, and TLS 1.3 alone. */
static void
test_probe_gives_the_certificate(void **state)
{
	struct tls *t = *state;
	struct err err = ERR_INIT;
	char *url;
	struct buf pem = BUF_INIT(64 * 1024);
	struct http_reply reply = { .body = BUF_INIT(64 * 1024) };
	struct http_probe probe = { .certificate = &pem };
	struct http_spec spec = { .connect_to = "127.0.0.1", .tls13 = true };
	struct http *h = NULL;

	if (t->port == 0)
		skip();
	url = mem_printf("https://sanctum.test:%u", t->port);
	spec.url = url;
	spec.ca_file = t->cert;
	OK(http_open(&spec, &h, &err));
	for (int i = 0; i < 2; i++) {
		OK(http_probe(h, "GET", "/", &probe, 20000, &reply, &err));
		assert_non_null(strstr(buf_cstr(&pem),
		    "-----BEGIN CERTIFICATE-----"));
		assert_null(strstr(strstr(buf_cstr(&pem), "BEGIN") + 5,
		    "BEGIN"));
	}
	http_close(h);
	buf_clear(&reply.body);
	buf_clear(&pem);
	free(url);
}

static void
test_ca_file_without_certificate(void **state)
{
	struct tls *t = *state;
	struct err err = ERR_INIT;

	if (t->port == 0)
		skip();
	FAILS(get(t, "sanctum.test", "127.0.0.1", t->key, &err), ERR_USAGE,
	    t->key);
}

/* A name that no DNS has, in clear, to a loopback address. */
static void
test_connect_to_keeps_name_and_port(void **state)
{
	static const struct fake_turn turns[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
		{ NULL, FAKE_CLOSE } };
	struct http_reply reply = { .body = BUF_INIT(64) };
	struct http_spec spec = { .connect_to = "127.0.0.1" };
	struct buf log = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct fake_http fake;
	struct http *h;
	char *host;

	(void)state;
	fake_http_start(&fake, turns);
	host = mem_printf("http://sanctum.invalid:%u", fake.port);
	spec.url = host;
	OK(http_open(&spec, &h, &err));
	OK(http_call(h, "GET", "/", NULL, 20000, &reply, &err));
	http_close(h);
	fake_http_stop(&fake, &log);
	assert_non_null(strstr(buf_cstr(&log), "Host: sanctum.invalid:"));
	assert_null(strstr(buf_cstr(&log), "Authorization"));
	buf_clear(&log);
	free(host);
	buf_clear(&reply.body);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_must_verify),
		cmocka_unit_test(test_probe_gives_the_certificate),
		cmocka_unit_test(test_ca_file_without_certificate),
		cmocka_unit_test(test_connect_to_keeps_name_and_port),
	};

	(void)setenv("https_proxy", "http://127.0.0.1:9", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
