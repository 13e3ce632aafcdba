#include "base/base.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/pg_uri.h"

#define SHAPE "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
#define SOCKET_FILE "/.s.PGSQL."

static int
wrong(struct err *err, const char *what)
{
	return err_set(err, ERR_USAGE, "%s in a URI of a database, which is "
	    SHAPE, what);
}

static int
hex_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, tolower((unsigned char)c));

	return c != '\0' && at ? (int)(at - digits) : -1;
}

/* %XX of len bytes; the caller wipes what held a password. */
static void
decode(const char *text, size_t len, struct buf *out)
{
	int high, low;

	for (size_t i = 0; i < len; i++) {
		high = text[i] == '%' && i + 2 < len ?
		    hex_of(text[i + 1]) : -1;
		low = high >= 0 ? hex_of(text[i + 2]) : -1;
		if (low >= 0) {
			buf_char(out, (char)(high * 16 + low));
			i += 2;
		} else {
			buf_char(out, text[i]);
		}
	}
}

/* A control byte would end a line of stdin, or hide in a message. */
static bool
is_plain(const struct buf *value)
{
	for (size_t i = 0; i < value->len; i++) {
		if (iscntrl((unsigned char)value->data[i]))
			return false;
	}
	return true;
}

/* *out is replaced, for an option may say it anew; NULL when it is empty. */
static int
take(char **out, const char *text, size_t len, const char *what,
    struct err *err)
{
	struct buf value = BUF_INIT(PG_URI_MAX);

	decode(text, len, &value);
	if (!is_plain(&value)) {
		buf_wipe(&value);
		return wrong(err, what);
	}
	free(*out);
	*out = value.len > 0 ? mem_strdup(value.data) : NULL;
	buf_wipe(&value);
	return 0;
}

static int
take_password(struct pg_uri *uri, const char *text, size_t len,
    struct err *err)
{
	struct buf value;
	int rc = 0;

	buf_init_still(&value, PG_URI_MAX);
	decode(text, len, &value);
	if (!is_plain(&value)) {
		rc = wrong(err, "a control byte in the password");
	} else {
		secret_free(uri->password);
		uri->password = value.len > 0 ?
		    secret_new(value.data, value.len) : NULL;
	}
	buf_wipe(&value);
	return rc;
}

static int
take_port(struct pg_uri *uri, const char *text, size_t len, struct err *err)
{
	char number[8];
	uint64_t port;

	if (len == 0)
		return 0;
	(void)snprintf(number, sizeof(number), "%.*s", (int)len, text);
	if (len >= sizeof(number) || !str_u64(number, 65535, &port) ||
	    port == 0)
		return wrong(err, "a port that is no number up to 65535");
	uri->port = (unsigned int)port;
	return 0;
}

/* USER[:PASSWORD]@, as far as there is one; *at is moved behind it. */
static int
parse_user(struct pg_uri *uri, const char **at, struct err *err)
{
	const char *text = *at, *end, *colon;
	size_t name = strcspn(text, ":/@");

	if (text[name] != ':' && text[name] != '@')
		return 0;
	/* HOST:PORT has no "@" behind it. */
	end = strchr(text, '@');
	if (!end)
		return 0;
	colon = text[name] == ':' ? text + name : NULL;
	if (take(&uri->user, text, name, "a control byte in the user",
	    err) != 0 || (colon && take_password(uri, colon + 1,
	    (size_t)(end - colon - 1), err) != 0))
		return -1;
	*at = end + 1;
	return 0;
}

