#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/stop.h"
#include "io/dial.h"

int
dial_wait(int fd, short events, short *got, uint64_t wait_ms, struct err *err)
{
	const uint64_t deadline = clock_ms() + wait_ms;
	struct pollfd p = { .fd = fd, .events = events };
	int left, n;

	for (;;) {
		if (stop_check(err) != 0)
			return -1;
		left = clock_left_ms(deadline);
		n = poll(&p, 1,
		    left < STOP_SLICE_MS ? left : STOP_SLICE_MS);
		if (n > 0) {
			*got = p.revents;
			return 1;
		}
		if (n < 0 && errno != EINTR)
			return err_sys(err, ERR_FAILED, "poll");
		if (left == 0)
			return 0;
	}
}

static int
finish(int fd, uint64_t deadline_ms, struct err *err)
{
	socklen_t len = sizeof(int);
	int cause = 0, ready;
	short got;

	ready = dial_wait(fd, POLLOUT, &got,
	    (uint64_t)clock_left_ms(deadline_ms), err);
	if (ready < 0)
		return -1;
	if (ready == 0)
		return err_set(err, ERR_UNREACHABLE,
		    "no answer to a connection in time");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
		return err_sys(err, ERR_UNREACHABLE, "connect");
	if (cause != 0) {
		errno = cause;
		return err_sys(err, ERR_UNREACHABLE, "connect");
	}
	return 0;
}

int
dial_open(const struct sockaddr *addr, socklen_t addr_len,
    uint64_t deadline_ms, struct err *err)
{
	const int on = 1;
	int fd, rc = 0;

	fd = socket(addr->sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, ERR_UNREACHABLE, "socket");
	/* A small packet behind another would wait for a delayed ACK. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, addr, addr_len) != 0) {
		if (errno == EINPROGRESS || errno == EINTR)
			rc = finish(fd, deadline_ms, err);
		else
			rc = err_sys(err, ERR_UNREACHABLE, "connect");
	}
	if (rc != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

int
dial_probe(const char *ip, unsigned int port, uint64_t timeout_ms, bool *out,
    struct err *err)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *addr;
	socklen_t addr_len;
	int fd;

	if (port < 1 || port > 65535)
		return err_set(err, ERR_USAGE, "port %u", port);
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
		v4.sin_port = htons((uint16_t)port);
		addr = (const struct sockaddr *)&v4;
		addr_len = sizeof(v4);
	} else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons((uint16_t)port);
		addr = (const struct sockaddr *)&v6;
		addr_len = sizeof(v6);
	} else {
		return err_set(err, ERR_USAGE, "not an IP address: %.64s",
		    ip);
	}

	fd = dial_open(addr, addr_len, clock_ms() + timeout_ms, err);
	*out = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
	else if (err->kind == ERR_INTERRUPTED)
		return -1;
	else
		err_clear(err);
	return 0;
}
