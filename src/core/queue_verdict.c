#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/queue.h"
#include "core/queue_verdict.h"
#include "core/stamp.h"

#define TEXT_MAX (32 * 1024 * 1024)

/* The tool by which agents before letta_v1_agent speak. */
#define SPEAKER "send_message"

/* Bytes of an image's line, which Broca leaves out when it tries again. */
static size_t
image_len(const char *s)
{
	static const char head[] = "[Image Attachment:";
	const char *end;

	if (strncasecmp(s, head, sizeof(head) - 1) != 0)
		return 0;
	end = strchr(s, ']');
	return end ? (size_t)(end - s) + 1 : 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Lower case (ASCII), blanks as one, no images: to find what is alike. */
static char *
loosened(const char *s)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	bool blank = false;
	size_t image;

	while (*s) {
		image = image_len(s);
		if (image > 0 || is_blank(*s)) {
			blank = true;
			s += image > 0 ? image : 1;
			continue;
		}
		if (blank && out.len > 0)
			buf_char(&out, ' ');
		blank = false;
		buf_char(&out, (char)(*s >= 'A' && *s <= 'Z' ?
		    *s - 'A' + 'a' : *s));
		s++;
	}
	if (!out.data)
		return mem_strdup("");
	return buf_take(&out);
}

struct queue_case *
queue_cases_add(struct queue_cases *cases, int64_t id, const char *identity,
    const char *wire, const char *text, const char *time,
    const char *row_time)
{
	struct queue_case *new;
	struct stamp at = { 0 }, row = { 0 };

	cases->list = mem_grow(cases->list, cases->n + 1,
	    sizeof(*cases->list));
	new = &cases->list[cases->n++];
	*new = (struct queue_case){ .id = id };
	new->identity = identity && *identity ? mem_strdup(identity) : NULL;
	new->wire = mem_strdup(wire);
	new->like = loosened(wire);
	new->like_text = loosened(text);
	if (!queue_time(time, &at) || !queue_time(row_time, &row))
		new->fault = "the time of its message or of the row cannot "
		    "be read";
	else if (at.unix_s > row.unix_s + QUEUE_SLACK_S)
		new->fault = "its message is younger than the row: one of "
		    "the two times is not in UTC";
	new->since = at.unix_s - QUEUE_SLACK_S;
	return new;
}

struct queue_case *
queue_cases_find(struct queue_cases *cases, int64_t id)
{
	for (size_t i = 0; i < cases->n; i++) {
		if (cases->list[i].id == id)
			return &cases->list[i];
	}
	return NULL;
}

void
queue_case_twin(struct queue_case *one, const char *time)
{
	struct stamp at;

	if (!queue_time(time, &at) || at.unix_s >= one->since - QUEUE_SLACK_S)
		one->twins++;
}

void
queue_cases_clear(struct queue_cases *cases)
{
	for (size_t i = 0; i < cases->n; i++) {
		free(cases->list[i].identity);
		free(cases->list[i].wire);
		free(cases->list[i].like);
		free(cases->list[i].like_text);
		free(cases->list[i].reply);
	}
	free(cases->list);
	free(cases->runs);
	free(cases->turn.reply);
	*cases = (struct queue_cases){ 0 };
}

static void
copy_id(char to[static LETTA_ID_SIZE], const char *from)
{
	(void)snprintf(to, LETTA_ID_SIZE, "%s", from ? from : "");
}

int
queue_cases_runs(struct queue_cases *cases, const struct jdoc *runs,
    struct err *err)
{
	const struct jdoc *run;
	const char *created;
	struct stamp at;

	if (jdoc_type(runs) != JDOC_ARRAY)
		return err_set(err, ERR_DATA, "active runs: the answer is no "
		    "list");
	free(cases->runs);
	cases->n_runs = jdoc_len(runs);
	cases->runs = mem_zero(cases->n_runs + 1, sizeof(*cases->runs));
	for (size_t i = 0; i < cases->n_runs; i++) {
		run = jdoc_at(runs, i);
		created = jdoc_get_str(run, "created_at");
		copy_id(cases->runs[i].id, jdoc_get_str(run, "id"));
		cases->runs[i].ended = jdoc_get_str(run, "completed_at");
		/* One without a time may be of any row. */
		cases->runs[i].since = created && stamp_parse(created, &at) ?
		    at.unix_s : INT64_MAX;
	}
	return 0;
}

