#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/jdoc.h"
#include "core/shown.h"

/* Where the reader stands: only these containers are entered. */
enum level {			/* pointer() relies on the order */
	LEVEL_FILE,		/* before and behind the document */
	LEVEL_TOP,		/* { of the file */
	LEVEL_AGENTS,		/* [ of /agents */
	LEVEL_AGENT,		/* { of /agents/N */
	LEVEL_ROWS,		/* [ of /agents/N/messages */
	LEVEL_LIST		/* [ of /tools and its like */
};

enum want {
	WANT_VALUE,
	WANT_VALUE_OR_END,	/* behind '[' */
	WANT_KEY,		/* behind ',' */
	WANT_KEY_OR_END,	/* behind '{' */
	WANT_COLON,
	WANT_COMMA_OR_END,
	WANT_NOTHING		/* the document is whole */
};

/* Inside one token: a key, or a value that is not entered. */
enum token {
	TOKEN_NONE,
	TOKEN_STRING,		/* a text alone: a key or a value */
	TOKEN_WORD,		/* number, true, false, null */
	TOKEN_TREE		/* array or object, brackets counted */
};

/* Keys of one object, to find one given twice: texts with a NUL each. */
struct keys {
	struct buf seen;
	size_t n;
};

struct af_reader {
	struct af_reader_each each;
	enum level level;
	enum want want;
	enum token token;	/* while not NONE, want is as before it */
	bool is_key;		/* the token is a key */
	bool in_string, escaped;
	uint64_t depth;		/* open brackets of a tree */
	struct buf text;	/* of the token, as far as read */
	uint64_t offset;	/* of the next byte */
	uint64_t token_offset;
	size_t bom;		/* bytes of the mark that were skipped */

	struct keys top_keys, agent_keys;
	char top_key[AF_KEY_MAX + 1];	/* printable as it is in top */
	char agent_key[AF_KEY_MAX + 1];
	uint64_t agent;		/* number of the agent at hand */
	uint64_t item;		/* of the row or list item at hand */
	bool has_agents, has_legacy, is_encoded;
	char at[AF_POINTER_MAX];
};

struct af_reader *
af_reader_new(const struct af_reader_each *each)
{
	struct af_reader *r = mem_zero(1, sizeof(*r));

	r->each = *each;
	buf_init(&r->text, AF_PART_MAX);
	buf_init(&r->top_keys.seen, AF_MEMBERS_MAX * (AF_KEY_MAX + 1));
	buf_init(&r->agent_keys.seen, AF_MEMBERS_MAX * (AF_KEY_MAX + 1));
	return r;
}

void
af_reader_free(struct af_reader *r)
{
	if (!r)
		return;
	buf_clear(&r->text);
	buf_clear(&r->top_keys.seen);
	buf_clear(&r->agent_keys.seen);
	free(r);
}

enum af_form
af_reader_form(const struct af_reader *r)
{
	if (r->is_encoded)
		return AF_FORM_ENCODED;
	if (r->has_agents)
		return AF_FORM_AGENTS;
	return r->has_legacy ? AF_FORM_LEGACY : AF_FORM_UNKNOWN;
}

uint64_t
af_reader_offset(const struct af_reader *r)
{
	return r->offset;
}

/* "~" and "/" escaped as a pointer wants it, and made printable. */
static void
add_key(struct buf *at, const char *key)
{
	struct buf escaped = BUF_INIT(2 * AF_KEY_MAX);

	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			buf_str(&escaped, *key == '~' ? "~0" : "~1");
		else
			buf_char(&escaped, *key);
	}
	buf_char(at, '/');
	str_printable(at, buf_cstr(&escaped), escaped.len);
	buf_clear(&escaped);
}

/*
 * The pointer to the value at hand, or to the list or object that it stands
 * in, in r->at.
 */
static const char *
pointer(struct af_reader *r, bool outer)
{
	struct buf at = BUF_INIT(AF_POINTER_MAX - 1);
	bool is_item = r->level == LEVEL_LIST || r->level == LEVEL_ROWS;

	if (r->level == LEVEL_LIST || (r->level == LEVEL_TOP && !outer))
		add_key(&at, r->top_key);
	if (r->level >= LEVEL_AGENTS && r->level <= LEVEL_ROWS)
		buf_str(&at, "/agents");
	if (r->level == LEVEL_AGENT || r->level == LEVEL_ROWS ||
	    (r->level == LEVEL_AGENTS && !outer))
		buf_printf(&at, "/%" PRIu64, r->agent);
	if (r->level == LEVEL_ROWS || (r->level == LEVEL_AGENT && !outer))
		add_key(&at, r->agent_key);
	if (is_item && !outer)
		buf_printf(&at, "/%" PRIu64, r->item);
	(void)snprintf(r->at, sizeof(r->at), "%s", buf_cstr(&at));
	buf_clear(&at);
	return r->at;
}

