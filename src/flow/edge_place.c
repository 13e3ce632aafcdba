#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/nginx_dump.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_place.h"
#include "flow/edge_render.h"
#include "flow/edge_service.h"
#include "io/host.h"

/*
 * There when the kernel has IPv6 at all (Linux), a line an address: without
 * ::1 a socket can be bound to [::], and nobody connects to it.
 */
#define INET6_FILE "/proc/net/if_inet6"
#define INET6_LOOPBACK "00000000000000000000000000000001 "
#define INET6_MAX (1024 * 1024)

/*
 * Two default servers of one port, of which ours is one: nginx names the
 * later one.  We leave ours out then.
 */
static bool
is_ours_to_mend(const char *said, const struct conf_edge *edge,
    struct edge_place *place)
{
	const char *port = strstr(said, "duplicate default server for ");
	char ade[16];

	port = port ? strchr(port + strlen("duplicate default server for "),
	    ':') : NULL;
	if (!port)
		return false;
	while (port[1] == ':')
		port++;			/* [::]:443 */
	if (str_starts(port, ":]:"))
		port += 2;
	(void)snprintf(ade, sizeof(ade), ":%u in ", edge->ade_port);
	place->foreign_443 = str_starts(port, ":443 in ");
	place->foreign_ade = str_starts(port, ade);
	return place->foreign_443 || place->foreign_ade;
}

/*
 * nginx's words on a configuration that it refuses end in " in PATH:LINE".
 * Ours, or one that is named without a place (a certificate that is gone),
 * is what we are here to mend.
 */
static void
judge_refusal(const char *said, const char *own, const struct conf_edge *edge,
    struct edge_place *place)
{
	const char *in = NULL;

	for (const char *at = said; (at = strstr(at, " in /")) != NULL; at++)
		in = at + strlen(" in ");
	if (is_ours_to_mend(said, edge, place) || !in ||
	    (str_starts(in, own) && in[strlen(own)] == ':'))
		return;
	(void)snprintf(place->broken, sizeof(place->broken), "%.1000s",
	    said);
}

static int
fail_nameless(const struct conf_edge *edge, const char *where,
    unsigned int port, struct err *err)
{
	return err_set(err, ERR_DATA, "%s:%s answers for all names of port "
	    "%u by being the first there, which the edge would take away: "
	    "write `default_server' behind its `listen', then run the same "
	    "command again; nothing was changed", edge->host->name, where,
	    port);
}

static int
judge(const struct conf_edge *edge, const struct nginx_dump *dump,
    struct edge_place *place, struct err *err)
{
	place->n_foreign = dump->n_foreign;
	place->foreign_443 = *dump->default_443 != '\0';
	place->foreign_ade = *dump->default_ade != '\0';
	(void)snprintf(place->group, sizeof(place->group), "%s",
	    dump->group);
	if (*dump->same_name)
		return err_set(err, ERR_DATA, "%s:%s serves a name of this "
		    "edge already, and nginx takes one of two alike; take "
		    "that server out, then run the same command again; "
		    "nothing was changed", edge->host->name,
		    dump->same_name);
	if (*dump->nameless_443 && !place->foreign_443)
		return fail_nameless(edge, dump->nameless_443, 443, err);
	if (*dump->nameless_ade && !place->foreign_ade)
		return fail_nameless(edge, dump->nameless_ade,
		    edge->ade_port, err);
	return 0;
}

/* *there is false when the host has no nginx. */
static int
dump(struct host *host, struct proc_result *result, bool *there,
    struct err *err)
{
	static const char *const argv[] = { "nginx", "-T", "-q", NULL };
	const struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};
	int rc;

	proc_result_init(result, EDGE_DUMP_MAX);
	rc = host_ask(host, &spec, result, err);
	*there = rc == 0;
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	return rc;
}

static void
read_dump(struct proc_result *result, const struct conf_edge *edge,
    const char *own, struct nginx_dump *out)
{
	const struct nginx_edge model = { .site = edge->site,
	    .ade_name = edge->ade_name, .ade_port = edge->ade_port };

	nginx_dump_read(buf_cstr(&result->out), result->out.len, own, &model,
	    out);
}

static int
look_at_nginx(struct host *host, const struct conf_edge *edge,
    struct edge_place *place, struct err *err)
{
	struct buf said = BUF_INIT(4096);
	struct proc_result result;
	struct nginx_dump found;
	char *own = edge_path(edge);
	bool there;
	int rc;

	rc = dump(host, &result, &there, err);
	if (rc == 0 && there && result.status != 0) {
		command_said(&said, &result.err_out, 900);
		judge_refusal(buf_cstr(&said), own, edge, place);
	} else if (rc == 0 && there) {
		read_dump(&result, edge, own, &found);
		rc = judge(edge, &found, place, err);
	}
	proc_result_clear(&result);
	buf_clear(&said);
	free(own);
	return rc;
}

static int
look_at_ipv6(struct host *host, struct edge_place *place, struct err *err)
{
	struct buf addresses = BUF_INIT(INET6_MAX);
	int rc;

	rc = host_read(host, INET6_FILE, &addresses, NULL, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
		place->ipv4_only = true;
	}
	place->ipv6_loopback = rc == 0 &&
	    strstr(buf_cstr(&addresses), INET6_LOOPBACK) != NULL;
	buf_clear(&addresses);
	return rc;
}

int
edge_place_look(struct host *host, const struct conf_edge *edge,
    struct edge_place *place, struct err *err)
{
	*place = (struct edge_place){ 0 };
	if (look_at_ipv6(host, place, err) != 0)
		return -1;
	return look_at_nginx(host, edge, place, err);
}

int
edge_place_count(struct host *host, const struct conf_edge *edge,
    size_t *out, struct err *err)
{
	struct proc_result result;
	struct nginx_dump found;
	char *own = edge_path(edge);
	bool there;
	int rc;

	rc = dump(host, &result, &there, err);
	read_dump(&result, edge, own, &found);
	*out = found.n_foreign;
	proc_result_clear(&result);
	free(own);
	return rc;
}

/* An adopted lineage has another name than site. */
int
edge_place_certificate(struct run *run, const struct conf_edge *edge,
    struct edge_place *place, struct err *err)
{
	char *certificate, *key;
	int rc;

	rc = edge_certificate_paths(run, edge, &certificate, &key, err);
	if (rc == 0) {
		(void)snprintf(place->certificate,
		    sizeof(place->certificate), "%s", certificate);
		(void)snprintf(place->certificate_key,
		    sizeof(place->certificate_key), "%s", key);
	}
	free(certificate);
	free(key);
	return rc;
}
