#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/freeze.h"

static void
test_only_what_installs_elsewhere_is_kept(void **state)
{
	static const char text[] =
	    "# Editable Git install with no remote (broca==1.0)\n"
	    "-e /srv/broca\n"
	    "-e git+ssh://git@host/x.git@abc#egg=own_tool\n"
	    "httpx==0.27.0\n"
	    "local @ file:///srv/wheels/local-1.0.whl\n"
	    "odd==1.0 --index-url=http://evil\n"
	    "open @ https://host.example/open-1.0.whl#sha256=00\n"
	    "signed @ https://host.example/signed-1.whl?sig=topsecret\n"
	    "secret @ git+https://user:token@host/secret.git@abc\n"
	    "torch==2.1.0+cpu";
	struct buf kept = BUF_INIT(4096), left = BUF_INIT(4096);
	struct freeze_count count;

	(void)state;
	freeze_sort(text, &kept, &left, &count);
	assert_string_equal(buf_cstr(&kept), "httpx==0.27.0\n"
	    "open @ https://host.example/open-1.0.whl#sha256=00\n"
	    "torch==2.1.0+cpu\n");
	assert_string_equal(buf_cstr(&left),
	    "(an editable one), own_tool, local, odd, signed, "
	    "secret");
	assert_int_equal(count.kept, 3);
	assert_int_equal(count.left, 6);
	buf_clear(&kept);
	buf_clear(&left);
}

static void
test_names_of_dist_info(void **state)
{
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_true(freeze_dist_info("letta_client-1.12.1.dist-info", &out));
	assert_string_equal(buf_cstr(&out), "letta_client==1.12.1\n");
	assert_false(freeze_dist_info("x-1.0.egg-info", &out));
	assert_false(freeze_dist_info("-1.0.dist-info", &out));
	assert_false(freeze_dist_info("none.dist-info", &out));
	assert_false(freeze_dist_info("a b-1.0.dist-info", &out));
	buf_clear(&out);
}

static void
test_version_of_a_pyvenv_cfg(void **state)
{
	char version[16];

	(void)state;
	assert_true(freeze_version("home = /usr/bin\nversion = 3.11.2\n",
	    version, sizeof(version)));
	assert_string_equal(version, "3.11.2");
	assert_true(freeze_version("version_info=3.12.1.final.0\n", version,
	    sizeof(version)));
	assert_string_equal(version, "3.12.1.");
	assert_false(freeze_version("home = /x\n", version, sizeof(version)));
	assert_false(freeze_version("version\n= 3\n", version,
	    sizeof(version)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_installs_elsewhere_is_kept),
		cmocka_unit_test(test_names_of_dist_info),
		cmocka_unit_test(test_version_of_a_pyvenv_cfg),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