/* HOST[:PORT], up to "/", "?" or the end. */
static int
parse_host(struct pg_uri *uri, const char **at, struct err *err)
{
	const char *text = *at, *host = text;
	size_t all = strcspn(text, "/?"), len;

	*at = text + all;
	if (memchr(text, '@', all))
		return wrong(err, "an `@' in the host (one in a password is "
		    "written %40)");
	if (memchr(text, ',', all))
		return wrong(err, "more than one host");
	if (*text == '[') {
		host = text + 1;
		len = strcspn(host, "]");
		if (len + 2 > all || host[len] != ']')
			return wrong(err, "a `[' without its `]'");
		text = host + len + 1;
	} else {
		len = strcspn(host, ":/?");
		text = host + len;
	}
	if (text != *at && *text != ':')
		return wrong(err, "something between host and port");
	if (take(&uri->host, host, len, "a control byte in the host",
	    err) != 0)
		return -1;
	return text == *at ? 0 :
	    take_port(uri, text + 1, (size_t)(*at - text - 1), err);
}

static void
put_value(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, " %s='", name);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_char(out, '\\');
		buf_char(out, *value);
	}
	buf_char(out, '\'');
}

/* What libpq knows by that name, too. */
static int
put_option(const char *name, const char *text, size_t len,
    struct buf *options, struct err *err)
{
	char *value = NULL;

	if (take(&value, text, len, "a control byte in an option", err) != 0)
		return -1;
	if (value)
		put_value(options, name, value);
	free(value);
	return 0;
}

/* pg8000's: the socket itself, not its directory. */
static int
take_socket(struct pg_uri *uri, const char *text, size_t len,
    struct err *err)
{
	char *at;

	if (take(&uri->host, text, len, "a control byte in the socket",
	    err) != 0)
		return -1;
	at = uri->host ? strstr(uri->host, SOCKET_FILE) : NULL;
	if (!at)
		return wrong(err, "a unix_sock that is no " SOCKET_FILE
		    "PORT of a directory");
	*at = '\0';
	at += strlen(SOCKET_FILE);
	return take_port(uri, at, strlen(at), err);
}

/* One NAME=VALUE of the query. */
static int
parse_option(struct pg_uri *uri, const char *text, size_t len,
    struct buf *options, struct err *err)
{
	static const char *const libpq[] = { "sslmode", "sslrootcert",
	    "sslcert", "sslkey", "connect_timeout" };
	size_t n = strcspn(text, "=&");
	const char *value = text + n + (n < len);
	size_t left = len - (size_t)(value - text);
	char *name = mem_strndup(text, n < len ? n : len);
	int rc = 0;

	if (str_eq(name, "host"))
		rc = take(&uri->host, value, left,
		    "a control byte in the host", err);
	else if (str_eq(name, "port"))
		rc = take_port(uri, value, left, err);
	else if (str_eq(name, "user"))
		rc = take(&uri->user, value, left,
		    "a control byte in the user", err);
	else if (str_eq(name, "password"))
		rc = take_password(uri, value, left, err);
	else if (str_eq(name, "unix_sock"))
		rc = take_socket(uri, value, left, err);
	else if (str_eq(name, "ssl"))
		rc = put_option("sslmode", value, left, options, err);
	else if (str_eq(name, "dbname"))
		rc = wrong(err, "`dbname' among the options");
	for (size_t i = 0; i < sizeof(libpq) / sizeof(*libpq); i++) {
		if (str_eq(name, libpq[i]))
			rc = put_option(name, value, left, options, err);
	}
	free(name);
	return rc;
}

static int
parse_query(struct pg_uri *uri, const char *text, struct err *err)
{
	struct buf options = BUF_INIT(PG_URI_MAX);
	size_t len;
	int rc = 0;

	for (; rc == 0 && *text; text += len + (text[len] == '&')) {
		len = strcspn(text, "&");
		rc = parse_option(uri, text, len, &options, err);
	}
	uri->options = mem_strdup(buf_cstr(&options));
	buf_clear(&options);
	return rc;
}

/* What is behind "postgresql+driver://"; NULL: nothing of that kind. */
static const char *
behind_scheme(const char *text)
{
	static const char *const names[] = { "postgresql", "postgres" };
	size_t len;

	for (size_t i = 0; i < 2; i++) {
		len = strlen(names[i]);
		if (!str_starts(text, names[i]))
			continue;
		if (text[len] == '+')
			len += 1 + strspn(text + len + 1, "abcdefghijklmno"
			    "pqrstuvwxyz0123456789_");
		if (str_starts(text + len, "://"))
			return text + len + 3;
	}
	return NULL;
}

