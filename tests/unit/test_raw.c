#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/export.h"
#include "core/jdoc.h"
#include "core/raw.h"
#include "core/turn.h"
#include "core/verdict_row.h"
#include "golden.h"

#define TEXT_MAX (1024 * 1024)
#define ROWS_MAX 64

/*
 * tests/golden/history: one agent each of Letta 0.11.3, 0.16.2 and 0.16.8 as
 * these servers list and export it.  Of the latter two the export was taken
 * with every row in context.  Long texts were cut in both.
 */

struct history {
	char ids[ROWS_MAX][LETTA_ID_SIZE];
	char *bodies[ROWS_MAX];
	size_t n, at;			/* rows; the next one to be pulled */
	struct jdoc *raw[ROWS_MAX];
	size_t n_raw;
	struct buf shell;
	bool legacy;
};

static int
keep_listed(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct history *h = ctx;

	(void)len;
	(void)err;
	assert_true(h->n < ROWS_MAX);
	(void)snprintf(h->ids[h->n], LETTA_ID_SIZE, "%s", id);
	h->bodies[h->n++] = mem_strdup(body);
	return 0;
}

static int
keep_raw(void *ctx, const struct export_row *row, struct err *err)
{
	struct history *h = ctx;
	char id[40];

	(void)err;
	assert_true(h->n_raw < ROWS_MAX);
	assert_int_equal(row->number, h->n_raw);
	(void)snprintf(id, sizeof(id), "message-%zu", h->n_raw);
	assert_string_equal(row->id, id);
	h->raw[h->n_raw++] = jdoc_copy(row->doc);
	return 0;
}

/* Fed in pieces, so that every cut falls somewhere. */
static void
read_export(struct history *h, const struct buf *text)
{
	struct export_each each = { .row = keep_raw, .ctx = h };
	struct export *x = export_new(&each);
	struct err err = ERR_INIT;
	size_t at, n;

	for (at = 0; at < text->len; at += n) {
		n = text->len - at < 1009 ? text->len - at : 1009;
		if (export_feed(x, text->data + at, n, &err) != 0)
			fail_msg("%s", err.text);
	}
	if (export_end(x, &h->shell, &h->legacy, &err) != 0)
		fail_msg("%s", err.text);
	export_free(x);
}

static struct history *
history(const char *version, const char *agent_type)
{
	struct history *h = mem_zero(1, sizeof(*h));
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err err = ERR_INIT;
	struct turn_page info;
	char name[64];

	buf_init(&h->shell, TEXT_MAX);
	(void)snprintf(name, sizeof(name), "history/%s-listing.json", version);
	golden_load(name, &text);
	if (turn_page(agent_type, text.data, text.len, keep_listed, h, &info,
	    &err) != 0)
		fail_msg("%s", err.text);
	buf_clear(&text);
	(void)snprintf(name, sizeof(name), "history/%s-export.json", version);
	golden_load(name, &text);
	read_export(h, &text);
	buf_clear(&text);
	return h;
}

static void
history_free(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->bodies[i]);
	for (size_t i = 0; i < h->n_raw; i++)
		jdoc_free(h->raw[i]);
	buf_clear(&h->shell);
	free(h);
}

/* What the two canonical texts are, for a failure. */
static void
say_difference(const struct jdoc *raw, const char *body)
{
	struct buf a = BUF_INIT(TEXT_MAX), b = BUF_INIT(TEXT_MAX);
	struct buf out = BUF_INIT(TEXT_MAX);
	struct err err = ERR_INIT;
	struct jdoc *listed = jdoc_parse(body, strlen(body), &err);

	assert_int_equal(verdict_row_canonical(raw, &a, &err), 0);
	assert_int_equal(verdict_row_canonical(listed, &b, &err), 0);
	verdict_row_difference(buf_cstr(&a), buf_cstr(&b), &out);
	print_error("%s\n", buf_cstr(&out));
	jdoc_free(listed);
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&out);
}

/*
 * Every row of an export of all rows is listed as our canonical text says,
 * but those whose place is in `but', which a listing does not tell.
 */
static void
assert_all_placed(const char *version, size_t unseen, size_t but)
{
	struct history *h = history(version, "letta_v1_agent");
	struct buf out = BUF_INIT(TEXT_MAX);
	struct err err = ERR_INIT;
	bool same;
	size_t k = 0;

	assert_false(h->legacy);
	for (size_t i = 0; i < h->n_raw; i++) {
		if (i == unseen)
			continue;
		buf_truncate(&out, 0);
		assert_int_equal(raw_place(h->raw[i], h->bodies[k],
		    strlen(h->bodies[k]), &out, &same, &err), 0);
		if (same != (i != but)) {
			say_difference(h->raw[i], h->bodies[k]);
			fail_msg("%s: row %zu", version, i);
		}
		assert_int_equal(out.len > 0, same);
		k++;
	}
	assert_int_equal(k, h->n);
	buf_clear(&out);
	history_free(h);
}

