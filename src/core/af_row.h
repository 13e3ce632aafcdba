#ifndef CORE_AF_ROW_H
#define CORE_AF_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/stamp.h"

struct err;
struct jdoc;

/*
 * One row on its way into an agent file.  What a server would refuse, or take
 * and then fail every listing with, is put right; each kind of change is
 * named, so that changed rows can be counted and listed.  core/af_rule.h then
 * says whether the result may be sent.
 *
 * The rows of one history go through one struct af_convert in order:
 *
 *     struct af_convert convert = { .rules = rules };
 *     struct af_row row = { .id = id, .doc = doc,
 *         .changes = af_row_look(text, len) };
 *
 *     af_row_convert(&convert, &row, err)        once a row
 *     af_convert_clear(&convert)
 *
 * flow/agent_feed.h does this for a source's staged rows, for the file and
 * for the comparison alike.
 */

/*
 * What may be done to a row; core/af_row.c has the words for each.  A row's
 * changes are a set of bits, AF_CHANGE_BIT(change).
 */
enum af_change {
	AF_CHANGE_MERGED,	/* reasoning and reply put together */
	AF_CHANGE_THOUGHTS,	/* text beside a call made reasoning */
	AF_CHANGE_PACKED,	/* a tool's return that was no JSON object */
	AF_CHANGE_STATUS,	/* its status made OK or Failed */
	AF_CHANGE_MESSAGE,	/* its message made text */
	AF_CHANGE_NEUTRAL,	/* its failure written as {"ok":false,...} */
	AF_CHANGE_CALL_ID,	/* tool_call_id found */
	AF_CHANGE_CONTENT,	/* content made a list */
	AF_CHANGE_DATE,		/* moved into 1900-2999 */
	AF_CHANGE_UNDATED,	/* none: that of the row before, or 1970 */
	AF_CHANGE_NUL,		/* U+0000 taken out */
	AF_CHANGE_SURROGATE,	/* a surrogate without its pair: U+FFFD */
	AF_CHANGE_SUMMARY,	/* role summary made user */
	AF_CHANGE_DROPPED,	/* a row of a failed run: left out */
	AF_CHANGES		/* how many there are */
};
#define AF_CHANGE_BIT(change) (1u << (change))

/* "reasoning and reply of one turn put together" */
const char *af_change_text(enum af_change) MUST_CHECK;

struct af_row {
	const char *id;		/* at the source */
	struct jdoc *doc;	/* who takes the row may edit it */
	unsigned int changes;	/* bits of enum af_change */
	const char *text;	/* as it was staged, while doc is just that;
				 * else NULL */
	size_t text_len;
	bool listed;		/* false: a listing shows nothing of it */
};

struct af_rules {
	/*
	 * The source's agents were of a type that thinks aloud beside its
	 * calls (memgpt_agent, memgpt_v2_agent, react_agent of 0.11.3): text
	 * of a row with tool calls becomes reasoning, is_native false, as a
	 * letta_v1_agent would show that text as its reply.
	 */
	bool inner_thoughts;
	/* A failed return as {"ok":false,"message":...}, which lists as
	 * success.  Otherwise a failure stays a failure. */
	bool neutral_failures;
	/* The target knows no role `summary' (0.16.2; 0.16.8 does). */
	bool no_summary;
	/* A row without a date gets that of the row before. */
	bool date_all;
};

/* Calls of one row that are still to be answered. */
#define AF_OPEN_CALLS 64

struct af_convert {
	struct af_rules rules;
	uint64_t counts[AF_CHANGES];	/* rows with each change */

	struct jdoc *open;		/* ids of calls, or NULL */
	struct stamp last;		/* of the row before */
};

/*
 * The agent_type with which an agent is imported.  Agents of 0.11.3 that
 * think aloud become letta_v1_agent, the type that later servers run; all
 * others keep theirs, so the pointer given comes back.
 */
const char *af_row_agent_type(const char *agent_type, bool legacy_source)
    MUST_CHECK;

/*
 * The rules that follow from a source's agent_type and version, and from
 * what the target knows (no_summary: below 0.16.8).
 */
void af_rules_for(struct af_rules *, const char *agent_type,
    bool legacy_source, bool no_summary);

/*
 * What can only be seen in the JSON that a row is read from: a surrogate
 * without its pair, which json-c replaces, and an escaped U+0000.  The bits
 * AF_CHANGE_SURROGATE and AF_CHANGE_NUL; the latter may be wrong (an escape
 * within a text of JSON) and is settled by af_row_convert.
 */
unsigned int af_row_look(const char *text, size_t len) MUST_CHECK;

/*
 * Whether a row is of a run that failed: turn_page says so with is_err.  Such
 * a row is left out (AF_CHANGE_DROPPED): no model is shown it, and a listing
 * shows it only when asked (0.11.3, seen).
 */
bool af_row_is_dropped(const struct jdoc *row) MUST_CHECK;

/*
 * Whether a listing shows anything of a row: not of one of the assistant
 * with neither words nor thoughts nor calls.
 */
bool af_row_is_listed(const struct jdoc *row) MUST_CHECK;

/*
 * Convert a row in place; adds to its changes and sets `listed'.
 *
 * What is changed: see enum af_change.  A text in place of a JSON object is
 * packed as {"status":"OK","message":text}; a status other than OK and
 * Failed becomes OK when it means that ("success", "ok", 200), else Failed.
 * tool_call_id is that of the only entry of tool_returns, or of the only
 * call still unanswered of the last row that made some.
 *
 * Fails with ERR_DATA for a row of a tool whose call cannot be told.
 */
int af_row_convert(struct af_convert *, struct af_row *, struct err *)
    MUST_CHECK;
void af_convert_clear(struct af_convert *);

#endif /* !CORE_AF_ROW_H */
