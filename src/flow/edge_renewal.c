#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_certbot.h"
#include "flow/edge_client.h"
#include "flow/edge_issue.h"
#include "flow/edge_lineage.h"
#include "flow/edge_reach.h"
#include "flow/edge_renewal.h"
#include "flow/edge_schedule.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/http.h"
#include "io/journal.h"

#define HOOKS EDGE_LETSENCRYPT "/renewal-hooks/deploy"
#define COMMAND_MS 30000
#define FETCH_MS 5000
#define SERVED_MS 15000
#define PAUSE_MS 100
#define PEM_MAX 65536
#define WORDS_MAX 12

static const struct fs_meta hook_meta = {
	.mode = 0755, .uid = (uid_t)-1, .gid = (gid_t)-1
};

/* The hook of one edge, as it is and as it shall be. */
struct hook {
	char *key, *path, *text;
	struct host_file file;
};

static int
hook_read(struct hook *hook, struct run *run, const struct conf_edge *edge,
    const char *lineage, struct err *err)
{
	hook->key = run_key("edge", edge->host->name, "renewal_hook");
	hook->path = mem_printf(HOOKS "/sanctumctl-%s", edge->site);
	hook->text = mem_printf("#!/bin/sh\n"
	    "# Written by sanctumctl: nginx reads a renewed certificate.\n"
	    "[ \"$RENEWED_LINEAGE\" = " EDGE_LETSENCRYPT "/live/%s ] || "
	    "exit 0\nexec nginx -s reload\n", lineage);
	return host_file_read(&hook->file, run, edge->host, hook->key,
	    hook->path, err);
}

static void
hook_clear(struct hook *hook)
{
	host_file_clear(&hook->file);
	free(hook->text);
	free(hook->path);
	free(hook->key);
}

static bool
hook_is_there(const struct hook *hook)
{
	return host_file_is(&hook->file, hook->text, strlen(hook->text),
	    &hook_meta);
}

static int
command(struct host *host, const char *const *argv, const char *what,
    struct err *err)
{
	struct proc_spec spec = { .argv = argv, .timeout_ms = COMMAND_MS };
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	int rc;

	proc_result_init(&result, 65536);
	rc = host_run(host, &spec, &result, err);
	if (rc == 0 && result.status != 0) {
		edge_said(&shown, &result.err_out, 400);
		rc = err_set(err, ERR_FAILED, "%s: %s ended with exit code "
		    "%d: %s", host_name(host), what, result.status,
		    buf_cstr(&shown));
	}
	buf_clear(&shown);
	proc_result_clear(&result);
	return rc;
}

/* The hook as certbot runs it, for the lineage that it is for. */
static int
run_hook(const struct hook *hook, const char *lineage, struct err *err)
{
	char *variable = mem_printf("RENEWED_LINEAGE=" EDGE_LETSENCRYPT
	    "/live/%s", lineage);
	const char *argv[] = { "env", variable, hook->path, NULL };
	int rc = command(hook->file.host, argv, hook->path, err);

	free(variable);
	return rc;
}

/* Whether site serves this serial number; *served: it serves any. */
static int
serves(const struct conf_edge *edge, const char *serial, bool *served,
    bool *current, struct err *err)
{
	char *ca_file = run_local_path(edge->ca_file);
	char *url = mem_printf("https://%s", edge->site);
	struct buf pem = BUF_INIT(PEM_MAX);
	struct http_spec spec = {
		.url = url, .ca_file = ca_file,
		.connect_to = edge->connect_to
	};
	struct http_probe probe = { .certificate = &pem };
	struct http_reply reply = { .body = BUF_INIT(PEM_MAX) };
	struct http *http = NULL;
	struct cert cert;
	int rc;

	*served = *current = false;
	rc = http_open(&spec, &http, err);
	if (rc == 0)
		rc = http_probe(http, "GET",
		    "/.well-known/sanctumctl-generation", &probe, FETCH_MS,
		    &reply, err);
	if (rc == 0)
		rc = cert_parse(pem.data, pem.len, &cert, err);
	if (rc == 0) {
		*served = true;
		*current = str_eq(cert.serial, serial);
	} else if (err->kind != ERR_INTERRUPTED && err->kind != ERR_USAGE) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&reply.body);
	buf_clear(&pem);
	http_close(http);
	free(url);
	free(ca_file);
	return rc;
}

/* Old workers of nginx answer for an instant after it was told. */
static int
await_served(const struct conf_edge *edge, const struct edge_lineage *lineage,
    struct err *err)
{
	uint64_t deadline_ms = clock_ms() + SERVED_MS;
	bool served, current = false;
	int rc;

