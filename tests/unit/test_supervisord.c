#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/pm2.h"
#include "core/supervisord.h"

#define MARK "0123456789ab"

static const char text[] =
    "; top\n[supervisord]\nx=1\n\n[program:broca]\n"
    "command = python main.py ; why\ndirectory=/srv/s/broca\r\n"
    "environment=A=\"1\",\n    B=\"2\"\n\n[program:other]\ncommand=x";

static void
test_read(void **state)
{
	struct supervisord_program p;
	size_t at = 0;

	(void)state;
	assert_true(supervisord_next(text, strlen(text), &at, &p));
	assert_string_equal(p.name, "broca");
	assert_string_equal(p.command, "python main.py");
	assert_string_equal(p.directory, "/srv/s/broca");
	assert_int_equal(p.line, 5);
	assert_false(p.disabled);
	supervisord_program_clear(&p);
	assert_true(supervisord_next(text, strlen(text), &at, &p));
	assert_string_equal(p.name, "other");
	assert_string_equal(p.text, "[program:other]\ncommand=x\n");
	supervisord_program_clear(&p);
	assert_false(supervisord_next(text, strlen(text), &at, &p));
}

static void
off_and_on(const char *name)
{
	struct buf b = BUF_INIT(4096);
	struct supervisord_program p;
	struct err err = ERR_INIT;
	bool changed, seen = false;
	size_t at = 0;

	buf_str(&b, text);
	assert_int_equal(supervisord_disable(&b, name, MARK, &changed, &err),
	    0);
	assert_true(changed);
	assert_int_equal(supervisord_disable(&b, name, MARK, &changed, &err),
	    0);
	assert_false(changed);
	while (supervisord_next(b.data, b.len, &at, &p)) {
		seen |= p.disabled && strcmp(p.mark, MARK) == 0 &&
		    strcmp(p.name, name) == 0;
		supervisord_program_clear(&p);
	}
	assert_true(seen);
	assert_int_equal(supervisord_enable(&b, name, "ff", &changed, &err),
	    0);
	assert_false(changed);
	assert_int_equal(supervisord_enable(&b, name, MARK, &changed, &err),
	    0);
	assert_true(changed);
	assert_string_equal(b.data, text);
	buf_clear(&b);
}

static void
test_change(void **state)
{
	(void)state;
	off_and_on("broca");
	off_and_on("other");
}

static void
put(void *ctx, const struct pm2_app *app)
{
	buf_printf(ctx, "%s|%s|%s|%s ", app->name, app->cwd, app->script,
	    app->status);
}

static void
test_pm2(void **state)
{
	static const char dump[] = "[{\"name\":\"b\",\"pm_cwd\":\"/s\","
	    "\"pm_exec_path\":\"/s/main.py\",\"status\":\"online\",\"env\":{}}"
	    ",{\"x\":1},7,{\"name\":\"c\",\"pm_cwd\":3}]";
	static const char *const bad[] = { "", "{", "{}", "[", "7" };
	struct buf out = BUF_INIT(256);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(pm2_read(dump, strlen(dump), put, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "b|/s|/s/main.py|online c||| ");
	buf_clear(&out);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(pm2_read(bad[i], strlen(bad[i]), put, &out,
		    &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_pm2),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("supervisord", tests, NULL, NULL);
}
