#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_checks.h"
#include "flow/server.h"
#include "io/journal.h"

char *
agent_reply_key(const struct conf_agent *agent)
{
	return mem_printf("agent.%s.reply", agent->name);
}

char *
agent_round_trip_key(const struct conf_agent *agent)
{
	return mem_printf("agent.%s.target-export", agent->name);
}

static int
check_export(const struct conf_agent *agent, struct journal *journal,
    struct verdict *verdict, struct err *err)
{
	char *key = agent_round_trip_key(agent), *text = NULL;
	uint64_t placed, left, pairs;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && (!text || sscanf(text, "%" SCNu64 " %" SCNu64 " %"
	    SCNu64, &placed, &left, &pairs) != 3))
		rc = err_set(err, ERR_DATA, "journal key %s", key);
	if (rc == 0 && left == 0)
		verdict_add(verdict, "export", VERDICT_SAME, placed, placed,
		    "the target's rows as listed; %" PRIu64 " pairs of "
		    "reasoning and reply", pairs);
	else if (rc == 0)
		verdict_add(verdict, "export", VERDICT_DIFFERENT,
		    placed + left, placed, "%" PRIu64 " rows of the target's "
		    "export are not what it lists", left);
	free(text);
	free(key);
	return rc;
}

/* Whether the journal's cursor of a scope stands behind an empty page. */
static int
look_at(struct journal *journal, const char *scope, uint64_t *rows,
    bool *ended, struct err *err)
{
	char *cursor = NULL;
	int rc;

	rc = journal_cursor(journal, scope, &cursor, ended, err);
	if (rc == 0)
		rc = journal_count(journal, scope, rows, err);
	free(cursor);
	return rc;
}

static int
check_listing(const struct conf_agent *agent, struct journal *journal,
    struct verdict *verdict, struct err *err)
{
	char *from = agent_scope("source", agent, "messages");
	char *to = agent_scope("target", agent, "messages");
	bool ended[2] = { false, false };
	uint64_t rows[2];
	int rc;

	rc = look_at(journal, from, &rows[0], &ended[0], err);
	if (rc == 0)
		rc = look_at(journal, to, &rows[1], &ended[1], err);
	if (rc == 0 && ended[0] && ended[1])
		verdict_add(verdict, "full listing", VERDICT_SAME, rows[0],
		    rows[1], "read page by page, to an empty one");
	else if (rc == 0)
		verdict_add(verdict, "full listing", VERDICT_DIFFERENT,
		    rows[0], rows[1], "the listing of the %s was not read to "
		    "its end", ended[0] ? "target" : "source");
	free(from);
	free(to);
	return rc;
}

/* Whether one of the items is an assistant_message with this text. */
static bool
has_reply(const struct jdoc *items, const char *text)
{
	const struct jdoc *item;
	const char *type, *content;

	for (size_t i = 0; i < jdoc_len(items); i++) {
		item = jdoc_at(items, i);
		type = jdoc_get_str(item, "message_type");
		content = jdoc_get_str(item, "content");
		/* Texts that stand side by side are listed as one. */
		if (type && content && str_eq(type, "assistant_message") &&
		    str_ends(content, text))
			return true;
	}
	return false;
}

static int
look_for_reply(struct server *to, const char *id, const struct jdoc *reply,
    struct verdict *verdict, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	const char *text = jdoc_get_str(reply, "text");
	struct jdoc *items = NULL;
	int rc;

	letta_path_shown(&path, id, jdoc_get_str(reply, "after"), 1);
	rc = server_get_doc(to, buf_cstr(&path), "the last reply", &items,
	    err);
	if (rc == 0 && text && has_reply(items, text))
		verdict_add(verdict, "visible reply", VERDICT_SAME, 1, 1,
		    "the last one, under assistant_message.content");
	else if (rc == 0)
		verdict_add(verdict, "visible reply", VERDICT_DIFFERENT, 1,
		    0, "the last one is not under assistant_message.content");
	jdoc_free(items);
	buf_clear(&path);
	return rc;
}

static int
check_reply(struct server *to, const char *id, const struct conf_agent *agent,
    struct journal *journal, struct verdict *verdict, struct err *err)
{
	char *key = agent_reply_key(agent), *text = NULL;
	struct jdoc *reply = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text) {
		reply = jdoc_parse(text, strlen(text), err);
		rc = reply ? look_for_reply(to, id, reply, verdict, err) :
		    err_ctx(err, "journal key %s", key);
	} else if (rc == 0) {
		verdict_add(verdict, "visible reply", VERDICT_NOT_COMPARED, 0,
		    0, "the history has no reply that a listing shows as one");
	}
	jdoc_free(reply);
	free(text);
	free(key);
	return rc;
}

int
agent_checks(struct server *to, const char *id,
    const struct conf_agent *agent, struct journal *journal,
    struct verdict *verdict, struct err *err)
{
	if (check_listing(agent, journal, verdict, err) != 0 ||
	    check_export(agent, journal, verdict, err) != 0 ||
	    check_reply(to, id, agent, journal, verdict, err) != 0)
		return err_ctx(err, "check agent %s", agent->name);
	return 0;
}
