#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/nginx_tree.h"
#include "core/nginx_look.h"

#define WHERE_MAX_BYTES 4096
#define BODY_MIN_BYTES (64ULL * 1024 * 1024)
#define READ_MIN_S 600

const unsigned int nginx_look_ports[] = { 18283, 8283, 8284, 0 };

/* "host:file:line" of a directive; the caller frees it. */
static char *
where(const struct nginx_look *look, int at)
{
	return mem_printf("%s:%s:%zu", look->host,
	    nginx_tree_file(look->dump, at), nginx_tree_line(look->dump, at));
}

#define JUDGE(look, at, there, id, ...) do {			\
	char *where_ = where((look), (at));			\
	doctor_judge((look)->doctor, (there), (id), where_,	\
	    __VA_ARGS__);					\
	free(where_);						\
} while (0)

static const char *
word(const struct nginx_look *look, int at, size_t i)
{
	return i < nginx_tree_n_words(look->dump, at) ?
	    nginx_tree_words(look->dump, at)[i] : "";
}

static bool
has_word(const struct nginx_look *look, int at, const char *text)
{
	for (size_t i = 1; i < nginx_tree_n_words(look->dump, at); i++) {
		if (str_eq(word(look, at, i), text))
			return true;
	}
	return false;
}

/* Walk every directive of a name, wherever it stands. */
static int
next_named(const struct nginx_look *look, int after, const char *name)
{
	for (int i = after + 1; i < nginx_tree_n(look->dump); i++) {
		if (str_eq(word(look, i, 0), name))
			return i;
	}
	return -1;
}

/* The port of "127.0.0.1:18283", "localhost:1", "[::1]:1"; 0: no loopback. */
static unsigned int
loopback_port(const char *address)
{
	static const char *const hosts[] = { "127.0.0.1:", "localhost:",
	    "[::1]:" };
	uint64_t port;
	char digits[8];
	size_t len;

	for (size_t i = 0; i < 3; i++) {
		if (!str_starts(address, hosts[i]))
			continue;
		address += strlen(hosts[i]);
		len = strspn(address, "0123456789");
		(void)snprintf(digits, sizeof(digits), "%.*s",
		    len < sizeof(digits) ? (int)len : 0, address);
		return str_u64(digits, 65535, &port) ? (unsigned int)port : 0;
	}
	return 0;
}

/* Whether a proxy_pass goes to port, directly or by an upstream block. */
static bool
passes_to(const struct nginx_look *look, int pass, unsigned int port)
{
	const char *target = word(look, pass, 1), *rest;
	int upstream = -1, server;
	size_t len;

	rest = strstr(target, "://");
	rest = rest ? rest + 3 : target;
	if (loopback_port(rest) == port)
		return true;
	len = strcspn(rest, "/");
	while ((upstream = next_named(look, upstream, "upstream")) >= 0) {
		if (strlen(word(look, upstream, 1)) != len ||
		    strncmp(word(look, upstream, 1), rest, len) != 0)
			continue;
		for (server = -1; (server = nginx_tree_next(look->dump,
		    upstream, server, "server")) >= 0;) {
			if (loopback_port(word(look, server, 1)) == port)
				return true;
		}
	}
	return false;
}

bool
nginx_look_passes(const struct nginx_look *look, unsigned int port)
{
	int pass = -1;

	while ((pass = next_named(look, pass, "proxy_pass")) >= 0) {
		if (passes_to(look, pass, port))
			return true;
	}
	return false;
}

static bool
is_letta_pass(const struct nginx_look *look, int pass)
{
	for (size_t i = 0; look->letta_ports[i]; i++) {
		if (passes_to(look, pass, look->letta_ports[i]))
			return true;
	}
	return false;
}

/* The server block around a directive; -1: none. */
static int
server_of(const struct nginx_look *look, int at)
{
	while (at != NGINX_TREE_ROOT && !str_eq(word(look, at, 0), "server"))
		at = nginx_tree_parent(look->dump, at);
	return at;
}

static bool
is_letta(const struct nginx_look *look, int server)
{
	int pass = -1;

	while ((pass = next_named(look, pass, "proxy_pass")) >= 0) {
		if (server_of(look, pass) == server &&
		    is_letta_pass(look, pass))
			return true;
	}
	return false;
}

