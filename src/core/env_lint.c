#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/env_lint.h"

const char *
env_verdict_word(enum env_verdict verdict)
{
	static const char *const words[] = { "same", "differs", "refused" };

	return words[verdict];
}

static bool
is_same(const struct env_item *a, const struct env_item *b)
{
	return a->outcome == b->outcome && a->value_len == b->value_len &&
	    memcmp(a->value, b->value, a->value_len) == 0;
}

/* One key for all readers; the first one is what others are held against. */
static bool
judge(struct env_reading *const *readings, const char *key,
    struct env_lint_row *row)
{
	struct env_item first = env_dialect_value(readings[ENV_DOTENV], key);
	struct env_item item;
	bool same = true;

	*row = (struct env_lint_row){ .key = key, .line = first.line };
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		item = env_dialect_value(readings[r], key);
		row->lines[r] = item.line;
		if (row->line == 0)
			row->line = item.line;
		if (item.outcome == ENV_REFUSED) {
			row->verdicts[r] = ENV_FAILS;
			row->whys[r] = item.why;
		} else if (!is_same(&first, &item)) {
			row->verdicts[r] = ENV_DIFFERS;
			row->whys[r] = item.outcome == ENV_UNSET ?
			    "unset" : "another value";
		}
		same &= row->verdicts[r] == ENV_SAME;
	}
	return same;
}

/* Whether an earlier item of an earlier reader, or of this one, has key. */
static bool
is_known(struct env_reading *const *readings, enum env_reader reader,
    size_t i, const char *key)
{
	size_t n;

	for (enum env_reader r = ENV_DOTENV; r <= reader; r++) {
		n = r == reader ? i : env_dialect_count(readings[r]);
		for (size_t j = 0; j < n; j++) {
			if (str_eq(env_dialect_item(readings[r], j).key, key))
				return true;
		}
	}
	return false;
}

static int
walk(struct env_reading *const *readings,
    int (*each)(void *ctx, const struct env_lint_row *, struct err *),
    void *ctx, struct env_lint_result *result, struct err *err)
{
	struct env_lint_row row;
	const char *key;

	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		for (size_t i = 0; i < env_dialect_count(readings[r]); i++) {
			key = env_dialect_item(readings[r], i).key;
			if (is_known(readings, r, i, key))
				continue;
			result->keys++;
			result->rows_differing += !judge(readings, key, &row);
			if (each(ctx, &row, err) != 0)
				return -1;
		}
	}
	return 0;
}

int
env_lint(const char *text, size_t len,
    int (*each)(void *ctx, const struct env_lint_row *, struct err *),
    void *ctx, struct env_lint_result *result, struct err *err)
{
	struct env_reading *readings[ENV_READERS];
	int rc;

	*result = (struct env_lint_result){ 0 };
	result->uneditable = dotenv_uneditable(text, len,
	    &result->uneditable_line);
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++)
		readings[r] = env_dialect_read(r, text, len);
	rc = walk(readings, each, ctx, result, err);
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++)
		env_reading_free(readings[r]);
	return rc;
}
