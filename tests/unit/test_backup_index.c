#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_index.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/letta.h"

#define SAGE "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define FROG "agent-20418b8d-37a5-4923-8f70-69ccc58d66ff"

static struct jdoc *
parse(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err);

	assert_non_null(doc);
	return doc;
}

static void
fill(struct backup_index *index)
{
	struct backup_entry *entry;

	*index = (struct backup_index){
		.program = mem_strdup("sanctumctl 0"),
		.begun_at = mem_strdup("2026-01-02T03:04:05Z"),
		.ended_at = mem_strdup("2026-01-02T03:05:05Z"),
		.url = mem_strdup("http://127.0.0.1:8283"),
		.letta = mem_strdup("0.16.2"),
		.refused = mem_strdup("`../x' (x)"),
		.rest = parse("{\"tools\":[{\"name\":\"roll\"}],"
		    "\"agents\":[\"not ours\"]}"),
	};
	entry = backup_index_add(index, SAGE);
	entry->name = mem_strdup("AI/ML \"Expert\"");
	entry->path = mem_strdup("agents/" SAGE);
	entry->digest = mem_strdup("00ff");
	entry->messages = 1000;
	entry->passages = 300;
	entry->print.marks[BACKUP_MARK_STATE] = mem_strdup("s");
	entry->print.marks[BACKUP_MARK_PASSAGE] = mem_strdup("");
	entry = backup_index_add(index, FROG);
	entry->failed = mem_strdup("the server says 500");
	entry->gone = true;
}

static void
test_written_and_read(void **state)
{
	struct buf first = BUF_INIT(BACKUP_INDEX_MAX);
	struct buf second = BUF_INIT(BACKUP_INDEX_MAX);
	struct backup_index index, again;
	const struct backup_entry *entry;
	struct err err = ERR_INIT;

	(void)state;
	fill(&index);
	backup_index_write(&index, &first);
	assert_int_equal(backup_index_parse(buf_cstr(&first), first.len,
	    &again, &err), 0);
	entry = backup_index_find(&again, SAGE);
	assert_non_null(entry);
	assert_string_equal(again.refused, "`../x' (x)");
	assert_string_equal(entry->name, "AI/ML \"Expert\"");
	assert_int_equal(entry->messages, 1000);
	assert_string_equal(entry->print.marks[BACKUP_MARK_STATE], "s");
	assert_string_equal(entry->print.marks[BACKUP_MARK_PASSAGE], "");
	assert_null(entry->print.marks[BACKUP_MARK_BLOCKS]);
	entry = backup_index_find(&again, FROG);
	assert_true(entry->gone && entry->failed && !entry->path);
	backup_index_write(&again, &second);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	backup_index_clear(&index);
	backup_index_clear(&again);
	buf_clear(&first);
	buf_clear(&second);
}

static void
test_one_agent_once(void **state)
{
	struct backup_index index;
	struct backup_entry *entry;

	(void)state;
	fill(&index);
	entry = backup_index_add(&index, SAGE);
	assert_int_equal(index.n_entries, 2);
	assert_string_equal(entry->id, SAGE);
	assert_null(entry->name);
	assert_int_equal(entry->messages, 0);
	backup_index_clear(&index);
}

static void
expect_refused(const char *text, const char *part)
{
	struct err err = ERR_INIT;
	struct backup_index index;

	assert_int_equal(backup_index_parse(text, strlen(text), &index, &err),
	    -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, part))
		fail_msg("`%s' has no `%s'", err.text, part);
}

/* One member of the only agent. */
static void
expect_member(const char *member, const char *part)
{
	char *text = mem_printf("{\"format\":1,\"agents\":[{\"id\":\"" SAGE
	    "\",%s}]}", member);

	expect_refused(text, "/agents/0/");
	expect_refused(text, part);
	free(text);
}

