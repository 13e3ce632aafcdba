#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_lineage.h"
#include "flow/run.h"
#include "io/host.h"

#define PEM_MAX 65536
#define OTHERS_MAX 200

/* The lineages of a host, by the files of its renewal directory. */
struct others {
	size_t n;
	char *names[OTHERS_MAX];
};

static void
point(struct edge_lineage *lineage, const char *name)
{
	free(lineage->name);
	free(lineage->certificate);
	free(lineage->key);
	lineage->name = mem_strdup(name);
	lineage->certificate = mem_printf(EDGE_LETSENCRYPT
	    "/live/%s/fullchain.pem", name);
	lineage->key = mem_printf(EDGE_LETSENCRYPT "/live/%s/privkey.pem",
	    name);
}

/* present is false when nothing is at its path. */
static int
look(struct edge_lineage *lineage, struct host *host, struct err *err)
{
	struct buf pem = BUF_INIT(PEM_MAX);
	int rc;

	lineage->present = false;
	rc = host_read(host, lineage->certificate, &pem, NULL, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		return 0;
	}
	if (rc == 0) {
		rc = cert_parse(pem.data, pem.len, &lineage->cert, err);
		if (rc != 0)
			(void)err_ctx(err, "%s:%s", host_name(host),
			    lineage->certificate);
	}
	lineage->present = rc == 0;
	buf_clear(&pem);
	return rc;
}

static bool
covers(const struct conf_edge *edge, const struct cert *cert)
{
	return cert_names(cert, edge->site) &&
	    cert_names(cert, edge->ade_name);
}

/*
 * certbot reissues a lineage with fewer names without a word when it is
 * asked for fewer (2.1.0, seen), so the names are compared as a set.
 */
static bool
same_names(const struct conf_edge *edge, const struct cert *cert)
{
	size_t want = strcasecmp(edge->site, edge->ade_name) == 0 ? 1 : 2;

	return cert->n_names == want && covers(edge, cert);
}

static int
take_other(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct others *others = ctx;
	size_t len = strlen(entry->path);

	(void)err;
	if (str_ends(entry->path, ".conf") && !strchr(entry->path, '/') &&
	    others->n < OTHERS_MAX)
		others->names[others->n++] = mem_strndup(entry->path,
		    len - strlen(".conf"));
	return 0;
}

/* No certbot, no lineages. */
static int
list_others(struct host *host, struct others *others, struct err *err)
{
	static const struct tree_rules rules = { 0 };

	if (host_walk(host, EDGE_LETSENCRYPT "/renewal", &rules, take_other,
	    others, err) != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
	}
	return 0;
}

/*
 * Another lineage that will do.  One that cannot be read is somebody else's
 * trouble, and not what we look for.
 */
static int
adopt(struct edge_lineage *lineage, const struct conf_edge *edge,
    struct host *host, struct err *err)
{
	struct others others = { 0 };
	bool found = false;
	int rc;

	rc = list_others(host, &others, err);
	for (size_t i = 0; rc == 0 && i < others.n && !found; i++) {
		point(lineage, others.names[i]);
		if (look(lineage, host, err) != 0) {
			rc = err->kind == ERR_DATA ? 0 : -1;
			if (rc == 0)
				err_clear(err);
			continue;
		}
		found = lineage->present && covers(edge, &lineage->cert) &&
		    lineage->cert.seconds_left > EDGE_LASTING;
	}
	lineage->adopted = lineage->present = lineage->fits = found;
	if (!found)
		point(lineage, edge->site);
	for (size_t i = 0; i < others.n; i++)
		free(others.names[i]);
	return rc;
}

int
edge_lineage_find(struct edge_lineage *lineage, struct run *run,
    const struct conf_edge *edge, const struct conf_host *on,
    struct err *err)
{
	bool other_client = edge->acme_command && on == edge->host;
	struct host *host;
	int rc;

	*lineage = (struct edge_lineage){ 0 };
	if (other_client) {
		lineage->certificate = mem_strdup(edge->certificate);
		lineage->key = mem_strdup(edge->certificate_key);
	} else
		point(lineage, edge->site);
	rc = run_host(run, on, &host, err);
	if (rc == 0)
		rc = look(lineage, host, err);
	if (rc == 0 && lineage->present)
		lineage->fits = other_client ?
		    covers(edge, &lineage->cert) :
		    same_names(edge, &lineage->cert);
	else if (rc == 0 && !other_client)
		rc = adopt(lineage, edge, host, err);
	return rc;
}

void
edge_lineage_clear(struct edge_lineage *lineage)
{
	free(lineage->name);
	free(lineage->certificate);
	free(lineage->key);
	*lineage = (struct edge_lineage){ 0 };
}

bool
edge_lineage_lasts(const struct edge_lineage *lineage)
{
	return lineage->present && lineage->fits &&
	    lineage->cert.seconds_left > EDGE_LASTING;
}

int
edge_certificate(struct run *run, const struct conf_edge *edge, bool *there,
    bool *lasts, struct err *err)
{
	struct edge_lineage lineage;
	int rc;

	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	*there = rc == 0 && lineage.present && lineage.fits;
	*lasts = rc == 0 && edge_lineage_lasts(&lineage);
	edge_lineage_clear(&lineage);
	return rc;
}

int
edge_certificate_paths(struct run *run, const struct conf_edge *edge,
    char **certificate, char **key, struct err *err)
{
	struct edge_lineage lineage;
	int rc;

	*certificate = *key = NULL;
	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0) {
		*certificate = mem_strdup(lineage.certificate);
		*key = mem_strdup(lineage.key);
	}
	edge_lineage_clear(&lineage);
	return rc;
}
