#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/jdoc.h"
#include "core/letta_users.h"

#define BLOCK "{\"id\":\"block-1\",\"label\":\"human\",\"value\":\"abc\"," \
    "\"limit\":2,\"description\":null,\"read_only\":false," \
    "\"metadata\":{\"a\":1,\"sanctumctl_mark\":\"of before\"}}"

static void
test_a_block_made_anew(void **state)
{
	struct err err = ERR_INIT;
	struct jdoc *block = jdoc_parse(BLOCK, strlen(BLOCK), &err), *made;
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(letta_body_user_block(&out, block, "0123", &err), 0);
	assert_string_equal(buf_cstr(&out), "{\"label\":\"human\",\"value\":"
	    "\"abc\",\"read_only\":false,\"limit\":3,\"metadata\":{\"a\":1,"
	    "\"sanctumctl_mark\":\"0123\",\"sanctumctl_block\":\"block-1\"}}");
	made = jdoc_parse(out.data, out.len, &err);
	assert_string_equal(letta_user_block_source(made, "0123"), "block-1");
	assert_null(letta_user_block_source(made, "4567"));
	assert_null(letta_user_block_source(block, "0123"));
	buf_clear(&out);
	letta_body_user_value(&out, block);
	assert_string_equal(buf_cstr(&out), "{\"value\":\"abc\",\"limit\":3}");
	jdoc_free(made);
	jdoc_free(block);
	buf_clear(&out);
}

static void
test_what_is_no_block(void **state)
{
	static const char *const texts[] = { "{}", "[]",
	    "{\"id\":\"b\",\"label\":\"human\"}",
	    "{\"label\":\"human\",\"value\":\"\"}" };
	struct buf out = BUF_INIT(4096);
	struct jdoc *block;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err err = ERR_INIT;

		block = jdoc_parse(texts[i], strlen(texts[i]), &err);
		assert_int_equal(letta_body_user_block(&out, block, "m",
		    &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		jdoc_free(block);
	}
	buf_clear(&out);
}

static void
test_a_page(void **state)
{
	struct buf out = BUF_INIT(512);

	(void)state;
	letta_path_blocks_page(&out, "hu man", "block-1", 5);
	assert_string_equal(buf_cstr(&out), "/v1/blocks/?label=hu%20man"
	    "&order=asc&limit=5&after=block-1");
	buf_clear(&out);
	letta_path_blocks_page(&out, "human", "", 5);
	assert_null(strstr(buf_cstr(&out), "after"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_made_anew),
		cmocka_unit_test(test_what_is_no_block),
		cmocka_unit_test(test_a_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
