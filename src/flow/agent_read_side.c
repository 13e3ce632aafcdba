#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_checks.h"
#include "flow/agent_identities.h"
#include "flow/agent_page.h"
#include "flow/agent_passages.h"
#include "flow/agent_raw.h"
#include "flow/agent_shell.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* One side of an agent on its way into the journal. */
struct side {
	struct server *server;
	struct journal *journal;
	const struct conf_agent *agent;
	const char *id, *word;		/* of the agent; "source" or "target" */
	bool fresh;			/* drop what was staged first */
	struct agent_known *known;	/* or NULL */
};

/* One listing into the scope SIDE/NAME/what. */
static int
read_listing(const struct side *side, enum agent_page_what kind,
    const char *what, const char *agent_type, const char *conversation,
    struct err *err)
{
	char *scope = agent_scope(side->word, side->agent, what);
	struct agent_listing listing = {
		.what = kind,
		.server = side->server,
		.journal = side->journal,
		.id = side->id,
		.scope = scope,
		.agent_type = agent_type,
		.conversation = conversation,
	};
	struct agent_listing_info info;
	int rc = 0;

	if (side->fresh)
		rc = journal_scope_drop(side->journal, scope, err);
	if (rc == 0)
		rc = agent_page_all(&listing, &info, err);
	if (rc == 0 && info.doubled > 0)
		log_warn("%s: %" PRIu64 " ids of %s stand for more than one "
		    "row; each row is kept", side->server->name, info.doubled,
		    side->id);
	free(scope);
	return rc;
}

/* The state first: its ids in context then name rows that are listed. */
static int
read_messages(const struct side *side, char **type, struct err *err)
{
	int rc;

	*type = NULL;
	rc = side->known ? agent_state_keep(side->server,
	    side->known->state, side->agent, side->word, side->journal, type,
	    err) : agent_state_fetch(side->server, side->id, side->agent,
	    side->word, side->journal, type, err);
	if (rc == 0)
		rc = read_listing(side, AGENT_PAGE_MESSAGES, "messages",
		    *type, NULL, err);
	return rc;
}

int
agent_read_messages(struct server *server, const char *id,
    const struct conf_agent *agent, const char *word, bool fresh,
    struct journal *journal, struct err *err)
{
	struct side side = { server, journal, agent, id, word, fresh, NULL };
	char *type;
	int rc;

	rc = read_messages(&side, &type, err);
	free(type);
	return rc;
}

char *
agent_conversation_scope(const char *word, const struct conf_agent *agent,
    const char *conversation)
{
	return mem_printf("%s/%s/conversation/%s", word, agent->name,
	    conversation);
}

/* The rows of every conversation in the scope of the list. */
static int
read_each_conversation(const struct side *side, const char *scope,
    const char *type, struct err *err)
{
	struct journal_rows *rows = NULL;
	struct journal_row row;
	char *what;
	int more = 0, rc;

	rc = journal_rows_open(side->journal, scope, false, &rows, err);
	while (rc == 0 &&
	    (more = journal_rows_next(rows, &row, err)) > 0) {
		what = mem_printf("conversation/%s", row.id);
		rc = read_listing(side, AGENT_PAGE_MESSAGES, what, type,
		    row.id, err);
		free(what);
	}
	journal_rows_close(rows);
	return rc == 0 && more == 0 ? 0 : -1;
}

/*
 * The conversations beside the agent's own history.  An import makes none, so
 * those of a target are only listed.
 */
static int
read_conversations(const struct side *side, const char *type,
    struct err *err)
{
	char *scope;
	int rc;

	if (side->server->caps.backward)
		return 0;
	scope = agent_scope(side->word, side->agent, "conversations");
	rc = read_listing(side, AGENT_PAGE_CONVERSATIONS, "conversations",
	    NULL, NULL, err);
	if (rc == 0 && str_eq(side->word, "source"))
		rc = read_each_conversation(side, scope, type, err);
	free(scope);
	return rc;
}

/* A run that was killed may have left the source's context exchanged. */
static int
close_window(const struct side *side, struct err *err)
{
	if (!str_eq(side->word, "source"))
		return 0;
	return agent_raw_restore(side->server, side->id, side->agent,
	    side->journal, err);
}

/* What the export of a target held, for agent_checks. */
static int
put_round_trip(const struct side *side,
    const struct agent_raw_counts *counts, struct err *err)
{
	char *key = agent_round_trip_key(side->agent);
	char *text = mem_printf("%" PRIu64 " %" PRIu64 " %" PRIu64,
	    counts->placed, counts->left, counts->pairs);
	int rc = journal_put(side->journal, key, text, err);

	free(text);
	free(key);
	return rc;
}

