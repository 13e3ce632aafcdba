#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_checks.h"
#include "flow/agent_identities.h"
#include "flow/agent_live.h"
#include "flow/agent_raw.h"
#include "flow/agent_rejects.h"
#include "flow/agent_source.h"
#include "flow/run.h"
#include "io/journal.h"

static int
read_both(struct run *run, const struct conf_agent *agent, const char *id,
    struct journal *scratch, struct err *err)
{
	struct server *to;

	if (run_server(run, agent->to, &to, err) != 0 ||
	    agent_source_load(run, agent, true, scratch, err) != 0)
		return -1;
	return agent_read_side(to, id, agent, "target", true, scratch, err);
}

static int
check(struct run *run, const struct conf_agent *agent, const char *id,
    struct journal *scratch, struct verdict *verdict, struct err *err)
{
	struct server *to;

	if (run_server(run, agent->to, &to, err) != 0)
		return -1;
	return agent_checks(to, id, agent, scratch, verdict, err);
}

/* What a comparison needs of the job beside both sides. */
static int
carry(struct journal *from, const struct conf_agent *agent,
    struct journal *scratch, struct err *err)
{
	if (agent_rejects_carry(agent, from, scratch, err) != 0 ||
	    agent_blocks_carry(agent, from, scratch, err) != 0)
		return -1;
	return agent_identities_carry(agent, from, scratch, err);
}

int
agent_verify(struct run *run, const struct conf_agent *agent,
    struct verdict *verdict, struct err *err)
{
	struct journal *scratch = NULL;
	struct verdict own = { 0 };
	char *path = run_scratch_path(run), *id = NULL;
	char *prefix = mem_printf("agent.%s", agent->name);
	bool window;
	int rc;

	rc = agent_raw_is_open(agent, run->journal, &window, err);
	if (rc == 0 && window)
		rc = err_set(err, ERR_AGAIN, "the messages in context of %s "
		    "are exchanged at its source by a run that did not end; "
		    "plan, apply or cancel puts them back", agent->name);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && !id) {
		verdict_add(&own, "import", VERDICT_DIFFERENT, 1, 0,
		    "not imported yet: run `apply' first");
	} else if (rc == 0) {
		rc = journal_open(path, true, &scratch, err);
		if (rc == 0)
			rc = read_both(run, agent, id, scratch, err);
		if (rc == 0)
			rc = carry(run->journal, agent, scratch, err);
		if (rc == 0)
			rc = agent_compare(agent, scratch,
			    AGENT_SINCE_TARGET, &own, err);
		if (rc == 0)
			rc = check(run, agent, id, scratch, &own, err);
		if (rc == 0)
			rc = agent_live_add(agent, run->journal, false, &own,
			    err);
	}
	journal_close(scratch);
	run_scratch_remove(path);
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	free(path);
	free(id);
	return rc;
}