static int
fail_at(struct af_reader *r, uint64_t offset, const char *what,
    struct err *err)
{
	bool in_value = r->want == WANT_VALUE || r->want == WANT_VALUE_OR_END;
	const char *at = pointer(r, !in_value);

	return err_set(err, ERR_DATA, "agent file: %s%s%s at byte %" PRIu64,
	    at, *at ? ": " : "", what, offset);
}

static int
fail_here(struct af_reader *r, struct err *err)
{
	return fail_at(r, r->offset, "unexpected character", err);
}

/* Tell the caller of the value at hand. */
static int
tell(struct af_reader *r, enum af_part_event event, struct err *err)
{
	struct af_part part = { .event = event, .at = pointer(r, false) };

	switch (r->level) {
	case LEVEL_AGENTS:
	case LEVEL_LIST:
		part.place = AF_PLACE_ITEM;
		part.key = r->top_key;
		part.item = r->level == LEVEL_LIST ? r->item : r->agent;
		break;
	case LEVEL_AGENT:
		part.place = AF_PLACE_AGENT;
		part.key = r->agent_key;
		part.agent = r->agent;
		break;
	case LEVEL_ROWS:
		part.place = AF_PLACE_ROW;
		part.key = r->agent_key;
		part.agent = r->agent;
		part.item = r->item;
		break;
	default:
		part.place = AF_PLACE_TOP;
		part.key = r->top_key;
		break;
	}
	part.offset = r->offset;
	if (event == AF_PART_VALUE) {
		part.text = buf_cstr(&r->text);
		part.len = r->text.len;
		part.offset = r->token_offset;
	}
	return r->each.part(r->each.ctx, &part, err);
}

/* A value at this level lies behind us: what its item is numbered next. */
static void
value_ended(struct af_reader *r)
{
	if (r->level == LEVEL_AGENTS)
		r->agent++;
	if (r->level == LEVEL_LIST || r->level == LEVEL_ROWS)
		r->item++;
	r->want = r->level == LEVEL_FILE ? WANT_NOTHING : WANT_COMMA_OR_END;
}

static bool
is_cut_list(const char *key)
{
	static const char *const keys[] = {
		"blocks", "tools", "sources", "files", "groups",
		"mcp_servers", "skills", "messages"
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_eq(key, keys[i]))
			return true;
	}
	return false;
}

/* The level that a value which begins with c is read at; LEVEL_FILE: none. */
static enum level
level_within(const struct af_reader *r, char c)
{
	switch (r->level) {
	case LEVEL_FILE:
		return c == '{' ? LEVEL_TOP : LEVEL_FILE;
	case LEVEL_TOP:
		if (c == '[' && str_eq(r->top_key, "agents"))
			return LEVEL_AGENTS;
		return c == '[' && is_cut_list(r->top_key) ? LEVEL_LIST :
		    LEVEL_FILE;
	case LEVEL_AGENTS:
		return c == '{' ? LEVEL_AGENT : LEVEL_FILE;
	case LEVEL_AGENT:
		return c == '[' && str_eq(r->agent_key, "messages") ?
		    LEVEL_ROWS : LEVEL_FILE;
	default:
		return LEVEL_FILE;
	}
}

static int
enter(struct af_reader *r, enum level level, struct err *err)
{
	if (r->level != LEVEL_FILE && tell(r, AF_PART_BEGIN, err) != 0)
		return -1;
	r->level = level;
	r->item = 0;
	if (level == LEVEL_AGENTS)
		r->agent = 0;
	if (level == LEVEL_AGENT) {
		buf_truncate(&r->agent_keys.seen, 0);
		r->agent_keys.n = 0;
		r->agent_key[0] = '\0';
	}
	r->want = level == LEVEL_TOP || level == LEVEL_AGENT ?
	    WANT_KEY_OR_END : WANT_VALUE_OR_END;
	r->offset++;
	return 0;
}

static int
leave(struct af_reader *r, struct err *err)
{
	static const enum level outer[] = {
		[LEVEL_FILE] = LEVEL_FILE,
		[LEVEL_TOP] = LEVEL_FILE,
		[LEVEL_AGENTS] = LEVEL_TOP,
		[LEVEL_AGENT] = LEVEL_AGENTS,
		[LEVEL_ROWS] = LEVEL_AGENT,
		[LEVEL_LIST] = LEVEL_TOP
	};

	r->level = outer[r->level];
	r->offset++;
	if (r->level != LEVEL_FILE && tell(r, AF_PART_END, err) != 0)
		return -1;
	value_ended(r);
	return 0;
}