static void
test_what_is_no_index(void **state)
{
	(void)state;
	expect_refused("[]", "no index");
	expect_refused("{\"agents\":[]}", "no index");
	expect_refused("{\"format\":2,\"agents\":[]}",
	    "/format: it is format 2");
	expect_refused("{\"format\":1,\"agents\":[{\"id\":\"../etc\"}]}",
	    "/agents/0/id: `../etc' is not the id");
	expect_refused("{\"format\":1,\"agents\":[{\"id\":\"" SAGE "\"},"
	    "{\"id\":\"" SAGE "\"}]}", "twice");
	expect_refused("{\"format\":1,\"agents\":[{\"id\":\"" SAGE "\","
	    "\"path\":\"agents/../../etc\"}]}", "not agents/" SAGE);
	expect_refused("{\"format\":1,\"agents\":[{\"id\":\"" SAGE "\","
	    "\"messages\":-1}]}", "/agents/0/messages: it is no count");
	expect_member("\"messages\":1.5", "/messages: it is no count");
	expect_member("\"passages\":1e3", "/passages: it is no count");
	expect_member("\"losses\":\"1\"", "/losses: it is no count");
	/* Their sum over all agents must not come around. */
	expect_member("\"blocks\":18446744073709551615",
	    "/blocks: it is no count");
	expect_member("\"tools\":1099511627777", "/tools: it is no count");
	expect_member("\"name\":7", "/name: it is no text");
	expect_member("\"path\":[]", "/path: it is no text");
	expect_member("\"path\":\"/etc\"", "/path: the path of its bundle");
	expect_member("\"path\":\"agents/" FROG "\"", "/path: the path of");
	expect_member("\"gone\":1", "/gone: it is no true or false");
	expect_member("\"fingerprint\":[]", "/fingerprint: it is no object");
	expect_member("\"fingerprint\":{\"state\":1}",
	    "/fingerprint/state: it is no text");
	expect_refused("{\"format\":1,\"agents\":[{\"id\":\"" SAGE
	    "\\u0000\"}]}", "/agents/0/id: ");
	expect_refused("{\"format\":1.5,\"agents\":[]}", "/format: it is");
	expect_refused("{\"format\":1,\"agents\":[],\"url\":{}}",
	    "/url: it is no text");
	expect_refused("{\"format\":1,\"agents\":[],\"shared_blocks\":1}",
	    "/shared_blocks: it is no list");
	expect_refused("{\"format\":1,\"agents\":[],\"shared_blocks\":["
	    "{\"block\":\"a/b\"}]}",
	    "/shared_blocks/0/block: `a/b' is no id");
	expect_refused("{\"format\":1,\"agents\":[],\"shared_blocks\":["
	    "{\"block\":\"b\",\"agents\":[\"a\",\"..\"]}]}",
	    "/shared_blocks/0/agents/1: `..' is no id");
}

/* An index of so many agents, of which each was read. */
static void
fill_many(struct backup_index *index, size_t n)
{
	struct backup_entry *entry;
	char id[64];

	*index = (struct backup_index){ 0 };
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id),
		    "agent-%08zx-37a5-4923-8f70-69ccc58d66ff", i);
		entry = backup_index_add(index, id);
		entry->path = mem_printf("agents/%s", id);
		entry->gone = i % 2 != 0;
	}
}

static bool
is_there(const struct backup_entry *entry)
{
	return !entry->gone;
}

/* Each is found by its id, also when half of them are dropped. */
#define MANY 20000

static void
test_many(void **state)
{
	struct buf text = BUF_INIT(BACKUP_INDEX_MAX);
	struct backup_index index, again;
	struct err err = ERR_INIT;

	(void)state;
	fill_many(&index, MANY);
	backup_index_write(&index, &text);
	assert_int_equal(backup_index_parse(buf_cstr(&text), text.len, &again,
	    &err), 0);
	assert_int_equal(again.n_entries, MANY);
	backup_index_keep(&again, is_there);
	assert_int_equal(again.n_entries, MANY / 2);
	for (size_t i = 0; i < MANY; i++) {
		const struct backup_entry *entry = backup_index_find(&again,
		    index.entries[i].id);

		assert_int_equal(entry != NULL, i % 2 == 0);
		if (entry)
			assert_string_equal(entry->id, index.entries[i].id);
	}
	backup_index_clear(&index);
	backup_index_clear(&again);
	buf_clear(&text);
}