/* The text of a message, whose content has two shapes; NULL: none. */
static char *
content_of(const struct jdoc *item)
{
	const struct jdoc *content = jdoc_get(item, "content");
	struct buf out = BUF_INIT(TEXT_MAX);
	const char *part;

	if (jdoc_str(content))
		return mem_strdup(jdoc_str(content));
	for (size_t i = 0; i < jdoc_len(content); i++) {
		part = jdoc_get_str(jdoc_at(content, i), "text");
		if (part)
			buf_printf(&out, "%s%s", out.len ? "\n" : "", part);
	}
	return out.data ? buf_take(&out) : NULL;
}

/*
 * What an older server says to its agent in a user's place: a heartbeat, a
 * login, an alert.  It does not end a turn.
 */
static bool
is_internal(const char *content)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc;
	bool internal;

	if (*content != '{')
		return false;
	doc = jdoc_parse(content, strlen(content), &ignored);
	internal = jdoc_get_str(doc, "type") && jdoc_has(doc, "time") &&
	    !jdoc_is(doc, "type", "user_message");
	jdoc_free(doc);
	return internal;
}

/* What a call of the tool by which older agents speak says, or NULL. */
static char *
spoken(const struct jdoc *call)
{
	const char *arguments = jdoc_get_str(call, "arguments");
	struct err ignored = ERR_INIT;
	struct jdoc *doc;
	char *said = NULL;

	if (!jdoc_is(call, "name", SPEAKER) || !arguments)
		return NULL;
	doc = jdoc_parse(arguments, strlen(arguments), &ignored);
	if (jdoc_get_str(doc, "message"))
		said = mem_strdup(jdoc_get_str(doc, "message"));
	jdoc_free(doc);
	return said;
}

static void
reset_turn(struct queue_turn *turn)
{
	free(turn->reply);
	*turn = (struct queue_turn){ 0 };
}

/* The last thing that counts of a turn; what came before it does not. */
static void
end_turn(struct queue_turn *turn, const struct jdoc *item, char *take)
{
	if (turn->begun) {
		free(take);
		return;
	}
	turn->begun = true;
	turn->finished = take && *take;
	turn->reply = take;
	copy_id(turn->run, jdoc_get_str(item, "run_id"));
}

static bool
ends_with(const char *s, const char *mark, const char *text)
{
	size_t all = strlen(s), want = strlen(text), marked = strlen(mark);

	return all >= want + marked && str_ends(s, text) &&
	    strncmp(s + all - want - marked, mark, marked) == 0;
}

/* Whether a message may be the case's in another form, or of another user. */
static bool
is_like(const struct queue_case *one, const char *sender,
    const char *loose)
{
	if (str_eq(loose, one->like) || str_eq(loose, one->like_text))
		return true;
	if (sender && one->identity && !str_eq(sender, one->identity))
		return false;
	return ends_with(loose, *one->like_text ? "] " : "]",
	    one->like_text);
}

static void
meet(struct queue_case *one, const struct queue_turn *turn, const char *run)
{
	if (one->n_exact++ > 0)
		return;
	copy_id(one->run, run);
	one->finished = turn->finished;
	one->mixed = *one->run && *turn->run && !str_eq(one->run, turn->run);
	one->reply = turn->reply ? mem_strdup(turn->reply) : NULL;
}

static void
see_user(struct queue_cases *cases, const struct jdoc *item, int64_t at)
{
	const char *sender = jdoc_get_str(item, "sender_id");
	char *content = content_of(item), *loose;
	struct queue_case *one;

	if (content && is_internal(content)) {
		free(content);
		return;
	}
	loose = loosened(content ? content : "");
	for (size_t i = 0; i < cases->n; i++) {
		one = &cases->list[i];
		if (at < one->since)
			continue;
		if (content && str_eq(content, one->wire) &&
		    str_eq(sender ? sender : "",
		    one->identity ? one->identity : ""))
			meet(one, &cases->turn, jdoc_get_str(item, "run_id"));
		else
			one->n_like += is_like(one, sender, loose);
	}
	free(content);
	free(loose);
	reset_turn(&cases->turn);
}

