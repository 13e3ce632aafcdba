#include "base/base.h"

#include <arpa/inet.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/letta.h"
#include "core/verdict.h"
#include "flow/edge.h"
#include "flow/edge_render.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/host.h"
#include "io/http.h"
#include "io/journal.h"

#define FETCH_TIMEOUT_MS 5000

void
edge_plan(struct plan *plan, const struct conf_edge *edge)
{
	const char *name = edge->host->name;

	plan_add(plan, "edge", name, &edge_backend_kind, edge);
	plan_add(plan, "edge", name, &edge_http_kind, edge);
	plan_add(plan, "edge", name, &edge_certificate_kind, edge);
	plan_add(plan, "edge", name, &edge_tls_kind, edge);
	plan_add(plan, "edge", name, &edge_renewal_kind, edge);
}

int
edge_ready(struct run *run, const struct conf_edge *edge, bool *out,
    struct err *err)
{
	char *step = run_key("edge", edge->host->name, edge_tls_kind.word);
	enum journal_state state;
	int rc;

	rc = journal_step_state(run->journal, step, &state, err);
	*out = rc == 0 && state == JOURNAL_DONE;
	free(step);
	return rc;
}

char *
edge_webroot(const struct conf_edge *edge)
{
	return mem_printf(EDGE_WEBROOTS "/%s", edge->site);
}

int
edge_generation(const struct conf_edge *edge, const char *url,
    struct buf *out, struct err *err)
{
	char *ca_file = run_local_path(edge->ca_file);
	struct http_spec spec = {
		.url = url,
		.ca_file = ca_file,
		.connect_to = edge->connect_to,
		.clear = true,
	};
	struct http_reply reply = { .body = BUF_INIT(4096) };
	struct http *http = NULL;
	int rc;

	rc = http_open(&spec, &http, err);
	if (rc == 0)
		rc = http_call(http, "GET",
		    "/.well-known/sanctumctl-generation", NULL,
		    FETCH_TIMEOUT_MS, &reply, err);
	if (rc == 0 && reply.status == 200) {
		while (reply.body.len > 0 &&
		    reply.body.data[reply.body.len - 1] == '\n')
			buf_truncate(&reply.body, reply.body.len - 1);
		buf_str(out, buf_cstr(&reply.body));
	}
	buf_clear(&reply.body);
	http_close(http);
	free(ca_file);
	return rc;
}

int
edge_raw_port_open(struct run *run, const struct conf_edge *edge, bool *known,
    bool *open, struct err *err)
{
	unsigned char address[sizeof(struct in6_addr)];
	struct host *host;

	*known = edge->connect_to &&
	    (inet_pton(AF_INET, edge->connect_to, address) == 1 ||
	    inet_pton(AF_INET6, edge->connect_to, address) == 1);
	if (!*known)
		return 0;
	if (run_host(run, edge->host, &host, err) != 0)
		return -1;
	return host_connects(host, edge->connect_to,
	    edge_upstream_port(run->conf, edge), open, err);
}

/* A guarded ADE turns us away: we have no password of its users. */
static bool
is_guarded(const struct conf_edge *edge, const char *name, long status)
{
	return str_eq(name, "ade") && ((edge->ade_auth.ref &&
	    status == 401) || (edge->ade_allow && status == 403));
}

/*
 * What a client of one of the edge's ports gets: TLS, and Letta behind it.
 * Whatever it meets there is a finding; that we were stopped, or that our own
 * words are wrong (ca_file), is not.
 */
static int
check_port(const struct conf_edge *edge, const char *name, const char *url,
    struct verdict *verdict, struct err *err)
{
	char *ca_file = run_local_path(edge->ca_file);
	struct http_spec spec = {
		.url = url,
		.ca_file = ca_file,
		.connect_to = edge->connect_to,
	};
	struct http_reply reply = { .body = BUF_INIT(65536) };
	struct http *http = NULL;
	int rc;

