#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/dial.h"
#include "io/lines.h"

#define SEND_MS 10000
#define WAIT_MAX_MS 60000

static int
connect_loopback(unsigned int port, uint64_t timeout_ms, struct err *err)
{
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct err other = ERR_INIT;
	int fd;

	fd = dial_open((const struct sockaddr *)&v4, sizeof(v4), deadline_ms,
	    err);
	if (fd >= 0 || err->kind == ERR_INTERRUPTED)
		return fd;
	fd = dial_open((const struct sockaddr *)&v6, sizeof(v6), deadline_ms,
	    &other);
	if (fd >= 0)
		err_clear(err);
	return fd;
}

int
lines_dial(struct lines *lines, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *err)
{
	unsigned int i;
	int fd;

	if (port < 1 || port > 65535)
		return err_set(err, ERR_USAGE, "port %u", port);
	for (i = 0; i < LINES_MAX && lines->fds[i] != 0; i++)
		;
	if (i == LINES_MAX)
		return err_set(err, ERR_FAILED, "%d connections are open",
		    LINES_MAX);
	fd = connect_loopback(port, timeout_ms < WAIT_MAX_MS ? timeout_ms :
	    WAIT_MAX_MS, err);
	if (fd < 0)
		return -1;
	lines->fds[i] = fd + 1;
	*line = i;
	return 0;
}

static int
fd_of(const struct lines *lines, unsigned int line, struct err *err)
{
	if (line >= LINES_MAX || lines->fds[line] == 0)
		return err_set(err, ERR_FAILED, "connection %u is not open",
		    line);
	return lines->fds[line] - 1;
}

int
lines_send(struct lines *lines, unsigned int line, const void *data,
    size_t len, struct err *err)
{
	const uint64_t end_ms = clock_ms() + SEND_MS;
	const int fd = fd_of(lines, line, err);
	const char *at = data;
	ptrdiff_t sent;
	short got;
	int ready;

	if (fd < 0)
		return -1;
	while (len > 0) {
		sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent >= 0) {
			at += sent;
			len -= (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_sys(err, ERR_UNREACHABLE, "send");
		ready = dial_wait(fd, POLLOUT, &got,
		    (uint64_t)clock_left_ms(end_ms), err);
		if (ready < 0)
			return -1;
		if (ready == 0)
			return err_set(err, ERR_UNREACHABLE, "send: nothing "
			    "was taken for %d s", SEND_MS / 1000);
	}
	return 0;
}

int
lines_recv(struct lines *lines, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *err)
{
	const int fd = fd_of(lines, line, err);
	char data[16384];
	ptrdiff_t len;
	size_t all = 0;
	short got;
	int ready;

	*ended = false;
	if (fd < 0)
		return -1;
	ready = dial_wait(fd, POLLIN, &got, wait_ms < WAIT_MAX_MS ? wait_ms :
	    WAIT_MAX_MS, err);
	if (ready <= 0)
		return ready;
	while (all + sizeof(data) <= LINES_RECV_MAX) {
		len = recv(fd, data, sizeof(data), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (len < 0)
			return err_sys(err, ERR_UNREACHABLE, "receive");
		*ended = len == 0;
		if (*ended)
			return 0;
		buf_add(out, data, (size_t)len);
		all += (size_t)len;
	}
	return 0;
}

void
lines_hangup(struct lines *lines, unsigned int line)
{
	if (line >= LINES_MAX || lines->fds[line] == 0)
		return;
	(void)close(lines->fds[line] - 1);
	lines->fds[line] = 0;
}

void
lines_clear(struct lines *lines)
{
	for (unsigned int i = 0; i < LINES_MAX; i++)
		lines_hangup(lines, i);
}