/* What a document is that is no object. */
static int
fail_top(struct af_reader *r, char c, struct err *err)
{
	static const char how[] = "a JSON string that holds the agent file "
	    "(encoded twice): unpack it, for example with jq -r . FILE, and "
	    "take the result";

	r->is_encoded = c == '"';
	if (r->is_encoded)
		return err_set(err, ERR_DATA, "agent file: %s", how);
	if ((unsigned char)c >= 0xfe || c == '\0')
		return err_set(err, ERR_DATA, "agent file: not UTF-8 at byte "
		    "%" PRIu64 " (UTF-16? convert it with iconv)", r->offset);
	return err_set(err, ERR_DATA, "agent file: no JSON object at byte %"
	    PRIu64, r->offset);
}

static void
begin_token(struct af_reader *r, enum token token, bool is_key)
{
	buf_truncate(&r->text, 0);
	r->token = token;
	r->is_key = is_key;
	r->in_string = r->escaped = false;
	r->depth = 0;
	r->token_offset = r->offset;
}

static bool
begins_word(char c)
{
	return c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' ||
	    c == 'n';
}

static int
begin_value(struct af_reader *r, char c, struct err *err)
{
	enum level level = level_within(r, c);

	if (r->bom % 3 != 0)		/* part of a mark is none */
		return fail_top(r, '\0', err);
	if (level != LEVEL_FILE)
		return enter(r, level, err);
	if (r->level == LEVEL_FILE)
		return fail_top(r, c, err);
	if (c == '"')
		begin_token(r, TOKEN_STRING, false);
	else if (c == '{' || c == '[')
		begin_token(r, TOKEN_TREE, false);
	else if (begins_word(c))
		begin_token(r, TOKEN_WORD, false);
	else
		return fail_here(r, err);
	return 0;
}

/* One byte that is no blank and in no token. */
static int
mark(struct af_reader *r, char c, struct err *err)
{
	bool is_object = r->level == LEVEL_TOP || r->level == LEVEL_AGENT;

	switch (r->want) {
	case WANT_VALUE_OR_END:
		if (c == ']')
			return leave(r, err);
		return begin_value(r, c, err);
	case WANT_VALUE:
		return begin_value(r, c, err);
	case WANT_KEY_OR_END:
		if (c == '}')
			return leave(r, err);
		/* FALLTHROUGH */
	case WANT_KEY:
		if (c != '"')
			return fail_here(r, err);
		begin_token(r, TOKEN_STRING, true);
		return 0;
	case WANT_COLON:
		if (c != ':')
			return fail_here(r, err);
		r->want = WANT_VALUE;
		break;
	case WANT_COMMA_OR_END:
		if (c == (is_object ? '}' : ']'))
			return leave(r, err);
		if (c != ',')
			return fail_here(r, err);
		r->want = is_object ? WANT_KEY : WANT_VALUE;
		break;
	case WANT_NOTHING:
		return fail_at(r, r->offset, "more behind its end", err);
	}
	r->offset++;
	return 0;
}

/* How many bytes from data on belong to the string that is open. */
static size_t
string_span(struct af_reader *r, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && r->in_string; i++) {
		if (r->escaped)
			r->escaped = false;
		else if (data[i] == '\\')
			r->escaped = true;
		else if (data[i] == '"')
			r->in_string = false;
	}
	return i;
}

/* The same for the token; *ended when its last byte is among them. */
static size_t
token_span(struct af_reader *r, const char *data, size_t len, bool *ended)
{
	size_t i = 0;

	*ended = false;
	while (i < len && !*ended) {
		if (r->in_string) {
			i += string_span(r, data + i, len - i);
			*ended = !r->in_string && r->depth == 0;
			continue;
		}
		*ended = r->token == TOKEN_WORD &&
		    strchr(",]}: \t\r\n\"", data[i]);
		if (*ended)
			break;
		if (data[i] == '"')
			r->in_string = true;
		else if (data[i] == '{' || data[i] == '[')
			r->depth++;
		else if (data[i] == '}' || data[i] == ']')
			*ended = --r->depth == 0;
		i++;
	}
	return i;
}

static bool
key_is_seen(const struct keys *keys, const char *key)
{
	const char *at = buf_cstr(&keys->seen);

	for (size_t i = 0; i < keys->n; i++, at += strlen(at) + 1) {
		if (str_eq(at, key))
			return true;
	}
	return false;
}

