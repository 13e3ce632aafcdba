#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "flow/agent.h"
#include "flow/agent_feed.h"
#include "flow/agent_marked.h"
#include "flow/agent_orphans.h"
#include "flow/agent_settle.h"
#include "flow/agent_shell.h"
#include "flow/agent_tools.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/*
 * A server goes on with an import after its client is gone.  A resumed run
 * waits for one that was sent before to show, and then for as long as its
 * rows grow: 15 s, and a second more per 2,000 rows (a file of 100,000 took
 * 33 s on 0.16.8).
 */
#define SETTLE_MS 15000
#define SETTLE_ROWS_A_SECOND 2000
#define SETTLE_PAUSE_MS 250

/*
 * How many rows an agent on the target has, by listing them all.  One that is
 * half made may not even be listed: then it has none yet.
 */
static int
count_there(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *id, uint64_t *rows,
    struct err *err)
{
	char *scope = agent_scope("target", agent, "messages");
	int rc;

	*rows = 0;
	rc = agent_read_messages(to, id, agent, "target", true, run->journal,
	    err);
	if (rc == 0)
		rc = agent_feed_count(&(struct agent_feed_source){
		    .journal = run->journal, .scope = scope }, rows, NULL,
		    err);
	else if (err->kind == ERR_DATA || err->kind == ERR_FAILED ||
	    err->kind == ERR_MISSING) {
		log_detail("%s", err->text);
		err_clear(err);
		rc = 0;
	}
	free(scope);
	return rc;
}

/*
 * Wait for an import that an earlier run has sent.  marked is what there is
 * in the end; *whole: it is one agent with all want rows.
 */
static int
wait_for_it(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *name, uint64_t want,
    struct agent_marked *marked, bool *whole, struct err *err)
{
	uint64_t patience_ms, deadline_ms, rows, before = 0;

	patience_ms = SETTLE_MS + want * 1000 / SETTLE_ROWS_A_SECOND;
	deadline_ms = clock_ms() + patience_ms;
	*whole = false;
	while (clock_left_ms(deadline_ms) > 0) {
		if (stop_check(err) != 0 ||
		    agent_marked_find(to, name, run->mark, marked,
		    err) != 0)
			return -1;
		if (marked->n > 1)
			return 0;
		if (marked->n == 1) {
			if (count_there(run, to, agent, marked->ids[0], &rows,
			    err) != 0)
				return -1;
			*whole = rows >= want;
			if (*whole)
				return 0;
			if (rows != before)
				deadline_ms = clock_ms() + patience_ms;
			before = rows;
		}
		clock_sleep_ms(SETTLE_PAUSE_MS);
	}
	return 0;
}

/*
 * The agents first, each after its own blocks and archive; then blocks that
 * have no agent; then the tools, which nobody has now.
 */
int
agent_settle_remove(struct run *run, struct server *to,
    const struct conf_agent *agent, struct err *err)
{
	char *name = agent_temporary_name(run, agent);
	char *sent_key = run_key("agent", agent->name, "sent");
	struct af_shell shell = { 0 };
	struct agent_marked marked;
	int rc;

	rc = agent_shell_load(run->journal, agent, &shell, err);
	if (rc == 0)
		rc = agent_marked_find(to, name, run->mark, &marked, err);
	if (rc == 0)
		rc = agent_marked_remove(to, &marked, name, NULL, err);
	if (rc == 0)
		rc = agent_orphans_remove(to, agent, &shell, run->journal,
		    err);
	if (rc == 0)
		rc = agent_tools_remove(to, agent, &shell, run->journal, err);
	if (rc == 0)
		rc = journal_put(run->journal, sent_key, "no", err);
	af_shell_clear(&shell);
	free(sent_key);
	free(name);
	return rc;
}

int
agent_settle(struct run *run, struct server *to,
    const struct conf_agent *agent, char **id, struct err *err)
{
	char *scope = agent_scope("source", agent, "messages");
	char *name = agent_temporary_name(run, agent);
	struct af_rules rules = { 0 };
	struct agent_feed_source from = {
		.journal = run->journal, .scope = scope, .rules = &rules
	};
	struct agent_marked marked = { 0 };
	uint64_t rows, want;
	bool whole = false;
	int rc;

	*id = NULL;
	rc = agent_rules(agent, run->journal, &to->caps, &rules, err);
	if (rc == 0)
		rc = agent_feed_count(&from, &rows, &want, err);
	if (rc == 0)
		rc = wait_for_it(run, to, agent, name, want, &marked,
		    &whole, err);
	if (rc == 0 && whole) {
		*id = mem_strdup(marked.ids[0]);
	} else if (rc == 0) {
		if (marked.n > 0)
			log_info("removing what an earlier import of %s left",
			    agent->name);
		rc = agent_settle_remove(run, to, agent, err);
	}
	free(name);
	free(scope);
	return rc;
}
