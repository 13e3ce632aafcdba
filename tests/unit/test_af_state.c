#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af_shell.h"
#include "core/af_state.h"
#include "core/jdoc.h"

static const char state[] =
    "{\"id\":\"agent-1\",\"name\":\"AI/ML\",\"system\":\"p\","
    "\"agent_type\":\"letta_v1_agent\",\"tags\":[\"t\"],"
    "\"metadata\":{\"k\":1},\"llm_config\":{\"handle\":\"h\"},"
    "\"message_ids\":[\"m\"],\"timezone\":null,"
    "\"memory\":{\"blocks\":[{\"label\":\"a\",\"value\":\"v\",\"limit\":9,"
    "\"id\":\"block-uuid\",\"created_by_id\":\"u\"},{\"label\":\"b\","
    "\"value\":\"\",\"limit\":1,\"id\":\"x\"},7]},"
    "\"tools\":[{\"name\":\"f\",\"id\":\"tool-uuid\",\"tool_type\":"
    "\"custom\",\"source_code\":\"s\",\"metadata_\":{\"tool_hash\":\"x\"}}],"
    "\"secrets\":[{\"key\":\"API\",\"value\":\"swordfish\"}],"
    "\"tool_exec_environment_variables\":[{\"key\":\"API\",\"value\":"
    "\"swordfish\"}]}";

static char *
shell_text(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err), *shell;
	struct buf out = BUF_INIT(64 * 1024);

	if (!doc)
		fail_msg("%s", err.text);
	shell = af_state_shell(doc);
	jdoc_write(shell, &out);
	jdoc_free(shell);
	jdoc_free(doc);
	return buf_take(&out);
}

static void
test_shell(void **unused)
{
	struct err err = ERR_INIT;
	char *text = shell_text(state);
	struct af_shell shell;

	(void)unused;
	assert_null(strstr(text, "swordfish"));
	assert_non_null(strstr(text, "{\"API\":\"\"}"));
	assert_non_null(strstr(text, "\"tool_ids\":[\"tool-0\"]"));
	assert_non_null(strstr(text,
	    "\"block_ids\":[\"block-0\",\"block-1\"]"));
	assert_null(strstr(text, "tool_hash"));
	assert_null(strstr(text, "timezone"));
	if (af_shell_read(text, strlen(text), &shell, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(shell.name, "AI/ML");
	assert_string_equal(shell.prompt, "p");
	assert_int_equal(shell.n_blocks, 2);
	assert_string_equal(shell.blocks[0].id, "block-0");
	assert_int_equal(shell.blocks[0].limit, 9);
	assert_int_equal(shell.n_tools, 1);
	assert_string_equal(shell.tools[0].source_code, "s");
	assert_int_equal(shell.secrets, 1);
	assert_int_equal(shell.messages, 0);
	assert_non_null(shell.llm_config);
	af_shell_clear(&shell);
	free(text);
}

/* A state with nothing in it gives a file with nothing in it. */
static void
test_empty(void **unused)
{
	char *text = shell_text("{}");

	(void)unused;
	assert_non_null(strstr(text, "\"blocks\":[]"));
	assert_non_null(strstr(text, "\"id\":\"agent-0\""));
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_empty),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