	do {
		rc = serves(edge, lineage->cert.serial, &served, &current,
		    err);
		if (rc == 0 && !current)
			clock_sleep_ms(PAUSE_MS);
	} while (rc == 0 && !current && clock_left_ms(deadline_ms) > 0);
	if (rc == 0 && !current)
		rc = err_set(err, ERR_FAILED, "%s: https://%s %s the "
		    "certificate of %s (serial %s)", edge->host->name,
		    edge->site, served ? "still serves another than" :
		    "does not serve", lineage->certificate,
		    lineage->cert.serial);
	return rc;
}

static int
get_fact(struct run *run, const struct conf_edge *edge, const char *word,
    char **out, struct err *err)
{
	char *key = run_key("edge", edge->host->name, word);
	int rc = journal_get(run->journal, key, out, err);

	if (rc == 0 && !*out)
		*out = mem_strdup("");
	free(key);
	return rc;
}

/* What is known of the proof, and *ours: this job issued or moved it. */
static int
look_at_proof(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *lineage, enum edge_renewal_proof *proof,
    bool *ours, struct err *err)
{
	char *proven = NULL, *issued = NULL;
	bool moved, public = true;
	int rc;

	rc = get_fact(run, edge, "renewal", &proven, err);
	if (rc == 0)
		rc = get_fact(run, edge, "issued", &issued, err);
	moved = rc == 0 && str_eq(issued, "moved") && !lineage->adopted;
	*ours = moved || (rc == 0 && str_eq(issued, "yes") &&
	    !lineage->adopted);
	*proof = EDGE_PROOF_NONE;
	if (rc == 0 && lineage->name && str_eq(proven, lineage->name))
		*proof = EDGE_PROOF_DONE;
	else if (rc == 0 && (!lineage->name || (edge->acme_staging &&
	    str_eq(edge->acme_staging, "none"))))
		*proof = EDGE_PROOF_OFF;
	else if (moved)
		rc = edge_reach_public(edge, &public, err);
	if (!public)
		*proof = EDGE_PROOF_WAITS;
	free(issued);
	free(proven);
	return rc;
}

int
edge_renewal_look(struct edge_renewal *renewal, struct run *run,
    const struct conf_edge *edge, const struct edge_lineage *lineage,
    struct err *err)
{
	struct hook hook = { 0 };
	bool ours;
	int rc;

	*renewal = (struct edge_renewal){ .scheduler = BUF_INIT(1024) };
	rc = look_at_proof(run, edge, lineage, &renewal->proof, &ours, err);
	if (rc == 0 && !lineage->name) {
		renewal->hook = renewal->scheduled = true;
		buf_str(&renewal->scheduler, "acme_command's own");
	} else if (rc == 0) {
		rc = hook_read(&hook, run, edge, lineage->name, err);
		renewal->hook = rc == 0 && hook_is_there(&hook);
		hook_clear(&hook);
		if (rc == 0)
			rc = edge_schedule_look(run, edge,
			    &renewal->scheduled, &renewal->scheduler, err);
	}
	if (rc == 0 && lineage->present)
		rc = serves(edge, lineage->cert.serial, &renewal->served,
		    &renewal->current, err);
	return rc;
}

void
edge_renewal_clear(struct edge_renewal *renewal)
{
	buf_clear(&renewal->scheduler);
}

/*
 * Somebody's own files below live/ are served like a lineage, and certbot
 * knows nothing of them.
 */
static int
is_configured(struct run *run, const struct conf_edge *edge,
    const char *lineage, bool *out, struct err *err)
{
	char *path = mem_printf(EDGE_LETSENCRYPT "/renewal/%s.conf", lineage);
	struct host *host;
	struct fs_meta meta;
	int rc;

	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_stat(host, path, &meta, err);
	*out = rc == 0 && meta.type != FS_NONE;
	free(path);
	return rc;
}

static int
need_configured(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *lineage, struct err *err)
{
	bool there;

	if (is_configured(run, edge, lineage->name, &there, err) != 0)
		return -1;
	if (there)
		return 0;
	return err_set(err, ERR_MISSING, "%s:" EDGE_LETSENCRYPT
	    "/renewal/%s.conf is not there: certbot does not know %s, which "
	    "has %" PRId64 " days left, and never renews it; nothing was "
	    "changed by this step, and no authority was asked.  If something "
	    "else renews it, `acme_staging = none' in [edge %s] says so; "
	    "else move " EDGE_LETSENCRYPT "/live/%s away, and certbot "
	    "issues one.  Then run the same command again",
	    edge->host->name, lineage->name, lineage->certificate,
	    lineage->cert.seconds_left / 86400, edge->host->name,
	    lineage->name);
}

