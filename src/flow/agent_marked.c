#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_marked.h"
#include "flow/server.h"

struct search {
	const char *name;
	const char *mark;
	struct agent_marked *marked;
};

/* The server's filter is asked, and not trusted. */
static int
note_agent(void *ctx, const struct letta_agent *agent, struct err *err)
{
	struct search *search = ctx;
	struct agent_marked *marked = search->marked;
	const char *mark = af_mark_of(agent->metadata);

	if (!agent->name || !str_eq(agent->name, search->name))
		return 0;
	if (search->mark && (!mark || !str_eq(mark, search->mark))) {
		marked->foreign++;
		return 0;
	}
	if (!agent->id || !letta_id_ok(agent->id, "agent-"))
		return err_set(err, ERR_DATA, "an agent without a proper id");
	if (marked->n < AGENT_MARKED_MAX)
		(void)snprintf(marked->ids[marked->n++], LETTA_ID_SIZE, "%s",
		    agent->id);
	return 0;
}

int
agent_marked_find(struct server *server, const char *name, const char *mark,
    struct agent_marked *marked, struct err *err)
{
	struct search search = {
		.name = name, .mark = mark, .marked = marked
	};
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	*marked = (struct agent_marked){ 0 };
	letta_path_agents_by_name(&path, name);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agents(buf_cstr(&answer), answer.len,
		    note_agent, &search, err);
	if (rc == 0 && marked->foreign > 0)
		log_debug("%s: %zu agents are called %s and do not carry the "
		    "mark of this job; they are left alone", server->name,
		    marked->foreign, name);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

int
agent_marked_remove(struct server *server, const struct agent_marked *marked,
    const char *name, const char *keep, struct err *err)
{
	const struct agent_own own = { .name = name };

	for (size_t i = 0; i < marked->n; i++) {
		if (keep && str_eq(keep, marked->ids[i]))
			continue;
		if (agent_remove(server, marked->ids[i], &own, err) != 0)
			return -1;
	}
	return 0;
}
