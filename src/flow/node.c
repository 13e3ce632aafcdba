#include "base/base.h"

#include "base/err.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/node.h"
#include "flow/node_step.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/worker_switch.h"
#include "io/journal.h"

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
	for (size_t i = 0; i < conf->n_lettas; i++)
		runtime_plan(plan, &conf->lettas[i]);
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

/* A worker that was started there and not brought back. */
static int
refuse_working(struct run *run, struct err *err)
{
	const struct conf *conf = run->conf;
	int64_t started;

	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_started(run, &conf->workers[i], &started,
		    err) != 0)
			return -1;
		if (started > 0)
			return err_set(err, ERR_STALE, "[worker %s] works on "
			    "%s and would lose its server: run `reverse' "
			    "first, or `uninstall --purge' to give up what "
			    "is there; nothing was changed",
			    conf->workers[i].name,
			    conf->workers[i].to_host->name);
	}
	return 0;
}

/* Whether an uninstall without --purge has left something of this step. */
static int
keeps_something(struct run *run, const struct step *step, bool *out,
    struct err *err)
{
	const struct conf_letta *letta;
	char *key, *value = NULL;
	int rc;

	*out = false;
	if (step->kind == &node_packages_kind) {
		key = run_key("node",
		    ((const struct conf_host *)step->subject)->name,
		    "installed");
	} else if (step->kind == &runtime_account_kind ||
	    step->kind == &runtime_database_kind ||
	    step->kind == &runtime_compose_install_kind ||
	    step->kind == &runtime_compose_service_kind) {
		letta = step->subject;
		key = run_key("letta", letta->name, "database.kept");
	} else
		return 0;
	rc = journal_get(run->journal, key, &value, err);
	*out = value && *value;
	free(value);
	free(key);
	return rc;
}

/* Whether this step is taken back now; again: it was once, but for that. */
static int
is_undone_now(struct run *run, const struct step *step, bool *out,
    bool *again, struct err *err)
{
	enum journal_state state;

	*out = *again = false;
	if (journal_step_state(run->journal, step->name, &state, err) != 0)
		return -1;
	if (run->purge && state == JOURNAL_UNDONE &&
	    keeps_something(run, step, again, err) != 0)
		return -1;
	*out = *again || state == JOURNAL_BEGUN || state == JOURNAL_DONE;
	return 0;
}

/* All at once, since the first that goes takes the fact along. */
static int
begin_again(struct run *run, const struct plan *plan, struct err *err)
{
	const char *name;
	bool now, again;

	for (size_t i = 0; i < plan->n_node; i++) {
		name = plan->steps[i].name;
		if (is_undone_now(run, &plan->steps[i], &now, &again, err)
		    != 0 || (again &&
		    journal_step_begin(run->journal, name, err) != 0))
			return -1;
	}
	return 0;
}

/* Show what would be taken back, the last first. */
static int
show_undone(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *undone, struct err *err)
{
	struct plan_note note = { .summary = BUF_INIT(256) };
	struct plan_event event = {
		.type = PLAN_EVENT_FOUND, .found = PLAN_TODO, .note = &note
	};
	bool now, again;
	int rc = 0;

	*undone = 0;
	plan_say(&note, '-', "would be taken back");
	for (size_t i = plan->n_node; rc == 0 && i-- > 0;) {
		event.step = plan->steps[i].name;
		rc = is_undone_now(run, &plan->steps[i], &now, &again, err);
		if (rc != 0 || !now)
			continue;
		watch->event(watch->ctx, &event);
		*undone += 1;
	}
	buf_clear(&note.summary);
	return rc;
}

int
node_uninstall(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, bool dry_run, size_t *undone,
    struct err *err)
{
	if (plan->n_node == 0)
		return err_set(err, ERR_USAGE, "job %s puts no server on a "
		    "host: there is nothing to uninstall (`cancel' takes "
		    "back what else it did)", run->conf->name);
	if (!run->purge && refuse_working(run, err) != 0)
		return -1;
	if (dry_run)
		return show_undone(run, plan, watch, undone, err);
	if (begin_again(run, plan, err) != 0)
		return -1;
	return plan_cancel_part(run, plan, 0, plan->n_node, watch, undone,
	    err);
}