static int
certbot_renew(struct run *run, const struct conf_edge *edge,
    const char *lineage, bool dry, bool staging, struct err *err)
{
	const char *argv[WORDS_MAX] = {
		"certbot", "renew", "--non-interactive", "--cert-name",
		lineage, "--no-random-sleep-on-renew",
		dry ? "--dry-run" : "--force-renewal",
	};
	size_t n = 7;

	if (staging && edge->acme_staging) {
		argv[n++] = "--server";
		argv[n++] = edge->acme_staging;
	}
	return edge_certbot_ask(run, edge, staging ? EDGE_CA_STAGING :
	    EDGE_CA, argv, err);
}

static int
force(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *before, struct err *err)
{
	struct edge_lineage after = { 0 };
	int rc;

	rc = before->name ? certbot_renew(run, edge, before->name, false,
	    false, err) : edge_client_run(run, edge, err);
	if (rc == 0)
		rc = edge_lineage_find(&after, run, edge, edge->host, err);
	if (rc == 0 && (!after.present ||
	    str_eq(after.cert.serial, before->cert.serial)))
		rc = err_set(err, ERR_FAILED, "%s: the renewal of %s was "
		    "said to be done, but the certificate is the same",
		    edge->host->name, before->certificate);
	if (rc == 0)
		rc = await_served(edge, &after, err);
	edge_lineage_clear(&after);
	return rc;
}

static int
put_proven(struct run *run, const struct conf_edge *edge, const char *lineage,
    struct err *err)
{
	char *key = run_key("edge", edge->host->name, "renewal");
	int rc = journal_put(run->journal, key, lineage, err);

	free(key);
	return rc;
}

/* One renewal, by the rule of the header; the hook is there. */
static int
prove(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *lineage, const struct hook *hook, bool ours,
    struct err *err)
{
	bool staging = ours && edge_issue_rehearses(edge);
	int rc;

	if (ours && !staging)
		rc = force(run, edge, lineage, err);
	else {
		rc = certbot_renew(run, edge, lineage->name, true, staging,
		    err);
		if (rc == 0)
			rc = run_hook(hook, lineage->name, err);
		if (rc == 0)
			rc = await_served(edge, lineage, err);
	}
	if (rc == 0)
		rc = put_proven(run, edge, lineage->name, err);
	else
		(void)err_ctx(err, "proof of the renewal; the edge serves, "
		    "its certificate has %" PRId64 " days left",
		    lineage->cert.seconds_left / 86400);
	return rc;
}

static const char *
proof_words(enum edge_renewal_proof proof)
{
	switch (proof) {
	case EDGE_PROOF_DONE:
		return "proven by one";
	case EDGE_PROOF_WAITS:
		return "not proven: DNS does not lead here yet; run the same "
		    "job again when it does";
	case EDGE_PROOF_OFF:
		return "not proven by one, as the job file says";
	case EDGE_PROOF_NONE:
		break;
	}
	return "not proven";
}

static int
renewal_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct edge_lineage lineage = { 0 };
	struct edge_renewal renewal = { 0 };
	bool known = true;
	int rc;

	*found = PLAN_WAITS;
	plan_say(note, '+', "renewal by itself, and nginx told of it");
	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && lineage.present) {
		rc = edge_renewal_look(&renewal, run, edge, &lineage, err);
		*found = renewal.hook && renewal.scheduled &&
		    renewal.current && renewal.proof != EDGE_PROOF_NONE ?
		    PLAN_DONE : PLAN_TODO;
	}
	if (rc == 0 && lineage.present && lineage.name &&
	    renewal.proof == EDGE_PROOF_NONE)
		rc = is_configured(run, edge, lineage.name, &known, err);
	if (rc == 0 && !known)
		plan_say(note, '+', "no renewal, so this step will fail: "
		    EDGE_LETSENCRYPT "/renewal/%s.conf is not there (or is "
		    "`acme_staging = none' meant?)", lineage.name);
	else if (rc == 0 && lineage.present)
		plan_say(note, '+', "renewal by %s, %s%s%s",
		    buf_cstr(&renewal.scheduler),
		    proof_words(renewal.proof), renewal.hook ? "" :
		    "; no deploy hook yet", renewal.current ? "" :
		    "; nginx does not serve what is there");
	edge_renewal_clear(&renewal);
	edge_lineage_clear(&lineage);
	return rc;
}

