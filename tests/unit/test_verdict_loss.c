#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/verdict.h"

#define TOOL(name, source, more) "{\"name\":\"" name "\",\"tool_type\":" \
    "\"custom\",\"source_code\":\"" source "\"" more "}"
#define SCHEMA(args) ",\"json_schema\":{\"name\":\"f\",\"parameters\":" args \
    "}"

static void
shell_of(const char *agent, const char *tools, const char *servers,
    struct af_shell *shell)
{
	struct err err = ERR_INIT;
	char *text = mem_printf("{\"agents\":[{\"name\":\"n\"%s}],"
	    "\"tools\":[%s],\"mcp_servers\":[%s],\"sources\":[%s]}", agent,
	    tools, servers, *servers ? "{}" : "");

	if (af_shell_read(text, strlen(text), shell, &err) != 0)
		fail_msg("%s", err.text);
	free(text);
}

static const struct verdict_check *
check(const struct verdict *v, const char *name)
{
	for (size_t i = 0; i < v->n_checks; i++) {
		if (str_eq(v->checks[i].name, name))
			return &v->checks[i];
	}
	return NULL;
}

static void
assert_model(const char *source, const char *target, const char *asked,
    enum verdict_state state, const char *reason)
{
	struct verdict v = { 0 };
	struct af_shell x, y;

	shell_of(source, "", "", &x);
	shell_of(target, "", "", &y);
	verdict_models(&v, &x, &y, asked, NULL);
	assert_int_equal(check(&v, "model")->state, state);
	assert_string_equal(check(&v, "model")->reason, reason);
	assert_int_equal(check(&v, "embedding")->state, VERDICT_SAME);
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
}

#define LLM(handle, window) ",\"llm_config\":{\"handle\":\"" handle \
    "\",\"model\":\"m\",\"context_window\":" window "}"

static void
test_models(void **state)
{
	(void)state;
	assert_model(LLM("a", "1"), LLM("a", "1"), NULL, VERDICT_SAME, "");
	assert_model(LLM("a", "9"), LLM("a", "1"), "a", VERDICT_SAME,
	    "context window 9 -> 1");
	assert_model(LLM("a", "1"), LLM("b", "1"), NULL, VERDICT_DIFFERENT,
	    "a -> b");
	assert_model(LLM("a", "1"), LLM("b", "1"), "c", VERDICT_DIFFERENT,
	    "a -> b");
	assert_model(LLM("a", "1"), LLM("b", "1"), "b",
	    VERDICT_NOT_COMPARED, "mapped as asked: a -> b");
	assert_model(LLM("", "1"), LLM("", "1"), NULL, VERDICT_SAME, "");
	assert_model(LLM("a", "1"), "", NULL, VERDICT_DIFFERENT, "a -> ");
	assert_model("", "", NULL, VERDICT_SAME, "");
}

static void
test_losses(void **state)
{
	struct verdict v = { 0 };
	struct af_shell x, y, plain;

	(void)state;
	shell_of(",\"secrets\":{\"A\":\"\",\"B\":\"\"}",
	    "{\"name\":\"t\",\"tool_type\":\"external_mcp\",\"tags\":"
	    "[\"x\",\"mcp:far\"]}," TOOL("f", "s", SCHEMA("{\"a\":1}")),
	    "{\"server_name\":\"near\",\"server_url\":\"http://u:pw@h\"},"
	    "{\"server_name\":\"far\"}", &x);
	shell_of("", TOOL("f", "s", SCHEMA("{\"a\":2}")), "", &y);
	shell_of("", TOOL("f", "s", SCHEMA("{\"a\":2}")), "", &plain);
	verdict_losses(&v, &x, &y);
	assert_int_equal(v.n_checks, 4);
	assert_int_equal(check(&v, "folders")->source, 1);
	assert_string_equal(check(&v, "secrets")->reason,
	    "2 to be supplied again: A, B");
	assert_string_equal(check(&v, "mcp servers")->reason,
	    "to be set up on the target by hand: near, far");
	assert_non_null(strstr(check(&v, "tool schemas")->reason, ": f"));
	for (size_t i = 0; i < v.n_checks; i++)
		assert_int_equal(v.checks[i].state, VERDICT_NOT_COMPARED);
	verdict_clear(&v);
	verdict_losses(&v, &plain, &y);
	assert_int_equal(v.n_checks, 0);
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
	af_shell_clear(&plain);
}

