#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_checks.h"
#include "flow/agent_compare_rows.h"
#include "flow/agent_delta.h"
#include "flow/agent_identities.h"
#include "flow/agent_passages.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

static int
load_shell(const struct conf_agent *agent, const char *side,
    struct journal *journal, struct af_shell *shell, struct err *err)
{
	char *key = agent_shell_key(side, agent), *text = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && (!text || !*text))
		rc = err_set(err, ERR_FAILED, "the %s of agent %s was not "
		    "read", side, agent->name);
	if (rc == 0)
		rc = af_shell_read(text, strlen(text), shell, err);
	free(text);
	free(key);
	return rc;
}

/* The type that an agent of an older server is to have. */
static int
expect_type(const struct conf_agent *agent, struct journal *journal,
    struct af_shell *source, struct err *err)
{
	struct jdoc *state = NULL;
	struct letta_caps caps;
	bool one;

	if (agent_is_one(agent, journal, &one, err) != 0)
		return -1;
	if (one)
		return 0;
	if (agent_state_load(agent, "source", journal, &state, err) != 0)
		return -1;
	letta_caps_of(jdoc_get_str(state, "version"), &caps);
	source->agent_type = af_row_agent_type(source->agent_type,
	    caps.backward);
	jdoc_free(state);
	return 0;
}

/* The name it has, or the one that a server takes instead of it. */
static void
compare_name(const struct conf_agent *agent, const struct af_shell *source,
    const struct af_shell *target, struct verdict *verdict)
{
	struct buf name = BUF_INIT(4096);

	af_mark_name(agent->target_name ? agent->target_name : source->name,
	    &name);
	if (str_eq(buf_cstr(&name), target->name))
		verdict_add(verdict, "name", VERDICT_SAME, 1, 1, NULL);
	else
		verdict_add(verdict, "name", VERDICT_DIFFERENT, 1, 1,
		    "the target's is %s", target->name);
	buf_clear(&name);
}

static int
compare_shells(const struct conf_agent *agent, struct journal *journal,
    bool live, struct verdict *verdict, struct err *err)
{
	struct af_shell source = { 0 }, target = { 0 };
	int rc;

	rc = load_shell(agent, "source", journal, &source, err);
	if (rc == 0)
		rc = load_shell(agent, "target", journal, &target, err);
	if (rc == 0)
		rc = expect_type(agent, journal, &source, err);
	if (rc == 0) {
		verdict_agent(verdict, &source, &target);
		verdict_models(verdict, &source, &target, agent->model,
		    agent->embedding);
		verdict_blocks(verdict, &source, &target);
		if (agent->tools == CONF_TOOLS_KEEP)
			verdict_tools_kept(verdict, &source, &target);
		else
			verdict_tools(verdict, &source, &target);
		verdict_tool_rules(verdict, &source, &target);
		verdict_losses(verdict, &source, &target);
	}
	/* Until it is promoted the agent has a temporary name. */
	if (rc == 0 && live)
		compare_name(agent, &source, &target, verdict);
	af_shell_clear(&source);
	af_shell_clear(&target);
	return rc;
}

/* Counted, so that what stays behind is said. */
static int
compare_conversations(const struct conf_agent *agent, struct journal *journal,
    struct verdict *verdict, struct err *err)
{
	uint64_t source, target;

	if (agent_conversations(journal, "source", agent, &source,
	    err) != 0 || agent_conversations(journal, "target", agent,
	    &target, err) != 0)
		return -1;
	if (source > 0 || target > 0)
		verdict_add(verdict, "conversations", VERDICT_NOT_COMPARED,
		    source, target, "beside the agent's own history; an "
		    "import makes none, the source's are in the journal");
	else
		verdict_add(verdict, "conversations", VERDICT_SAME, source,
		    target, NULL);
	return 0;
}

int
agent_compare(const struct conf_agent *agent, struct journal *journal,
    enum agent_since since, struct verdict *verdict, struct err *err)
{
	const bool live = since == AGENT_SINCE_TARGET;

	if (agent_compare_rows(agent, journal, since, verdict, err) != 0 ||
	    agent_passages_judge(agent, journal, since, verdict, err) != 0 ||
	    compare_conversations(agent, journal, verdict, err) != 0 ||
	    compare_shells(agent, journal, live, verdict, err) != 0 ||
	    agent_blocks_compare(agent, journal, verdict, err) != 0 ||
	    agent_identities_compare(agent, journal, verdict, err) != 0)
		return err_ctx(err, "compare agent %s", agent->name);
	verdict_add_blind(verdict);
	return 0;
}

/*
 * A comparison holds until the name is given; one of an earlier run, which
 * was stopped before that, may be of other rows than there are now.
 */
static int
compare_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	bool promoted;

	if (agent_is_promoted(run, agent, &promoted, err) != 0)
		return -1;
	*found = promoted ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '+', promoted ? "compared, and the same" :
	    "read both sides back and compare them");
	return 0;
}

/* The checks that are not `same', for the error and the journal. */
static void
name_checks(const struct verdict *verdict, enum verdict_state state,
    struct buf *out)
{
	const struct verdict_check *check;

	for (size_t i = 0; i < verdict->n_checks; i++) {
		check = &verdict->checks[i];
		if (check->state == state)
			buf_printf(out, "%s%s%s%s%s", out->len ? "; " : "",
			    check->name, *check->reason ? " (" : "",
			    check->reason, *check->reason ? ")" : "");
	}
}

static int
compare_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	const bool pair = agent_delta_applies(run->conf, agent);
	struct buf names = BUF_INIT(65536);
	struct verdict verdict = { 0 };
	struct server *to;
	char *id = NULL;
	int rc;

	/*
	 * The source too: what was staged may be of an earlier day.  With a
	 * worker it goes on talking; what came since is the delta's.
	 */
	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0 && !pair)
		rc = agent_read_again(run, agent, err);
	if (rc == 0)
		rc = agent_read_side(to, id, agent, "target", true,
		    run->journal, err);
	if (rc == 0)
		rc = agent_compare(agent, run->journal, AGENT_SINCE_NONE,
		    &verdict, err);
	if (rc == 0)
		rc = agent_checks(to, id, agent, run->journal, &verdict, err);
	if (rc == 0 && verdict_overall(&verdict) != VERDICT_SAME) {
		name_checks(&verdict, VERDICT_DIFFERENT, &names);
		rc = err_set(err, ERR_VERDICT, "%s on %s is not the same as "
		    "at its source: %s.  It keeps its temporary name; "
		    "`cancel' takes it away", agent->name, agent->to->name,
		    buf_cstr(&names));
	} else if (rc == 0) {
		name_checks(&verdict, VERDICT_SAME, &names);
		plan_say(note, '+', "same: %s", buf_cstr(&names));
		rc = pair ? agent_delta_note(run, agent, err) : 0;
	}
	verdict_clear(&verdict);
	buf_clear(&names);
	free(id);
	return rc;
}

const struct step_kind agent_compare_kind = {
	.word = "compare",
	.probe = compare_probe,
	.act = compare_act,
};