/* The token is the key of a member: unpack and remember it. */
static int
end_key(struct af_reader *r, struct err *err)
{
	bool top = r->level == LEVEL_TOP;
	struct keys *keys = top ? &r->top_keys : &r->agent_keys;
	struct jdoc *text = jdoc_parse(r->text.data, r->text.len, err);
	const char *key = jdoc_str(text);
	int rc = -1;

	if (!text)
		(void)err_ctx(err, "agent file: key at byte %" PRIu64,
		    r->token_offset);
	else if (strlen(key) != jdoc_str_len(text) ||
	    jdoc_str_len(text) > AF_KEY_MAX || keys->n == AF_MEMBERS_MAX)
		(void)fail_at(r, r->token_offset, "a member's key is too "
		    "long, holds U+0000, or is one too many", err);
	else {
		(void)snprintf(top ? r->top_key : r->agent_key,
		    sizeof(r->top_key), "%s", key);
		rc = 0;
	}
	if (rc == 0 && key_is_seen(keys, key))
		rc = fail_at(r, r->token_offset, "two members of one key "
		    "(servers take the last, so remove one); the second is",
		    err);
	if (rc == 0) {
		buf_add(&keys->seen, key, strlen(key) + 1);
		keys->n++;
		r->has_agents = r->has_agents || (top &&
		    str_eq(key, "agents"));
		r->has_legacy = r->has_legacy || (top &&
		    (str_eq(key, "core_memory") ||
		    str_eq(key, "in_context_message_indices")));
		r->want = WANT_COLON;
	}
	jdoc_free(text);
	return rc;
}

static int
end_token(struct af_reader *r, struct err *err)
{
	size_t valid = str_utf8_span(buf_cstr(&r->text), r->text.len);

	r->token = TOKEN_NONE;
	if (valid < r->text.len)
		return fail_at(r, r->token_offset + valid, "not UTF-8", err);
	if (r->is_key)
		return end_key(r, err);
	if (tell(r, AF_PART_VALUE, err) != 0)
		return -1;
	value_ended(r);
	/* One long value must not be what memory is for from then on. */
	if (r->text.cap > 1024 * 1024)
		buf_clear(&r->text);
	return 0;
}

/* The longest text of the token at hand, quotes and escapes counted. */
static size_t
token_max(const struct af_reader *r)
{
	return r->is_key ? 6 * AF_KEY_MAX + 2 : AF_PART_MAX;
}

static int
take_token(struct af_reader *r, const char *data, size_t len, size_t *used,
    struct err *err)
{
	bool ended;

	*used = token_span(r, data, len, &ended);
	if (*used > token_max(r) - r->text.len) {
		if (r->is_key)
			return fail_at(r, r->token_offset, "a member's key "
			    "is too long", err);
		return fail_at(r, r->token_offset, "a value larger than 64 "
		    "MiB, which begins", err);
	}
	buf_add(&r->text, data, *used);
	r->offset += *used;
	return ended ? end_token(r, err) : 0;
}

/* Whether c is the next byte of a byte order mark at the start. */
static bool
is_bom(struct af_reader *r, char c)
{
	static const char mark_bytes[] = "\xef\xbb\xbf";

	if (r->bom != r->offset || r->bom == 3 || c != mark_bytes[r->bom])
		return false;
	r->bom++;
	r->offset++;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int
af_reader_feed(struct af_reader *r, const char *data, size_t len,
    struct err *err)
{
	uint64_t start;
	size_t at = 0, used;

	while (at < len) {
		if (r->token != TOKEN_NONE) {
			if (take_token(r, data + at, len - at, &used,
			    err) != 0)
				return -1;
			at += used;
			continue;
		}
		if (is_blank(data[at])) {
			r->offset++;
			at++;
			continue;
		}
		if (r->level == LEVEL_FILE && is_bom(r, data[at])) {
			at++;
			continue;
		}
		start = r->offset;
		if (mark(r, data[at], err) != 0)
			return -1;
		at += (size_t)(r->offset - start);
	}
	return 0;
}

int
af_reader_end(struct af_reader *r, struct err *err)
{
	if (r->level == LEVEL_FILE && r->want == WANT_VALUE)
		return err_set(err, ERR_DATA, "agent file: empty");
	if (r->want != WANT_NOTHING)
		return fail_at(r, r->offset, "cut short", err);
	switch (af_reader_form(r)) {
	case AF_FORM_AGENTS:
		return 0;
	case AF_FORM_LEGACY:
		if (r->each.legacy)
			return 0;
		return err_set(err, ERR_DATA, "agent file: a legacy file of "
		    "version 1 (Letta up to 0.11), which no server from 0.16 "
		    "on imports");
	default:
		return err_set(err, ERR_DATA, "not an agent file: it has no "
		    "`agents`");
	}
}

struct jdoc *
af_part_parse(const struct af_part *part, struct err *err)
{
	struct jdoc *doc = jdoc_parse(part->text, part->len, err);

	if (!doc)
		(void)err_ctx(err, "agent file: %s, which begins at byte %"
		    PRIu64, part->at, part->offset);
	return doc;
}
