#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/client_look.h"
#include "flow/command.h"
#include "flow/run.h"
#include "io/host.h"

#define ARGV_MAX (128 + 2 * CLIENT_URLS_MAX)

void
client_look_loopback(struct client_urls *urls, unsigned int port,
    unsigned int to_port)
{
	static const char *const names[] = { "127.0.0.1", "localhost",
	    "[::1]", "0.0.0.0", "host.docker.internal", "172.17.0.1" };
	char *from, *to;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		from = mem_printf("%s:%u", names[i], port);
		to = to_port > 0 ? mem_printf("%s:%u", names[i], to_port) :
		    NULL;
		client_urls_add(urls, from, to);
		free(from);
		free(to);
	}
}

/* "HOST:PORT" of a URL that has a port, as it stands there; NULL. */
static const char *
host_port(const char *url)
{
	const char *at = strstr(url, "://"), *port;

	at = at ? at + 3 : url;
	port = strrchr(at, ':');
	return port && port[1] && !port[1 + strspn(port + 1, "0123456789")] ?
	    at : NULL;
}

static bool
is_loopback(const char *url)
{
	return str_starts(url, "http://127.") ||
	    str_starts(url, "http://localhost") ||
	    str_starts(url, "http://[::1]");
}

void
client_look_upgrade(struct client_urls *urls, const struct conf_upgrade *up)
{
	char *from = run_server_url(up->from), *to = run_server_url(up->to);
	bool same_scheme = str_starts(from, "https:") ==
	    str_starts(to, "https:");

	if (up->from->port != up->to->port)
		client_look_loopback(urls, up->from->port, up->to->port);
	/* On the host itself the loopback is as good as before. */
	if (!is_loopback(from))
		client_urls_add(urls, from, to);
	if (same_scheme && host_port(from) && host_port(to))
		client_urls_add(urls, host_port(from), host_port(to));
	free(from);
	free(to);
}

/* What find(1) is told before the addresses; -size counts 512 bytes. */
static const char *const find_words[] = {
	"-maxdepth", "5", "(", "-name", "node_modules", "-o", "-name", ".git",
	"-o", "-name", "venv", "-o", "-name", ".venv", "-o", "-name",
	".cache", "-o", "-name", "site-packages", ")", "-prune", "-o",
	"-type", "f", "-size", "-513", "(",
	"-name", ".bashrc", "-o", "-name", ".bash_profile", "-o", "-name",
	".bash_login", "-o", "-name", ".profile", "-o", "-name", ".zshrc",
	"-o", "-name", ".zprofile", "-o", "-name", ".zshenv", "-o", "-name",
	"config.fish", "-o", "-name", ".env", "-o", "-name", ".env.*", "-o",
	"-name", "*.env", "-o", "-name", "compose*.y*ml", "-o", "-name",
	"docker-compose*.y*ml", "-o", "-name", "start-*.sh", "-o", "-path",
	"*/.letta/settings*.json", "-o", "-path", "/etc/nginx/*", "-o",
	"-path", "/etc/profile.d/*", "-o", "-path", "/etc/systemd/system/*",
	"-o", "-path", "/etc/environment", "-o", "-path", "/etc/profile",
	")", "-exec", "grep", "-lsF", NULL };

/* Places that are not there, and files that do not match, make it end 1. */
static int
find(struct host *host, const struct client_urls *urls, struct buf *out,
    struct err *err)
{
	const char *argv[ARGV_MAX] = { "find", "-H", "/root", "/home", "/opt",
	    "/srv", "/etc", host_facts(host)->home };
	size_t n = 8;
	int status;

	for (const char *const *word = find_words; *word; word++)
		argv[n++] = *word;
	for (size_t i = 0; i < urls->n; i++) {
		argv[n++] = "-e";
		argv[n++] = urls->list[i].from;
	}
	argv[n++] = "{}";
	argv[n++] = "+";
	argv[n] = NULL;
	if (command_ask(host, argv, &status, out, err) != 0)
		return -1;
	if (status == 127)
		return err_set(err, ERR_MISSING, "%s: find(1) is not there, "
		    "so which files name the server was not looked for; "
		    "install findutils", host_name(host));
	return 0;
}

/* Of what find has said: its whole lines; *cut: there are more. */
static size_t
take_paths(struct buf *out, char *paths[CLIENT_LOOK_MAX], bool *cut)
{
	char *path, *rest = NULL, *last = out->len > 0 ?
	    strrchr(out->data, '\n') : NULL;
	size_t n = 0;

	*cut = out->full;
	if (last)
		*last = '\0';
	path = last ? strtok_r(out->data, "\n", &rest) : NULL;
	for (; path && n < CLIENT_LOOK_MAX; path = strtok_r(NULL, "\n", &rest))
		paths[n++] = path;
	*cut |= path != NULL;
	return n;
}

static bool
is_comment(const char *text, size_t at)
{
	while (at > 0 && text[at - 1] != '\n')
		at--;
	at += strspn(text + at, " \t");
	return text[at] == '#';
}

static int
look_in(struct host *host, const char *path, const struct client_urls *urls,
    client_look_each *each, void *ctx, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct client_url_place place;
	struct buf text;
	size_t at = 0, line = 0;
	int rc = 0;

	buf_init_still(&text, CLIENT_URL_TEXT_MAX);
	/* One that is gone since, or is not ours to read, names nothing. */
	if (host_read(host, path, &text, NULL, &ignored) != 0)
		err_clear(&ignored);
	while (rc == 0 && client_url_next(buf_cstr(&text), text.len, urls,
	    &at, &place)) {
		if (place.line != line && !is_comment(buf_cstr(&text),
		    place.at))
			rc = each(ctx, path, place.line, place.url->from,
			    err);
		line = place.line;
	}
	buf_wipe(&text);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
client_look(struct host *host, const struct client_urls *urls,
    client_look_each *each, void *ctx, bool *cut, struct err *err)
{
	struct buf out = BUF_INIT(COMMAND_TEXT_MAX);
	char *paths[CLIENT_LOOK_MAX];
	size_t n = 0;
	int rc = 0;

	*cut = false;
	if (urls->n > 0)
		rc = find(host, urls, &out, err);
	if (rc == 0)
		n = take_paths(&out, paths, cut);
	if (n > 0)
		qsort(paths, n, sizeof(*paths), compare);
	/* A home below two of the places is found twice. */
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (i == 0 || !str_eq(paths[i], paths[i - 1]))
			rc = look_in(host, paths[i], urls, each, ctx, err);
	}
	buf_clear(&out);
	return rc;
}
