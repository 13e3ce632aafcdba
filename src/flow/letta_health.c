#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/doctor.h"
#include "flow/doctor_url.h"
#include "flow/endpoint.h"
#include "flow/host_named.h"
#include "flow/letta_health.h"
#include "flow/letta_health_part.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/http.h"

bool
letta_health_has(const char *trap)
{
	static const char *const heads[] = { "api-", "schema-", "client-",
	    "letta-sequence", "letta-code-server", "docker-", "compose-",
	    "host-unreachable", NULL };

	for (const char *const *head = heads; *head; head++) {
		if (str_starts(trap, *head))
			return !str_eq(trap, "api-human-block");
	}
	return false;
}

/* The API; caps of what answers. */
static int
look_at_api(const struct doctor_site *site, struct letta_health *health,
    struct err *err)
{
	const struct doctor_request how = { .token = false };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	struct err ignored = ERR_INIT;
	int rc;

	rc = doctor_request(site, &how, "GET", LETTA_PATH_HEALTH, NULL,
	    DOCTOR_ASK_MS, &reply, err);
	if (rc == 0 && reply.status == 200 &&
	    letta_caps_read(buf_cstr(&reply.body), reply.body.len,
	    &health->caps, &ignored) != 0)
		err_clear(&ignored);
	if (rc == 0) {
		rc = doctor_api(site, buf_cstr(&reply.body), reply.status ==
		    200 ? reply.body.len : 0, err);
	} else if (err->kind != ERR_INTERRUPTED && err->kind != ERR_USAGE) {
		doctor_found(site->d, "api-unreachable", site->url, "%s",
		    err->text);
		err_clear(err);
		rc = 0;
	}
	buf_clear(&reply.body);
	return rc;
}

static int
look_at_endpoint(const struct health_look *look, const struct endpoint *at,
    struct letta_health *health, struct err *err)
{
	char *ca_file = run_local_path(at->ca_file);
	const struct doctor_site site = { .d = look->d, .url = at->url,
	    .ca_file = ca_file ? ca_file : look->options->ca_file,
	    .connect_to = at->connect_to ? at->connect_to :
	    look->options->connect_to, .token = at->token };
	int rc;

	*health = (struct letta_health){ .server = at->name,
	    .url = at->url };
	rc = look_at_api(&site, health, err);
	free(ca_file);
	return rc;
}

/* A server without a section: its host is told by --on alone. */
static int
look_at_url(const struct health_look *look, const char *word,
    letta_health_tell *tell, void *ctx, struct err *err)
{
	const char *on = look->options->on;
	struct letta_health health = { .server = NULL };
	struct endpoint at = { 0 };
	struct host_named host = { 0 };
	int rc;

	rc = endpoint_find(word, &at, err);
	if (rc == 0)
		rc = endpoint_fetch(&at, 1, err);
	if (rc == 0 && on)
		rc = host_named_open(on, &host, err);
	if (rc == 0)
		rc = look_at_endpoint(look, &at, &health, err);
	if (rc == 0)
		tell(ctx, &health);
	if (rc == 0 && on)
		rc = letta_health_host(look, host.host, on, NULL, &health,
		    err);
	else if (rc == 0)
		doctor_unknown(look->d, "letta-sequence", at.url, "no "
		    "request shows the default of messages.sequence_id; "
		    "--on HOST asks its database, and looks at clients");
	host_named_close(&host);
	endpoint_clear(&at);
	return rc;
}

/* A job's host that cannot be asked is a finding. */
static int
look_at_host(const struct health_look *look, const struct conf_letta *letta,
    const struct letta_health *health, struct err *err)
{
	struct host *host = NULL;
	struct host_named named = { 0 };
	int rc = 0;

	if (look->options->on)
		rc = host_named_open(look->options->on, &named, err);
	else if (letta->host)
		rc = run_host_open(letta->host, &host, err);
	if (rc == 0 && (named.host || host))
		rc = letta_health_host(look, named.host ? named.host : host,
		    named.host ? look->options->on : letta->host->name,
		    letta, health, err);
	else if (rc == 0)
		doctor_unknown(look->d, "letta-sequence", health->url, "no "
		    "request shows the default of messages.sequence_id, and "
		    "no host of [letta %s] is known", letta->name);
	host_close(host);
	host_named_close(&named);
	if (rc == 0 || err->kind == ERR_INTERRUPTED || look->options->on)
		return rc;
	doctor_found(look->d, "host-unreachable", letta->host->name, "%s",
	    err->text);
	err_clear(err);
	return 0;
}

static int
look_at_section(const struct health_look *look,
    const struct conf_letta *letta, letta_health_tell *tell, void *ctx,
    struct err *err)
{
	struct letta_health health = { .server = NULL };
	struct endpoint at = { 0 };
	int rc;

	rc = run_endpoint(look->run, letta, &at, err);
	if (rc == 0)
		rc = look_at_endpoint(look, &at, &health, err);
	if (rc == 0)
		tell(ctx, &health);
	if (rc == 0)
		rc = look_at_host(look, letta, &health, err);
	endpoint_clear(&at);
	return rc;
}

/* The two ends of an upgrade in one place are one server. */
static bool
is_other_end(const struct conf *conf, const struct conf_letta *letta)
{
	char *from, *to;
	bool same;

	if (conf->n_upgrades == 0 || conf->upgrades[0].to != letta)
		return false;
	from = run_server_url(conf->upgrades[0].from);
	to = run_server_url(letta);
	same = str_eq(from, to);
	free(from);
	free(to);
	return same;
}

static int
look_at_job(struct health_look *look, const char *path, const char *name,
    letta_health_tell *tell, void *ctx, struct err *err)
{
	const struct conf_letta *letta;
	const struct conf *conf;
	size_t n = 0;
	int rc = 0;

	if (run_open_alone(path, &look->run, err) != 0)
		return -1;
	conf = look->run->conf;
	look->upgrade = conf->n_upgrades > 0 ? &conf->upgrades[0] : NULL;
	for (size_t i = 0; rc == 0 && i < conf->n_lettas; i++) {
		letta = &conf->lettas[i];
		if (name ? !str_eq(letta->name, name) :
		    is_other_end(conf, letta))
			continue;
		n++;
		rc = look_at_section(look, letta, tell, ctx, err);
	}
	if (rc == 0 && n == 0)
		rc = err_set(err, ERR_USAGE, "%s: there is no section [letta "
		    "%s]", path, name ? name : "NAME");
	run_close(look->run);
	look->run = NULL;
	return rc;
}

int
letta_health(struct doctor *d, const char *word,
    const struct letta_health_options *options, letta_health_tell *tell,
    void *ctx, struct err *err)
{
	struct health_look look = { .d = d, .options = options };
	const char *mark = strrchr(word, '#');
	char *path;
	int rc;

	if (strstr(word, "://"))
		return look_at_url(&look, word, tell, ctx, err);
	path = mem_strndup(word, mark ? (size_t)(mark - word) :
	    strlen(word));
	if (!mark && access(path, F_OK) != 0)
		rc = err_set(err, ERR_USAGE, "%s is no server: give its base "
		    "URL (https://...), a job file, or JOB#NAME for the "
		    "section [letta NAME] of one", word);
	else
		rc = look_at_job(&look, path, mark ? mark + 1 : NULL, tell,
		    ctx, err);
	free(path);
	return rc;
}
