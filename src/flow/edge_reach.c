#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_reach.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/http.h"
#include "io/lookup.h"

#define CHALLENGES "/.well-known/acme-challenge"
#define LOOKUP_MS 10000
#define FETCH_MS 10000
#define ASK_MS 10000

/* One check under way. */
struct reach {
	struct run *run;
	const struct conf_edge *edge;
	struct host *host;
	char *file;		/* the token's, on the host */
	char *url_path;
	struct buf own;		/* " 192.0.2.1 2001:db8::1 " */
	struct buf *unknown;
};

enum answer {
	ANSWER_TOKEN,
	ANSWER_OTHER,		/* something else answers */
	ANSWER_NONE
};

static void
say_unknown(struct reach *r, const char *words)
{
	buf_printf(r->unknown, "; %s", words);
}

/* The host's addresses, as hostname(1) lists them; none when it cannot. */
static void
list_own(struct reach *r)
{
	static const char *const argv[] = { "hostname", "-I", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct err ignored = ERR_INIT;
	struct proc_result result;

	proc_result_init(&result, 4096);
	buf_char(&r->own, ' ');
	if (host_ask(r->host, &spec, &result, &ignored) == 0 &&
	    result.status == 0)
		command_said(&r->own, &result.out, 4096);
	buf_char(&r->own, ' ');
	proc_result_clear(&result);
}

static bool
is_own(const struct reach *r, const char *address)
{
	char *word = mem_printf(" %s ", address);
	bool found = strstr(buf_cstr(&r->own), word) != NULL;

	free(word);
	return found;
}

/* What port 80 of an address answers for a name; words: of a failure. */
static int
fetch(const struct reach *r, const char *name, const char *address,
    enum answer *answer, struct buf *words, struct err *err)
{
	char *url = mem_printf("http://%s", name);
	struct http_spec spec = {
		.url = url, .connect_to = address, .clear = true
	};
	struct http_reply reply = { .body = BUF_INIT(4096) };
	struct http *http = NULL;
	int rc;

	*answer = ANSWER_OTHER;
	rc = http_open(&spec, &http, err);
	if (rc == 0)
		rc = http_call(http, "GET", r->url_path, NULL, FETCH_MS,
		    &reply, err);
	if (rc == 0 && reply.status == 200 &&
	    str_eq(buf_cstr(&reply.body), r->run->nonce))
		*answer = ANSWER_TOKEN;
	else if (rc == 0)
		buf_printf(words, "answers %ld", reply.status);
	else if (err->kind != ERR_INTERRUPTED && err->kind != ERR_USAGE) {
		*answer = err->kind == ERR_UNREACHABLE ? ANSWER_NONE :
		    ANSWER_OTHER;
		buf_str(words, err->text);
		err_clear(err);
		rc = 0;
	}
	buf_clear(&reply.body);
	http_close(http);
	free(url);
	return rc;
}

/* The address is none of the host's, or nobody says that it is. */
static int
leads_elsewhere(const struct reach *r, const char *name, const char *address,
    const char *words, struct err *err)
{
	return err_set(err, ERR_FAILED, "%s: %s leads to %s, which is no "
	    "address of this host (its own:%s) and does not serve its "
	    "challenge (%s); set the %s record of %s to the host, then run "
	    "the same command again; no certificate was asked for",
	    r->edge->host->name, name, address, buf_cstr(&r->own), words,
	    strchr(address, ':') ? "AAAA" : "A", name);
}

static int
does_not_serve(const struct reach *r, const char *name, const char *address,
    enum answer answer, const char *words, struct err *err)
{
	if (edge_port_check(r->run, r->edge, 80, err) != 0)
		return -1;
	return err_set(err, ERR_FAILED, "%s: port 80 of %s, which %s leads "
	    "to, %s (%s): %s; no certificate was asked for",
	    r->edge->host->name, address, name, answer == ANSWER_NONE ?
	    "does not answer from here" : "does not serve our challenge",
	    words, answer == ANSWER_NONE ? "is a firewall between?" :
	    "see who answers for that name there");
}

/* One address of a name.  routed false: from here it cannot be asked. */
static int
check_address(struct reach *r, const char *name, const char *address,
    bool routed, struct err *err)
{
	struct buf words = BUF_INIT(2048);
	enum answer answer = ANSWER_NONE;
	char *unknown;
	int rc = 0;

	if (routed)
		rc = fetch(r, name, address, &answer, &words, err);
	else
		buf_str(&words, "this machine has no way to it");
	if (rc == 0 && answer != ANSWER_TOKEN) {
		if (!is_own(r, address))
			rc = leads_elsewhere(r, name, address,
			    buf_cstr(&words), err);
		else if (routed)
			rc = does_not_serve(r, name, address, answer,
			    buf_cstr(&words), err);
		else {
			unknown = mem_printf("port 80 of %s was not checked: "
			    "no way to it from here", address);
			say_unknown(r, unknown);
			free(unknown);
		}
	}
	buf_clear(&words);
	return rc;
}

static const char *
address_text(const struct lookup_address *a,
    char text[static INET6_ADDRSTRLEN])
{
	const void *addr = a->addr.ss_family == AF_INET6 ?
	    (const void *)&((const struct sockaddr_in6 *)&a->addr)->sin6_addr :
	    (const void *)&((const struct sockaddr_in *)&a->addr)->sin_addr;

	return inet_ntop(a->addr.ss_family, addr, text, INET6_ADDRSTRLEN);
}

/* The addresses of a name; without one what to set is said. */
static int
resolve(const struct reach *r, const char *name,
    struct lookup_address list[static LOOKUP_MAX], size_t *n,
    struct err *err)
{
	char *cause;
	int rc;

	rc = lookup_name(name, 80, clock_ms() + LOOKUP_MS, list, n, err);
	if (rc != 0 && err->kind == ERR_UNREACHABLE &&
	    !r->edge->connect_to) {
		cause = mem_strdup(err->text);
		err_clear(err);
		(void)err_set(err, ERR_FAILED, "%s: %s; set an A record of %s "
		    "to this host (its addresses:%s), then run the same "
		    "command again; no certificate was asked for",
		    r->edge->host->name, cause, name, buf_cstr(&r->own));
		free(cause);
	}
	return rc;
}

static int
check_name(struct reach *r, const char *name, struct err *err)
{
	struct lookup_address list[LOOKUP_MAX];
	char text[INET6_ADDRSTRLEN], *unknown;
	size_t n = 0;
	int rc;

	rc = resolve(r, name, list, &n, err);
	if (rc != 0 && err->kind == ERR_UNREACHABLE) {
		unknown = mem_printf("DNS was not checked (%s)", err->text);
		err_clear(err);
		say_unknown(r, unknown);
		free(unknown);
		return 0;
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (address_text(&list[i], text))
			rc = check_address(r, name, text,
			    lookup_routed(&list[i]), err);
	}
	return rc;
}

/* Where connect_to leads, before any name does. */
static int
check_given(struct reach *r, struct err *err)
{
	struct buf words = BUF_INIT(2048);
	enum answer answer;
	int rc;

	rc = fetch(r, r->edge->site, r->edge->connect_to, &answer, &words,
	    err);
	if (rc == 0 && answer != ANSWER_TOKEN)
		rc = does_not_serve(r, r->edge->site, r->edge->connect_to,
		    answer, buf_cstr(&words), err);
	buf_clear(&words);
	return rc;
}

static int
put_token(struct reach *r, struct err *err)
{
	const struct fs_meta meta = {
		.mode = 0644, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	char *webroot = edge_webroot(r->edge);
	char *folder = mem_printf("%s" CHALLENGES, webroot);
	int rc;

	r->url_path = mem_printf(CHALLENGES "/sanctumctl-%s", r->run->mark);
	r->file = mem_printf("%s%s", webroot, r->url_path);
	rc = host_mkdirs(r->host, folder, 0755, err);
	if (rc == 0)
		rc = host_replace(r->host, r->file, r->run->nonce,
		    strlen(r->run->nonce), &meta, err);
	free(folder);
	free(webroot);
	return rc;
}

static int
take_token_away(const struct reach *r, int rc, struct err *err)
{
	struct err second = ERR_INIT;

	/* One that stays is overwritten by the next check, and harmless. */
	if (host_remove(r->host, r->file, rc == 0 ? err : &second) != 0)
		return -1;
	return rc;
}

int
edge_reach_check(struct run *run, const struct conf_edge *edge,
    struct buf *unknown, struct err *err)
{
	struct reach r = {
		.run = run, .edge = edge, .own = BUF_INIT(32768),
		.unknown = unknown
	};
	int rc;

	rc = run_host(run, edge->host, &r.host, err);
	if (rc == 0)
		rc = put_token(&r, err);
	if (rc == 0) {
		list_own(&r);
		if (edge->connect_to)
			rc = check_given(&r, err);
		if (rc == 0)
			rc = check_name(&r, edge->site, err);
		if (rc == 0 && strcasecmp(edge->site, edge->ade_name) != 0)
			rc = check_name(&r, edge->ade_name, err);
		rc = take_token_away(&r, rc, err);
	}
	buf_clear(&r.own);
	free(r.file);
	free(r.url_path);
	return rc;
}

int
edge_reach_resolves(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct reach r = { .run = run, .edge = edge, .own = BUF_INIT(32768) };
	struct lookup_address list[LOOKUP_MAX];
	size_t n;
	int rc;

	if (edge->connect_to)
		return 0;
	rc = run_host(run, edge->host, &r.host, err);
	if (rc == 0) {
		list_own(&r);
		rc = resolve(&r, edge->site, list, &n, err);
	}
	if (rc == 0)
		rc = resolve(&r, edge->ade_name, list, &n, err);
	buf_clear(&r.own);
	return rc;
}

void
edge_reach_explain(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct reach r = { .run = run, .edge = edge, .own = BUF_INIT(32768) };
	struct lookup_address list[LOOKUP_MAX];
	struct err ignored = ERR_INIT;
	char text[INET6_ADDRSTRLEN];
	size_t n = 0;

	if (edge->connect_to || err->kind != ERR_FAILED ||
	    run_host(run, edge->host, &r.host, &ignored) != 0 ||
	    resolve(&r, edge->site, list, &n, &ignored) != 0)
		return;
	list_own(&r);
	for (size_t i = 0; i < n; i++) {
		if (address_text(&list[i], text) && !is_own(&r, text)) {
			(void)err_ctx(err, "%s leads to %s, which is no "
			    "address of %s (its own:%s)", edge->site, text,
			    edge->host->name, buf_cstr(&r.own));
			break;
		}
	}
	buf_clear(&r.own);
}

int
edge_reach_public(const struct conf_edge *edge, bool *out, struct err *err)
{
	struct buf given = BUF_INIT(4096), public = BUF_INIT(4096);
	struct conf_edge by_name = *edge;
	char *url;

	*out = !edge->connect_to;
	if (*out)
		return 0;
	url = mem_printf("http://%s", edge->site);
	by_name.connect_to = NULL;
	if (edge_generation(edge, url, &given, err) == 0 &&
	    edge_generation(&by_name, url, &public, err) == 0)
		*out = given.len > 0 &&
		    str_eq(buf_cstr(&given), buf_cstr(&public));
	buf_clear(&given);
	buf_clear(&public);
	free(url);
	if (err->kind == ERR_INTERRUPTED || err->kind == ERR_USAGE)
		return -1;
	err_clear(err);
	return 0;
}
