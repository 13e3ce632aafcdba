#include "base/base.h"

#include "core/conf.h"
#include "flow/agent.h"
#include "flow/agent_source.h"
#include "flow/bundle.h"
#include "flow/run.h"

int
agent_source_load(struct run *run, const struct conf_agent *agent, bool fresh,
    struct journal *journal, struct err *err)
{
	struct server *from;
	char *path;
	int rc;

	if (!agent->bundle)
		return run_server(run, agent->from, &from, err) != 0 ? -1 :
		    agent_read_side(from, agent->from_id, agent, "source",
		    fresh, journal, err);
	path = run_local_path(agent->bundle);
	rc = bundle_load(path, agent, "source", fresh, journal, err);
	free(path);
	return rc;
}

const char *
agent_source_id(const struct conf_agent *agent)
{
	return agent->from_id ? agent->from_id : agent->bundle;
}

const char *
agent_source_place(const struct conf_agent *agent)
{
	return agent->from ? agent->from->name : "a bundle";
}
