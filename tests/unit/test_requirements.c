#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/requirements.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char list[] =
    "# by hand\n"
    "\n"
    "Letta[server,postgres]==0.16.2 \\\n"
    "    --hash=sha256:" SUM "\n"
    "pydantic_core==2.1 ; python_version < \"4\" \\\n"
    "    --hash=sha256:" SUM " \\\n"
    "    --hash=sha256:" SUM "\n"
    "setuptools==80.9.0 --hash=sha256:" SUM;

static void
test_a_list_with_hashes_is_taken(void **state)
{
	char version[REQUIREMENTS_VERSION_SIZE];
	struct buf entry = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(requirements_check("list", list, sizeof(list) - 1,
	    &err), 0);
	requirements_version(list, "letta", version);
	assert_string_equal(version, "0.16.2");
	requirements_version(list, "Pydantic.Core", version);
	assert_string_equal(version, "2.1");
	requirements_version(list, "pydantic", version);
	assert_string_equal(version, "");
	requirements_entry(list, "setuptools", &entry);
	assert_string_equal(buf_cstr(&entry),
	    "setuptools==80.9.0 --hash=sha256:" SUM);
	buf_clear(&entry);
	requirements_entry(list, "pydantic-core", &entry);
	assert_int_equal(strncmp(buf_cstr(&entry), "pydantic_core==", 15), 0);
	assert_non_null(strstr(buf_cstr(&entry), SUM "\n"));
	buf_clear(&entry);
}

static void
refuse(const char *text, const char *said)
{
	struct err err = ERR_INIT;

	assert_int_equal(requirements_check("list", text, strlen(text), &err),
	    -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.text, said));
}

static void
test_what_is_not_told_apart_is_refused_with_its_line(void **state)
{
	(void)state;
	refuse("a==1 --hash=sha256:" SUM "\nb==2\n", "list:2: b has no");
	refuse("a>=1 --hash=sha256:" SUM "\n", "list:1: a is not pinned");
	refuse("a==* --hash=sha256:" SUM "\n", "list:1: a is not pinned");
	refuse("# x\n\n--index-url https://h\n", "list:3: an option");
	refuse("-e .\n", "list:1: an option");
	refuse("a @ https://h/a.whl --hash=sha256:" SUM, "is not pinned");
	refuse("a==1 --hash=sha256:0123\n", "has no --hash");
	/* A hash of the next one is none of this one. */
	refuse("a==1\nb==2 --hash=sha256:" SUM "\n", "list:1: a has no");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list_with_hashes_is_taken),
		cmocka_unit_test(
		    test_what_is_not_told_apart_is_refused_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