/* Two bytes ask for a kilobyte of a tree; a list of them has its bound. */
static void
test_a_tree_has_its_bound(void **state)
{
	struct buf text = BUF_INIT(BACKUP_INDEX_MAX);

	(void)state;
	buf_str(&text, "{\"format\":1,\"agents\":[],\"tools\":[{}");
	for (size_t i = 0; i < BACKUP_INDEX_CONTAINERS; i++)
		buf_str(&text, ",{}");
	buf_str(&text, "]}");
	expect_refused(buf_cstr(&text), "an index has at most 400000");
	buf_truncate(&text, 0);
	for (size_t i = 0; i < 10000; i++)
		buf_char(&text, '[');
	expect_refused(buf_cstr(&text), "64");
	buf_clear(&text);
}

/* What may be believed of an index that was taken. */
static void
expect_sound(const struct backup_index *index)
{
	const struct backup_entry *entry;

	for (size_t i = 0; i < index->n_entries; i++) {
		entry = &index->entries[i];
		assert_true(letta_id_ok(entry->id, "agent-"));
		assert_ptr_equal(backup_index_find(index, entry->id), entry);
		if (entry->path)
			assert_string_equal(strchr(entry->path, '/') + 1,
			    entry->id);
		assert_true(entry->messages <= BACKUP_COUNT_MAX &&
		    entry->losses <= BACKUP_COUNT_MAX);
	}
}

/* A number that is the same in every run: 0 to n - 1. */
static size_t
chance(uint32_t *state, size_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (size_t)(*state >> 8) % n;
}

static void
mutate(const struct buf *from, uint32_t *state, struct buf *out)
{
	static const char *const pieces[] = { "/", "..", "-", "\"", "{", "[",
	    "]", "}", ",", ":", "1e9", "\\u0000", "99999999999999999999",
	    "null", "agent-", "\xff", SAGE };
	size_t at = chance(state, from->len), cut;
	const char *text = buf_cstr(from);

	buf_truncate(out, 0);
	cut = chance(state, 3) == 0 ? chance(state, 40) : chance(state, 2);
	if (cut > from->len - at)
		cut = from->len - at;
	buf_add(out, text, at);
	if (chance(state, 4) != 0)
		buf_str(out, pieces[chance(state,
		    sizeof(pieces) / sizeof(*pieces))]);
	buf_add(out, text + at + cut, from->len - at - cut);
}

static void
test_mutations(void **state)
{
	struct buf whole = BUF_INIT(65536), text = BUF_INIT(65536 * 2);
	uint32_t random = 7;
	size_t taken = 0;

	(void)state;
	{
		struct backup_index index;

		fill(&index);
		backup_index_write(&index, &whole);
		backup_index_clear(&index);
	}
	for (int i = 0; i < 20000; i++) {
		struct err err = ERR_INIT;
		struct backup_index index;

		mutate(&whole, &random, &text);
		if (backup_index_parse(buf_cstr(&text), text.len, &index,
		    &err) == 0) {
			expect_sound(&index);
			taken++;
		} else {
			assert_int_equal(err.kind, ERR_DATA);
			assert_int_equal(index.n_entries, 0);
			assert_true(err.text[0] != '\0');
		}
		backup_index_clear(&index);
	}
	/* Some change nothing that matters; most are no JSON any more. */
	assert_in_range(taken, 100, 10000);
	buf_clear(&whole);
	buf_clear(&text);
}

/* The texts of all marks of a state. */
static char *
marks_of(const char *text)
{
	struct jdoc *state = parse(text);
	struct buf out = BUF_INIT(65536);

	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		backup_print_text(state, (enum backup_mark)i, &out);
		buf_char(&out, '|');
	}
	jdoc_free(state);
	return buf_take(&out);
}

