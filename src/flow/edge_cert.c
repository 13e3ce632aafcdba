#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/cert.h"
#include "io/host.h"
#include "io/journal.h"

#define PEM_MAX 65536
#define CERTBOT_OUTPUT_MAX 65536
#define CERTBOT_TIMEOUT_MS 300000
#define DAY_SECONDS 86400

static char *
live_path(const struct conf_edge *edge)
{
	return mem_printf("/etc/letsencrypt/live/%s/fullchain.pem",
	    edge->site);
}

/* The certificate of our lineage; *present false when there is none. */
static int
read_certificate(struct run *run, const struct conf_edge *edge,
    struct cert *cert, bool *present, struct err *err)
{
	struct buf pem = BUF_INIT(PEM_MAX);
	char *path = live_path(edge);
	struct host *host;
	int rc;

	*present = false;
	rc = run_host(run, edge->host, &host, err);
	if (rc == 0) {
		rc = host_read(host, path, &pem, NULL, err);
		if (rc != 0 && err->kind == ERR_MISSING) {
			err_clear(err);
			rc = 0;
			goto out;
		}
	}
	if (rc == 0)
		rc = buf_check(&pem, path, err);
	if (rc == 0) {
		rc = cert_parse(pem.data, pem.len, cert, err);
		if (rc != 0)
			(void)err_ctx(err, "%s:%s", edge->host->name, path);
	}
	*present = rc == 0;
out:
	buf_clear(&pem);
	free(path);
	return rc;
}

/*
 * certbot reissues a lineage with fewer names without a word when it is
 * asked for fewer (2.1.0, seen), so the names are compared as a set.
 */
static bool
same_names(const struct conf_edge *edge, const struct cert *cert)
{
	size_t want = strcasecmp(edge->site, edge->ade_name) == 0 ? 1 : 2;

	return cert->n_names == want && cert_names(cert, edge->site) &&
	    cert_names(cert, edge->ade_name);
}

int
edge_certificate(struct run *run, const struct conf_edge *edge, bool *there,
    bool *lasts, struct err *err)
{
	struct cert cert;
	bool present;

	if (read_certificate(run, edge, &cert, &present, err) != 0)
		return -1;
	*there = present && same_names(edge, &cert);
	*lasts = *there && cert.seconds_left > DAY_SECONDS;
	return 0;
}

static int
certificate_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct cert cert;
	bool present;

	if (read_certificate(run, edge, &cert, &present, err) != 0)
		return -1;
	if (!present) {
		plan_say(note, '+', "certificate for %s from %s", edge->site,
		    edge->acme_server ? edge->acme_server :
		    "certbot's default CA");
		*found = PLAN_TODO;
	} else if (!same_names(edge, &cert)) {
		/* Its other names may be served by somebody else's vhost. */
		return err_set(err, ERR_DATA, "%s: the certificate of lineage "
		    "%s is for other names than site and ade of this job; "
		    "nothing was changed (see `certbot certificates' there)",
		    edge->host->name, edge->site);
	} else if (cert.seconds_left <= DAY_SECONDS) {
		plan_say(note, '~', "certificate for %s has %" PRId64
		    " hours left", edge->site, cert.seconds_left / 3600);
		*found = PLAN_TODO;
	} else {
		plan_say(note, '+', "certificate for %s has %" PRId64
		    " days left", edge->site,
		    cert.seconds_left / DAY_SECONDS);
		*found = PLAN_DONE;
	}
	return 0;
}

/*
 * What certbot says in the end, for an error: the authority's reasons go to
 * its stdout, its own to stderr (2.1.0, seen).
 */
static const char *
last_words(struct buf *shown, const struct proc_result *result)
{
	edge_said(shown, &result->out, 550);
	if (shown->len > 0 && result->err_out.len > 0)
		buf_str(shown, "; ");
	edge_said(shown, &result->err_out, 250);
	return buf_cstr(shown);
}

static int
run_certbot(struct run *run, const struct conf_edge *edge,
    const struct proc_spec *spec, struct err *err)
{
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	struct host *host;
	int rc;

	proc_result_init(&result, CERTBOT_OUTPUT_MAX);
	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_run(host, spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		(void)err_set(err, ERR_MISSING, "%s: certbot is not there; "
		    "install the package certbot, then run the same command "
		    "again", edge->host->name);
	} else if (rc == 0 && result.status != 0) {
		rc = err_set(err, ERR_FAILED, "%s: certbot ended with exit "
		    "code %d: %s", edge->host->name, result.status,
		    last_words(&shown, &result));
	}
	buf_clear(&shown);
	proc_result_clear(&result);
	return rc;
}