/* The export, of whose rows those of a source win over the listed ones. */
static int
read_raw(const struct side *side, struct err *err)
{
	struct agent_raw_counts counts;
	int rc;

	rc = agent_shell_fetch(side->server, side->id, side->agent,
	    side->word, side->journal, &counts, err);
	if (rc != 0 || !str_eq(side->word, "source"))
		return rc != 0 ? rc : put_round_trip(side, &counts, err);
	if (counts.placed + counts.left > 0)
		log_detail("%s: %" PRIu64 " rows of %s as they are stored, "
		    "%" PRIu64 " of the export left as listed",
		    side->server->name, counts.placed, side->id, counts.left);
	return rc;
}

int
agent_read_side(struct server *server, const char *id,
    const struct conf_agent *agent, const char *word, bool fresh,
    struct journal *journal, struct err *err)
{
	struct side side = { server, journal, agent, id, word, fresh, NULL };
	char *type = NULL;
	int rc;

	rc = close_window(&side, err);
	if (rc == 0)
		rc = read_messages(&side, &type, err);
	if (rc == 0)
		rc = read_conversations(&side, type, err);
	if (rc == 0)
		rc = agent_passages_read(server, id, agent, word, fresh,
		    journal, err);
	if (rc == 0)
		rc = agent_blocks_read(server, id, agent, word, journal, err);
	if (rc == 0)
		rc = agent_identities_read(server, id, agent, word, journal,
		    err);
	if (rc == 0)
		rc = read_raw(&side, err);
	free(type);
	return rc != 0 ? err_ctx(err, "read agent %s (%s)", agent->name, id) :
	    0;
}

static char *
copy_id(const struct jdoc *list)
{
	const char *id = jdoc_get_str(jdoc_at(list, 0), "id");

	return mem_strdup(id ? id : "");
}

/*
 * The newest message, of whatever conversation, before any is read: without
 * others the last one of the agent's own history will be it.
 */
static int
ask_newest(const struct side *side, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list = NULL;
	uint64_t n;
	int rc;

	if (side->known->no_conversations)
		return 0;
	rc = read_listing(side, AGENT_PAGE_CONVERSATIONS, "conversations",
	    NULL, NULL, err);
	if (rc == 0)
		rc = agent_conversations(side->journal, side->word,
		    side->agent, &n, err);
	if (rc != 0 || n == 0)
		return rc;
	letta_path_message_newest(&path, side->id, false);
	if (server_get_list(side->server, buf_cstr(&path),
	    "the newest message", &list, err) == 0)
		side->known->newest_message = copy_id(list);
	else if (err->kind == ERR_FAILED || err->kind == ERR_DATA)
		err_clear(err);	/* a row that it cannot convert */
	else
		rc = -1;
	jdoc_free(list);
	buf_clear(&path);
	return rc;
}

/* The message that the listing has ended with, when there is no other. */
static int
take_newest(const struct side *side, struct err *err)
{
	char *scope = agent_scope(side->word, side->agent, "messages");
	uint64_t n;
	bool ended;
	int rc;

	rc = agent_conversations(side->journal, side->word, side->agent, &n,
	    err);
	if (rc == 0 && n == 0)
		rc = journal_cursor(side->journal, scope,
		    &side->known->newest_message, &ended, err);
	free(scope);
	return rc;
}

/* Conversations first: whether there are any says what is to be asked. */
static int
read_known(const struct side *side, char **type, struct err *err)
{
	struct agent_known *known = side->known;
	char *scope = agent_scope(side->word, side->agent, "conversations");
	int rc;

	rc = ask_newest(side, err);
	if (rc == 0)
		rc = read_messages(side, type, err);
	if (rc == 0)
		rc = read_each_conversation(side, scope, *type, err);
	if (rc == 0)
		rc = take_newest(side, err);
	if (rc == 0)
		rc = agent_passages_stage(side->server, side->id,
		    side->agent, known->passages, side->journal,
		    &known->newest_passage, err);
	if (rc == 0)
		rc = agent_blocks_keep(known, side->id, side->agent,
		    side->word, side->journal, err);
	if (rc == 0)
		rc = agent_identities_keep(side->server, known->state->state,
		    side->agent, side->word, side->journal, err);
	free(scope);
	return rc;
}

int
agent_read_known(struct server *server, const char *id,
    const struct conf_agent *agent, struct agent_known *known,
    struct journal *journal, struct err *err)
{
	struct side side = { server, journal, agent, id, "source", false,
	    known };
	char *type = NULL;
	int rc;

	rc = close_window(&side, err);
	if (rc == 0)
		rc = read_known(&side, &type, err);
	if (rc == 0)
		rc = read_raw(&side, err);
	free(type);
	return rc != 0 ? err_ctx(err, "read agent %s (%s)", agent->name, id) :
	    0;
}
