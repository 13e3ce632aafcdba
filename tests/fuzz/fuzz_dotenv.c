#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"
#include "core/env_dialect.h"

/*
 * Input: a value for K up to the first NUL, then the .env.  Entries must lie
 * in order inside the text; what dotenv_set accepts must read back and keep
 * every other entry in every reader that it does not name, and what it
 * refuses must be as before; a mask stays in proportion to its text.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
walk(const char *text, size_t len)
{
	struct buf value = BUF_INIT(DOTENV_MAX_BYTES);
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t end = 0, line = 1;

	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e)) {
		must(e.begin >= end && e.end > e.begin && e.end <= len);
		must(e.line >= line);
		must(e.line == dotenv_parse_line(text, e.begin));
		end = e.end;
		line = e.line;
		if (e.kind != DOTENV_ASSIGNMENT)
			continue;
		must(e.key_len > 0 && e.value_begin > e.begin);
		must(e.value_begin <= e.value_end && e.value_end <= e.end);
		buf_truncate(&value, 0);
		dotenv_parse_value(text, &e, &value);
		must(value.len <= e.value_end - e.value_begin);
	}
	buf_clear(&value);
}

/* Any text can be read by each of them; the values lie in the reading. */
static void
read_all(const char *text, size_t len)
{
	struct env_reading *r;
	struct env_item item;

	for (enum env_reader e = ENV_DOTENV; e < ENV_READERS; e++) {
		r = env_dialect_read(e, text, len);
		for (size_t i = 0; i < env_dialect_count(r); i++) {
			item = env_dialect_item(r, i);
			must(item.line >= 1 && item.key[0] != '\0');
			must(item.value[item.value_len] == '\0');
			must((item.outcome == ENV_REFUSED) == !!item.why);
		}
		env_reading_free(r);
	}
}

/* A reader that is not said to disagree keeps all it had but K. */
static void
keeps(enum env_reader reader, const struct buf *before,
    const struct buf *after, const char *value)
{
	struct env_reading *a = env_dialect_read(reader, buf_cstr(before),
	    before->len);
	struct env_reading *b = env_dialect_read(reader, buf_cstr(after),
	    after->len);
	struct env_item x, y = env_dialect_value(b, "K");
	size_t line;

	must(y.outcome == ENV_SET && y.value_len == strlen(value));
	must(memcmp(y.value, value, y.value_len) == 0);
	for (size_t i = 0; i < env_dialect_count(a); i++) {
		x = env_dialect_value(a, env_dialect_item(a, i).key);
		y = env_dialect_value(b, x.key);
		if (env_dialect_refusal(a, &line) || strcmp(x.key, "K") == 0)
			continue;
		must(x.outcome == y.outcome && x.value_len == y.value_len);
		must(memcmp(x.value, y.value, x.value_len) == 0);
	}
	env_reading_free(a);
	env_reading_free(b);
}

static void
set(const char *text, size_t len, const char *value)
{
	struct buf before = BUF_INIT(2 * DOTENV_MAX_BYTES);
	unsigned int disagree = 0;
	struct buf b = BUF_INIT(2 * DOTENV_MAX_BYTES);
	struct buf got = BUF_INIT(DOTENV_MAX_BYTES);
	enum dotenv_found found;
	struct err err = ERR_INIT;

	buf_add(&b, text, len);
	if (dotenv_set(&b, "f", "K", value, &disagree, &err) != 0) {
		must(b.len == len && memcmp(b.data, text, len) == 0);
	} else if (dotenv_get(b.data, b.len, "K", NULL, &got, &found, &err)
	    == 0) {
		must(found == DOTENV_VALUE && got.len == strlen(value));
		must(memcmp(buf_cstr(&got), value, got.len) == 0);
		must(dotenv_assigns(b.data, b.len, "K") >= 1);
		buf_add(&before, text, len);
		for (enum env_reader e = ENV_SH; e < ENV_READERS; e++)
			if (!(disagree & (1u << e)))
				keeps(e, &before, &b, value);
	}
	buf_clear(&before);
	buf_clear(&b);
	buf_clear(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const shown[] = { "K", NULL };
	const char *all = (const char *)data, *nul, *text;
	struct buf out = BUF_INIT(8 * DOTENV_MAX_BYTES);

	nul = size > 0 ? memchr(all, '\0', size) : NULL;
	if (!nul || size > DOTENV_MAX_BYTES)
		return 0;
	text = nul + 1;
	size -= (size_t)(text - all);
	walk(text, size);
	read_all(text, size);
	set(text, size, all);
	dotenv_mask(text, size, shown, &out);
	must(!out.full && out.len <= 4 * size + 8);
	buf_clear(&out);
	return 0;
}
