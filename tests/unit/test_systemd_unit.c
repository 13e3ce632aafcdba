#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/systemd_unit.h"

static const char text[] =
    "# a comment \\\n"
    "[Unit]\n"
    "Description = Broca of sage\n"
    "[Service]\r\n"
    "User=ann\n"
    "Group=ann\n"
    "WorkingDirectory=-/srv/sage/broca\n"
    "Environment=A=1 \"B=two words\" 'C=x'\n"
    "EnvironmentFile=-/srv/sage/.env\n"
    "ExecStartPre=+/bin/true\n"
    "ExecStart=@/srv/venv/bin/python \\\n"
    "  ; between\n"
    "  main.py --x\n"
    "Nonsense\n"
    "[Install]\n"
    "WantedBy=multi-user.target";

static void
test_read(void **state)
{
	struct systemd_unit u;

	(void)state;
	systemd_unit_init(&u);
	systemd_unit_read(&u, text, strlen(text));
	assert_string_equal(u.description, "Broca of sage");
	assert_string_equal(u.user, "ann");
	assert_string_equal(u.working_directory, "/srv/sage/broca");
	assert_int_equal(u.environment->len, 20);
	assert_memory_equal(u.environment->data, "A=1\0B=two words\0C=x", 20);
	assert_string_equal(buf_cstr(u.environment_files), "/srv/sage/.env");
	assert_string_equal(buf_cstr(u.exec), "/bin/true\n"
	    "/srv/venv/bin/python  main.py --x\n");
	assert_true(u.has_install);
	systemd_unit_clear(&u);
}

/* A drop-in adds to lists, and empties one by an empty assignment. */
static void
test_drop_in(void **state)
{
	static const char more[] = "[Service]\nExecStart=\nExecStart=/bin/b\n"
	    "Environment=\nUser=bob\n";
	struct systemd_unit u;

	(void)state;
	systemd_unit_init(&u);
	systemd_unit_read(&u, text, strlen(text));
	systemd_unit_read(&u, more, strlen(more));
	assert_string_equal(u.user, "bob");
	assert_string_equal(buf_cstr(u.exec), "/bin/b\n");
	assert_int_equal(u.environment->len, 0);
	systemd_unit_clear(&u);
}

static void
test_odd(void **state)
{
	static const char *const odd[] = { "", "\\", "[", "[]", "=", "\n\n=\\",
	    "[Service\nUser=x", "[Service]\nUser", "[Service]\nUser=\\\n",
	    "[Service]\nEnvironment=\"open\nEnvironment=\\", "\xff\xfe[\n" };
	struct systemd_unit u;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		systemd_unit_init(&u);
		systemd_unit_read(&u, odd[i], strlen(odd[i]));
		assert_null(u.user);
		systemd_unit_clear(&u);
	}
}

static void
test_change(void **state)
{
	struct buf out = BUF_INIT(4096);

	(void)state;
	systemd_unit_set_user("[Service]\nUser = ann\nGroup=x\nUserX=1\n", 37,
	    "bob", &out);
	assert_string_equal(buf_cstr(&out),
	    "[Service]\nUser=bob\nUserX=1\n");
	buf_clear(&out);
	systemd_unit_expand("%h/x %u %% %i %", "/home/ann", "ann", &out);
	assert_string_equal(buf_cstr(&out), "/home/ann/x ann % %i %");
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_drop_in),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
