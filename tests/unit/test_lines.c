#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/lines.h"

static int
listener(unsigned int *port)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	*port = ntohs(any.sin_port);
	return fd;
}

static void
test_two_lines_at_once(void **state)
{
	struct lines lines = LINES_INIT;
	struct buf heard = BUF_INIT(LINES_RECV_MAX);
	struct err err = ERR_INIT;
	unsigned int port, one, two;
	int fd = listener(&port), first, second;
	char got[8] = "";
	bool ended;

	(void)state;
	assert_int_equal(lines_dial(&lines, port, 1000, &one, &err), 0);
	first = accept(fd, NULL, NULL);
	assert_int_equal(lines_dial(&lines, port, 1000, &two, &err), 0);
	second = accept(fd, NULL, NULL);
	assert_int_equal(lines_send(&lines, two, "post", 4, &err), 0);
	assert_int_equal(recv(second, got, sizeof(got), 0), 4);
	assert_string_equal(got, "post");

	/* Nothing on the first yet; then what comes, and its end. */
	assert_int_equal(lines_recv(&lines, one, 10, &heard, &ended, &err),
	    0);
	assert_int_equal(heard.len, 0);
	assert_false(ended);
	assert_int_equal(send(first, "event", 5, 0), 5);
	assert_int_equal(lines_recv(&lines, one, 1000, &heard, &ended, &err),
	    0);
	assert_string_equal(buf_cstr(&heard), "event");
	(void)close(first);
	assert_int_equal(lines_recv(&lines, one, 1000, &heard, &ended, &err),
	    0);
	assert_true(ended);

	lines_hangup(&lines, one);
	lines_hangup(&lines, one);
	assert_int_equal(lines_recv(&lines, one, 10, &heard, &ended, &err),
	    -1);
	lines_clear(&lines);
	assert_int_equal(recv(second, got, sizeof(got), 0), 0);
	(void)close(second);
	(void)close(fd);
	buf_clear(&heard);
}

static void
test_bounds(void **state)
{
	struct lines lines = LINES_INIT;
	struct err err = ERR_INIT;
	unsigned int port, line;
	int fd = listener(&port);
	bool ended;

	(void)state;
	for (int i = 0; i < LINES_MAX; i++)
		assert_int_equal(lines_dial(&lines, port, 1000, &line, &err),
		    0);
	assert_int_equal(lines_dial(&lines, port, 1000, &line, &err), -1);
	assert_int_equal(lines_send(&lines, 99, "", 0, &err), -1);
	assert_int_equal(lines_recv(&lines, 99, 0, NULL, &ended, &err), -1);
	lines_clear(&lines);
	(void)close(fd);
	err_clear(&err);
	assert_int_equal(lines_dial(&lines, port, 1000, &line, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_int_equal(lines_dial(&lines, 0, 1000, &line, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_lines_at_once),
		cmocka_unit_test(test_bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
