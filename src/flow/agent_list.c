#include "base/base.h"

#include <search.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "core/backup_index.h"
#include "core/letta_answer.h"
#include "flow/agent_list.h"
#include "flow/server.h"

/* Each comes with the source of its tools: some 20 kB. */
#define PAGE 50

struct listing {
	int (*each)(void *ctx, const struct letta_agent *, struct err *);
	void *ctx;
	void *seen;			/* tsearch(3): ids so far */
	size_t n_seen;
	char last[LETTA_ID_SIZE];	/* so far: the cursor */
	size_t on_page;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Whether the id is new; then it is not any more. */
static bool
is_new(struct listing *l, const char *id)
{
	char *own;

	if (tfind(id, &l->seen, by_text))
		return false;
	own = mem_strdup(id);
	if (!tsearch(own, &l->seen, by_text))
		abort();	/* out of memory, as in base/mem.h */
	l->n_seen++;
	return true;
}

/* One that is listed twice is taken once; a page that begins so has no end. */
static int
take(void *ctx, const struct letta_agent *agent, struct err *err)
{
	struct listing *l = ctx;
	bool new = is_new(l, agent->id);

	if (l->on_page++ == 0 && !new) {
		(void)err_set(err, ERR_AGAIN, "the list of agents begins "
		    "anew after %s: an agent was deleted meanwhile; run the "
		    "same command again", l->last);
		return err_transient(err);
	}
	if (!new)
		return 0;
	if (l->n_seen > BACKUP_AGENTS_MAX)
		return err_set(err, ERR_DATA, "more than %d agents",
		    BACKUP_AGENTS_MAX);
	(void)snprintf(l->last, sizeof(l->last), "%s", agent->id);
	return l->each(l->ctx, agent, err);
}

int
agent_list(struct server *server,
    int (*each)(void *ctx, const struct letta_agent *, struct err *),
    void *ctx, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct listing l = { .each = each, .ctx = ctx };
	int rc;

	do {
		l.on_page = 0;
		buf_truncate(&path, 0);
		letta_path_agents(&path, l.last, PAGE);
		rc = stop_check(err);
		if (rc == 0)
			rc = server_get(server, buf_cstr(&path), &answer,
			    err);
		if (rc == 0)
			rc = letta_answer_agents(buf_cstr(&answer),
			    answer.len, take, &l, err);
	} while (rc == 0 && l.on_page > 0);
	tdestroy(l.seen, free);
	buf_wipe(&answer);
	buf_clear(&path);
	return rc != 0 ? err_ctx(err, "agents of %s", server->name) : 0;
}
