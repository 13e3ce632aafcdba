#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_answer.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_list.h"
#include "flow/restore.h"
#include "flow/run.h"
#include "flow/server.h"

#define SHOWN_MAX 200	/* bytes of names in a reason */

/* A listing of the server on its way. */
struct counting {
	struct restore_totals *totals;
	char **ids;		/* that the job has brought, sorted */
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
restore_totals_clear(struct restore_totals *totals)
{
	jdoc_free(totals->named);
	jdoc_free(totals->missing);
	*totals = (struct restore_totals){ 0 };
}

int
restore_check_target(struct run *run, struct err *err)
{
	struct server *to;

	if (run_server(run, run->conf->agents[0].to, &to, err) != 0)
		return -1;
	if (letta_caps_target(&to->caps, err) != 0)
		return err_ctx(err, "%s: nothing can be restored there",
		    to->name);
	return 0;
}

static void
note_missing(struct restore_totals *totals, const struct conf_agent *agent)
{
	struct jdoc *one = jdoc_new_object();

	jdoc_set_str(one, "id", str_base(agent->bundle));
	jdoc_set_str(one, "agent", agent->name);
	jdoc_push(totals->missing, one);
}

/* What the journal knows: who was restored, and each one's id there. */
static int
ask_journal(struct run *run, struct counting *c, struct err *err)
{
	const struct conf *conf = run->conf;
	struct restore_totals *totals = c->totals;
	bool given;
	char *id;

	totals->agents = conf->n_agents;
	for (size_t i = 0; i < conf->n_agents; i++) {
		if (agent_is_given(run, &conf->agents[i], &given, err) != 0 ||
		    agent_target_id(run, &conf->agents[i], &id, err) != 0)
			return -1;
		if (id)
			c->ids[c->n++] = id;
		totals->restored += given && id;
		if (!given || !id)
			note_missing(totals, &conf->agents[i]);
	}
	qsort(c->ids, c->n, sizeof(*c->ids), by_text);
	return 0;
}

static int
count_one(void *ctx, const struct letta_agent *agent, struct err *err)
{
	struct counting *c = ctx;
	struct restore_totals *totals = c->totals;
	struct jdoc *one;

	(void)err;
	totals->there++;
	if (bsearch(&agent->id, c->ids, c->n, sizeof(*c->ids), by_text)) {
		totals->ours++;
		return 0;
	}
	if (totals->others++ < RESTORE_NAMED_MAX) {
		one = jdoc_new_object();
		jdoc_set_str(one, "id", agent->id);
		jdoc_set_str(one, "name", agent->name ? agent->name : "");
		jdoc_push(totals->named, one);
	}
	return 0;
}

int
restore_count(struct run *run, struct restore_totals *totals,
    struct err *err)
{
	struct counting c = { .totals = totals,
		.ids = mem_zero(run->conf->n_agents + 1, sizeof(*c.ids)) };
	struct server *to;
	int rc;

	*totals = (struct restore_totals){ .named = jdoc_new_array(),
		.missing = jdoc_new_array() };
	rc = run_server(run, run->conf->agents[0].to, &to, err);
	if (rc == 0)
		rc = ask_journal(run, &c, err);
	if (rc == 0)
		rc = agent_list(to, count_one, &c, err);
	for (size_t i = 0; i < c.n; i++)
		free(c.ids[i]);
	free(c.ids);
	return rc;
}

void
restore_others(const struct restore_totals *totals, struct buf *out)
{
	const char *name;
	size_t n = jdoc_len(totals->named), shown = 0;

	for (; shown < n && out->len < SHOWN_MAX; shown++) {
		name = jdoc_get_str(jdoc_at(totals->named, shown), "name");
		if (shown > 0)
			buf_str(out, ", ");
		str_printable(out, name, strlen(name));
	}
	if (shown < totals->others)
		buf_printf(out, " and %" PRIu64 " more",
		    totals->others - shown);
}

void
restore_totals_leave(struct restore_totals *totals, const char *leave)
{
	const char *id;

	for (size_t i = 0; i < jdoc_len(totals->missing); i++) {
		id = jdoc_get_str(jdoc_at(totals->missing, i), "id");
		totals->agents -= leave && str_has_word(leave, id);
	}
}

int
restore_judge(struct run *run, const char *leave, struct verdict *verdict,
    struct err *err)
{
	struct buf others = BUF_INIT(16 * 1024);
	struct restore_totals totals;
	int rc;

	rc = restore_count(run, &totals, err);
	restore_totals_leave(&totals, leave);
	restore_others(&totals, &others);
	if (rc == 0 && totals.restored < totals.agents)
		verdict_add(verdict, "agents", VERDICT_DIFFERENT,
		    totals.agents, totals.restored, "%" PRIu64 " were not "
		    "restored; run the same job again",
		    totals.agents - totals.restored);
	else if (rc == 0 && totals.ours < totals.agents)
		verdict_add(verdict, "agents", VERDICT_DIFFERENT,
		    totals.agents, totals.ours, "%" PRIu64 " were restored "
		    "and are gone since", totals.agents - totals.ours);
	else if (rc == 0)
		verdict_add(verdict, "agents", VERDICT_SAME, totals.agents,
		    totals.ours, "%" PRIu64 " others there are not counted%s"
		    "%s", totals.others, totals.others > 0 ? ": " : "",
		    buf_cstr(&others));
	buf_clear(&others);
	restore_totals_clear(&totals);
	return rc;
}