/* A list of many names is cut, never the message around it. */
static void
test_many_secrets(void **state)
{
	char *agent = mem_strdup(",\"secrets\":{\"S0\":\"\""), *longer;
	struct verdict v = { 0 };
	struct af_shell x;

	(void)state;
	for (int i = 1; i < 100; i++) {
		longer = mem_printf("%s,\"SECRET_%d\":\"\"", agent, i);
		free(agent);
		agent = longer;
	}
	longer = mem_printf("%s}", agent);
	shell_of(longer, "", "", &x);
	verdict_losses(&v, &x, &x);
	assert_int_equal(v.checks[0].source, 100);
	assert_true(strlen(v.checks[0].reason) < 300);
	assert_true(str_ends(v.checks[0].reason, ", ..."));
	assert_null(strstr(v.checks[0].reason, "..., "));
	verdict_clear(&v);
	af_shell_clear(&x);
	free(longer);
	free(agent);
}

static void
test_kept_tools(void **state)
{
	struct verdict v = { 0 };
	struct af_shell x, y;

	(void)state;
	shell_of("", TOOL("f", "1", "") "," TOOL("g", "1", ""), "", &x);
	shell_of("", TOOL("f", "2", "") "," TOOL("g", "1", ""), "", &y);
	verdict_tools_kept(&v, &x, &y);
	assert_int_equal(check(&v, "tools")->state, VERDICT_SAME);
	assert_int_equal(check(&v, "tools kept")->state,
	    VERDICT_NOT_COMPARED);
	assert_int_equal(check(&v, "tools kept")->source, 1);
	assert_true(str_ends(check(&v, "tools kept")->reason, ": f"));
	verdict_clear(&v);
	verdict_tools(&v, &x, &y);
	assert_int_equal(check(&v, "tools")->state, VERDICT_DIFFERENT);
	verdict_clear(&v);
	af_shell_clear(&y);
	shell_of("", TOOL("f", "2", ""), "", &y);
	verdict_tools_kept(&v, &x, &y);
	assert_string_equal(check(&v, "tools")->reason,
	    "g: not at the target");
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
}

#define RULES(rules) ",\"tool_rules\":[" rules "]"
#define RULE_A "{\"type\":\"exit_loop\",\"tool_name\":\"a\"}"
#define RULE_B "{\"type\":\"exit_loop\",\"tool_name\":\"b\"}"

static void
assert_rules(const char *source, const char *target,
    enum verdict_state state)
{
	struct verdict v = { 0 };
	struct af_shell x, y;

	shell_of(source, "", "", &x);
	shell_of(target, "", "", &y);
	verdict_tool_rules(&v, &x, &y);
	assert_int_equal(check(&v, "tool rules")->state, state);
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
}

static void
test_tool_rules(void **state)
{
	(void)state;
	assert_rules("", "", VERDICT_SAME);
	assert_rules(RULES(RULE_A), RULES("{\"tool_name\":\"a\","
	    "\"prompt_template\":null,\"type\":\"exit_loop\"}"),
	    VERDICT_SAME);
	/* A server may add its own, and may not lose one. */
	assert_rules(RULES(RULE_A), RULES(RULE_B "," RULE_A), VERDICT_SAME);
	assert_rules(RULES(RULE_A "," RULE_B), RULES(RULE_A),
	    VERDICT_DIFFERENT);
	assert_rules(RULES(RULE_A), "", VERDICT_DIFFERENT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_many_secrets),
		cmocka_unit_test(test_kept_tools),
		cmocka_unit_test(test_tool_rules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
