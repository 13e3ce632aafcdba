#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"
#include "core/env_dialect.h"
#include "core/env_dialect_part.h"

/* An item, by where its words are in the pool. */
struct record {
	size_t key, value, value_len, line;
	enum env_outcome outcome;
	const char *why;
};

struct env_reading {
	const char *why;	/* the whole file is refused */
	size_t line;
	struct buf pool;	/* keys and values, each with a NUL */
	struct buf records;
};

const char *
env_reader_name(enum env_reader reader)
{
	static const char *const names[ENV_READERS] = { "python-dotenv",
	    "sh", "systemd", "docker" };

	return names[reader];
}

bool
env_dialect_is_name(const char *s, size_t len)
{
	if (len == 0 || (s[0] >= '0' && s[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= 'A' && s[i] <= 'Z') ||
		    (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	}
	return true;
}

void
env_dialect_refuse(struct env_reading *r, size_t line, const char *why)
{
	if (r->why)
		return;
	r->why = why;
	r->line = line;
}

void
env_dialect_put(struct env_reading *r, size_t line, const char *key,
    size_t key_len, const char *value, size_t value_len, const char *why)
{
	struct record record = {
		.key = r->pool.len,
		.line = line,
		.outcome = why ? ENV_REFUSED : value ? ENV_SET : ENV_UNSET,
		.why = why,
	};

	buf_add(&r->pool, key, key_len);
	buf_char(&r->pool, '\0');
	record.value = r->pool.len;
	record.value_len = value && !why ? value_len : 0;
	if (record.value_len > 0)
		buf_add(&r->pool, value, value_len);
	buf_char(&r->pool, '\0');
	buf_add(&r->records, &record, sizeof(record));
	if (r->pool.full || r->records.full)
		env_dialect_refuse(r, line, "too much for one file");
}

static struct record
record_at(const struct env_reading *r, size_t i)
{
	struct record record;

	memcpy(&record, r->records.data + i * sizeof(record),
	    sizeof(record));
	return record;
}

size_t
env_dialect_count(const struct env_reading *r)
{
	return r->records.len / sizeof(struct record);
}

struct env_item
env_dialect_item(const struct env_reading *r, size_t i)
{
	struct record record = record_at(r, i);
	struct env_item item = {
		.key = r->pool.data + record.key,
		.value = r->pool.data + record.value,
		.value_len = record.value_len,
		.line = record.line,
		.outcome = record.outcome,
		.why = record.why,
	};

	if (r->why) {
		item.outcome = ENV_REFUSED;
		item.why = r->why;
		item.line = r->line;
	}
	return item;
}

struct env_item
env_dialect_value(const struct env_reading *r, const char *key)
{
	struct env_item item = { .key = key, .value = "",
	    .outcome = r->why ? ENV_REFUSED : ENV_UNSET, .why = r->why,
	    .line = r->why ? r->line : 0 };

	for (size_t i = env_dialect_count(r); i-- > 0;) {
		if (str_eq(env_dialect_item(r, i).key, key))
			return env_dialect_item(r, i);
	}
	return item;
}

const char *
env_dialect_refusal(const struct env_reading *r, size_t *line)
{
	*line = r->line;
	return r->why;
}

static int
put_dotenv(void *ctx, const struct dotenv_known *known, struct err *err)
{
	(void)err;
	env_dialect_put(ctx, known->line, known->key, known->key_len,
	    known->value, known->value_len, NULL);
	return 0;
}

static void
read_dotenv(const char *text, size_t len, struct env_reading *r)
{
	struct err ignored = ERR_INIT;

	if (dotenv_each(text, len, put_dotenv, r, &ignored) != 0)
		env_dialect_refuse(r, 1, "its ${} grow beyond all bounds");
}

/* What none of the readers takes, each in its own way. */
static const char *
unreadable(enum env_reader reader, const char *text, size_t len, size_t *line)
{
	const char *why = dotenv_check(text, len, line), *nul;

	if (why)
		return why;
	nul = len > 0 ? memchr(text, '\0', len) : NULL;
	if (!nul)
		return NULL;
	*line = dotenv_parse_line(text, (size_t)(nul - text));
	return reader == ENV_SH ? "NUL byte: shells drop it, or stop there" :
	    "NUL byte";
}

struct env_reading *
env_dialect_read(enum env_reader reader, const char *text, size_t len)
{
	struct env_reading *r = mem_zero(1, sizeof(*r));
	const char *why = unreadable(reader, text, len, &r->line);

	/* A record takes at least two bytes of text. */
	buf_init_still(&r->pool, (why ? 0 : 2 * len) + 64 +
	    (reader == ENV_DOTENV && !why ? DOTENV_MAX_EXPANDED : 0));
	buf_init(&r->records, (len + 1) * sizeof(struct record));
	r->why = why;
	if (why)
		return r;
	switch (reader) {
	case ENV_SH:
		env_dialect_sh(text, len, r);
		break;
	case ENV_SYSTEMD:
		env_dialect_systemd(text, len, r);
		break;
	case ENV_DOCKER:
		env_dialect_docker(text, len, r);
		break;
	case ENV_DOTENV:
	case ENV_READERS:
	default:
		read_dotenv(text, len, r);
		break;
	}
	return r;
}

void
env_reading_free(struct env_reading *r)
{
	if (!r)
		return;
	buf_wipe(&r->pool);
	buf_clear(&r->records);
	free(r);
}

static bool
same_item(const struct env_item *a, const struct env_item *b)
{
	return a->outcome == b->outcome && str_eq(a->key, b->key) &&
	    a->value_len == b->value_len &&
	    memcmp(a->value, b->value, a->value_len) == 0;
}

/* Item by item, leaving out those of key. */
static bool
same_others(const struct env_reading *a, const struct env_reading *b,
    const char *key)
{
	size_t i = 0, j = 0, n = env_dialect_count(a);
	size_t m = env_dialect_count(b);
	struct env_item x, y;

	for (;;) {
		while (i < n && str_eq(env_dialect_item(a, i).key, key))
			i++;
		while (j < m && str_eq(env_dialect_item(b, j).key, key))
			j++;
		if (i == n || j == m)
			return i == n && j == m;
		x = env_dialect_item(a, i++);
		y = env_dialect_item(b, j++);
		if (!same_item(&x, &y))
			return false;
	}
}

bool
env_dialect_agrees(enum env_reader reader, const struct buf *before,
    const struct buf *after, const char *key, const char *value)
{
	struct env_reading *old = env_dialect_read(reader, buf_cstr(before),
	    before->len);
	struct env_reading *new = env_dialect_read(reader, buf_cstr(after),
	    after->len);
	struct env_item item = env_dialect_value(new, key);
	bool agrees;

	agrees = item.outcome == ENV_SET &&
	    item.value_len == strlen(value) &&
	    memcmp(item.value, value, item.value_len) == 0 &&
	    (old->why || same_others(old, new, key));
	env_reading_free(old);
	env_reading_free(new);
	return agrees;
}