static int
put_hook(const struct hook *hook, struct run *run, struct err *err)
{
	if (host_mkdirs(hook->file.host, HOOKS, 0755, err) != 0)
		return -1;
	return host_file_set(&hook->file, run, hook->text,
	    strlen(hook->text), &hook_meta, err);
}

/* nginx may serve an older one: what was renewed without its being told. */
static int
bring_current(const struct conf_edge *edge, const struct hook *hook,
    const struct edge_lineage *lineage, struct err *err)
{
	bool served, current;

	if (serves(edge, lineage->cert.serial, &served, &current, err) != 0)
		return -1;
	if (current)
		return 0;
	if (run_hook(hook, lineage->name, err) != 0)
		return -1;
	return await_served(edge, lineage, err);
}

/* With acme_command: its client has its own hook; nginx is told for it. */
static int
reload_for_client(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *lineage, struct err *err)
{
	static const char *const argv[] = { "nginx", "-s", "reload", NULL };
	struct host *host;

	if (run_host(run, edge->host, &host, err) != 0 ||
	    command(host, argv, "nginx -s reload", err) != 0)
		return -1;
	return await_served(edge, lineage, err);
}

static int
act_on(struct run *run, const struct conf_edge *edge,
    const struct edge_lineage *lineage, enum edge_renewal_proof *proof,
    struct err *err)
{
	struct hook hook = { 0 };
	bool ours;
	int rc;

	rc = look_at_proof(run, edge, lineage, proof, &ours, err);
	if (rc == 0 && !lineage->name)
		return reload_for_client(run, edge, lineage, err);
	if (rc == 0 && *proof == EDGE_PROOF_NONE)
		rc = need_configured(run, edge, lineage, err);
	if (rc == 0)
		rc = hook_read(&hook, run, edge, lineage->name, err);
	if (rc == 0)
		rc = put_hook(&hook, run, err);
	if (rc == 0)
		rc = edge_schedule_put(run, edge, err);
	if (rc == 0)
		rc = bring_current(edge, &hook, lineage, err);
	if (rc == 0 && *proof == EDGE_PROOF_NONE) {
		rc = prove(run, edge, lineage, &hook, ours, err);
		*proof = EDGE_PROOF_DONE;
	}
	hook_clear(&hook);
	return rc;
}

static int
renewal_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct edge_lineage lineage = { 0 };
	struct buf scheduler = BUF_INIT(1024);
	enum edge_renewal_proof proof = EDGE_PROOF_NONE;
	bool ready = true;
	int rc;

	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && !lineage.present)
		rc = err_set(err, ERR_MISSING, "%s: %s is not there any more",
		    edge->host->name, lineage.certificate);
	if (rc == 0)
		rc = act_on(run, edge, &lineage, &proof, err);
	if (rc == 0 && lineage.name)
		rc = edge_schedule_look(run, edge, &ready, &scheduler, err);
	if (rc == 0)
		plan_say(note, '+', "renewal by %s, %s", lineage.name ?
		    buf_cstr(&scheduler) : "acme_command's own",
		    proof_words(proof));
	buf_clear(&scheduler);
	edge_lineage_clear(&lineage);
	return rc;
}

static int
renewal_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	char *key = run_key("edge", edge->host->name, "renewal");
	struct hook hook = { 0 };
	bool edited = false;
	int rc;

	rc = hook_read(&hook, run, edge, edge->site, err);
	if (rc == 0)
		rc = host_file_undo(&hook.file, run, &edited, err);
	hook_clear(&hook);
	if (rc == 0)
		rc = edge_schedule_undo(run, edge, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, "", err);
	if (rc == 0)
		plan_say(note, '-', "deploy hook of %s %s", edge->site,
		    edited ? "was edited and stays" : "is gone");
	free(key);
	return rc;
}

int
edge_renewal_force(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct edge_lineage lineage = { 0 };
	int rc;

	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && !lineage.present)
		rc = err_set(err, ERR_MISSING, "%s: %s is not there; "
		    "`sanctumctl apply' brings it", edge->host->name,
		    lineage.certificate);
	if (rc == 0 && lineage.name)
		rc = need_configured(run, edge, &lineage, err);
	if (rc == 0)
		rc = force(run, edge, &lineage, err);
	if (rc == 0 && lineage.name)
		rc = put_proven(run, edge, lineage.name, err);
	edge_lineage_clear(&lineage);
	return rc;
}

const struct step_kind edge_renewal_kind = {
	.word = "renewal",
	.probe = renewal_probe,
	.act = renewal_act,
	.undo = renewal_undo,
};