/* "512m", "1g", "60s", "1h": in units of one; 0 bytes is no limit. */
static uint64_t
measure(const char *text, const char *units, const uint64_t *factors)
{
	uint64_t number = 0;
	const char *unit;

	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	unit = *text ? strchr(units, *text | 0x20) : NULL;
	return unit ? number * factors[unit - units] : number;
}

static uint64_t
bytes(const char *text)
{
	static const uint64_t factors[] = { 1ULL << 10, 1ULL << 20,
	    1ULL << 30 };
	uint64_t n = text ? measure(text, "kmg", factors) : 1ULL << 20;

	return n == 0 ? UINT64_MAX : n;
}

static uint64_t
seconds(const char *text)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };

	return text ? measure(text, "smhd", factors) : 60;
}

static bool
is(const char *value, const char *wanted)
{
	return value && str_eq(value, wanted);
}

static const char *
or_default(const char *value)
{
	return value ? value : "nginx's default";
}

static bool
sets_header(const struct nginx_look *look, int block, const char *name)
{
	for (; block != NGINX_TREE_ROOT;
	    block = nginx_tree_parent(look->dump, block)) {
		int at = -1;
		bool any = false;

		while ((at = nginx_tree_next(look->dump, block, at,
		    "proxy_set_header")) >= 0) {
			any = true;
			if (strcasecmp(word(look, at, 1), name) == 0)
				return true;
		}
		if (any)
			return false;
	}
	return false;
}

/* What a location that passes to Letta must have. */
static void
look_at_location(const struct nginx_look *look, int pass)
{
	const struct nginx_tree *dump = look->dump;
	int block = nginx_tree_parent(dump, pass);
	const char *buffering = nginx_tree_value(dump, block,
	    "proxy_buffering");
	const char *version = nginx_tree_value(dump, block,
	    "proxy_http_version");
	const char *size = nginx_tree_value(dump, block,
	    "client_max_body_size");
	const char *timeout = nginx_tree_value(dump, block,
	    "proxy_read_timeout");

	JUDGE(look, block, !is(buffering, "off"), "nginx-buffering",
	    "proxy_buffering: %s", or_default(buffering));
	JUDGE(look, block, !is(version, "1.1"), "nginx-http-version",
	    "proxy_http_version: %s", or_default(version));
	JUDGE(look, block, bytes(size) < BODY_MIN_BYTES, "nginx-body-size",
	    "client_max_body_size: %s", or_default(size));
	JUDGE(look, block, seconds(timeout) < READ_MIN_S,
	    "nginx-read-timeout", "proxy_read_timeout: %s",
	    or_default(timeout));
	JUDGE(look, block, !sets_header(look, block, "Upgrade"),
	    "nginx-upgrade", "no proxy_set_header Upgrade");
}

/* Whether a listen is reachable by others than this machine. */
static bool
is_public(const char *address)
{
	return loopback_port(address) == 0 &&
	    !str_eq(address, "127.0.0.1") && !str_eq(address, "[::1]") &&
	    !str_starts(address, "unix:");
}

static void
look_at_clear(const struct nginx_look *look, int server)
{
	const char *ssl = nginx_tree_value(look->dump, server, "ssl");
	int listen = -1;
	bool clear = nginx_tree_next(look->dump, server, -1, "listen") < 0;

	while ((listen = nginx_tree_next(look->dump, server, listen,
	    "listen")) >= 0)
		clear = clear || (!has_word(look, listen, "ssl") &&
		    !is(ssl, "on") && is_public(word(look, listen, 1)));
	JUDGE(look, server, clear, "nginx-clear", "a listen without ssl, "
	    "and a location that passes to Letta");
}

/* add_header of a location replaces those of the server. */
static bool
has_header(const struct nginx_look *look, int block, const char *name)
{
	int at = -1;

	while ((at = nginx_tree_next(look->dump, block, at,
	    "add_header")) >= 0) {
		if (strcasecmp(word(look, at, 1), name) == 0)
			return true;
	}
	return false;
}

