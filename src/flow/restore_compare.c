#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_answer.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_hand.h"
#include "flow/agent_list.h"
#include "flow/endpoint.h"
#include "flow/restore.h"
#include "flow/restore_list.h"
#include "flow/server.h"

/* The agent is gone, or the bundle is, or a file of it. */
static int
tell_missing(const struct restore_conf_agent *agent, struct server *at,
    struct verdict *own, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct err cause = *err;
	struct jdoc *answer = NULL;
	int rc;

	err_clear(err);
	letta_path_agent(&path, agent->id);
	rc = server_get_doc(at, buf_cstr(&path), "agent", &answer, err);
	if (rc == 0)
		verdict_add(own, "agent", VERDICT_DIFFERENT, 0, 1, "%s",
		    cause.text);
	else if (err->kind == ERR_MISSING) {
		err_clear(err);
		verdict_add(own, "agent", VERDICT_DIFFERENT, 1, 0,
		    "%s is not on the server any more", agent->id);
		rc = 0;
	}
	jdoc_free(answer);
	buf_clear(&path);
	return rc;
}

/* One that is gone, or damaged here, is a difference, not a failure. */
static int
compare_one(const struct restore_conf_agent *agent, struct server *at,
    const char *state_dir, enum agent_since since, struct verdict *verdict,
    bool *there, struct err *err)
{
	char *prefix = mem_printf("agent.%s", agent->section);
	struct verdict own = { 0 };
	int rc;

	log_detail("%s: comparing %s", at->name, agent->section);
	rc = agent_diff_own(at, agent->id, agent->bundle, state_dir, since,
	    &own, err);
	*there = rc == 0;
	if (rc != 0 && err->kind == ERR_MISSING) {
		verdict_clear(&own);
		rc = tell_missing(agent, at, &own, err);
	} else if (rc != 0 && err->kind == ERR_DATA) {
		verdict_clear(&own);
		verdict_add(&own, "agent", VERDICT_DIFFERENT, 1, 0, "%s",
		    err->text);
		err_clear(err);
		rc = 0;
	}
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	return rc;
}

static int
count_one(void *ctx, const struct letta_agent *agent, struct err *err)
{
	uint64_t *n = ctx;

	(void)agent;
	(void)err;
	*n += 1;
	return 0;
}

static int
compare_all(const struct restore_list *list, struct server *at,
    const char *state_dir, enum agent_since since, struct verdict *verdict,
    struct err *err)
{
	uint64_t there = 0, all = 0;
	bool one;

	for (size_t i = 0; i < list->n; i++) {
		if (compare_one(&list->agents[i], at, state_dir, since,
		    verdict, &one, err) != 0)
			return -1;
		there += one;
	}
	if (agent_list(at, count_one, &all, err) != 0)
		return -1;
	verdict_add(verdict, "agents", there == list->n ? VERDICT_SAME :
	    VERDICT_DIFFERENT, list->n, there, "%" PRIu64 " others there are "
	    "not of the backup", all > there ? all - there : 0);
	return 0;
}

static void
add_stale(const struct backup_entry *entry, struct verdict *verdict)
{
	const char *why = restore_list_stale(entry);
	char *name;

	if (!why)
		return;
	name = mem_printf("agent.%s.current", entry->id);
	verdict_add(verdict, name, VERDICT_NOT_COMPARED, 1, 0,
	    "not current: its bundle is of %s; %s%s", entry->read_at ?
	    entry->read_at : "a time before", entry->failed ? "" :
	    "changed meanwhile: ", why);
	free(name);
}

int
restore_add_without(const char *dir, const char *leave,
    struct verdict *verdict, struct err *err)
{
	const struct backup_entry *entry;
	struct restore_list list;
	char *name;

	if (restore_list_read(dir, &list, err) != 0)
		return -1;
	for (size_t i = 0; i < list.index.n_entries; i++) {
		entry = &list.index.entries[i];
		if (entry->gone)
			continue;
		if (entry->path) {
			add_stale(entry, verdict);
			continue;
		}
		name = mem_printf("agent.%s", entry->id);
		verdict_add(verdict, name, VERDICT_NOT_COMPARED, 1, 0,
		    "%s, %s: %s", entry->name ? entry->name : "",
		    leave && str_has_word(leave, entry->id) ?
		    "left behind: leave" : "no bundle",
		    entry->failed ? entry->failed : "");
		free(name);
	}
	restore_list_clear(&list);
	return 0;
}

int
restore_compare(const char *dir, const struct endpoint *from,
    const char *state_dir, bool goes_on, struct verdict *verdict,
    struct err *err)
{
	const enum agent_since since = goes_on ? AGENT_SINCE_SOURCE :
	    AGENT_SINCE_NONE;
	struct restore_list list;
	struct server *server;
	int rc;

	if (restore_list_read(dir, &list, err) != 0)
		return -1;
	rc = endpoint_open(from, &server, err);
	if (rc == 0) {
		rc = compare_all(&list, server, state_dir, since, verdict,
		    err);
		server_close(server);
	}
	restore_list_clear(&list);
	return rc;
}
