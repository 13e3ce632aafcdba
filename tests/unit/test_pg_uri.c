#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/pg_tally.h"
#include "core/pg_uri.h"

#define SECRET "hunter2"

/* A URI and what libpq is told for it, with its password before. */
struct uri_case {
	const char *uri, *password, *conninfo, *place;
};

#define WORDS "application_name=sanctumctl"

static const struct uri_case cases[] = {
	{ "postgresql://letta:hunter2@127.0.0.1:5433/letta", SECRET,
	    WORDS " host='127.0.0.1' port='5433' user='letta' "
	    "dbname='letta'", "127.0.0.1:5433" },
	{ "postgres://letta@db/letta", "", WORDS " host='db' port='5432' "
	    "user='letta' dbname='letta'", "db:5432" },
	{ "postgresql+pg8000://letta:hunter2@db:5432/letta?sslmode=require",
	    SECRET, WORDS " host='db' port='5432' user='letta' "
	    "dbname='letta' sslmode='require'", "db:5432" },
	{ "postgresql+asyncpg://letta:hunter2@db/letta?ssl=disable&x=y",
	    SECRET, WORDS " host='db' port='5432' user='letta' "
	    "dbname='letta' sslmode='disable'", "db:5432" },
	{ "postgresql://a%40b:p%2Fw%3a1@db/my%20db", "p/w:1",
	    WORDS " host='db' port='5432' user='a@b' dbname='my db'",
	    "db:5432" },
	/* As SQLAlchemy takes it. */
	{ "postgresql://letta:p/w?50%off@db/letta", "p/w?50%off",
	    WORDS " host='db' port='5432' user='letta' dbname='letta'",
	    "db:5432" },
	{ "postgresql://letta:hunter2@[::1]:5433/letta", SECRET,
	    WORDS " host='::1' port='5433' user='letta' dbname='letta'",
	    "[::1]:5433" },
	{ "postgresql://letta@%2Frun%2Fpostgresql/letta", "",
	    WORDS " host='/run/postgresql' port='5432' user='letta' "
	    "dbname='letta'", "/run/postgresql:5432" },
	{ "postgresql://letta@/letta?host=/run/pg&port=6000", "",
	    WORDS " host='/run/pg' port='6000' user='letta' "
	    "dbname='letta'", "/run/pg:6000" },
	{ "postgresql:///letta?user=letta&password=hunter2", SECRET,
	    WORDS " port='5432' user='letta' dbname='letta'",
	    "local socket:5432" },
	{ "postgresql+pg8000://letta@/letta?unix_sock=/run/pg/.s.PGSQL.6001",
	    "", WORDS " host='/run/pg' port='6001' user='letta' "
	    "dbname='letta'", "/run/pg:6001" },
	{ "postgresql://o'r\\y:hunter2@db/l'a\n", SECRET,
	    WORDS " host='db' port='5432' user='o\\'r\\\\y' "
	    "dbname='l\\'a'", "db:5432" },
	{ "postgresql://letta:@db/letta", "", WORDS " host='db' "
	    "port='5432' user='letta' dbname='letta'", "db:5432" },
};

static void
test_parse(void **state)
{
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT(1024), place = BUF_INIT(256);
	struct pg_uri uri;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (pg_uri_parse(cases[i].uri, strlen(cases[i].uri), &uri,
		    &err) != 0)
			fail_msg("%s: %s", cases[i].uri, err.text);
		assert_string_equal(uri.password ?
		    secret_bytes(uri.password) : "", cases[i].password);
		pg_uri_conninfo(&uri, uri.database, false, &text);
		assert_string_equal(buf_cstr(&text), cases[i].conninfo);
		pg_uri_place(&uri, &place);
		assert_string_equal(buf_cstr(&place), cases[i].place);
		assert_int_equal(uri.is_socket, strchr(cases[i].place, '/') ||
		    strchr(cases[i].place, ' '));
		buf_clear(&text);
		buf_clear(&place);
		pg_uri_clear(&uri);
	}
}

