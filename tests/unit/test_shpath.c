#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/shpath.h"

static void
put(void *ctx, enum shpath_role role, const char *path)
{
	static const char letters[] = "crou";

	buf_printf(ctx, "%c%s ", letters[role], path);
}

static const struct shpath_place place = {
	.home = "/home/ann",
	.script = "/opt/sage/start.sh",
};

static const struct {
	const char *text;
	const char *paths;
} cases[] = {
	{ "", "" },
	{ "~/a/start.sh >> ~/logs/a.log 2>&1",
	    "r/home/ann/a/start.sh o/home/ann/logs/a.log " },
	{ "cd /srv/x && ./run broca", "c/srv/x r/srv/x/run r/srv/x/broca " },
	{ "cd \"$HOME/a b\"; exec python3 main.py",
	    "c/home/ann/a b r/home/ann/a b/main.py " },
	{ "D=${HOME}/x\ncd \"$D/broca\" || exit 1",
	    "c/home/ann/x/broca r/home/ann/x/broca/1 " },
	{ "cd \"$(dirname \"$0\")/broca\"", "c/opt/sage/broca " },
	{ "cd `dirname $0`", "c/opt/sage " },
	{ "cd $UNKNOWN; ./x", "" },
	{ "screen -dmS broca-sage bash -c 'cd /srv/s/broca && python main.py'",
	    "c/srv/s/broca r/srv/s/broca/main.py " },
	{ "tar czf /b/x.tgz /srv/s; rm -rf /tmp/y", "u/b/x.tgz u/srv/s "
	    "u/tmp/y " },
	{ "[ -f /srv/s/stop ] || /srv/s/go", "u/srv/s/stop r/srv/s/go " },
	{ "# cd /no\ntrue # /no\nif ! pgrep -f /srv/s/main.py; then /srv/go; "
	    "fi", "u/srv/s/main.py r/srv/go " },
	{ "export X=/a Y=/b; $X/run", "r/a/run " },
	{ "env A=1 /srv/go --dir=/srv/d http://x/y",
	    "r/srv/go r/srv/d " },
	{ "/a/../b/./c//d", "r/b/c/d " },
	{ "cd 'unclosed /x", "c/home/ann/unclosed /x " },
	{ "/srv/go $(", "r/srv/go " },
	{ "flock -n /run/x.lock /srv/go\\\n arg",
	    "r/run/x.lock r/srv/go " },
};

static void
test_cases(void **state)
{
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		shpath_each(cases[i].text, strlen(cases[i].text), &place, put,
		    &out);
		assert_string_equal(buf_cstr(&out), cases[i].paths);
		buf_clear(&out);
	}
}

static void
rewrites(const char *text, const char *to_dir, const char *expected)
{
	const struct shpath_move move = { "/home/ann", "/home/ann/s/sage",
	    "/home/bob", to_dir };
	struct buf out = BUF_INIT(4096);

	shpath_rewrite(text, strlen(text), &move, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
}

static void
test_rewrite(void **state)
{
	(void)state;
	rewrites("~/s/sage/go >>~/logs/x", "/home/bob/s/sage",
	    "~/s/sage/go >>~/logs/x");
	rewrites("/home/ann/s/sage/go", "/home/bob/s/sage",
	    "/home/bob/s/sage/go");
	rewrites("~/s/sage/go $HOME/s/sage ${HOME}/s/sage;", "/srv/w",
	    "/srv/w/go /srv/w /srv/w;");
	rewrites("/home/ann/s/sage2 /home/ann/s/sage.bak x~/s/sage "
	    "/old/home/ann/s/sage", "/srv/w", "/home/ann/s/sage2 "
	    "/home/ann/s/sage.bak x~/s/sage /old/home/ann/s/sage");
	rewrites("X=/home/ann/s/sage", "/srv/w", "X=/srv/w");
}

static void
test_plain(void **state)
{
	(void)state;
	assert_true(shpath_is_plain("/home/a-b/c_d.e"));
	assert_false(shpath_is_plain("/home/a b"));
	assert_false(shpath_is_plain("/home/a%b"));
	assert_false(shpath_is_plain("a"));
	assert_true(shpath_below("/a/b", "/a"));
	assert_false(shpath_below("/ab", "/a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_plain),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("shpath", tests, NULL, NULL);
}
