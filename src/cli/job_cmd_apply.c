#include "base/base.h"

#include "base/err.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "cli/show_ids.h"
#include "core/conf.h"
#include "flow/agent_rejects.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"
#include "flow/upgrade.h"
#include "io/journal.h"

static void
conclude(const struct job_cmd *cmd, size_t acted)
{
	const struct plan *plan = cmd->plan;
	const bool waits = cmd->run->conf->manual_switch &&
	    plan->n_early < plan->n_steps;

	show_acted(cmd->opt, &(struct show_acted){ .type = "apply", .of = "",
	    .journal = journal_path(cmd->run->journal),
	    .next = waits ? "switch" : "verify", .acted = acted,
	    .steps = waits ? plan->n_early : plan->n_steps });
}

static int
tell_ids(const struct job_cmd *cmd, struct err *err)
{
	char *path;
	int rc;

	if (cmd->run->conf->kind != CONF_UPGRADE)
		return 0;
	path = upgrade_ids_path(cmd->run);
	rc = show_ids(cmd->opt, path, err);
	free(path);
	return rc;
}

/* What leads back, if anything does. */
static int
show_way_back(const struct job_cmd *cmd, struct err *err)
{
	enum upgrade_back back;

	if (upgrade_back(cmd->run, &back, err) != 0)
		return -1;
	if (cmd->opt->json || back == UPGRADE_BACK_NONE)
		return 0;
	if (back == UPGRADE_BACK_GONE)
		(void)printf("the safety copy is gone: nothing leads back\n");
	else
		(void)printf("to go back: sanctumctl letta rollback %s%s\n",
		    cmd->opt->job, back == UPGRADE_BACK_DROPS ? "\nit drops "
		    "what is written to the new server from now on, and asks "
		    "for --discard then" : "");
	return 0;
}

/* Passages that the target refused, and the job accepts to leave behind. */
static int
check_rejects(const struct job_cmd *cmd, struct err *err)
{
	const struct conf *conf = cmd->run->conf;
	uint64_t rejects = 0, count;

	for (size_t i = 0; i < conf->n_agents; i++) {
		if (agent_rejects_count(&conf->agents[i], cmd->run->journal,
		    &count, err) != 0)
			return -1;
		rejects += count;
	}
	if (rejects == 0)
		return 0;
	return err_set(err, ERR_PARTIAL, "all is done but %" PRIu64
	    " passages that the target refused; they are listed in `rejects' "
	    "beside the journal %s", rejects,
	    journal_path(cmd->run->journal));
}

static int
act(const struct job_cmd *cmd, struct err *err)
{
	size_t acted;

	if (switch_apply(cmd->run, cmd->plan, cmd->units,
	    cmd->run->conf->manual_switch, cmd->watch, &acted, err) != 0 ||
	    job_cmd_conclude(cmd, err) != 0)
		return -1;
	conclude(cmd, acted);
	if (tell_ids(cmd, err) != 0 || show_way_back(cmd, err) != 0)
		return -1;
	return check_rejects(cmd, err);
}

int
job_cmd_apply(const struct job_cmd *cmd, struct err *err)
{
	int rc = job_cmd_look_then(cmd, act, err);

	if (rc < 0)
		upgrade_advise(cmd->run, cmd->opt->job, err);
	return rc;
}
