#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/restore_conf.h"

#define MANY 2000

static void
named(const char *name, const char *id, const char *expected)
{
	struct restore_conf_agent agent = { .id = id, .name = name };
	struct restore_conf conf = { .agents = &agent, .n_agents = 1 };

	restore_conf_sections(&conf);
	assert_string_equal(agent.section, expected);
}

static void
test_a_section_is_legible(void **state)
{
	const char *id = "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff";

	(void)state;
	named("sage", id, "sage-10418b8d");
	named("AI/ML Expert", id, "AI-ML-Expert-10418b8d");
	named("  a // b  ", id, "a-b-10418b8d");
	named("", id, "agent-10418b8d");
	named("\xe8\xb3\xa2\xe8\x80\x85", id, "agent-10418b8d");
	named("0123456789012345678901234567890", id,
	    "012345678901234567890123-10418b8d");
	named("x", "odd", "x-odd");
}

static void
test_one_name_and_one_beginning_of_an_id(void **state)
{
	struct restore_conf_agent agents[] = {
		{ .name = "a", .id =
		    "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff" },
		{ .name = "b", .id =
		    "agent-10418b8d-37a5-4923-8f70-69ccc58d6600" },
		{ .name = "a", .id =
		    "agent-10418b8d-37a5-4923-8f70-69ccc58d6601" },
	};
	struct restore_conf conf = { .agents = agents, .n_agents = 3 };

	(void)state;
	restore_conf_sections(&conf);
	assert_string_equal(agents[0].section,
	    "a-10418b8d-37a5-4923-8f70-69ccc58d66ff");
	assert_string_equal(agents[1].section, "b-10418b8d");
	assert_string_equal(agents[2].section,
	    "a-10418b8d-37a5-4923-8f70-69ccc58d6601");
}

/* The longest lines that a job file takes, for as many as are to be. */
static void
test_two_thousand_agents(void **state)
{
	struct restore_conf_agent *agents = mem_zero(MANY, sizeof(*agents));
	struct restore_conf conf = { .job = "restore-0123456789ab",
		.url = "http://new:8283", .tools = "override",
		.agents = agents, .n_agents = MANY };
	struct buf text = BUF_INIT(CONF_SIZE_MAX);
	struct err err = ERR_INIT;
	struct conf *read;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		agents[i].name = "0123456789012345678901234567890";
		agents[i].id = mem_printf("agent-%08x-37a5-4923-8f70-"
		    "69ccc58d66ff", (unsigned int)i / 2);
		agents[i].bundle = mem_printf("/%0181d", i);
	}
	/* Each id is there twice: all of them are needed whole. */
	for (int i = 1; i < MANY; i += 2)
		((char *)(uintptr_t)agents[i].id)[41] = '0';
	restore_conf_sections(&conf);
	restore_conf_write(&conf, &text);
	assert_int_equal(buf_check(&text, "the job", &err), 0);
	if (conf_parse("j", text.data, text.len, &read, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(read->n_agents, MANY);
	assert_string_equal(read->name, "restore-0123456789ab");
	assert_string_equal(read->lettas[0].url, "http://new:8283");
	for (int i = 0; i < MANY; i++) {
		assert_string_equal(read->agents[i].bundle,
		    agents[i].bundle);
		assert_int_equal(read->agents[i].tools, CONF_TOOLS_OVERRIDE);
		free((char *)(uintptr_t)agents[i].id);
		free((char *)(uintptr_t)agents[i].bundle);
	}
	conf_free(read);
	buf_clear(&text);
	free(agents);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_section_is_legible),
		cmocka_unit_test(test_one_name_and_one_beginning_of_an_id),
		cmocka_unit_test(test_two_thousand_agents),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
