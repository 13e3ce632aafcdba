#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"

/* What a KEY became so far. */
struct variable {
	const char *key;
	size_t key_len;
	bool has_value;
	char *value;
	size_t len;
	size_t line;
};

struct table {
	const struct dotenv_env *env;
	struct variable *v;
	size_t n;
	size_t spent;		/* bytes of all values made */
	struct buf raw;		/* a value before ${}, and after */
	struct buf out;
};

const char *
dotenv_check(const char *text, size_t len, size_t *line)
{
	size_t span;

	*line = 1;
	if (len > DOTENV_MAX_BYTES)
		return "larger than 256 KiB";
	span = str_utf8_span(text, len);
	if (span == len)
		return NULL;
	*line = dotenv_parse_line(text, span);
	return "not UTF-8";
}

static struct variable *
table_find(const struct table *t, const char *key, size_t key_len)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].key_len == key_len &&
		    memcmp(t->v[i].key, key, key_len) == 0)
			return &t->v[i];
	return NULL;
}

static const char *
table_env(const struct table *t, const char *name, size_t len)
{
	const char *value;
	char *copy;

	if (!t->env || memchr(name, '\0', len))
		return NULL;
	copy = mem_strndup(name, len);
	value = t->env->get(t->env->ctx, copy);
	free(copy);
	return value;
}

/* ${name}, or ${name:-fallback}, as resolve() of variables.py has it. */
static void
add_variable(struct table *t, const char *name, size_t name_len,
    const char *fallback, size_t fallback_len)
{
	const char *value = table_env(t, name, name_len);
	const struct variable *v;

	if (value) {
		buf_str(&t->out, value);
		return;
	}
	v = table_find(t, name, name_len);
	if (!v)
		buf_add(&t->out, fallback, fallback_len);
	else if (v->has_value)
		buf_add(&t->out, v->value, v->len);
}

/*
 * t->raw to t->out.  The pattern is \$\{([^}:]*)(?::-([^}]*))?\}.  When it
 * does not match at one "${", then at none before the byte that stopped it.
 */
static void
expand(struct table *t)
{
	const char *p = t->raw.data, *end = p + t->raw.len, *stop, *close;

	while (p < end) {
		if (end - p < 2 || p[0] != '$' || p[1] != '{') {
			buf_char(&t->out, *p++);
			continue;
		}
		for (stop = p + 2; stop < end; stop++)
			if (*stop == '}' || *stop == ':')
				break;
		if (end - stop >= 2 && stop[0] == ':' && stop[1] != '-') {
			buf_add(&t->out, p, (size_t)(stop - p));
			p = stop;
			continue;
		}
		close = memchr(stop, '}', (size_t)(end - stop));
		if (!close) {
			buf_add(&t->out, p, (size_t)(end - p));
			return;
		}
		if (close == stop)
			add_variable(t, p + 2, (size_t)(stop - p - 2), "", 0);
		else
			add_variable(t, p + 2, (size_t)(stop - p - 2),
			    stop + 2, (size_t)(close - stop - 2));
		p = close + 1;
	}
}

static void
variable_clear(struct variable *v)
{
	if (v->value)
		secret_wipe(v->value, v->len);
	free(v->value);
	v->value = NULL;
	v->len = 0;
}

/* Take one assignment into the table. */
static int
table_put(struct table *t, const char *text, const struct dotenv_entry *e,
    struct err *err)
{
	struct variable *v = table_find(t, e->key, e->key_len);

	buf_truncate(&t->raw, 0);
	buf_truncate(&t->out, 0);
	if (e->has_value) {
		dotenv_parse_value(text, e, &t->raw);
		expand(t);
	}
	t->spent += t->out.len;
	if (t->out.full || t->spent > DOTENV_MAX_EXPANDED)
		return err_set(err, ERR_DATA, "line %zu: values become "
		    "larger than %d bytes by ${}", e->line,
		    DOTENV_MAX_EXPANDED);
	if (!v && t->n == DOTENV_MAX_KEYS)
		return err_set(err, ERR_DATA, "line %zu: more than %d keys",
		    e->line, DOTENV_MAX_KEYS);
	if (!v) {
		v = &t->v[t->n++];
		v->key = e->key;
		v->key_len = e->key_len;
	}
	variable_clear(v);
	v->has_value = e->has_value;
	v->line = e->line;
	if (e->has_value) {
		v->len = t->out.len;
		v->value = mem_dup(t->out.data, t->out.len + 1);
	}
	return 0;
}

/* os.environ[key] = value raises ValueError for what C strings cannot hold. */
static int
check_exportable(const struct table *t, const struct dotenv_entry *e,
    struct err *err)
{
	const struct variable *v = table_find(t, e->key, e->key_len);

