#include "base/base.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/template.h"

#define NAME_MAX_BYTES 64
#define HOSTNAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63
#define TOKEN_MAX_BYTES 255

struct fill {
	const char *path;
	const char *text;
	size_t len;
	const struct template_value *values;
	size_t n;
	bool used[TEMPLATE_MAX_VALUES];
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* RFC 1123; a last label of digits only would make it an IPv4 address. */
static bool
is_hostname(const char *s, size_t len)
{
	size_t begin = 0, digits = 0, i;

	if (len == 0 || len > HOSTNAME_MAX_BYTES)
		return false;
	for (i = 0; i <= len; i++) {
		if (i < len && s[i] != '.') {
			if (!is_alnum(s[i]) && s[i] != '-')
				return false;
			digits += is_digit(s[i]);
			continue;
		}
		if (i == begin || i - begin > LABEL_MAX_BYTES ||
		    s[begin] == '-' || s[i - 1] == '-')
			return false;
		if (i == len)
			return digits < i - begin;
		begin = i + 1;
		digits = 0;
	}
	return false;
}

static bool
is_hostnames(const char *s)
{
	const char *blank;

	for (;;) {
		blank = strchr(s, ' ');
		if (!blank)
			return is_hostname(s, strlen(s));
		if (!is_hostname(s, (size_t)(blank - s)))
			return false;
		s = blank + 1;
	}
}

static bool
is_port(const char *s)
{
	uint64_t port;

	return s[0] != '0' && str_u64(s, 65535, &port);
}

/* Of nginx, sh, crontab (whose "%" ends a line), systemd and supervisord. */
static bool
is_path(const char *s)
{
	if (s[0] != '/' || strlen(s) >= PATH_MAX)
		return false;
	if (strstr(s, "/../") || str_ends(s, "/.."))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f ||
		    strchr("\"'`\\;{}$#&|<>()%", *s))
			return false;
	return true;
}

static bool
is_token(const char *s)
{
	if (!*s || strlen(s) > TOKEN_MAX_BYTES)
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && *s != '.' && *s != '_' && *s != '-')
			return false;
	return true;
}

/* Of the characters of RFC 6454 that need no quotes in nginx. */
static bool
is_origin(const char *s)
{
	const char *host = str_starts(s, "https://") ? s + 8 :
	    str_starts(s, "http://") ? s + 7 : "";

	if (!*host || strlen(host) > HOSTNAME_MAX_BYTES + 6)
		return false;
	for (; *host; host++)
		if ((!is_alnum(*host) && !strchr(".-:[]", *host)) ||
		    (*host >= 'A' && *host <= 'Z'))
			return false;
	return true;
}

static bool
is_network(const char *s)
{
	const char *slash = strchr(s, '/');
	const size_t len = slash ? (size_t)(slash - s) : strlen(s);
	char address[INET6_ADDRSTRLEN];
	struct in6_addr bits;
	uint64_t prefix = 0;
	bool four;

	if (len >= sizeof(address))
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)len, s);
	four = inet_pton(AF_INET, address, &bits) == 1;
	if (!four && inet_pton(AF_INET6, address, &bits) != 1)
		return false;
	return !slash || str_u64(slash + 1, four ? 32 : 128, &prefix);
}

/* What the value should have been; NULL when it is. */
static const char *
misfit(const struct template_value *v)
{
	switch (v->type) {
	case TEMPLATE_HOSTNAME:
		return is_hostname(v->value, strlen(v->value)) ? NULL :
		    "a DNS name";
	case TEMPLATE_HOSTNAMES:
		return is_hostnames(v->value) ? NULL : "a list of DNS names";
	case TEMPLATE_PORT:
		return is_port(v->value) ? NULL : "a port";
	case TEMPLATE_PATH:
		return is_path(v->value) ? NULL :
		    "an absolute path of plain characters";
	case TEMPLATE_TOKEN:
		return is_token(v->value) ? NULL :
		    "of letters, digits and . _ -";
	case TEMPLATE_ORIGIN:
		return is_origin(v->value) ? NULL : "an origin";
	case TEMPLATE_NETWORK:
		return is_network(v->value) ? NULL :
		    "an IP address or network";
	case TEMPLATE_BLOCK:
		return NULL;
	}
	return "of a known type";
}

static int
check_values(const struct fill *f, struct err *err)
{
	const struct template_value *v;
	struct buf shown = BUF_INIT(256);
	const char *want;

	if (f->n > TEMPLATE_MAX_VALUES)
		return err_set(err, ERR_DATA, "%s: more than %d values",
		    f->path, TEMPLATE_MAX_VALUES);
	for (v = f->values; v < f->values + f->n; v++) {
		want = misfit(v);
		if (!want)
			continue;
		str_printable(&shown, v->value, strlen(v->value));
		(void)err_set(err, ERR_DATA, "%s: %s is not %s: `%s'%s",
		    f->path, v->name, want, buf_cstr(&shown),
		    shown.full ? " (cut)" : "");
		buf_clear(&shown);
		return -1;
	}
	return 0;
}