static void
test_exports(void **state)
{
	(void)state;
	/*
	 * 10 lists as nothing, and 0.16.8 exports no such row.  The message
	 * of another is an object, listed as Python writes it.
	 */
	assert_all_placed("0.16.2", 10, 19);
	assert_all_placed("0.16.8", SIZE_MAX, 18);
}

static void
test_placed_body(void **state)
{
	static const char raw[] = "{\"role\":\"user\",\"id\":\"message-3\","
	    "\"agent_id\":\"agent-0\",\"sender_id\":null,\"content\":[{"
	    "\"type\":\"text\",\"text\":\"{\\\"type\\\":\\\"user_message\\\","
	    "\\\"message\\\":\\\"hi\\\"}\"}],"
	    "\"created_at\":\"2026-01-02T03:04:05.678Z\"}";
	static const char listed[] = "{\"role\":\"user\",\"content\":[{"
	    "\"type\":\"text\",\"text\":\"hi\"}],\"sender_id\":null,"
	    "\"step_id\":\"s\",\"run_id\":\"r\",\"is_err\":true,"
	    "\"created_at\":\"2026-01-02T03:04:05+00:00\"}";
	struct buf out = BUF_INIT(TEXT_MAX);
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(raw, strlen(raw), &err);
	bool same;

	(void)state;
	assert_int_equal(raw_place(doc, listed, strlen(listed), &out, &same,
	    &err), 0);
	assert_true(same);
	assert_string_equal(buf_cstr(&out), "{\"role\":\"user\","
	    "\"sender_id\":null,\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"type\\\":\\\"user_message\\\",\\\"message\\\":"
	    "\\\"hi\\\"}\"}],\"created_at\":\"2026-01-02T03:04:05.678Z\","
	    "\"step_id\":\"s\",\"run_id\":\"r\",\"is_err\":true}");
	assert_int_equal(raw_place(doc, "{", 1, &out, &same, &err), -1);
	jdoc_free(doc);
	buf_clear(&out);
}

static int
next_listed(void *ctx, const char **id, const char **body, size_t *len,
    struct err *err)
{
	struct history *h = ctx;

	(void)err;
	if (h->at == h->n)
		return 0;
	*id = h->ids[h->at];
	*body = h->bodies[h->at];
	*len = strlen(*body);
	h->at++;
	return 1;
}

static int
replace(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct history *h = ctx;
	size_t i;

	(void)len;
	(void)err;
	for (i = 0; !str_eq(h->ids[i], id); i++)
		assert_true(i < h->n);
	free(h->bodies[i]);
	h->bodies[i] = mem_strdup(body);
	return 0;
}

static struct raw_counts
align(struct history *h)
{
	struct raw_source source = {
		.listed = next_listed, .placed = replace, .ctx = h,
		.legacy = h->legacy,
	};
	struct raw_align *a = raw_align_new(&source);
	struct raw_counts counts;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < h->n_raw; i++) {
		if (raw_align_push(a, h->raw[i], &err) != 0)
			fail_msg("%s", err.text);
	}
	counts = *raw_align_counts(a);
	raw_align_free(a);
	return counts;
}

/* The rows before the first of a user are in no export: they stay. */
static void
test_legacy(void **state)
{
	struct history *h = history("0.11.3", "memgpt_v2_agent");
	struct raw_counts counts;
	size_t errors = 0;

	(void)state;
	assert_true(h->legacy);
	counts = align(h);
	assert_int_equal(counts.placed, h->n_raw);
	assert_int_equal(counts.unplaced, 0);
	assert_int_equal(h->n_raw, h->n - 2);
	for (size_t i = 0; i < h->n; i++) {
		/* The model is in an export alone. */
		assert_int_equal(strstr(h->bodies[i], "\"model\":") != NULL,
		    i != 1 && i != 2);
		errors += strstr(h->bodies[i], "\"is_err\":true") != NULL;
	}
	/* The failed turns are told by the listing alone. */
	assert_int_equal(errors, 2);
	history_free(h);
}

