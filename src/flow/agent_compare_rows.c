#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/verdict.h"
#include "core/verdict_aspect.h"
#include "core/verdict_row.h"
#include "flow/agent.h"
#include "flow/agent_checks.h"
#include "flow/agent_compare_context.h"
#include "flow/agent_compare_rows.h"
#include "flow/agent_feed.h"
#include "io/journal.h"

enum { SOURCE, TARGET, SIDES };

/* One side of the walk, and the row of it that is at hand. */
struct side {
	struct agent_feed *feed;
	uint64_t rows;
	int more;		/* of the last pull */
	struct af_row row;	/* the feed's */
	struct jdoc *doc;	/* the feed's, or owned */
	struct jdoc *owned;
	char id[LETTA_ID_SIZE];		/* of the row at hand, and the one */
	char before[LETTA_ID_SIZE];	/* before it; "" for none */
	struct buf canonical;
};

struct walk {
	struct side sides[SIDES];
	struct verdict_history history;
	struct agent_context context;
	bool live;		/* the target may have gone on */
	bool ahead;		/* the source may */
	bool v1;		/* the target's agent is a letta_v1_agent */
	bool system_skipped;
	bool system_differs;	/* of a source that may have gone on */
	uint64_t different;	/* pairs of rows */
	struct buf reply;	/* the last visible text of the source */
	char before_reply[LETTA_ID_SIZE];	/* target's row before it */
	struct buf first;	/* where the first of them differs */
};

/* Pull one side's next row that a listing shows. */
static int
pull(struct walk *walk, int which, struct err *err)
{
	struct side *side = &walk->sides[which];

	jdoc_free(side->owned);
	side->owned = side->doc = NULL;
	do {
		side->more = agent_feed_next(side->feed, &side->row, err);
	} while (side->more > 0 && !side->row.listed);
	if (side->more <= 0)
		return side->more;
	side->rows++;
	side->doc = side->row.doc;
	memcpy(side->before, side->id, sizeof(side->before));
	(void)snprintf(side->id, sizeof(side->id), "%s", side->row.id);
	return 0;
}

/* The document of a row that its feed did not parse. */
static int
need_doc(struct side *side, struct err *err)
{
	if (side->doc)
		return 0;
	side->owned = jdoc_parse(side->row.text, side->row.text_len, err);
	side->doc = side->owned;
	return side->doc ? 0 : err_ctx(err, "row %s", side->id);
}

static int
make_canonical(struct side *side, struct err *err)
{
	buf_truncate(&side->canonical, 0);
	if (need_doc(side, err) != 0)
		return -1;
	if (verdict_row_canonical(side->doc, &side->canonical, err) != 0 ||
	    buf_check(&side->canonical, side->row.id, err) != 0)
		return err_ctx(err, "row %s", side->row.id);
	return 0;
}