/* In the order in which the text has them. */
static int
parse(struct pg_uri *uri, const char *text, struct err *err)
{
	const char *at = behind_scheme(text);
	size_t len;

	if (!at)
		return wrong(err, "another scheme than postgresql://");
	if (parse_user(uri, &at, err) != 0 || parse_host(uri, &at, err) != 0)
		return -1;
	uri->at = (size_t)(at - text);
	len = strcspn(at, "?");
	uri->end = uri->at + len;
	if (len > 1 && take(&uri->database, at + 1, len - 1,
	    "a control byte in the database", err) != 0)
		return -1;
	if (parse_query(uri, at[len] == '?' ? at + len + 1 : at + len,
	    err) != 0)
		return -1;
	uri->is_socket = !uri->host || uri->host[0] == '/';
	if (!uri->user)
		return wrong(err, "no user");
	if (!uri->database)
		return wrong(err, "no database");
	return 0;
}

int
pg_uri_parse(const char *text, size_t len, struct pg_uri *out,
    struct err *err)
{
	*out = (struct pg_uri){ .port = PG_URI_PORT };
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len > PG_URI_MAX)
		return err_set(err, ERR_USAGE, "a URI of a database has more "
		    "than %d bytes", PG_URI_MAX);
	out->text = secret_new(text, len);
	if (strlen(secret_bytes(out->text)) == len &&
	    parse(out, secret_bytes(out->text), err) == 0)
		return 0;
	if (err->kind == ERR_NONE)
		(void)wrong(err, "a NUL byte");
	pg_uri_clear(out);
	return -1;
}

void
pg_uri_clear(struct pg_uri *uri)
{
	free(uri->user);
	free(uri->host);
	free(uri->database);
	free(uri->options);
	secret_free(uri->password);
	secret_free(uri->text);
	*uri = (struct pg_uri){ 0 };
}

void
pg_uri_conninfo(const struct pg_uri *uri, const char *database, bool inside,
    struct buf *out)
{
	char port[16];

	buf_str(out, "application_name=sanctumctl");
	if (!inside && uri->host)
		put_value(out, "host", uri->host);
	(void)snprintf(port, sizeof(port), "%u", uri->port);
	if (!inside)
		put_value(out, "port", port);
	put_value(out, "user", uri->user);
	put_value(out, "dbname", database);
	if (!inside)
		buf_str(out, uri->options);
}

void
pg_uri_write(const struct pg_uri *uri, const char *database, struct buf *out)
{
	const char *text = secret_bytes(uri->text);

	buf_add(out, text, uri->at);
	buf_char(out, '/');
	str_url(out, database);
	buf_str(out, text + uri->end);
}

bool
pg_uri_plain(const char *text, struct buf *out)
{
	const char *at = behind_scheme(text);

	if (!at)
		return false;
	buf_str(out, "postgresql://");
	buf_str(out, at);
	return true;
}

/* The file name of a socket has the port's number in it. */
static const char *
host_of(const struct pg_uri *uri)
{
	static const char *const own[] = { "localhost", "127.0.0.1", "::1" };

	if (uri->is_socket)
		return own[0];
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (str_eq(uri->host, own[i]))
			return own[0];
	}
	return uri->host;
}

bool
pg_uri_is_same(const struct pg_uri *a, const struct pg_uri *b)
{
	return a->port == b->port && str_eq(a->database, b->database) &&
	    str_eq(host_of(a), host_of(b));
}

void
pg_uri_place(const struct pg_uri *uri, struct buf *out)
{
	const char *host = uri->host ? uri->host : "local socket";
	bool v6 = strchr(host, ':') != NULL;
	char text[512];

	(void)snprintf(text, sizeof(text), "%s%s%s:%u", v6 ? "[" : "", host,
	    v6 ? "]" : "", uri->port);
	str_printable(out, text, strlen(text));
}