static void
test_legacy_shell(void **state)
{
	struct history *h = history("0.11.3", "memgpt_v2_agent");
	struct err err = ERR_INIT;
	struct af_shell shell;
	const struct jdoc *agent;

	(void)state;
	assert_int_equal(af_shell_read(buf_cstr(&h->shell), h->shell.len,
	    &shell, &err), 0);
	assert_string_equal(shell.name, "rows-113");
	assert_string_equal(shell.agent_type, "memgpt_v2_agent");
	assert_int_equal(shell.n_blocks, 2);
	assert_string_equal(shell.blocks[0].label, "human");
	assert_int_equal(shell.blocks[0].limit, 4000);
	assert_false(shell.blocks[0].read_only);
	assert_string_equal(shell.blocks[1].id, "block-1");
	assert_int_equal(shell.n_tools, 2);
	assert_string_equal(shell.tools[1].id, "tool-1");
	assert_int_equal(shell.secrets, 1);
	assert_string_equal(jdoc_str(jdoc_at(shell.tags, 0)), "rows");
	agent = jdoc_at(jdoc_get(shell.doc, "agents"), 0);
	assert_string_equal(jdoc_str(jdoc_at(jdoc_get(agent,
	    "in_context_message_ids"), 5)), "message-6");
	assert_int_equal(jdoc_len(jdoc_get(agent, "tool_ids")), 2);
	assert_false(jdoc_has(jdoc_at(jdoc_get(shell.doc, "tools"), 0),
	    "created_at"));
	af_shell_clear(&shell);
	history_free(h);
}

/* A failed tool's stderr is where later servers look for it. */
static void
test_legacy_return(void **state)
{
	struct history *h = history("0.11.3", "memgpt_v2_agent");
	const struct jdoc *ret = NULL;

	(void)state;
	for (size_t i = 0; i < h->n_raw && !jdoc_has(ret, "stderr"); i++)
		ret = jdoc_len(jdoc_get(jdoc_at(jdoc_get(h->raw[i],
		    "tool_returns"), 0), "stderr")) > 0 ?
		    jdoc_at(jdoc_get(h->raw[i], "tool_returns"), 0) : NULL;
	assert_non_null(ret);
	assert_string_equal(jdoc_get_str(ret, "status"), "error");
	assert_non_null(strstr(jdoc_get_str(ret, "func_response"),
	    "\"Failed\""));
	assert_string_equal(jdoc_get_str(ret, "tool_call_id"),
	    "call_d74725610a4b58b3");
	history_free(h);
}

static char *
body_of(const char *role, const char *text)
{
	struct buf out = BUF_INIT(4096);

	buf_printf(&out, "{\"role\":\"%s\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"%s\"}],\"created_at\":\"2026-01-02T03:04:05Z\"}",
	    role, text);
	return buf_take(&out);
}

static char *
body(const char *text)
{
	return body_of("user", text);
}

/* Letters are rows: "ac" raw, "abc" listed; what is placed, in order. */
static void
assert_aligned(const char *raw, const char *listed, uint64_t unplaced)
{
	struct history *h = mem_zero(1, sizeof(*h));
	struct err err = ERR_INIT;
	struct raw_counts counts;
	char text[2] = "";
	char *one;

	for (; *listed; listed++) {
		text[0] = *listed;
		(void)snprintf(h->ids[h->n], LETTA_ID_SIZE, "m%zu", h->n);
		h->bodies[h->n++] = body(text);
	}
	for (; *raw; raw++) {
		text[0] = *raw;
		one = body(text);
		h->raw[h->n_raw++] = jdoc_parse(one, strlen(one), &err);
		free(one);
	}
	counts = align(h);
	assert_int_equal(counts.unplaced, unplaced);
	assert_int_equal(counts.placed, h->n_raw - unplaced);
	history_free(h);
}

static void
test_align(void **state)
{
	(void)state;
	assert_aligned("", "abc", 0);
	assert_aligned("abc", "abc", 0);
	assert_aligned("ac", "abc", 0);
	assert_aligned("aa", "aba", 0);
	assert_aligned("abxc", "abc", 1);
	/* In order: b is behind what was taken. */
	assert_aligned("cb", "abc", 1);
	assert_aligned("x", "", 1);
	assert_aligned("aaa", "aa", 1);
}

struct flood {
	size_t at, n;
	uint64_t placed;
	char id[LETTA_ID_SIZE];
	char *text;
};

static int
next_of_flood(void *ctx, const char **id, const char **text, size_t *len,
    struct err *err)
{
	struct flood *flood = ctx;
	char number[32];

	(void)err;
	if (flood->at == flood->n)
		return 0;
	(void)snprintf(flood->id, sizeof(flood->id), "m%zu", flood->at);
	(void)snprintf(number, sizeof(number), "%zu", flood->at++);
	free(flood->text);
	flood->text = body(number);
	*id = flood->id;
	*text = flood->text;
	*len = strlen(*text);
	return 1;
}

