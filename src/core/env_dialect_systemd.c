#include "base/base.h"

#include "base/buf.h"
#include "core/env_dialect_part.h"

/*
 * The states of systemd 252 for a file of EnvironmentFile=.  Its habits:
 * quotes count where a value begins and behind a closing quote, elsewhere
 * they are bytes; there are no comments behind a value; a backslash before a
 * line break joins lines, in a comment as well (until 253); a quote that is
 * not closed takes all to the file's end.
 */
enum state {
	PRE_KEY,
	KEY,
	PRE_VALUE,
	VALUE,
	VALUE_ESCAPE,
	SINGLE,
	DOUBLE,
	DOUBLE_ESCAPE,
	COMMENT,
	COMMENT_ESCAPE
};

struct machine {
	enum state state;
	size_t line;		/* that we are in */
	size_t began;		/* where the key is */
	struct buf key, value;
	size_t kept;		/* of value: what a trim leaves */
	struct env_reading *out;
};

static bool
is_break(char c)
{
	return c == '\n' || c == '\r';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || is_break(c);
}

/* A name that no environment has is dropped, with a warning. */
static void
push(struct machine *m)
{
	size_t len = m->key.len;

	while (len > 0 && is_blank(m->key.data[len - 1]))
		len--;
	if (m->state == VALUE)
		buf_truncate(&m->value, m->kept);
	if (env_dialect_is_name(buf_cstr(&m->key), len))
		env_dialect_put(m->out, m->began, m->key.data, len,
		    buf_cstr(&m->value), m->value.len, NULL);
	buf_truncate(&m->key, 0);
	buf_truncate(&m->value, 0);
	m->kept = 0;
}

static void
add(struct machine *m, char c)
{
	buf_char(&m->value, c);
	if (!is_blank(c) || m->state != VALUE)
		m->kept = m->value.len;
}

static void
in_key(struct machine *m, char c)
{
	if (m->state == PRE_KEY && (c == '#' || c == ';'))
		m->state = COMMENT;
	else if (m->state == PRE_KEY && !is_blank(c)) {
		m->state = KEY;
		m->began = m->line;
		buf_char(&m->key, c);
	} else if (m->state == KEY && is_break(c)) {
		m->state = PRE_KEY;
		buf_truncate(&m->key, 0);
	} else if (m->state == KEY && c == '=')
		m->state = PRE_VALUE;
	else if (m->state == KEY)
		buf_char(&m->key, c);
}

static void
in_value(struct machine *m, char c)
{
	bool begins = m->state == PRE_VALUE;

	if (is_break(c)) {
		push(m);
		m->state = PRE_KEY;
	} else if (begins && c == '\'')
		m->state = SINGLE;
	else if (begins && c == '"')
		m->state = DOUBLE;
	else if (c == '\\') {
		m->state = VALUE_ESCAPE;
		m->kept = m->value.len;
	} else if (!begins || !is_blank(c)) {
		m->state = VALUE;
		add(m, c);
	}
}

static void
in_quotes(struct machine *m, char c)
{
	if (m->state == DOUBLE_ESCAPE) {
		m->state = DOUBLE;
		if (c != '\n' && !strchr("\"\\`$", c))
			add(m, '\\');
		if (c != '\n')
			add(m, c);
	} else if (c == (m->state == SINGLE ? '\'' : '"'))
		m->state = PRE_VALUE;
	else if (m->state == DOUBLE && c == '\\')
		m->state = DOUBLE_ESCAPE;
	else
		add(m, c);
}

static void
step(struct machine *m, char c)
{
	switch (m->state) {
	case PRE_KEY:
	case KEY:
		in_key(m, c);
		break;
	case PRE_VALUE:
	case VALUE:
		in_value(m, c);
		break;
	case VALUE_ESCAPE:
		/* An escaped blank is kept by the trim. */
		if (!is_break(c))
			add(m, c);
		m->state = VALUE;
		break;
	case SINGLE:
	case DOUBLE:
	case DOUBLE_ESCAPE:
		in_quotes(m, c);
		break;
	case COMMENT:
		if (c == '\\')
			m->state = COMMENT_ESCAPE;
		else if (is_break(c))
			m->state = PRE_KEY;
		break;
	case COMMENT_ESCAPE:
	default:
		m->state = COMMENT;
		break;
	}
}

void
env_dialect_systemd(const char *text, size_t len, struct env_reading *out)
{
	struct machine m = { .state = PRE_KEY, .line = 1, .out = out };

	buf_init_still(&m.key, len);
	buf_init_still(&m.value, len);
	for (size_t i = 0; i < len; i++) {
		step(&m, text[i]);
		m.line += text[i] == '\n';
	}
	if (m.state != PRE_KEY && m.state != KEY && m.state != COMMENT &&
	    m.state != COMMENT_ESCAPE)
		push(&m);
	buf_wipe(&m.key);
	buf_wipe(&m.value);
}