	rc = http_open(&spec, &http, err);
	if (rc == 0)
		rc = http_call(http, "GET", LETTA_PATH_HEALTH, NULL,
		    FETCH_TIMEOUT_MS, &reply, err);
	if (rc != 0 && err->kind != ERR_INTERRUPTED &&
	    err->kind != ERR_USAGE) {
		verdict_add(verdict, name, VERDICT_DIFFERENT, 1, 0, "%s",
		    err->text);
		err_clear(err);
		rc = 0;
	} else if (rc == 0 && is_guarded(edge, name, reply.status))
		verdict_add(verdict, name, VERDICT_SAME, 1, 1,
		    "TLS verified, %s turns us away", url);
	else if (rc == 0 && reply.status != 200)
		verdict_add(verdict, name, VERDICT_DIFFERENT, 1, 0, "%s "
		    "answers %ld", url, reply.status);
	else if (rc == 0)
		verdict_add(verdict, name, VERDICT_SAME, 1, 1,
		    "TLS verified, Letta answers at %s", url);
	buf_clear(&reply.body);
	http_close(http);
	free(ca_file);
	return rc;
}

/*
 * Behind nginx every client of an SMCP comes from its loopback, which it
 * trusts without a key unless it was started with --require-auth (3.1.0).
 */
static void
judge_route(const char *url, long status, const char *name,
    struct verdict *verdict)
{
	char *check = mem_printf("mcp %s", name);

	if (status == 401 || status == 403)
		verdict_add(verdict, check, VERDICT_SAME, 1, 1,
		    "%s wants a key", url);
	else if (status == 502)
		verdict_add(verdict, check, VERDICT_NOT_COMPARED, 0, 0,
		    "no SMCP listens behind %s", url);
	else
		verdict_add(verdict, check, VERDICT_DIFFERENT, 1, 0,
		    "%s takes anybody without a key: start that SMCP with "
		    "--require-auth", url);
	free(check);
}

static int
check_route(const struct conf_edge *edge, const char *name,
    struct verdict *verdict, struct err *err)
{
	char *url = mem_printf("https://%s/mcp/%s", edge->site, name);
	char *ca_file = run_local_path(edge->ca_file);
	const struct http_spec spec = { .url = url, .ca_file = ca_file,
	    .connect_to = edge->connect_to };
	struct http_reply reply = { .body = BUF_INIT(65536) };
	struct http *http = NULL;
	int rc;

	/* A GET of it is an answer at once; /sse would be a stream. */
	rc = http_open(&spec, &http, err);
	if (rc == 0)
		rc = http_call(http, "GET", "/messages/", NULL,
		    FETCH_TIMEOUT_MS, &reply, err);
	if (rc == 0)
		judge_route(url, reply.status, name, verdict);
	buf_clear(&reply.body);
	http_close(http);
	free(ca_file);
	free(url);
	return rc;
}

static int
check_routes(const struct conf_edge *edge, struct verdict *verdict,
    struct err *err)
{
	char name[CONF_NAME_MAX + 1];
	int rc = 0;

	for (const char *at = edge->mcp; rc == 0 && at && *at;) {
		(void)snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(at, ":"), at);
		rc = check_route(edge, name, verdict, err);
		at += strcspn(at, " ");
		at += *at == ' ';
	}
	return rc;
}

int
edge_verify(struct run *run, const struct conf_edge *edge,
    struct verdict *verdict, struct err *err)
{
	char *site = mem_printf("https://%s", edge->site);
	char *ade = mem_printf("https://%s:%u", edge->ade_name,
	    edge->ade_port);
	char *prefix = mem_printf("edge.%s", edge->host->name);
	struct verdict own = { 0 };
	bool open = true, known = false;
	int rc;

	rc = check_port(edge, "site", site, &own, err);
	if (rc == 0)
		rc = check_port(edge, "ade", ade, &own, err);
	if (rc == 0 && own.checks[0].state == VERDICT_SAME)
		rc = check_routes(edge, &own, err);
	if (rc == 0)
		rc = edge_raw_port_open(run, edge, &known, &open, err);
	if (rc == 0 && !known)
		verdict_add(&own, "raw port", VERDICT_NOT_COMPARED, 0, 0,
		    "connect_to names no address to ask");
	else if (rc == 0)
		verdict_add(&own, "raw port", open ? VERDICT_DIFFERENT :
		    VERDICT_SAME, 1, 1, "%s:%u is %s", edge->connect_to,
		    edge_upstream_port(run->conf, edge), open ? "open: Letta "
		    "must listen on 127.0.0.1 alone" : "closed");
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	free(site);
	free(ade);
	return rc;
}