static int
count_placed(void *ctx, const char *id, const char *text, size_t len,
    struct err *err)
{
	struct flood *flood = ctx;

	(void)id;
	(void)text;
	(void)len;
	(void)err;
	flood->placed++;
	return 0;
}

/* However many rows on either side have no partner, the others find theirs. */
static void
test_window(void **state)
{
	struct flood flood = { .n = 20 * RAW_WINDOW };
	struct raw_source source = {
		.listed = next_of_flood, .placed = count_placed,
		.ctx = &flood,
	};
	struct raw_align *a = raw_align_new(&source);
	struct err err = ERR_INIT;
	struct jdoc *raw;
	char number[32], *text;

	(void)state;
	for (size_t i = 0; i < flood.n; i++) {
		(void)snprintf(number, sizeof(number), i > 2 * RAW_WINDOW &&
		    i < 9 * RAW_WINDOW ? "x%zu" : "%zu", i);
		text = body(number);
		raw = jdoc_parse(text, strlen(text), &err);
		assert_int_equal(raw_align_push(a, raw, &err), 0);
		jdoc_free(raw);
		free(text);
	}
	assert_int_equal(flood.placed, flood.n - 7 * RAW_WINDOW + 1);
	assert_int_equal(raw_align_counts(a)->unplaced, 7 * RAW_WINDOW - 1);
	raw_align_free(a);
	free(flood.text);
}

/* A system row, many that no file of version 1 holds, one of a user. */
static int
next_of_gap(void *ctx, const char **id, const char **text, size_t *len,
    struct err *err)
{
	struct flood *gap = ctx;
	const char *role = gap->at % 3 == 0 ? "system" : "assistant";

	(void)err;
	if (gap->at == gap->n)
		return 0;
	if (++gap->at == gap->n)
		role = "user";
	free(gap->text);
	gap->text = body_of(role, "x");
	(void)snprintf(gap->id, sizeof(gap->id), "m%zu", gap->at);
	*id = gap->id;
	*text = gap->text;
	*len = strlen(*text);
	return 1;
}

static uint64_t
placed_behind_gap(bool legacy)
{
	struct flood gap = { .n = 5 * RAW_WINDOW };
	struct raw_source source = {
		.listed = next_of_gap, .placed = count_placed, .ctx = &gap,
		.legacy = legacy,
	};
	struct raw_align *a = raw_align_new(&source);
	static const char *const roles[] = { "system", "user" };
	struct err err = ERR_INIT;
	struct jdoc *raw;
	char *text;

	for (size_t i = 0; i < 2; i++) {
		text = body_of(roles[i], "x");
		raw = jdoc_parse(text, strlen(text), &err);
		assert_int_equal(raw_align_push(a, raw, &err), 0);
		jdoc_free(raw);
		free(text);
	}
	raw_align_free(a);
	free(gap.text);
	return gap.placed;
}

static void
test_legacy_gap(void **state)
{
	(void)state;
	assert_int_equal(placed_behind_gap(true), 2);
	/* Of another file it is farther than is looked. */
	assert_int_equal(placed_behind_gap(false), 1);
}

static void
test_export_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "empty" },
		{ "{\"agents\":[{\"messages\":[]}", "cut short" },
		{ "{\"agents\":[]}", "no agent" },
		{ "{\"agents\":[{},{}]}", "exactly one" },
		{ "{\"agents\":[{\"messages\":[{}]}]}", "no id" },
		{ "{\"core_memory\":[],\"name\":\"n\"}", "/system" },
		{ "{\"core_memory\":[],\"messages\":[1]}", "not an object" },
	};
	struct history *h = mem_zero(1, sizeof(*h));
	struct export_each each = { .row = keep_raw, .ctx = h };
	struct buf shell = BUF_INIT(TEXT_MAX);
	struct export *x;
	struct err err;
	bool legacy;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		x = export_new(&each);
		if (export_feed(x, bad[i].text, strlen(bad[i].text),
		    &err) == 0)
			assert_int_equal(export_end(x, &shell, &legacy, &err),
			    -1);
		if (!strstr(err.text, bad[i].why))
			fail_msg("\"%s\" does not say \"%s\"", err.text,
			    bad[i].why);
		export_free(x);
	}
	buf_clear(&shell);
	history_free(h);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_placed_body),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_legacy_shell),
		cmocka_unit_test(test_legacy_return),
		cmocka_unit_test(test_align),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_legacy_gap),
		cmocka_unit_test(test_export_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
