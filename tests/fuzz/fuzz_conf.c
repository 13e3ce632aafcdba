#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* core/conf.h promises all of this of a file that was accepted. */
static void
check_accepted(const struct conf *conf)
{
	const struct conf_letta *letta;
	const struct conf_worker *worker;

	must(!conf_value_job_name(conf->name));
	for (size_t i = 0; i < conf->n_hosts; i++) {
		must(!conf_value_address(conf->hosts[i].address));
		must(conf->hosts[i].port > 0 && conf->hosts[i].port < 65536);
	}
	for (size_t i = 0; i < conf->n_lettas; i++) {
		letta = &conf->lettas[i];
		must((letta->url != NULL) != (letta->host != NULL));
		must((letta->host != NULL) == (letta->edge != NULL));
		must(!letta->url || (!conf_value_url(letta->url) &&
		    !str_ends(letta->url, "/")));
	}
	for (size_t i = 0; i < conf->n_edges; i++)
		must(conf->edges[i].host && conf->edges[i].site &&
		    conf_find_edge(conf, conf->edges[i].host->name) ==
		    &conf->edges[i] &&
		    conf->edges[i].ade_name && conf->edges[i].acme_email);
	for (size_t i = 0; i < conf->n_agents; i++)
		must(conf->agents[i].from && conf->agents[i].to &&
		    conf->agents[i].from != conf->agents[i].to &&
		    conf_value_is_agent_id(conf->agents[i].from_id));
	for (size_t i = 0; i < conf->n_workers; i++) {
		worker = &conf->workers[i];
		must(!worker->agent != !worker->agent_id);
		must(worker->server && worker->from_host && worker->to_host);
		must(!conf_value_path(worker->from_path));
		must(!conf_value_path(worker->to_path));
		must(worker->trees && worker->trees[0]);
	}
}

static int
check_secret(void *ctx, const struct conf_secret *secret, struct err *err)
{
	(void)ctx;
	(void)err;
	must(!conf_value_secret(secret->ref) && secret->line > 0);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;

	if (conf_parse("fuzz.conf", (const char *)data, size, &conf,
	    &err) != 0) {
		must(!conf && err.kind == ERR_USAGE);
		must(str_starts(err.text, "fuzz.conf:"));
		must(err.text[10] >= '1' && err.text[10] <= '9');
		return 0;
	}
	check_accepted(conf);
	must(conf_secrets(conf, check_secret, NULL, &err) == 0);
	conf_free(conf);
	return 0;
}
