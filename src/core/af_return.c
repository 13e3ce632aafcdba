#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_return.h"
#include "core/af_row.h"
#include "core/jdoc.h"

#define RETURN_MAX (64 * 1024 * 1024)

static bool
is_word(const struct jdoc *value, const char *word)
{
	const char *s = jdoc_str(value);

	return s && str_eq(s, word);
}

static bool
means_ok(const struct jdoc *status)
{
	const char *word = jdoc_str(status);

	if (word)
		return strcasecmp(word, "ok") == 0 ||
		    strcasecmp(word, "success") == 0;
	return jdoc_type(status) == JDOC_NUMBER && jdoc_int(status) == 200;
}

/* The JSON text of a value as a string, or NULL when it is too long. */
static struct jdoc *
as_text(const struct jdoc *value)
{
	struct buf text = BUF_INIT(RETURN_MAX);
	struct jdoc *made = NULL;

	jdoc_write(value, &text);
	if (!text.full)
		made = jdoc_new_strn(buf_cstr(&text), text.len);
	buf_clear(&text);
	return made;
}

/* {"status":"OK","message":value}, the value as text. */
static struct jdoc *
pack(const struct jdoc *value)
{
	struct jdoc *doc = jdoc_new_object();

	jdoc_set_str(doc, "status", "OK");
	jdoc_set(doc, "message", jdoc_str(value) ? jdoc_copy(value) :
	    as_text(value));
	return doc;
}

static unsigned int
fix_status(struct jdoc *doc)
{
	const struct jdoc *status = jdoc_get(doc, "status");

	if (!jdoc_has(doc, "status") || is_word(status, "OK") ||
	    is_word(status, "Failed"))
		return 0;
	jdoc_set_str(doc, "status", means_ok(status) ? "OK" : "Failed");
	return AF_CHANGE_BIT(AF_CHANGE_STATUS);
}

/* How Python writes what JSON writes otherwise; NULL: the same. */
static const char *
python_word(const struct jdoc *value)
{
	if (jdoc_type(value) == JDOC_NULL)
		return "None";
	if (jdoc_type(value) == JDOC_BOOL)
		return jdoc_bool(value) ? "True" : "False";
	return NULL;
}

static unsigned int
fix_message(struct jdoc *doc)
{
	const struct jdoc *message = jdoc_get(doc, "message");
	const char *word = python_word(message);

	if (!jdoc_has(doc, "message") || jdoc_str(message))
		return 0;
	jdoc_set(doc, "message", word ? jdoc_new_str(word) :
	    as_text(message));
	return AF_CHANGE_BIT(AF_CHANGE_MESSAGE);
}

/* {"ok":false,"message":...} for what has failed. */
static unsigned int
make_neutral(struct jdoc **doc)
{
	struct jdoc *neutral;

	if (!is_word(jdoc_get(*doc, "status"), "Failed"))
		return 0;
	neutral = jdoc_new_object();
	jdoc_set(neutral, "ok", jdoc_new_bool(false));
	/* Without a message a listing shows the whole object. */
	jdoc_set(neutral, "message", jdoc_has(*doc, "message") ?
	    jdoc_copy(jdoc_get(*doc, "message")) : as_text(*doc));
	jdoc_free(*doc);
	*doc = neutral;
	return AF_CHANGE_BIT(AF_CHANGE_NEUTRAL);
}

/*
 * Escape what JSON wants escaped within a string and servers take as it is: a
 * line break, a tab (0.16.2 and 0.16.8, seen).
 */
static void
escape_controls(const char *text, size_t len, struct buf *out)
{
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && (unsigned char)text[i] < 0x20) {
			buf_printf(out, "\\u%04x",
			    (unsigned int)(unsigned char)text[i]);
			continue;
		}
		buf_char(out, text[i]);
		if (in_string && text[i] == '\\' && i + 1 < len)
			buf_char(out, text[++i]);
		else if (text[i] == '"')
			in_string = !in_string;
	}
}

static struct jdoc *
parse_loosely(const char *text, size_t len)
{
	struct err ignored = ERR_INIT;
	struct buf escaped = BUF_INIT(RETURN_MAX);
	struct jdoc *doc = NULL;

	escape_controls(text, len, &escaped);
	if (!escaped.full && escaped.len > len)
		doc = jdoc_parse(buf_cstr(&escaped), escaped.len, &ignored);
	buf_clear(&escaped);
	return doc;
}

/* *loose: only servers take it for JSON. */
static struct jdoc *
parse_object(const struct jdoc *value, bool *loose)
{
	struct err ignored = ERR_INIT;
	const char *text = jdoc_str(value);
	struct jdoc *doc;

	*loose = false;
	if (!text)
		return NULL;
	doc = jdoc_parse(text, jdoc_str_len(value), &ignored);
	if (!doc) {
		doc = parse_loosely(text, jdoc_str_len(value));
		*loose = doc;
	}
	if (jdoc_type(doc) == JDOC_OBJECT)
		return doc;
	jdoc_free(doc);
	return NULL;
}

struct jdoc *
af_return_fix(const struct jdoc *value, bool neutral, unsigned int *changes)
{
	struct jdoc *doc, *fixed = NULL;
	unsigned int made = 0;
	bool loose;

	doc = parse_object(value, &loose);
	if (!doc || loose)
		made = AF_CHANGE_BIT(AF_CHANGE_PACKED);
	if (!doc)
		doc = pack(value);
	made |= fix_status(doc) | fix_message(doc);
	if (neutral)
		made |= make_neutral(&doc);
	if (made != 0)
		fixed = as_text(doc);
	if (fixed)
		*changes |= made;
	jdoc_free(doc);
	return fixed;
}

static void
show_message(const struct jdoc *message, struct buf *out)
{
	const char *word = python_word(message);
	struct jdoc *text;

	if (jdoc_str(message)) {
		jdoc_write(message, out);
	} else if (word) {
		jdoc_write_str(word, strlen(word), out);
	} else {
		text = as_text(message);
		jdoc_write(text, out);
		jdoc_free(text);
	}
}

bool
af_return_show(const struct jdoc *value, struct buf *out)
{
	bool loose;
	struct jdoc *doc = parse_object(value, &loose);
	bool failed = is_word(jdoc_get(doc, "status"), "Failed");

	if (jdoc_has(doc, "message"))
		show_message(jdoc_get(doc, "message"), out);
	else
		jdoc_write_canonical(value, out);
	jdoc_free(doc);
	return failed;
}
