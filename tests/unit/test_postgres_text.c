#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "flow/postgres.h"

#define TEXT_MAX 4096

/* What plan shows of a database that is made like another. */
static void
shows(const char *properties, const char *shown)
{
	static const char drop[] =
	    "DROP DATABASE IF EXISTS \"sanctumctl_new_1\" WITH (FORCE);\n";
	struct buf out = BUF_INIT(TEXT_MAX);

	postgres_make_text(properties, "sanctumctl_new_1", false, &out);
	assert_memory_equal(buf_cstr(&out), drop, sizeof(drop) - 1);
	assert_string_equal(buf_cstr(&out) + sizeof(drop) - 1, shown);
	buf_clear(&out);
}

#define ALTER "ALTER DATABASE " POSTGRES_NAME " SET "
#define SHOWN "ALTER DATABASE \"sanctumctl_new_1\" SET "

static void
test_an_applications_own_settings_are_masked(void **state)
{
	(void)state;
	shows("", "");
	shows(ALTER "\"app.jwt_secret\" TO 'hush';\n" ALTER
	    "work_mem TO '5MB';\n", SHOWN "\"app.jwt_secret\" TO '***';\n"
	    SHOWN "work_mem TO '5MB';\n");
	shows(ALTER "\"a.b\" TO  E'it''s; \\\\ \"hush\"\nSET';\n",
	    SHOWN "\"a.b\" TO  E'***';\n");
	shows("ALTER ROLE \"o'd.d\" IN DATABASE " POSTGRES_NAME
	    " SET \"a.b\" TO 'hush';", "ALTER ROLE \"o'd.d\" IN DATABASE "
	    "\"sanctumctl_new_1\" SET \"a.b\" TO '***';");
}

static void
test_all_other_text_is_shown(void **state)
{
	static const char text[] = "ALTER ROLE \"x.y\" SET search_path TO "
	    "public, \"odd.one\";\nCOMMENT ON DATABASE d IS 'a \" SET b.c';\n";

	(void)state;
	shows(text, text);
}

static void
test_a_literal_keeps_what_looks_like_the_name(void **state)
{
	(void)state;
	shows("COMMENT ON DATABASE " POSTGRES_NAME " IS 'see " POSTGRES_NAME
	    " it''s';\n", "COMMENT ON DATABASE \"sanctumctl_new_1\" IS 'see "
	    POSTGRES_NAME " it''s';\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_applications_own_settings_are_masked),
		cmocka_unit_test(test_all_other_text_is_shown),
		cmocka_unit_test(test_a_literal_keeps_what_looks_like_the_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
