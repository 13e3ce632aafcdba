#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_checks.h"
#include "flow/agent_live.h"
#include "flow/census.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/rehearse.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* Journal key: "yes" while the listing from before is that of this one. */
#define LISTED_KEY "rehearsal.listed"

/* Things that differ and are named; more are counted. */
#define NAMED_MAX 5

/* What is to be done with a listing of each target. */
struct listing {
	const char *when;		/* "before" or "after" */
	struct verdict *verdict;	/* of a comparison */
};

/* Call for every server that is the target of an agent, once. */
static int
each_target(struct run *run,
    int (*each)(struct run *, struct server *, const struct listing *,
    struct err *), const struct listing *listing, struct err *err)
{
	const struct conf *conf = run->conf;
	struct server *server;
	bool seen;

	for (size_t i = 0; i < conf->n_agents; i++) {
		seen = false;
		for (size_t k = 0; k < i; k++)
			seen |= conf->agents[k].to == conf->agents[i].to;
		if (seen)
			continue;
		if (run_server(run, conf->agents[i].to, &server, err) != 0 ||
		    each(run, server, listing, err) != 0)
			return -1;
	}
	return 0;
}

static int
take(struct run *run, struct server *server, const struct listing *listing,
    struct err *err)
{
	return census_take(server, listing->when, run->journal, err);
}

static int
drop(struct run *run, struct server *server, const struct listing *listing,
    struct err *err)
{
	return census_drop(server, listing->when, run->journal, err);
}

/* What differs on one server, in words. */
struct differing {
	struct buf names;
	uint64_t count;
};

static int
name_one(void *ctx, const char *kind, const char *id,
    enum census_change change, struct err *err)
{
	static const char *const words[] = {
		[CENSUS_NEW] = "is new", [CENSUS_GONE] = "is gone",
		[CENSUS_CHANGED] = "was changed",
	};
	struct differing *differing = ctx;

	(void)err;
	if (differing->count++ < NAMED_MAX)
		buf_printf(&differing->names, "%s%s %s %s",
		    differing->names.len > 0 ? "; " : "", kind, id,
		    words[change]);
	return 0;
}

/* The check that nothing stayed on one server. */
static int
compare(struct run *run, struct server *server,
    const struct listing *listing, struct err *err)
{
	struct differing differing = { .names = BUF_INIT(4096) };
	char *name = mem_printf("%s as before", server->name);
	uint64_t things;
	int rc;

	rc = census_compare(server, run->journal, "before", "after", name_one,
	    &differing, &things, err);
	if (rc == 0 && differing.count == 0)
		verdict_add(listing->verdict, name, VERDICT_SAME, things,
		    things, "agents, blocks, tools, archives, identities");
	else if (rc == 0)
		verdict_add(listing->verdict, name, VERDICT_DIFFERENT,
		    things, differing.count, "%s (unless somebody else was "
		    "at work there)", buf_cstr(&differing.names));
	buf_clear(&differing.names);
	free(name);
	return rc;
}

/* The listing from before, unless a rehearsal that was killed has it. */
static int
list_before(struct run *run, struct err *err)
{
	static const struct listing before = { .when = "before" };
	char *listed = NULL;
	int rc;

	rc = journal_get(run->journal, LISTED_KEY, &listed, err);
	if (rc == 0 && !(listed && str_eq(listed, "yes"))) {
		rc = each_target(run, take, &before, err);
		if (rc == 0)
			rc = journal_put(run->journal, LISTED_KEY, "yes",
			    err);
	}
	free(listed);
	return rc;
}

/* What the steps have staged, and what the target says now. */
static int
judge_agent(struct run *run, const struct conf_agent *agent,
    struct verdict *verdict, struct err *err)
{
	struct server *to;
	char *id = NULL;
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && !id) {
		verdict_add(verdict, "import", VERDICT_NOT_COMPARED, 0, 0,
		    "not reached: an agent before it is not the same");
		return 0;
	}
	if (rc == 0)
		rc = agent_compare(agent, run->journal, AGENT_SINCE_NONE,
		    verdict, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = agent_checks(to, id, agent, run->journal, verdict, err);
	if (rc == 0)
		rc = agent_live_add(agent, run->journal, true, verdict, err);
	free(id);
	return rc;
}

/* Every agent's verdict, check by check. */
static int
judge(struct run *run, struct verdict *verdict, struct err *err)
{
	const struct conf_agent *agent;
	struct verdict own;
	char *prefix;
	int rc = 0;

	for (size_t i = 0; i < run->conf->n_agents && rc == 0; i++) {
		agent = &run->conf->agents[i];
		own = (struct verdict){ 0 };
		prefix = mem_printf("agent.%s", agent->name);
		rc = judge_agent(run, agent, &own, err);
		verdict_add_all(verdict, prefix, &own);
		verdict_clear(&own);
		free(prefix);
	}
	return rc;
}

/* Take all back, and look what there is now. */
static int
clean_up(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, struct verdict *verdict, struct err *err)
{
	static const struct listing before = { .when = "before" };
	struct listing after = { .when = "after", .verdict = verdict };
	size_t undone;

	if (job_cancel(run, plan, watch, &undone, err) != 0 ||
	    each_target(run, take, &after, err) != 0 ||
	    each_target(run, compare, &after, err) != 0 ||
	    journal_put(run->journal, LISTED_KEY, "no", err) != 0 ||
	    each_target(run, drop, &before, err) != 0)
		return -1;
	return each_target(run, drop, &after, err);
}

static int
go_through(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, struct verdict *verdict, struct err *err)
{
	struct err second = ERR_INIT;
	bool compared;
	size_t acted;
	int rc;

	rc = list_before(run, err);
	if (rc == 0)
		rc = plan_apply(run, plan, watch, &acted, err);
	if (rc != 0 && err->kind == ERR_INTERRUPTED)
		return err_ctx(err, "what was made so far is taken back by "
		    "the same command");
	compared = rc == 0 || err->kind == ERR_VERDICT;
	if (compared) {
		err_clear(err);
		rc = judge(run, verdict, err);
	}
	if (clean_up(run, plan, watch, verdict, &second) == 0)
		return rc;
	if (rc != 0)
		return err_ctx(err, "(and what was made could not be taken "
		    "back: run the same command again)");
	*err = second;
	return err_ctx(err, "take back what was made (run the same command "
	    "again)");
}

int
rehearse(struct run *run, const struct plan_watch *watch,
    struct verdict *verdict, struct err *err)
{
	struct plan plan = { 0 };
	int rc;

	if (run->conf->kind != CONF_AGENT)
		return err_set(err, ERR_USAGE, "%s: only a job of kind agent "
		    "can be rehearsed: what the others do on a host shows at "
		    "once", run->conf->path);
	for (size_t i = 0; i < run->conf->n_agents; i++)
		agent_plan_rehearsal(&plan, &run->conf->agents[i]);
	rc = go_through(run, &plan, watch, verdict, err);
	plan_clear(&plan);
	return rc;
}