/*
 * nginx reads a renewed certificate when it is told to: the hook is kept by
 * certbot for its own renewals, and runs for this one too.
 */
static int
issue(struct run *run, const struct conf_edge *edge, const char *webroot,
    struct err *err)
{
	const char *argv[32] = {
		"certbot", "certonly", "--non-interactive", "--agree-tos",
		"--webroot", "--webroot-path", webroot,
		"--keep-until-expiring", "--deploy-hook", "nginx -s reload",
		"--cert-name", edge->site, "--email", edge->acme_email,
		"-d", edge->site,
	};
	char *bundle = NULL;
	const char *env[] = { NULL, NULL };
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = CERTBOT_TIMEOUT_MS
	};
	size_t n = 16;
	int rc;

	if (strcasecmp(edge->site, edge->ade_name) != 0) {
		argv[n++] = "-d";
		argv[n++] = edge->ade_name;
	}
	if (edge->acme_server) {
		argv[n++] = "--server";
		argv[n++] = edge->acme_server;
	}
	if (edge->acme_ca_file) {
		bundle = mem_printf("REQUESTS_CA_BUNDLE=%s",
		    edge->acme_ca_file);
		env[0] = bundle;
		spec.env = env;
	}
	rc = run_certbot(run, edge, &spec, err);
	free(bundle);
	return rc;
}

/* The webroot may be gone when the step for port 80 had nothing to do. */
static int
issue_by_webroot(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	char *webroot = edge_webroot(edge);
	struct host *host;
	int rc;

	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_mkdirs(host, webroot, 0755, err);
	if (rc == 0)
		rc = issue(run, edge, webroot, err);
	free(webroot);
	return rc;
}

/*
 * After a failure that left no lineage, one that comes to be later is the
 * work of somebody else, and cancel must not delete it.  When it cannot be
 * told, it counts as ours.
 */
static void
disown(struct run *run, const struct conf_edge *edge, const char *key)
{
	struct err ignored = ERR_INIT;
	struct cert cert;
	bool present;

	if (read_certificate(run, edge, &cert, &present, &ignored) == 0 &&
	    !present && journal_put(run->journal, key, "no", &ignored) != 0)
		err_clear(&ignored);
}

static int
certificate_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	char *key = run_key("edge", edge->host->name, "issued");
	struct cert cert;
	bool present;
	int rc;

	rc = read_certificate(run, edge, &cert, &present, err);
	if (rc == 0 && !present)
		rc = journal_put(run->journal, key, "yes", err);
	if (rc == 0) {
		rc = issue_by_webroot(run, edge, err);
		if (rc != 0 && !present)
			disown(run, edge, key);
	}
	if (rc == 0)
		rc = read_certificate(run, edge, &cert, &present, err);
	if (rc == 0 && (!present || !same_names(edge, &cert)))
		rc = err_set(err, ERR_FAILED, "%s: certbot said it was done, "
		    "but the certificate of lineage %s does not name what was "
		    "asked for", edge->host->name, edge->site);
	if (rc == 0)
		plan_say(note, '+', "certificate for %s, %" PRId64 " days",
		    edge->site, cert.seconds_left / DAY_SECONDS);
	free(key);
	return rc;
}

/* A lineage that was there before this job stays. */
static int
certificate_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	const char *argv[] = {
		"certbot", "delete", "--non-interactive", "--cert-name",
		edge->site, NULL
	};
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = CERTBOT_TIMEOUT_MS
	};
	char *key = run_key("edge", edge->host->name, "issued");
	char *issued = NULL;
	struct cert cert;
	bool present = false;
	int rc;

	rc = journal_get(run->journal, key, &issued, err);
	if (rc == 0 && issued && str_eq(issued, "yes"))
		rc = read_certificate(run, edge, &cert, &present, err);
	if (rc == 0 && present)
		rc = run_certbot(run, edge, &spec, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, "no", err);
	if (rc == 0)
		plan_say(note, '-', "certificate for %s %s", edge->site,
		    present ? "deleted" : "kept as it was");
	free(issued);
	free(key);
	return rc;
}

const struct step_kind edge_certificate_kind = {
	.word = "certificate",
	.probe = certificate_probe,
	.act = certificate_act,
	.undo = certificate_undo,
};