static void
expect_marks(const char *one, const char *other, bool same)
{
	char *a = marks_of(one), *b = marks_of(other);

	if (str_eq(a, b) != same)
		fail_msg("%s\n%s", a, b);
	free(a);
	free(b);
}

static void
test_what_a_print_sees(void **state)
{
	static const char base[] = "{\"id\":\"a\",\"system\":\"s\","
	    "\"updated_at\":\"1\",\"tags\":[\"x\",\"y\"],\"blocks\":["
	    "{\"id\":\"b1\",\"value\":\"v\",\"tags\":[\"t\"]},"
	    "{\"id\":\"b2\",\"value\":\"w\"}],\"message_ids\":[\"m\"],"
	    "\"secrets\":[{\"key\":\"K\",\"value\":\"sesame\"}]}";
	char *text = marks_of(base);

	(void)state;
	assert_null(strstr(text, "sesame"));
	free(text);
	/* Other order, other times, another value of a secret. */
	expect_marks(base, "{\"id\":\"a\",\"blocks\":["
	    "{\"value\":\"w\",\"id\":\"b2\",\"updated_at\":\"7\"},"
	    "{\"id\":\"b1\",\"value\":\"v\",\"tags\":[\"t\"]}],"
	    "\"system\":\"s\",\"updated_at\":\"2\",\"tags\":[\"y\",\"x\"],"
	    "\"message_ids\":[\"m\"],\"last_run_completion\":\"3\","
	    "\"secrets\":[{\"key\":\"K\",\"value\":\"other\"}]}", true);
	expect_marks("{\"system\":\"s\"}", "{\"system\":\"t\"}", false);
	expect_marks("{\"tags\":[\"x\"]}", "{\"tags\":[\"y\"]}", false);
	expect_marks("{\"message_ids\":[\"a\",\"b\"]}",
	    "{\"message_ids\":[\"b\",\"a\"]}", false);
	expect_marks("{\"blocks\":[{\"id\":\"b\",\"tags\":[\"x\"]}]}",
	    "{\"blocks\":[{\"id\":\"b\",\"tags\":[\"y\"]}]}", false);
	expect_marks("{\"memory\":{\"blocks\":[{\"value\":\"x\"}]}}",
	    "{\"memory\":{\"blocks\":[{\"value\":\"y\"}]}}", false);
	expect_marks("{\"tools\":[{\"source_code\":\"x\"}]}",
	    "{\"tools\":[{\"source_code\":\"y\"}]}", false);
	expect_marks("{\"secrets\":[{\"key\":\"x\"}]}",
	    "{\"secrets\":[{\"key\":\"y\"}]}", false);
}

static void
test_differences(void **state)
{
	struct backup_print a = { 0 }, b = { 0 };
	struct buf what = BUF_INIT(1024);

	(void)state;
	for (size_t i = 0; i < BACKUP_MARKS; i++)
		a.marks[i] = mem_strdup("");
	backup_print_copy(&a, &b);
	backup_print_differences(&a, &b, &what);
	assert_int_equal(what.len, 0);
	free(b.marks[BACKUP_MARK_MESSAGE]);
	b.marks[BACKUP_MARK_MESSAGE] = mem_strdup("message-1");
	/* What could not be asked is like nothing. */
	free(b.marks[BACKUP_MARK_BLOCKS]);
	b.marks[BACKUP_MARK_BLOCKS] = NULL;
	/* One whose rows nobody was asked for is not one that was. */
	free(b.marks[BACKUP_MARK_ROWS]);
	b.marks[BACKUP_MARK_ROWS] = mem_strdup("12 345");
	backup_print_differences(&a, &b, &what);
	assert_string_equal(buf_cstr(&what), "blocks, messages, rows in the "
	    "database");
	backup_print_clear(&a);
	backup_print_clear(&b);
	buf_clear(&what);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_one_agent_once),
		cmocka_unit_test(test_what_is_no_index),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_a_tree_has_its_bound),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_what_a_print_sees),
		cmocka_unit_test(test_differences),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