static bool
starts(const char *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/*
 * Most rows are equal as they were staged, up to the ids of one server, which
 * come last (core/turn_item.h): their canonical texts then are, too.
 */
static bool
is_same_text(const struct af_row *source, const struct af_row *target)
{
	size_t len = target->text_len;
	const char *rest;

	if (!source->text || !target->text || len == 0 ||
	    source->text_len < len ||
	    memcmp(source->text, target->text, len - 1) != 0)
		return false;
	rest = source->text + len - 1;
	len = source->text_len - (len - 1);
	return starts(rest, len, "}") || starts(rest, len, ",\"step_id\":") ||
	    starts(rest, len, ",\"run_id\":");
}

/* Two rows whose canonical texts are not the same. */
static int
note_difference(struct walk *walk, struct err *err)
{
	const char *texts[SIDES];
	struct jdoc *docs[SIDES] = { NULL };
	size_t lens[SIDES];
	int rc = 0;

	for (int i = 0; i < SIDES && rc == 0; i++) {
		texts[i] = buf_cstr(&walk->sides[i].canonical);
		lens[i] = walk->sides[i].canonical.len;
		docs[i] = jdoc_parse(texts[i], lens[i], err);
		rc = docs[i] ? 0 : -1;
	}
	if (rc == 0) {
		verdict_history_differ(&walk->history, docs[SOURCE],
		    docs[TARGET]);
		if (walk->different++ == 0) {
			buf_printf(&walk->first, "row %" PRIu64 ": ",
			    walk->sides[SOURCE].rows);
			verdict_row_difference(texts[SOURCE], texts[TARGET],
			    &walk->first);
		}
	}
	jdoc_free(docs[SOURCE]);
	jdoc_free(docs[TARGET]);
	return rc;
}

/*
 * The first system row of an agent that has been used since is its server's:
 * left out of a live comparison.
 */
static bool
skip_system(struct walk *walk, struct verdict *verdict)
{
	if (!walk->live || walk->system_skipped ||
	    !verdict_row_is_system(walk->sides[SOURCE].doc))
		return false;
	walk->system_skipped = true;
	verdict_add(verdict, "first system row", VERDICT_NOT_COMPARED, 1, 1,
	    "%s", VERDICT_ROW_SYSTEM_REASON);
	return true;
}

/* The same of a source: whether it has gone on is known at its end. */
static bool
defer_system(struct walk *walk)
{
	if (!walk->ahead || walk->system_differs ||
	    walk->sides[SOURCE].rows != 1 ||
	    !verdict_row_is_system(walk->sides[SOURCE].doc))
		return false;
	walk->system_differs = true;
	return true;
}

/* Keep the last reply, and where the target has it. */
static void
keep_reply(struct walk *walk)
{
	struct jdoc *owned;
	const char *text = verdict_visible_text(walk->sides[SOURCE].doc,
	    walk->v1, &owned);

	if (text && *text) {
		buf_truncate(&walk->reply, 0);
		buf_str(&walk->reply, text);
		memcpy(walk->before_reply, walk->sides[TARGET].before,
		    sizeof(walk->before_reply));
	}
	jdoc_free(owned);
}

/* The rows at hand of both sides. */
static int
compare_pair(struct walk *walk, struct verdict *verdict, struct err *err)
{
	struct side *source = &walk->sides[SOURCE];
	struct side *target = &walk->sides[TARGET];
	bool same = is_same_text(&source->row, &target->row);

	if (!same && need_doc(target, err) != 0)
		return -1;
	verdict_history_count(&walk->history, SOURCE, source->doc);
	verdict_history_count(&walk->history, TARGET, same ? source->doc :
	    target->doc);
	keep_reply(walk);
	agent_context_pair(&walk->context, source->doc, source->id,
	    target->id);
	if (skip_system(walk, verdict) || same)
		return 0;
	if (make_canonical(source, err) != 0 ||
	    make_canonical(target, err) != 0)
		return -1;
	if (str_eq(buf_cstr(&source->canonical),
	    buf_cstr(&target->canonical)) || defer_system(walk))
		return 0;
	return note_difference(walk, err);
}

/* Both sides until one ends. */
static int
walk_pairs(struct walk *walk, struct verdict *verdict, struct err *err)
{
	for (;;) {
		if (stop_check(err) != 0 || pull(walk, SOURCE, err) != 0 ||
		    pull(walk, TARGET, err) != 0)
			return -1;
		if (walk->sides[SOURCE].more == 0 ||
		    walk->sides[TARGET].more == 0)
			return 0;
		if (compare_pair(walk, verdict, err) != 0)
			return -1;
	}
}

/*
 * Rows of a side whose other side has ended.  Those that a side has more which
 * may have gone on are of after the move and belong to no aspect.
 */
static int
drain(struct walk *walk, int which, uint64_t *left, struct err *err)
{
	struct side *side = &walk->sides[which];

	*left = 0;
	while (side->more > 0) {
		*left += 1;
		if (need_doc(side, err) != 0)
			return -1;
		if (which == SOURCE ? !walk->ahead : !walk->live)
			verdict_history_count(&walk->history, which,
			    side->doc);
		if (pull(walk, which, err) != 0)
			return -1;
	}
	return 0;
}

static void
judge(const struct walk *walk, uint64_t source_left, uint64_t target_left,
    struct verdict *verdict)
{
	uint64_t source = walk->sides[SOURCE].rows;
	uint64_t target = walk->sides[TARGET].rows;

	if (walk->different > 0)
		verdict_add(verdict, "messages", VERDICT_DIFFERENT, source,
		    target, "%" PRIu64 " rows differ; %s", walk->different,
		    buf_cstr(&walk->first));
	else if (walk->system_differs && source_left == 0)
		verdict_add(verdict, "messages", VERDICT_DIFFERENT, source,
		    target, "row 1, the first system row");
	else if (source_left > 0 && walk->ahead)
		verdict_add(verdict, "messages", VERDICT_SAME, source,
		    target, "in order; the last %" PRIu64 " rows of the "
		    "source were written since", source_left);
	else if (source_left > 0)
		verdict_add(verdict, "messages", VERDICT_DIFFERENT, source,
		    target, "the target lacks the last %" PRIu64 " rows of "
		    "the source", source_left);
	else if (target_left > 0 && !walk->live)
		verdict_add(verdict, "messages", VERDICT_DIFFERENT, source,
		    target, "the target has %" PRIu64 " rows more",
		    target_left);
	else if (target_left > 0)
		verdict_add(verdict, "messages", VERDICT_SAME, source,
		    target, "in order; %" PRIu64 " rows on the target are of "
		    "after the move", target_left);
	else
		verdict_add(verdict, "messages", VERDICT_SAME, source,
		    target, "in order");
	verdict_history_add(&walk->history, verdict);
	if (walk->system_differs && source_left > 0)
		verdict_add(verdict, "first system row", VERDICT_NOT_COMPARED,
		    1, 1, "%s", VERDICT_ROW_SYSTEM_REASON);
	agent_context_judge(&walk->context, (walk->live && target_left > 0) ||
	    (walk->ahead && source_left > 0), verdict);
}

/* Of which type the agent on the target is; not said: letta_v1_agent. */
static int
find_type(struct walk *walk, const struct conf_agent *agent,
    struct journal *journal, struct err *err)
{
	struct jdoc *state = NULL;
	const char *type;

	if (agent_state_load(agent, "target", journal, &state, err) != 0)
		return -1;
	type = jdoc_get_str(state, "agent_type");
	walk->v1 = !type || str_eq(type, "letta_v1_agent");
	jdoc_free(state);
	return 0;
}

static int
open_sides(struct walk *walk, const struct conf_agent *agent,
    struct journal *journal, struct err *err)
{
	char *from = agent_scope("source", agent, "messages");
	char *to = agent_scope("target", agent, "messages");
	struct agent_feed_source source = {
		.journal = journal, .scope = from,
	};
	struct agent_feed_source target = {
		.journal = journal, .scope = to, .unparsed = true,
	};
	struct af_rules rules;
	bool one = false;
	int rc;

	rc = find_type(walk, agent, journal, err);
	if (rc == 0)
		rc = agent_context_open(&walk->context, agent, journal, err);
	if (rc == 0)
		rc = agent_is_one(agent, journal, &one, err);
	if (rc == 0 && !one)
		rc = agent_rules(agent, journal, NULL, &rules, err);
	source.rules = one ? NULL : &rules;
	if (rc == 0)
		rc = agent_feed_open(&source, &walk->sides[SOURCE].feed, err);
	if (rc == 0)
		rc = agent_feed_open(&target, &walk->sides[TARGET].feed, err);
	free(from);
	free(to);
	return rc;
}

/* For agent_checks, which asks the target for it. */
static int
put_reply(const struct walk *walk, const struct conf_agent *agent,
    struct journal *journal, struct err *err)
{
	char *key = agent_reply_key(agent);
	struct jdoc *reply = jdoc_new_object();
	struct buf text = BUF_INIT(2 * LETTA_ANSWER_MAX);
	int rc;

	jdoc_set_str(reply, "after", walk->before_reply);
	jdoc_set_str(reply, "text", buf_cstr(&walk->reply));
	if (walk->reply.len > 0)
		jdoc_write(reply, &text);
	rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(reply);
	buf_clear(&text);
	free(key);
	return rc;
}

int
agent_compare_rows(const struct conf_agent *agent, struct journal *journal,
    enum agent_since since, struct verdict *verdict, struct err *err)
{
	struct walk walk = {
		.live = since == AGENT_SINCE_TARGET,
		.ahead = since == AGENT_SINCE_SOURCE,
		.first = BUF_INIT(4096),
		.reply = BUF_INIT(LETTA_ANSWER_MAX),
	};
	uint64_t left[SIDES] = { 0 };
	int rc;

	for (int i = 0; i < SIDES; i++)
		buf_init(&walk.sides[i].canonical, LETTA_ANSWER_MAX);
	rc = open_sides(&walk, agent, journal, err);
	if (rc == 0)
		rc = walk_pairs(&walk, verdict, err);
	for (int i = 0; i < SIDES && rc == 0; i++)
		rc = drain(&walk, i, &left[i], err);
	if (rc == 0)
		judge(&walk, left[SOURCE], left[TARGET], verdict);
	if (rc == 0)
		rc = put_reply(&walk, agent, journal, err);
	for (int i = 0; i < SIDES; i++) {
		jdoc_free(walk.sides[i].owned);
		agent_feed_close(walk.sides[i].feed);
		buf_clear(&walk.sides[i].canonical);
	}
	agent_context_close(&walk.context);
	buf_clear(&walk.first);
	buf_clear(&walk.reply);
	return rc;
}
