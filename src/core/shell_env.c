#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/dotenv_parse.h"
#include "core/shell_env.h"

/* A place in a script, on its way through words and quotes. */
struct scan {
	const char *text;
	size_t len;
	size_t at;
	bool literal;
};

static bool
ends_word(char c)
{
	return strchr(" \t\r\n;&|<>()", c) != NULL;
}

/* Behind the quote that ends what begins at s->at. */
static void
skip_quotes(struct scan *s)
{
	char quote = s->text[s->at++];

	for (; s->at < s->len && s->text[s->at] != quote; s->at++) {
		if (quote == '"' && s->text[s->at] == '\\')
			s->at++;
		else if (quote != '\'' && (s->text[s->at] == '$' ||
		    s->text[s->at] == '`'))
			s->literal = false;
	}
	s->at = s->at < s->len ? s->at + 1 : s->len;
}

/* Behind the word that begins at s->at. */
static void
skip_word(struct scan *s)
{
	char c;

	s->literal = true;
	while (s->at < s->len && !ends_word(s->text[s->at])) {
		c = s->text[s->at];
		if (c == '$' || c == '`')
			s->literal = false;
		if (c == '\'' || c == '"' || c == '`')
			skip_quotes(s);
		else
			s->at += c == '\\' && s->at + 1 < s->len ? 2 : 1;
	}
}

/* To the begin of the next word that is no comment. */
static bool
next_word(struct scan *s)
{
	while (s->at < s->len) {
		if (s->text[s->at] == '#') {
			while (s->at < s->len && s->text[s->at] != '\n')
				s->at++;
		} else if (ends_word(s->text[s->at]))
			s->at++;
		else
			return true;
	}
	return false;
}

bool
shell_env_next(const char *text, size_t len, const char *key, size_t *at,
    struct shell_env *out)
{
	struct scan s = { .text = text, .len = len, .at = *at };
	size_t key_len = strlen(key), begin;

	while (next_word(&s)) {
		begin = s.at;
		skip_word(&s);
		if (s.at - begin <= key_len || text[begin + key_len] != '=' ||
		    memcmp(text + begin, key, key_len) != 0)
			continue;
		*out = (struct shell_env){
			.line = dotenv_parse_line(text, begin),
			.begin = begin + key_len + 1,
			.end = s.at,
			.literal = s.literal,
		};
		*at = s.at;
		return true;
	}
	return false;
}

/* Bare when no shell sees anything in it, else in single quotes. */
static void
put_value(struct buf *out, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-";

	if (value[strspn(value, plain)] == '\0') {
		buf_str(out, value);
		return;
	}
	buf_char(out, '\'');
	for (; *value; value++) {
		if (*value == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *value);
	}
	buf_char(out, '\'');
}

/* Whether bytes of a script are value already, in one of the usual quotes. */
static bool
is_value(const char *bytes, size_t len, const char *value)
{
	if (len >= 2 && (*bytes == '\'' || *bytes == '"') &&
	    bytes[len - 1] == *bytes) {
		bytes++;
		len -= 2;
	}
	return len == strlen(value) && memcmp(bytes, value, len) == 0 &&
	    !memchr(bytes, '\\', len);
}

static int
splice(const struct buf *text, const char *path, const char *key,
    const char *value, struct buf *out, size_t *changed, struct err *err)
{
	const char *data = buf_cstr(text);
	size_t at = 0, done = 0;
	struct shell_env e;

	while (shell_env_next(data, text->len, key, &at, &e)) {
		if (!e.literal || e.end == e.begin ||
		    (value && is_value(data + e.begin, e.end - e.begin,
		    value)))
			continue;
		if (!value)
			return err_set(err, ERR_DATA, "%s:%zu: %s is "
			    "assigned, and the new server has no token: "
			    "remove the line, or give `token ='", path,
			    e.line, key);
		buf_add(out, data + done, e.begin - done);
		put_value(out, value);
		done = e.end;
		(*changed)++;
	}
	buf_add(out, data + done, text->len - done);
	return buf_check(out, path, err);
}

int
shell_env_set(struct buf *text, const char *path, const char *key,
    const char *value, size_t *changed, struct err *err)
{
	size_t n = 0, at = 0, count = 0, room = text->len;
	struct shell_env e;
	struct buf out;
	int rc;

	if (value && strpbrk(value, "\r\n"))
		return err_set(err, ERR_DATA, "%s: the new value of %s holds "
		    "a line break", path, key);
	while (shell_env_next(buf_cstr(text), text->len, key, &at, &e))
		count++;
	if (count == 0)
		return 0;
	if (value)
		room += count * (4 * strlen(value) + 2);
	buf_init_still(&out, room < text->max ? room : text->max);
	rc = splice(text, path, key, value, &out, &n, err);
	if (rc != 0 || n == 0) {
		buf_wipe(&out);
		return rc;
	}
	out.max = text->max;
	buf_wipe(text);
	*text = out;
	*changed += n;
	return 0;
}

bool
shell_env_sources(const char *text, size_t len)
{
	struct scan s = { .text = text, .len = len };
	bool reads = false;
	size_t begin, end;

	while (next_word(&s)) {
		begin = s.at;
		skip_word(&s);
		end = s.at;
		while (end > begin && (text[end - 1] == '"' ||
		    text[end - 1] == '\''))
			end--;
		if (reads && end - begin >= 4 &&
		    memcmp(text + end - 4, ".env", 4) == 0)
			return true;
		reads = (end - begin == 1 && text[begin] == '.') ||
		    (end - begin == 6 &&
		    memcmp(text + begin, "source", 6) == 0);
	}
	return false;
}
