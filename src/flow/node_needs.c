#include "base/base.h"

#include "base/str.h"
#include "core/conf.h"
#include "flow/node_step.h"
#include "flow/run.h"
#include "flow/service.h"

struct list {
	struct node_package *out;
	size_t n;
};

static void
add(struct list *list, const char *name, const char *program)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->out[i].name, name))
			return;
	}
	if (list->n < NODE_PACKAGES_MAX)
		list->out[list->n++] = (struct node_package){ name, program };
}

static bool
has_runtime(const struct conf *conf, const struct conf_host *host)
{
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (conf->lettas[i].host == host &&
		    conf->lettas[i].runtime != CONF_RUNTIME_THERE)
			return true;
	}
	return false;
}

/* A worker that comes there and is started by what. */
static bool
has_worker(const struct conf *conf, const struct conf_host *host,
    enum conf_supervisor by)
{
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (conf->workers[i].to_host == host &&
		    conf->workers[i].supervisor == by)
			return true;
	}
	return false;
}

bool
node_has_packages(const struct conf *conf, const struct conf_host *host)
{
	return conf_find_edge(conf, host->name) || has_runtime(conf, host) ||
	    has_worker(conf, host, CONF_SUPERVISOR_CRON) ||
	    has_worker(conf, host, CONF_SUPERVISOR_SUPERVISORD);
}

/* Journald keeps what units say; the others write files. */
bool
node_has_logrotate(const struct conf *conf, const struct conf_host *host)
{
	return conf->kind == CONF_GREENFIELD && (has_runtime(conf, host) ||
	    has_worker(conf, host, CONF_SUPERVISOR_CRON) ||
	    has_worker(conf, host, CONF_SUPERVISOR_SUPERVISORD));
}

bool
node_has_backup(const struct conf *conf, const struct conf_host *host)
{
	return has_runtime(conf, host);
}

static void
add_edge(struct list *list, const struct conf_edge *edge)
{
	if (!edge)
		return;
	add(list, "nginx", "nginx");
	if (!edge->acme_command)
		add(list, "certbot", "certbot");
}

static void
add_letta(struct list *list, const struct conf_letta *letta)
{
	if (letta->runtime != CONF_RUNTIME_VENV)
		return;
	add(list, "python3-venv", NULL);
	add(list, "ca-certificates", NULL);
	add(list, "iproute2", "ip");
	if (!letta->database.ref)
		add(list, "postgresql-*-pgvector", NULL);
	if (!letta->redis)
		add(list, "redis-server", "redis-server");
}

static void
add_cron(struct list *list)
{
	add(list, "cron", "crontab");
	add(list, "screen", "screen");
}

int
node_needs(struct run *run, const struct conf_host *on, struct host *host,
    struct node_package out[NODE_PACKAGES_MAX], size_t *n, struct err *err)
{
	const struct conf *conf = run->conf;
	struct list list = { .out = out };
	enum service_manager manager = SERVICE_SYSTEMD;

	add_edge(&list, conf_find_edge(conf, on->name));
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (conf->lettas[i].host == on)
			add_letta(&list, &conf->lettas[i]);
	}
	if (has_runtime(conf, on) &&
	    service_manager_find(host, &manager, err) != 0)
		return -1;
	if (has_worker(conf, on, CONF_SUPERVISOR_CRON) ||
	    manager == SERVICE_CRON)
		add_cron(&list);
	if (has_worker(conf, on, CONF_SUPERVISOR_SUPERVISORD))
		add(&list, "supervisor", "supervisord");
	if (node_has_logrotate(conf, on) && (manager == SERVICE_CRON ||
	    has_worker(conf, on, CONF_SUPERVISOR_CRON) ||
	    has_worker(conf, on, CONF_SUPERVISOR_SUPERVISORD)))
		add(&list, "logrotate", "logrotate");
	*n = list.n;
	return 0;
}