static void
test_wrong(void **state)
{
	static const struct { const char *uri, *says; } wrong[] = {
		{ "mysql://letta:hunter2@db/letta", "scheme" },
		{ "postgresql:letta:hunter2@db/letta", "scheme" },
		{ "sqlite:////root/hunter2", "scheme" },
		{ "hunter2", "scheme" },
		{ "", "scheme" },
		{ "postgresql://letta:hunter2@db", "no database" },
		{ "postgresql://letta:hunter2@db/", "no database" },
		{ "postgresql://:hunter2@db/letta", "no user" },
		{ "postgresql://db/letta", "no user" },
		{ "postgresql://letta:hunter2@db:x/letta", "a port" },
		{ "postgresql://letta:hunter2@db:0/letta", "a port" },
		{ "postgresql://letta:hunter2@db:65536/letta", "a port" },
		{ "postgresql://letta:hunter2@hunter2@db/letta", "%40" },
		{ "postgresql://letta:hunter2@[::1/letta", "without its" },
		{ "postgresql://letta:hunter2@[::1]9/letta", "between" },
		{ "postgresql://letta:hunter2@a,b/letta", "more than one" },
		{ "postgresql://letta:hunter2%0A@db/letta", "control byte" },
		{ "postgresql://letta:hunter2@db/le%00ta", "control byte" },
		{ "postgresql://letta:hunter2@db/letta?dbname=hunter2",
		    "dbname" },
		{ "postgresql://letta:hunter2@/letta?unix_sock=/hunter2",
		    "unix_sock" },
	};
	struct pg_uri uri;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(pg_uri_parse(wrong[i].uri,
		    strlen(wrong[i].uri), &uri, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("%s: %s", wrong[i].uri, err.text);
		assert_null(strstr(err.text, SECRET));
	}
}

static void
test_nul_and_length(void **state)
{
	static char longest[PG_URI_MAX + 2];
	struct err err = ERR_INIT;
	struct pg_uri uri;

	(void)state;
	assert_int_equal(pg_uri_parse("postgresql://a@b/c\0d", 20, &uri,
	    &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	memset(longest, 'x', sizeof(longest) - 1);
	err_clear(&err);
	assert_int_equal(pg_uri_parse(longest, sizeof(longest) - 1, &uri,
	    &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
}

static void
test_inside_and_other_database(void **state)
{
	static const char text[] =
	    "postgresql+pg8000://a%40b:p%2Fw@db:99/letta?sslmode=disable";
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(1024);
	struct pg_uri uri;

	(void)state;
	assert_int_equal(pg_uri_parse(text, strlen(text), &uri, &err), 0);
	pg_uri_conninfo(&uri, "other", true, &out);
	assert_string_equal(buf_cstr(&out), WORDS " user='a@b' "
	    "dbname='other'");
	buf_clear(&out);
	pg_uri_write(&uri, "a/b", &out);
	assert_string_equal(buf_cstr(&out),
	    "postgresql+pg8000://a%40b:p%2Fw@db:99/a%2Fb?sslmode=disable");
	buf_clear(&out);
	pg_uri_clear(&uri);
}

static bool
is_same(const char *a, const char *b)
{
	struct err err = ERR_INIT;
	struct pg_uri x, y;
	bool same;

	assert_int_equal(pg_uri_parse(a, strlen(a), &x, &err), 0);
	assert_int_equal(pg_uri_parse(b, strlen(b), &y, &err), 0);
	same = pg_uri_is_same(&x, &y);
	pg_uri_clear(&y);
	pg_uri_clear(&x);
	return same;
}

static void
test_same_and_plain(void **state)
{
	static const char one[] = "postgresql+pg8000://a:b@localhost/letta";
	struct buf out = BUF_INIT(1024);

	(void)state;
	assert_true(is_same(one, "postgres://c@127.0.0.1:5432/letta?ssl=x"));
	assert_true(is_same(one, "postgres://c@[::1]/letta"));
	assert_true(is_same(one, "postgres://c@/letta?host=/run/pg"));
	assert_false(is_same(one, "postgres://c@localhost:5433/letta"));
	assert_false(is_same(one, "postgres://c@localhost/other"));
	assert_false(is_same(one, "postgres://c@db/letta"));
	assert_true(pg_uri_plain(one, &out));
	assert_string_equal(buf_cstr(&out),
	    "postgresql://a:b@localhost/letta");
	assert_false(pg_uri_plain("mysql://a@b/c", &out));
	assert_string_equal(buf_cstr(&out),
	    "postgresql://a:b@localhost/letta");
	buf_clear(&out);
}

static void
add_moved(void *ctx, enum pg_tally_moved moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	static const char *const words[] = { "changed", "new", "gone" };
	const struct pg_tally_line *line = was ? was : is;

	buf_printf(ctx, "%s %.*s %.*s %.*s\n", words[moved], line->name_len,
	    line->name, was ? was->count_len : 0, was ? was->count : "",
	    is ? is->mark_len : 0, is ? is->mark : "");
}

static void
test_tally(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	assert_int_equal(pg_tally_compare("b\t2\tx\na\t1\ty\n",
	    "a\t1\ty\nb\t2\tx", add_moved, &out), 0);
	assert_int_equal(pg_tally_compare("", "", NULL, NULL), 0);
	assert_int_equal(pg_tally_compare(
	    "a\t1\tx\nab\t1\tx\nb\t2\tx\nc\t3\tx\n",
	    "c\t3\ty\nd\t4\tz\nb\t5\tx\na\t1\tx\n", add_moved, &out), 4);
	assert_string_equal(buf_cstr(&out), "gone ab 1 \nchanged b 2 x\n"
	    "changed c 3 y\nnew d  z\n");
	buf_clear(&out);
}

static void
test_tally_by_name(void **state)
{
	struct pg_tally tally;

	(void)state;
	pg_tally_read("agent-2\t1\tx\nagent-10\t12\ty\n", &tally);
	assert_int_equal(tally.n, 2);
	assert_null(pg_tally_find(&tally, "agent-1"));
	assert_null(pg_tally_find(&tally, "agent-100"));
	assert_memory_equal(pg_tally_find(&tally, "agent-10")->count, "12", 2);
	assert_memory_equal(pg_tally_find(&tally, "agent-2")->mark, "x", 1);
	pg_tally_clear(&tally);
	pg_tally_read("", &tally);
	assert_null(pg_tally_find(&tally, "agent-1"));
	pg_tally_clear(&tally);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_nul_and_length),
		cmocka_unit_test(test_inside_and_other_database),
		cmocka_unit_test(test_same_and_plain),
		cmocka_unit_test(test_tally),
		cmocka_unit_test(test_tally_by_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