/* An error at byte `at`: "PATH:LINE:COLUMN: ...". */
static int
fail_at(const struct fill *f, size_t at, const char *what, struct err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column++;
		if (f->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(err, ERR_DATA, "%s:%zu:%zu: %s", f->path, line, column,
	    what);
}

static int
fail_unknown(const struct fill *f, size_t at, const char *name,
    struct err *err)
{
	const char *names[TEMPLATE_MAX_VALUES + 1], *nearest;
	struct buf what = BUF_INIT(1024);

	for (size_t i = 0; i < f->n; i++)
		names[i] = f->values[i].name;
	names[f->n] = NULL;
	nearest = str_nearest(name, names);
	buf_str(&what, "unknown name `");
	str_printable(&what, name, strlen(name));
	buf_char(&what, '\'');
	if (nearest)
		buf_printf(&what, " (did you mean `%s'?)", nearest);
	(void)fail_at(f, at, buf_cstr(&what), err);
	buf_clear(&what);
	return -1;
}

/* Bytes of blanks in front, when the line so far is nothing else. */
static bool
only_blanks(const struct buf *out, size_t *blanks)
{
	size_t at = out->len;

	while (at > 0 && (out->data[at - 1] == ' ' ||
	    out->data[at - 1] == '\t'))
		at--;
	*blanks = out->len - at;
	return at == 0 || out->data[at - 1] == '\n';
}

/* Whether the empty lines around an empty block would be two. */
static bool
doubles(const struct fill *f, size_t at, const struct buf *out)
{
	return at < f->len && f->text[at] == '\n' && out->len > 1 &&
	    out->data[out->len - 1] == '\n' &&
	    out->data[out->len - 2] == '\n';
}

/* A block whose "}" is before *at. */
static void
fill_block(const struct fill *f, size_t *at, const char *lines,
    struct buf *out)
{
	char indent[NAME_MAX_BYTES];
	size_t blanks, len;

	if (!only_blanks(out, &blanks) || blanks >= sizeof(indent) ||
	    *at >= f->len || f->text[*at] != '\n') {
		buf_str(out, lines);
		return;
	}
	memcpy(indent, buf_cstr(out) + out->len - blanks, blanks);
	indent[blanks] = '\0';
	buf_truncate(out, out->len - blanks);
	(*at)++;
	if (!*lines && doubles(f, *at, out))
		(*at)++;
	for (; *lines; lines += len + (lines[len] != '\0')) {
		len = strcspn(lines, "\n");
		if (len > 0)
			buf_str(out, indent);
		buf_add(out, lines, len);
		buf_char(out, '\n');
	}
}

/* The value for the "@{" at *at; *at moves behind its "}". */
static int
fill_one(struct fill *f, size_t *at, struct buf *out, struct err *err)
{
	size_t begin = *at + 2, end = begin;
	char name[NAME_MAX_BYTES + 1];

	while (end < f->len && end - begin < NAME_MAX_BYTES &&
	    f->text[end] != '}' && f->text[end] != '\n' &&
	    f->text[end] != '\0')
		end++;
	if (end == f->len || f->text[end] != '}')
		return fail_at(f, *at, "`@{' without `}' after at most 64 "
		    "bytes of a name", err);
	memcpy(name, f->text + begin, end - begin);
	name[end - begin] = '\0';
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(name, f->values[i].name)) {
			f->used[i] = true;
			*at = end + 1;
			if (f->values[i].type == TEMPLATE_BLOCK)
				fill_block(f, at, f->values[i].value, out);
			else
				buf_str(out, f->values[i].value);
			return 0;
		}
	return fail_unknown(f, *at, name, err);
}

static int
fill_all(struct fill *f, struct buf *out, struct err *err)
{
	size_t at = 0;

	while (at < f->len) {
		if (f->text[at] == '@' && at + 1 < f->len &&
		    f->text[at + 1] == '{') {
			if (fill_one(f, &at, out, err) != 0)
				return -1;
		} else
			buf_char(out, f->text[at++]);
	}
	for (size_t i = 0; i < f->n; i++)
		if (!f->used[i])
			return err_set(err, ERR_DATA, "%s: the template does "
			    "not use `%s'", f->path, f->values[i].name);
	return buf_check(out, f->path, err);
}

int
template_fill(const char *template_path, const char *text, size_t len,
    const struct template_value *values, size_t n, struct buf *out,
    struct err *err)
{
	struct fill f = { .path = template_path, .text = text, .len = len,
	    .values = values, .n = n };
	size_t before = out->len;

	if (len > TEMPLATE_MAX_BYTES || str_utf8_span(text, len) != len)
		return err_set(err, ERR_DATA, "%s: larger than %d bytes, or "
		    "not UTF-8", template_path, TEMPLATE_MAX_BYTES);
	if (check_values(&f, err) != 0)
		return -1;
	if (fill_all(&f, out, err) != 0) {
		buf_truncate(out, before);
		return -1;
	}
	return 0;
}
