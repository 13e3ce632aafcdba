#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/doctor_host.h"
#include "flow/doctor_job.h"
#include "flow/doctor_run.h"
#include "flow/doctor_url.h"
#include "flow/doctor_users.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/http.h"

#define ORIGINS_MAX_BYTES 4096

struct look {
	struct doctor *d;
	const char *path;
	const struct conf *conf;
	const struct doctor_options *options;
	struct endpoint *servers;	/* one for each of conf->lettas */
};

/* The server that stands on that host; NULL: none. */
static const struct conf_letta *
letta_on(const struct conf *conf, const struct conf_host *section)
{
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (conf->lettas[i].host == section)
			return &conf->lettas[i];
	}
	return NULL;
}

static int
look_at_host(const struct look *look, const struct conf_host *section,
    struct err *err)
{
	const struct conf_letta *letta = letta_on(look->conf, section);
	struct host *host;
	int rc;

	rc = run_host_open(section, &host, err);
	if (rc == 0) {
		rc = doctor_host(look->d, host, section->name,
		    letta ? letta->port : 0, letta && letta->redis &&
		    str_eq(letta->redis, "none"), err);
		host_close(host);
	}
	if (rc == 0 || err->kind == ERR_INTERRUPTED)
		return rc;
	doctor_found(look->d, "host-unreachable", section->name, "%s",
	    err->text);
	err_clear(err);
	return 0;
}

/* Once for each page that may call: those of `cors', or of --origin. */
static int
look_as_browser(const struct look *look, struct doctor_site *site,
    const struct conf_edge *edge, struct err *err)
{
	const char *words = look->options->origin ? look->options->origin :
	    edge && edge->cors ? edge->cors : DOCTOR_ADE_ORIGIN;
	char *list = mem_strdup(words), *origin, *rest = NULL;
	int rc = 0;

	for (origin = strtok_r(list, " ", &rest); rc == 0 && origin;
	    origin = strtok_r(NULL, " ", &rest)) {
		site->origin = origin;
		rc = doctor_ade(site, err);
	}
	site->origin = NULL;
	free(list);
	return rc;
}

static int
look_at_url(const struct look *look, const struct endpoint *at,
    const char *url, const struct conf_edge *edge, bool browser,
    struct err *err)
{
	char *ca_file = run_local_path(at->ca_file);
	struct doctor_site site = { .d = look->d, .url = url,
	    .ca_file = ca_file, .connect_to = at->connect_to,
	    .token = at->token, .turn = look->options->turn };
	bool answers = false;
	int rc;

	rc = doctor_url(&site, &answers, err);
	if (rc == 0 && answers && browser)
		rc = look_as_browser(look, &site, edge, err);
	free(ca_file);
	return rc;
}

static int
look_at_server(const struct look *look, size_t i, struct err *err)
{
	const struct conf_letta *letta = &look->conf->lettas[i];
	const struct conf_edge *edge = letta->edge;
	char *ade;
	int rc;

	rc = look_at_url(look, &look->servers[i], look->servers[i].url,
	    edge, edge != NULL, err);
	if (rc != 0 || !edge)
		return rc;
	ade = mem_printf("https://%s:%u", edge->ade_name, edge->ade_port);
	rc = look_at_url(look, &look->servers[i], ade, edge, true, err);
	free(ade);
	return rc;
}

/* Broca puts a block of its own there at each turn (1b368f9). */
static void
judge_blocks(const struct look *look, const struct endpoint *at,
    const char *agent, const struct jdoc *blocks)
{
	bool human = false;

	for (size_t i = 0; i < jdoc_len(blocks); i++)
		human = human || jdoc_is(jdoc_at(blocks, i), "label",
		    "human");
	doctor_judge(look->d, human, "api-human-block", at->url, "%s",
	    agent);
}

static int
look_at_agent(const struct look *look, const struct endpoint *at,
    const char *agent, struct err *err)
{
	char *ca_file = run_local_path(at->ca_file);
	const struct doctor_site site = { .d = look->d, .url = at->url,
	    .ca_file = ca_file, .connect_to = at->connect_to,
	    .token = at->token };
	const struct doctor_request how = { .token = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *blocks;
	int rc;

	letta_path_agent_blocks(&path, agent);
	rc = doctor_request(&site, &how, "GET", buf_cstr(&path), NULL,
	    DOCTOR_ASK_MS, &reply, err);
	if (rc == 0 && reply.status == 200) {
		blocks = jdoc_parse(buf_cstr(&reply.body), reply.body.len,
		    err);
		rc = blocks ? 0 : -1;
		if (blocks)
			judge_blocks(look, at, agent, blocks);
		jdoc_free(blocks);
	}
	if (rc != 0)
		rc = doctor_url_pass(&site, "api-human-block", err);
	buf_clear(&path);
	buf_clear(&reply.body);
	free(ca_file);
	return rc;
}

/* The users of the database at one end, against the server it talks to. */
static int
look_at_users(const struct look *look, const struct conf_host *section,
    const char *path, const struct conf_letta *letta, struct err *err)
{
	const struct endpoint *at =
	    &look->servers[letta - look->conf->lettas];
	char *ca_file = run_local_path(at->ca_file);
	const struct doctor_site site = { .d = look->d, .url = at->url,
	    .ca_file = ca_file, .connect_to = at->connect_to,
	    .token = at->token };
	struct host *host;
	int rc = 0;

	/* A host that cannot be reached was told of. */
	if (run_host_open(section, &host, err) == 0) {
		rc = doctor_users(&site, host, path, err);
		host_close(host);
	} else if (err->kind == ERR_INTERRUPTED)
		rc = -1;
	else
		err_clear(err);
	free(ca_file);
	return rc;
}

static int
look_at_worker(const struct look *look, const struct conf_worker *worker,
    struct err *err)
{
	if (!worker->server || !worker->from_server)
		return 0;
	if (worker->agent_id && look_at_agent(look, &look->servers[
	    worker->server - look->conf->lettas], worker->agent_id, err) != 0)
		return -1;
	return look_at_users(look, worker->from_host, worker->from_path,
	    worker->from_server, err) != 0 ||
	    look_at_users(look, worker->to_host, worker->to_path,
	    worker->server, err) != 0 ? -1 : 0;
}

static int
find_servers(struct look *look, struct err *err)
{
	char *word;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < look->conf->n_lettas; i++) {
		word = mem_printf("%s#%s", look->path,
		    look->conf->lettas[i].name);
		rc = endpoint_find(word, &look->servers[i], err);
		free(word);
	}
	return rc == 0 ? endpoint_fetch(look->servers,
	    look->conf->n_lettas, err) : -1;
}

static int
look_at_all(const struct look *look, struct err *err)
{
	const struct conf *conf = look->conf;

	for (size_t i = 0; i < conf->n_hosts; i++) {
		if (look_at_host(look, &conf->hosts[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (look_at_server(look, i, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (look_at_worker(look, &conf->workers[i], err) != 0)
			return -1;
	}
	return 0;
}

int
doctor_job(struct doctor *d, const char *path,
    const struct doctor_options *options, struct err *err)
{
	struct look look = { .d = d, .path = path, .options = options };
	struct conf *conf;
	int rc;

	if (run_read(path, &conf, err) != 0)
		return -1;
	look.conf = conf;
	look.servers = mem_zero(conf->n_lettas + 1, sizeof(*look.servers));
	rc = find_servers(&look, err);
	if (rc == 0)
		rc = look_at_all(&look, err);
	for (size_t i = 0; i < conf->n_lettas; i++)
		endpoint_clear(&look.servers[i]);
	free(look.servers);
	conf_free(conf);
	return rc;
}
