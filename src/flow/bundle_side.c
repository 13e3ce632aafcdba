#include "base/base.h"

#include "base/err.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/bundle_side.h"
#include "io/journal.h"

/* A fact of the side as a document, which the caller frees. */
static int
load_doc(struct journal *journal, char *take_key, struct jdoc **doc,
    struct err *err)
{
	char *text = NULL;
	int rc;

	rc = journal_get(journal, take_key, &text, err);
	if (rc == 0 && (!text || !*text))
		rc = err_set(err, ERR_FAILED, "the agent has not been read");
	if (rc == 0) {
		*doc = jdoc_parse(text, strlen(text), err);
		rc = *doc ? 0 : err_ctx(err, "%s: %s", journal_path(journal),
		    take_key);
	}
	free(text);
	free(take_key);
	return rc;
}

int
bundle_side_load(struct journal *journal, const struct conf_agent *agent,
    const char *side, struct bundle_side *out, struct err *err)
{
	*out = (struct bundle_side){
		.journal = journal, .agent = agent, .side = side
	};
	if (load_doc(journal, agent_shell_key(side, agent), &out->shell,
	    err) != 0 || load_doc(journal, agent_state_key(side, agent),
	    &out->state, err) != 0) {
		bundle_side_clear(out);
		return -1;
	}
	af_shell_strip(out->shell);
	return 0;
}

void
bundle_side_clear(struct bundle_side *side)
{
	jdoc_free(side->shell);
	jdoc_free(side->state);
	side->shell = side->state = NULL;
}

/* Whether its server was of the old kind; one that is not known was not. */
static bool
is_legacy(const struct bundle_side *side)
{
	struct letta_caps caps = { 0 };

	letta_caps_of(jdoc_get_str(side->state, "version"), &caps);
	return caps.backward;
}

static const char *
agent_type(const struct bundle_side *side)
{
	const char *type = jdoc_get_str(side->state, "agent_type");

	return type ? type : "";
}

void
bundle_side_rules(const struct bundle_side *side, struct af_rules *rules)
{
	af_rules_for(rules, agent_type(side), is_legacy(side), false);
	rules->date_all = true;
}

void
bundle_side_modernise(struct bundle_side *side)
{
	struct jdoc *agent = jdoc_edit_at(jdoc_edit(side->shell, "agents"),
	    0);
	const char *type = agent_type(side);

	if (jdoc_type(agent) == JDOC_OBJECT && *type)
		jdoc_set_str(agent, "agent_type", af_row_agent_type(type,
		    is_legacy(side)));
}
