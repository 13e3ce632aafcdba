#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_certbot.h"
#include "flow/edge_issue.h"
#include "flow/edge_reach.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define WORDS_MAX 32

bool
edge_issue_rehearses(const struct conf_edge *edge)
{
	if (edge->acme_staging)
		return !str_eq(edge->acme_staging, "none");
	return !edge->acme_server;
}

static int
certonly(struct run *run, const struct conf_edge *edge, enum edge_ca ca,
    struct err *err)
{
	char *webroot = edge_webroot(edge);
	const char *server = ca == EDGE_CA_STAGING ? edge->acme_staging :
	    edge->acme_server;
	const char *argv[WORDS_MAX] = {
		"certbot", "certonly", "--non-interactive", "--agree-tos",
		"--webroot", "--webroot-path", webroot, "--cert-name",
		edge->site, "--email", edge->acme_email, "-d", edge->site,
	};
	size_t n = 13;
	int rc;

	if (strcasecmp(edge->site, edge->ade_name) != 0) {
		argv[n++] = "-d";
		argv[n++] = edge->ade_name;
	}
	argv[n++] = ca == EDGE_CA_STAGING ? "--dry-run" :
	    "--keep-until-expiring";
	if (server) {
		argv[n++] = "--server";
		argv[n++] = server;
	}
	rc = edge_certbot_ask(run, edge, ca, argv, err);
	free(webroot);
	return rc;
}

static int
rehearse(struct run *run, const struct conf_edge *edge, struct err *err)
{
	char *key = run_key("edge", edge->host->name, "rehearsed");
	char *names = mem_printf("%s %s %s", edge->acme_server ?
	    edge->acme_server : "-", edge->site, edge->ade_name);
	char *done = NULL;
	int rc;

	rc = journal_get(run->journal, key, &done, err);
	if (rc == 0 && !(done && str_eq(done, names))) {
		rc = certonly(run, edge, EDGE_CA_STAGING, err);
		if (rc == 0)
			rc = journal_put(run->journal, key, names, err);
		else
			(void)err_ctx(err, "rehearsal with the staging "
			    "authority; the real one was not asked");
	}
	free(done);
	free(names);
	free(key);
	return rc;
}

/*
 * The webroot may be gone when the step for port 80 had nothing to do.  What
 * was refused is looked up before the names are: a pause is a pause.
 */
int
edge_issue(struct run *run, const struct conf_edge *edge, bool first,
    struct buf *unknown, struct err *err)
{
	char *webroot = edge_webroot(edge);
	struct host *host;
	int rc;

	rc = edge_certbot_may_ask(run, edge, EDGE_CA, err);
	if (rc == 0)
		rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_mkdirs(host, webroot, 0755, err);
	if (rc == 0)
		rc = edge_reach_check(run, edge, unknown, err);
	if (rc == 0 && first && edge_issue_rehearses(edge))
		rc = rehearse(run, edge, err);
	if (rc == 0)
		rc = certonly(run, edge, EDGE_CA, err);
	free(webroot);
	return rc;
}
