#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/client_url.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"

void
client_urls_add(struct client_urls *urls, const char *from, const char *to)
{
	struct client_url *url = &urls->list[urls->n];

	if (urls->n == CLIENT_URLS_MAX || (to && str_eq(from, to)) ||
	    strlen(from) > 255 || (to && strlen(to) > 255))
		return;
	for (size_t i = 0; i < urls->n; i++) {
		if (str_eq(urls->list[i].from, from))
			return;
	}
	url->from = mem_strdup(from);
	url->to = to ? mem_strdup(to) : NULL;
	urls->n++;
}

void
client_urls_clear(struct client_urls *urls)
{
	for (size_t i = 0; i < urls->n; i++) {
		free(urls->list[i].from);
		free(urls->list[i].to);
	}
	urls->n = 0;
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_name(char c)
{
	return is_alnum(c) || c == '.' || c == '_' || c == '-';
}

/* Whether "://" ends at byte at; *at becomes where its scheme begins. */
static bool
behind_scheme(const char *text, size_t *at)
{
	if (*at < 4 || memcmp(text + *at - 3, "://", 3) != 0)
		return false;
	for (*at -= 3; *at > 0 && is_alnum(text[*at - 1]); (*at)--)
		;
	return true;
}

/* Whether a URL has only USER:PASSWORD@ up to here. */
static bool
behind_user(const char *text, size_t *at)
{
	size_t i = *at - 1;

	while (i > 0 && !strchr(" \t\r\n\"'/@", text[i - 1]))
		i--;
	if (!behind_scheme(text, &i))
		return false;
	*at = i;
	return true;
}

static bool
begins_here(const char *text, size_t at)
{
	if (at == 0)
		return true;
	if (text[at - 1] == '@' && !behind_user(text, &at))
		return false;
	if (at > 0 && text[at - 1] == '/' && !behind_scheme(text, &at))
		return false;
	return at == 0 || (!is_name(text[at - 1]) && text[at - 1] != '/' &&
	    text[at - 1] != '%');
}

/* ":" and a digit: another port, or docker's ADDRESS:PORT:PORT. */
static bool
ends_here(const char *text, size_t len, size_t end)
{
	char c = end < len ? text[end] : '\0';
	char next = end + 1 < len ? text[end + 1] : '\0';

	if (is_alnum(c) || c == '_' || c == '-' || c == '@')
		return false;
	if (c == '.')
		return !is_alnum(next);
	return c != ':' || next < '0' || next > '9';
}

static const struct client_url *
url_at(const char *text, size_t len, const struct client_urls *urls,
    size_t at)
{
	const struct client_url *url = urls->list;
	size_t n;

	for (; url < urls->list + urls->n; url++) {
		n = strlen(url->from);
		if (n <= len - at && memcmp(text + at, url->from, n) == 0 &&
		    begins_here(text, at) && ends_here(text, len, at + n))
			return url;
	}
	return NULL;
}

/* Those that begin before limit. */
static bool
next_before(const char *text, size_t len, size_t limit,
    const struct client_urls *urls, size_t *at, struct client_url_place *out)
{
	const struct client_url *url;

	for (; *at < limit; (*at)++) {
		url = url_at(text, len, urls, *at);
		if (!url)
			continue;
		*out = (struct client_url_place){ .at = *at, .url = url,
		    .line = dotenv_parse_line(text, *at) };
		*at += strlen(url->from);
		return true;
	}
	return false;
}

bool
client_url_next(const char *text, size_t len, const struct client_urls *urls,
    size_t *at, struct client_url_place *out)
{
	return next_before(text, len, len, urls, at, out);
}

bool
client_url_is_env(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return str_ends(name, ".env") || str_starts(name, ".env.");
}

struct edit {
	const char *text;
	size_t len;
	const struct client_urls *urls;
	struct buf *out;
	struct buf places;	/* " AT FROM TO" each */
	size_t done;		/* so much of the text is in out */
	size_t n;
};

static void
edit_range(struct edit *edit, size_t begin, size_t end)
{
	struct client_url_place place;
	size_t at = begin;

	while (next_before(edit->text, edit->len, end, edit->urls, &at,
	    &place) && at <= end) {
		if (!place.url->to)
			continue;
		buf_add(edit->out, edit->text + edit->done,
		    place.at - edit->done);
		buf_str(edit->out, place.url->to);
		buf_printf(&edit->places, " %zu %s %s", place.at,
		    place.url->from, place.url->to);
		edit->done = at;
		edit->n++;
	}
}

static size_t
edit_end(struct edit *edit, struct buf *record)
{
	buf_add(edit->out, edit->text + edit->done, edit->len - edit->done);
	if (edit->n > 0)
		buf_printf(record, "%zu %zu%s %zu", edit->len, edit->out->len,
		    buf_cstr(&edit->places), client_url_count_new(
		    buf_cstr(edit->out), edit->out->len,
		    buf_cstr(&edit->places) + 1));
	buf_clear(&edit->places);
	return edit->n;
}

size_t
client_url_edit(const char *text, size_t len, const struct client_urls *urls,
    struct buf *out, struct buf *record)
{
	struct edit edit = { .text = text, .len = len, .urls = urls,
	    .out = out, .places = BUF_INIT(CLIENT_URL_RECORD_MAX) };

	edit_range(&edit, 0, len);
	return edit_end(&edit, record);
}

/* A new text, and what its keys must be by the old one. */
struct check {
	const char *path;
	const struct buf *after;
	const struct client_urls *urls;
};

static int
check_key(void *ctx, const struct dotenv_known *known, struct err *err)
{
	const struct check *check = ctx;
	struct buf want, have, record = BUF_INIT(CLIENT_URL_RECORD_MAX);
	enum dotenv_found found = DOTENV_ABSENT;
	char *key = mem_strndup(known->key, known->key_len);
	int rc;

	buf_init_still(&want, DOTENV_MAX_EXPANDED);
	buf_init_still(&have, DOTENV_MAX_EXPANDED);
	if (known->value)
		(void)client_url_edit(known->value, known->value_len,
		    check->urls, &want, &record);
	rc = dotenv_get(buf_cstr(check->after), check->after->len, key, NULL,
	    &have, &found, err);
	if (rc == 0 && known->value && (found != DOTENV_VALUE ||
	    want.len != have.len || memcmp(buf_cstr(&want), buf_cstr(&have),
	    want.len) != 0))
		rc = err_set(err, ERR_DATA, "%s:%zu: %s names the old "
		    "address, put together out of other keys; write it "
		    "there as one word, or leave the file out", check->path,
		    known->line, key);
	buf_wipe(&want);
	buf_wipe(&have);
	buf_clear(&record);
	free(key);
	return rc;
}

int
client_url_edit_env(const char *text, size_t len, const char *path,
    const struct client_urls *urls, struct buf *out, struct buf *record,
    size_t *n, struct err *err)
{
	struct edit edit = { .text = text, .len = len, .urls = urls,
	    .out = out, .places = BUF_INIT(CLIENT_URL_RECORD_MAX) };
	struct check check = { .path = path, .after = out, .urls = urls };
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t line = 0;
	const char *why;

	*n = 0;
	why = dotenv_uneditable(text, len, &line);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: %s", path, line, why);
	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e)) {
		if (e.kind == DOTENV_ASSIGNMENT && e.has_value)
			edit_range(&edit, e.value_begin, e.value_end);
	}
	*n = edit_end(&edit, record);
	return dotenv_each(text, len, check_key, &check, err);
}