static void
see_call(struct queue_turn *turn, const struct jdoc *item)
{
	const struct jdoc *calls = jdoc_get(item, "tool_calls");
	const struct jdoc *call = jdoc_get(item, "tool_call");

	if (jdoc_len(calls) > 0)
		call = jdoc_at(calls, jdoc_len(calls) - 1);
	end_turn(turn, item, spoken(call));
}

static int
see_item(struct queue_cases *cases, const struct jdoc *item, int64_t *newest,
    struct err *err)
{
	const char *type = jdoc_get_str(item, "message_type");
	const char *date = jdoc_get_str(item, "date");
	struct stamp at;

	if (!type || !date || !stamp_parse(date, &at))
		return err_set(err, ERR_DATA, "an item of the listing has no "
		    "message_type or no date");
	if (at.unix_s > *newest)
		*newest = at.unix_s;
	if (str_eq(type, "user_message"))
		see_user(cases, item, at.unix_s);
	else if (str_eq(type, "assistant_message"))
		end_turn(&cases->turn, item, content_of(item));
	else if (str_eq(type, "tool_call_message"))
		see_call(&cases->turn, item);
	else if (str_starts(type, "approval_"))
		end_turn(&cases->turn, item, NULL);
	return 0;
}

static bool
older_than_all(const struct queue_cases *cases, int64_t newest)
{
	for (size_t i = 0; i < cases->n; i++) {
		if (!cases->list[i].fault && newest >= cases->list[i].since)
			return false;
	}
	return true;
}

int
queue_cases_page(struct queue_cases *cases, const char *text, size_t len,
    struct queue_page *page, struct err *err)
{
	struct jdoc *doc = jdoc_parse_set(text, len, NULL, err);
	int64_t newest = INT64_MIN;
	int rc = 0;

	if (!doc)
		return -1;
	*page = (struct queue_page){ .items = jdoc_len(doc) };
	if (jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "messages: the answer is no list");
	for (size_t i = page->items; i > 0 && rc == 0; i--)
		rc = see_item(cases, jdoc_at(doc, i - 1), &newest, err);
	if (rc == 0) {
		copy_id(page->first_id, jdoc_get_str(jdoc_at(doc, 0), "id"));
		/* Whole pages are compared: an import may bring dates along. */
		cases->past = older_than_all(cases, newest);
	}
	jdoc_free(doc);
	return rc;
}

bool
queue_cases_past(const struct queue_cases *cases)
{
	return cases->past;
}

/* Whether a run that is not ended may be the one of this row. */
static bool
is_running(const struct queue_cases *cases, const struct queue_case *one)
{
	for (size_t i = 0; i < cases->n_runs; i++) {
		if (cases->runs[i].ended)
			continue;
		if (*one->run && *cases->runs[i].id ?
		    str_eq(one->run, cases->runs[i].id) :
		    cases->runs[i].since >= one->since)
			return true;
	}
	return false;
}

enum queue_verdict
queue_case_verdict(const struct queue_cases *cases,
    const struct queue_case *one, const char **why)
{
	size_t met = one->n_exact + one->n_like;

	*why = NULL;
	if (one->fault)
		*why = one->fault;
	else if (!cases->past)
		*why = "the agent's messages could not be read back to its "
		    "time";
	else if (is_running(cases, one))
		*why = "the agent is still at work on what may be it";
	else if (met == 0)
		return QUEUE_UNANSWERED;
	else if (met > 1)
		*why = "more than one message of the agent may be it";
	else if (one->n_like > 0)
		*why = "a message of the agent is like it, and not the same";
	else if (one->twins > 0)
		*why = "another row of the same user has the same text";
	else if (!one->finished)
		*why = "the agent has it, and gave no answer to it";
	else if (one->mixed)
		*why = "what follows it is of another run";
	return *why ? QUEUE_UNCLEAR : QUEUE_ANSWERED;
}