static void
look_at_headers(const struct nginx_look *look, int server)
{
	int at = -1, header;
	const char *dropped;

	while ((at = next_named(look, at, "location")) >= 0) {
		if (server_of(look, at) != server ||
		    nginx_tree_next(look->dump, at, -1, "add_header") < 0)
			continue;
		dropped = NULL;
		for (header = -1; (header = nginx_tree_next(look->dump,
		    server, header, "add_header")) >= 0;) {
			if (!has_header(look, at, word(look, header, 1)))
				dropped = word(look, header, 1);
		}
		JUDGE(look, at, dropped != NULL, "nginx-headers-dropped",
		    "%s of the server is not sent here",
		    dropped ? dropped : "");
	}
}

/* "*" and credentials in one block. */
static void
look_at_cors(const struct nginx_look *look, int server)
{
	static const char allow[] = "Access-Control-Allow-";
	int at = -1, other;
	bool both;

	while ((at = next_named(look, at, "add_header")) >= 0) {
		if (server_of(look, at) != server ||
		    !str_starts(word(look, at, 1), allow) ||
		    !str_eq(word(look, at, 1) + strlen(allow), "Origin"))
			continue;
		both = false;
		for (other = -1; (other = nginx_tree_next(look->dump,
		    nginx_tree_parent(look->dump, at), other,
		    "add_header")) >= 0;)
			both = both || (str_starts(word(look, other, 1),
			    allow) && str_eq(word(look, other, 1) +
			    strlen(allow), "Credentials") &&
			    str_eq(word(look, other, 2), "true"));
		JUDGE(look, at, both && str_eq(word(look, at, 2), "*"),
		    "nginx-cors-star", "Access-Control-Allow-Origin \"%s\"",
		    word(look, at, 2));
	}
}

static void
look_at_tls(const struct nginx_look *look, int server)
{
	const char *protocols = nginx_tree_value(look->dump, server,
	    "ssl_protocols");
	int at = -1;

	if (!protocols)
		return;
	for (int block = server; at < 0 && block != NGINX_TREE_ROOT;
	    block = nginx_tree_parent(look->dump, block))
		at = nginx_tree_next(look->dump, block, -1, "ssl_protocols");
	if (at < 0)
		return;
	JUDGE(look, at, has_word(look, at, "TLSv1") || has_word(look, at,
	    "TLSv1.1") || has_word(look, at, "SSLv3"), "nginx-old-tls",
	    "ssl_protocols begins with %s", protocols);
}

/* One name for the ways to write one socket. */
static void
socket_name(const char *address, struct buf *out)
{
	if (str_starts(address, "*:"))
		address += 2;
	else if (str_starts(address, "0.0.0.0:"))
		address += 8;
	buf_str(out, address);
}

/* The listen of a server for that socket; -1: none. */
static int
listens(const struct nginx_look *look, int server, const char *socket)
{
	struct buf name = BUF_INIT(WHERE_MAX_BYTES);
	int at = -1, found = -1;

	while (found < 0 && (at = nginx_tree_next(look->dump, server, at,
	    "listen")) >= 0) {
		buf_clear(&name);
		socket_name(word(look, at, 1), &name);
		if (str_eq(buf_cstr(&name), socket))
			found = at;
	}
	buf_clear(&name);
	return found;
}

/* The server that a socket's unknown names get. */
static int
default_of(const struct nginx_look *look, const char *socket)
{
	int server = -1, first = -1, at;

	while ((server = next_named(look, server, "server")) >= 0) {
		at = listens(look, server, socket);
		if (at < 0)
			continue;
		if (has_word(look, at, "default_server"))
			return server;
		if (first < 0)
			first = server;
	}
	return first;
}

static bool
offers_13(const struct nginx_look *look, int server)
{
	for (int block = server;; block = nginx_tree_parent(look->dump,
	    block)) {
		int at = nginx_tree_next(look->dump, block, -1,
		    "ssl_protocols");

		if (at >= 0)
			return has_word(look, at, "TLSv1.3");
		if (block == NGINX_TREE_ROOT)
			return false;
	}
}

