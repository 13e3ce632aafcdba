#include "base/base.h"

#include "core/conf.h"
#include "flow/edge.h"
#include "flow/node.h"
#include "flow/node_step.h"
#include "flow/plan.h"

/* Steps about the hosts themselves, of each host that has some. */
static void
add_hosts(struct plan *plan, const struct conf *conf,
    const struct step_kind *kind,
    bool (*has)(const struct conf *, const struct conf_host *))
{
	const struct conf_host *host;

	for (size_t i = 0; i < conf->n_hosts; i++) {
		host = &conf->hosts[i];
		if (has(conf, host))
			plan_add(plan, "node", host->name, kind, host);
	}
}

void
node_plan(struct plan *plan, const struct conf *conf)
{
	add_hosts(plan, conf, &node_packages_kind, node_has_packages);
	for (size_t i = 0; i < conf->n_edges; i++)
		edge_plan(plan, &conf->edges[i]);
	add_hosts(plan, conf, &node_logrotate_kind, node_has_logrotate);
	add_hosts(plan, conf, &node_backup_kind, node_has_backup);
	plan->n_node = plan->n_steps;
}

bool
node_installs(const struct conf *conf, const struct conf_host *host)
{
	return host->packages == CONF_PACKAGES_INSTALL &&
	    node_has_packages(conf, host);
}
