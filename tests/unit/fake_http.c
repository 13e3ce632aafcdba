#include "base/base.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "fake_http.h"

static void
log_bytes(int log, const void *data, size_t len)
{
	if (write(log, data, len) != (ssize_t)len)
		_exit(2);
}

/* Copy len bytes of a body to the log; false when it is cut. */
static bool
copy_body(FILE *in, int log, size_t len)
{
	char data[4096];
	size_t part;

	for (; len > 0; len -= part) {
		part = fread(data, 1, len < sizeof(data) ? len :
		    sizeof(data), in);
		if (part == 0)
			return false;
		log_bytes(log, data, part);
	}
	return true;
}

static bool
copy_chunks(FILE *in, int log)
{
	char line[64];
	size_t len;

	do {
		if (!fgets(line, sizeof(line), in))
			return false;
		len = strtoul(line, NULL, 16);
		if (!copy_body(in, log, len) || !fgets(line, sizeof(line), in))
			return false;
	} while (len > 0);
	return true;
}

/* Read one request into the log; false at the end of the connection. */
static bool
read_request(FILE *in, int out, int log)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool chunked = false, expect = false, whole;
	char line[4096];
	size_t len = 0;

	do {
		if (!fgets(line, sizeof(line), in))
			return false;
		log_bytes(log, line, strlen(line));
		if (strncmp(line, "Content-Length:", 15) == 0)
			len = strtoul(line + 15, NULL, 10);
		chunked |= str_eq(line, "Transfer-Encoding: chunked\r\n");
		expect |= str_eq(line, "Expect: 100-continue\r\n");
	} while (!str_eq(line, "\r\n"));
	if (expect && send(out, go_on, strlen(go_on), MSG_NOSIGNAL) < 0)
		return false;
	whole = chunked ? copy_chunks(in, log) : copy_body(in, log, len);
	if (!whole)
		log_bytes(log, "#cut\n", 5);
	return whole;
}

static void
serve(const struct fake_http *f, const struct fake_turn *turns)
{
	FILE *in = NULL;
	int conn = -1;

	(void)alarm(60);
	while (turns->answer) {
		if (!in) {
			conn = accept(f->listener, NULL, NULL);
			if (conn < 0)
				_exit(0);
			in = fdopen(conn, "r");
			log_bytes(f->log, "#connection\n", 12);
		}
		if (!read_request(in, conn, f->log)) {
			(void)fclose(in);
			in = NULL;
			continue;
		}
		(void)send(conn, turns->answer, strlen(turns->answer),
		    MSG_NOSIGNAL);
		if (turns->then == FAKE_STOP_PARENT)
			(void)kill(getppid(), SIGTERM);
		if (turns->then >= FAKE_HANG)
			while (fgetc(in) != EOF)
				;
		if (turns->then != FAKE_KEEP) {
			(void)fclose(in);
			in = NULL;
		}
		turns++;
	}
	_exit(0);
}

int
fake_http_listen(unsigned int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

void
fake_http_start(struct fake_http *f, const struct fake_turn *turns)
{
	f->listener = fake_http_listen(&f->port);
	(void)snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u",
	    f->port);
	f->log = memfd_create("requests", MFD_CLOEXEC);
	assert_true(f->log >= 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		serve(f, turns);
}

void
fake_http_stop(struct fake_http *f, struct buf *log)
{
	char data[4096];
	ssize_t len;
	int status;

	/* Wakes a server that waits for a connection that never came. */
	(void)shutdown(f->listener, SHUT_RD);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_int_equal(status, 0);
	assert_int_equal(lseek(f->log, 0, SEEK_SET), 0);
	for (;;) {
		len = read(f->log, data, sizeof(data));
		if (len <= 0)
			break;
		buf_add(log, data, (size_t)len);
	}
	assert_false(log->full);
	(void)close(f->log);
	(void)close(f->listener);
}
