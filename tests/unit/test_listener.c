#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/listener.h"

/* As proc(5) writes them: 18283 is 476B, on the loopback, any, mapped. */
static const char four[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
    "retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:476B 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000   998        0 11 1 0000 100 0 0 10 0\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 12 1 0000 100 0 0 10 0\n"
    "   2: 0100007F:476B 0100007F:9C40 01 00000000:00000000 00:00000000 "
    "00000000   998        0 13 1 0000 100 0 0 10 0\n";
static const char six[] =
    "  sl  local_address                         remote_address  st\n"
    "   0: 00000000000000000000000000000000:476B "
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000  1000        0 21 1 0000 100 0 0 10 0\n"
    "   1: 0000000000000000FFFF00000700000A:476B "
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 22 1 0000 100 0 0 10 0\n"
    "   2: 00000000000000000000000001000000:476B "
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 23 1 0000 100 0 0 10 0\n";

static int
note(void *ctx, const struct listener *one, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s %u %lu%s\n", one->address,
	    (unsigned int)one->uid, one->inode,
	    one->loopback ? " loopback" : "");
	return 0;
}

static void
test_who_listens_is_read_from_the_kernels_tables(void **state)
{
	struct buf said = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(listener_each(four, 18283, note, &said, &err), 0);
	assert_string_equal(buf_cstr(&said), "127.0.0.1 998 11 loopback\n");
	buf_clear(&said);
	assert_int_equal(listener_each(six, 18283, note, &said, &err), 0);
	assert_string_equal(buf_cstr(&said), ":: 1000 21\n10.0.0.7 0 22\n"
	    "::1 0 23 loopback\n");
	buf_clear(&said);
	assert_int_equal(listener_each("head\nnothing\n", 1, note, &said,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
}

static int
note_address(void *ctx, const char *address, bool scoped, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s%s\n", address, scoped ? " scoped" : "");
	return 0;
}

static void
test_addresses_are_all_but_the_loopbacks(void **state)
{
	static const char text[] =
	    "1: lo    inet 127.0.0.1/8 scope host lo\\  valid_lft forever\n"
	    "1: lo    inet6 ::1/128 scope host \\  valid_lft forever\n"
	    "2: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0\n"
	    "2: eth0    inet 10.77.0.2 peer 10.77.0.1/32 scope global eth0\n"
	    "2: eth0    inet6 2001:db8::7/64 scope global \\  valid_lft\n"
	    "2: eth0    inet6 fe80::1:2/64 scope link \\  valid_lft\n"
	    "3: dummy0@eth0    inet 198.51.100.1/32 scope global dummy0\n";
	struct buf said = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(listener_addresses(text, note_address, &said, &err),
	    0);
	assert_string_equal(buf_cstr(&said), "192.0.2.7\n10.77.0.2\n"
	    "2001:db8::7\nfe80::1:2 scoped\n198.51.100.1\n");
	buf_clear(&said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_who_listens_is_read_from_the_kernels_tables),
		cmocka_unit_test(test_addresses_are_all_but_the_loopbacks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