static void
look_at_socket(const struct nginx_look *look, int server, int listen)
{
	struct buf socket = BUF_INIT(WHERE_MAX_BYTES);
	const char *rejects;
	int other;

	socket_name(word(look, listen, 1), &socket);
	other = default_of(look, buf_cstr(&socket));
	rejects = nginx_tree_value(look->dump, other,
	    "ssl_reject_handshake");
	JUDGE(look, other, !is(nginx_tree_value(look->dump, other,
	    "underscores_in_headers"), "on") || !is(nginx_tree_value(
	    look->dump, server, "underscores_in_headers"), "on"),
	    "nginx-underscores", "underscores_in_headers is off in the "
	    "server or in the default server of %s", buf_cstr(&socket));
	if (has_word(look, listen, "ssl")) {
		JUDGE(look, other, offers_13(look, server) &&
		    !offers_13(look, other), "nginx-tls13", "it is the "
		    "default server of %s and has no TLSv1.3",
		    buf_cstr(&socket));
		JUDGE(look, server, other == server && !is(rejects, "on"),
		    "nginx-unknown-name", "it is the default server of %s",
		    buf_cstr(&socket));
	}
	buf_clear(&socket);
}

/* The server behind it that has one of its names on one of its sockets. */
static void
look_at_names(const struct nginx_look *look, int server)
{
	int names = nginx_tree_next(look->dump, server, -1, "server_name");
	int other = server, theirs, listen, found = -1;
	struct buf socket = BUF_INIT(WHERE_MAX_BYTES);
	const char *twice = "";

	while (names >= 0 && found < 0 &&
	    (other = next_named(look, other, "server")) >= 0) {
		theirs = nginx_tree_next(look->dump, other, -1,
		    "server_name");
		for (listen = -1; theirs >= 0 && (listen = nginx_tree_next(
		    look->dump, server, listen, "listen")) >= 0;) {
			buf_clear(&socket);
			socket_name(word(look, listen, 1), &socket);
			if (listens(look, other, buf_cstr(&socket)) < 0)
				continue;
			for (size_t i = 1; i < nginx_tree_n_words(look->dump,
			    names); i++) {
				if (!has_word(look, theirs, word(look, names,
				    i)))
					continue;
				twice = word(look, names, i);
				found = other;
			}
		}
	}
	JUDGE(look, found >= 0 ? found : server, found >= 0,
	    "nginx-name-twice", "%s at %s is another server's already",
	    twice, buf_cstr(&socket));
	buf_clear(&socket);
}

static void
look_at_server(const struct nginx_look *look, int server)
{
	int listen = -1;

	look_at_clear(look, server);
	look_at_headers(look, server);
	look_at_cors(look, server);
	look_at_tls(look, server);
	while ((listen = nginx_tree_next(look->dump, server, listen,
	    "listen")) >= 0)
		look_at_socket(look, server, listen);
}

/* A server block of http, not one line of an upstream. */
static bool
is_block(const struct nginx_look *look, int at)
{
	return nginx_tree_n_words(look->dump, at) == 1;
}

void
nginx_look(const struct nginx_look *look)
{
	int at = -1;

	while ((at = next_named(look, at, "proxy_pass")) >= 0) {
		if (nginx_tree_parent(look->dump, at) != NGINX_TREE_ROOT &&
		    is_letta_pass(look, at))
			look_at_location(look, at);
	}
	for (at = -1; (at = next_named(look, at, "server")) >= 0;) {
		if (!is_block(look, at))
			continue;
		look_at_names(look, at);
		if (is_letta(look, at))
			look_at_server(look, at);
	}
}

void
nginx_look_certificates(const struct nginx_look *look,
    void (*each)(void *ctx, const char *certificate, const char *key,
    const char *const *names, const char *where), void *ctx)
{
	static const char *const none[] = { NULL };
	const char *certificate, *key;
	int at = -1, names;
	char *place;

	while ((at = next_named(look, at, "server")) >= 0) {
		certificate = nginx_tree_value(look->dump, at,
		    "ssl_certificate");
		key = nginx_tree_value(look->dump, at,
		    "ssl_certificate_key");
		if (!is_block(look, at) || !certificate || !key)
			continue;
		names = nginx_tree_next(look->dump, at, -1, "server_name");
		place = where(look, at);
		each(ctx, certificate, key, names < 0 ? none :
		    nginx_tree_words(look->dump, names) + 1, place);
		free(place);
	}
}