	if (!v || !v->has_value || table_env(t, v->key, v->key_len))
		return 0;
	if (memchr(v->value, '\0', v->len))
		return err_set(err, ERR_DATA, "line %zu: the value holds a "
		    "NUL byte: load_dotenv raises ValueError", e->line);
	if (memchr(v->key, '\0', v->key_len) || memchr(v->key, '=',
	    v->key_len))
		return err_set(err, ERR_DATA, "line %zu: the key is not one "
		    "of an environment: load_dotenv raises", e->line);
	return 0;
}

static int
table_load(struct table *t, const char *text, size_t len, struct err *err)
{
	struct dotenv_parse p;
	struct dotenv_entry e;

	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e))
		if (e.kind == DOTENV_ASSIGNMENT &&
		    table_put(t, text, &e, err) != 0)
			return -1;
	if (!t->env)
		return 0;
	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e))
		if (e.kind == DOTENV_ASSIGNMENT &&
		    check_exportable(t, &e, err) != 0)
			return -1;
	return 0;
}

static void
table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		variable_clear(&t->v[i]);
	free(t->v);
	buf_wipe(&t->raw);
	buf_wipe(&t->out);
}

/* Fill a table, which table_clear frees in any case. */
static int
table_open(struct table *t, const char *text, size_t len, struct err *err)
{
	size_t line;
	const char *why = dotenv_check(text, len, &line);

	if (why)
		return err_set(err, ERR_DATA, "line %zu: %s", line, why);
	t->v = mem_zero(DOTENV_MAX_KEYS, sizeof(*t->v));
	buf_init_still(&t->raw, len);
	buf_init_still(&t->out, DOTENV_MAX_EXPANDED);
	return table_load(t, text, len, err);
}

int
dotenv_get(const char *text, size_t len, const char *key,
    const struct dotenv_env *env, struct buf *value,
    enum dotenv_found *found, struct err *err)
{
	struct table t = { .env = env };
	const struct variable *v;
	const char *from_env;
	int rc = -1;

	if (table_open(&t, text, len, err) != 0)
		goto out;

	v = table_find(&t, key, strlen(key));
	from_env = table_env(&t, key, strlen(key));
	*found = DOTENV_ABSENT;
	if (from_env) {
		*found = DOTENV_VALUE;
		buf_str(value, from_env);
	} else if (v && v->has_value) {
		*found = DOTENV_VALUE;
		buf_add(value, v->value, v->len);
	} else if (v)
		*found = DOTENV_NO_VALUE;
	rc = buf_check(value, key, err);
out:
	table_clear(&t);
	return rc;
}

int
dotenv_each(const char *text, size_t len,
    int (*each)(void *ctx, const struct dotenv_known *, struct err *),
    void *ctx, struct err *err)
{
	struct table t = { .env = NULL };
	int rc = table_open(&t, text, len, err);

	for (size_t i = 0; i < t.n && rc == 0; i++) {
		const struct variable *v = &t.v[i];
		const struct dotenv_known known = {
			.key = v->key,
			.key_len = v->key_len,
			.value = v->has_value ? v->value : NULL,
			.value_len = v->len,
			.line = v->line,
		};

		rc = each(ctx, &known, err);
	}
	table_clear(&t);
	return rc;
}

/* Whether an assignment of key stands at the begin of a line's text. */
static bool
looks_like(const char *line, const char *end, const char *key)
{
	static const char word[] = "export";
	size_t key_len = strlen(key);

	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	if ((size_t)(end - line) > strlen(word) &&
	    memcmp(line, word, strlen(word)) == 0 &&
	    (line[6] == ' ' || line[6] == '\t'))
		for (line += 6; line < end && (*line == ' ' ||
		    *line == '\t'); line++)
			;
	if ((size_t)(end - line) <= key_len ||
	    memcmp(line, key, key_len) != 0)
		return false;
	for (line += key_len; line < end && (*line == ' ' || *line == '\t');
	    line++)
		;
	return line < end && *line == '=';
}

size_t
dotenv_hidden(const char *text, size_t len, const char *key)
{
	struct dotenv_parse p;
	struct dotenv_entry e;
	const char *at, *end;

	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e)) {
		/* The first line of an entry is what the parser says it is. */
		end = text + e.end;
		for (at = text + e.begin; at < end; at++) {
			if ((*at == '\n' || *at == '\r') &&
			    looks_like(at + 1, end, key))
				return dotenv_parse_line(text,
				    (size_t)(at + 1 - text));
		}
	}
	return 0;
}

size_t
dotenv_assigns(const char *text, size_t len, const char *key)
{
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t count = 0;

	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e))
		if (dotenv_parse_is_key(&e, key))
			count++;
	return count;
}
