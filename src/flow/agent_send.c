#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_mark.h"
#include "core/af_rule.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "core/shown.h"
#include "flow/agent.h"
#include "flow/agent_changes.h"
#include "flow/agent_feed.h"
#include "flow/agent_model.h"
#include "flow/agent_send.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/http.h"
#include "io/journal.h"

#define IMPORT_TIMEOUT_MS 3600000

/* The file on its way: what curl asks for comes from the journal. */
struct sending {
	struct af_writer *writer;
	uint64_t bytes;
};

static ptrdiff_t
send_more(void *ctx, char *data, size_t size, struct err *err)
{
	struct sending *sending = ctx;
	ptrdiff_t n = af_read(sending->writer, data, size, err);

	if (n > 0) {
		sending->bytes += (uint64_t)n;
		progress_at(sending->bytes);
	}
	return n;
}

static int
upload(struct server *to, struct af_writer *writer, const char *name,
    char id[static LETTA_ID_SIZE], struct err *err)
{
	struct http_field fields[LETTA_IMPORT_FIELDS];
	struct http_reply reply = { .body = BUF_INIT(LETTA_ANSWER_MAX) };
	struct sending sending = { .writer = writer };
	char *filename = mem_printf("%s.af", name);
	int rc;

	for (size_t i = 0; i < LETTA_IMPORT_FIELDS; i++)
		fields[i] = (struct http_field){
			.name = letta_import_fields[i].name,
			.value = letta_import_fields[i].value,
		};
	progress_begin("import", "bytes", 0);
	rc = http_upload(to->http, LETTA_PATH_IMPORT, fields,
	    LETTA_IMPORT_FIELDS, filename, send_more, &sending,
	    IMPORT_TIMEOUT_MS, &reply, err);
	progress_end();
	if (rc == 0)
		rc = server_status(to, "POST", LETTA_PATH_IMPORT,
		    reply.status, &reply.body, err);
	if (rc == 0)
		rc = letta_answer_import(buf_cstr(&reply.body),
		    reply.body.len, id, err);
	free(filename);
	buf_clear(&reply.body);
	return rc;
}

/* What the journal holds of the source, as the writer of a file wants it. */
struct source_texts {
	char *shell;
	char *state;
	struct jdoc *state_doc;
	struct af_shell parsed;
	const char *agent_type;		/* as it will be */
	struct agent_model model;	/* as the target has it */
	char *from;			/* where it comes from, in words */
};

/* Old types that think aloud become letta_v1_agent (core/af_row.h). */
static const char *
type_of(const struct source_texts *texts)
{
	struct letta_caps version;

	letta_caps_of(jdoc_get_str(texts->state_doc, "version"), &version);
	return af_row_agent_type(texts->parsed.agent_type, version.backward);
}

static int
texts_load(struct source_texts *texts, struct run *run,
    const struct conf_agent *agent, struct err *err)
{
	char *shell_key = agent_shell_key("source", agent);
	char *state_key = agent_state_key("source", agent);
	int rc;

	rc = journal_get(run->journal, shell_key, &texts->shell, err);
	if (rc == 0)
		rc = journal_get(run->journal, state_key, &texts->state, err);
	if (rc == 0 && (!texts->shell || !*texts->shell || !texts->state))
		rc = err_set(err, ERR_FAILED, "agent %s has not been read "
		    "from its source", agent->name);
	if (rc == 0) {
		texts->state_doc = jdoc_parse(texts->state,
		    strlen(texts->state), err);
		rc = texts->state_doc ? 0 : -1;
	}
	if (rc == 0)
		rc = af_shell_read(texts->shell, strlen(texts->shell),
		    &texts->parsed, err);
	if (rc == 0)
		texts->agent_type = type_of(texts);
	texts->from = agent->from ? mem_printf("%s %s", agent->from->name,
	    agent->from_id) : mem_strdup("a bundle");
	free(shell_key);
	free(state_key);
	return rc;
}

static void
texts_clear(struct source_texts *texts)
{
	free(texts->shell);
	free(texts->state);
	jdoc_free(texts->state_doc);
	af_shell_clear(&texts->parsed);
	agent_model_clear(&texts->model);
	free(texts->from);
}

/* What was sent, and everything that was changed on the way. */
static void
say_sent(struct plan_note *note, const char *id, const struct af_stats *stats,
    const uint64_t changed[static AF_CHANGES])
{
	const struct {
		uint64_t count;
		const char *what;
	} changes[] = {
		{ stats->context_missing, "ids in context without a row" },
		{ stats->returns_dropped,
		    "tool returns out of context, their call is" },
		{ stats->returns_added,
		    "tool returns taken into context, behind their call" },
		{ stats->system_added, "system row put into context" },
		{ stats->limits_raised,
		    "block limits raised to the value's length" },
	};
	struct buf line = BUF_INIT(1024);

	buf_printf(&line, "%s: %" PRIu64 " rows, %" PRIu64 " in context", id,
	    stats->rows, stats->context_kept);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		if (changes[i].count > 0)
			buf_printf(&line, "; %" PRIu64 " %s",
			    changes[i].count, changes[i].what);
	}
	for (unsigned int i = 0; i < AF_CHANGES; i++) {
		if (changed[i] > 0)
			buf_printf(&line, "; %" PRIu64 " rows: %s",
			    changed[i], af_change_text(i));
	}
	plan_say(note, '+', "%s", buf_cstr(&line));
	buf_clear(&line);
}

/* Make the file while it is sent. */
static int
send_texts(struct run *run, struct server *to, const struct agent_send *send,
    const struct source_texts *texts, struct agent_feed *feed,
    struct plan_note *note, char id[static LETTA_ID_SIZE], struct err *err)
{
	const struct af_mark mark = {
		.mark = run->mark,
		.name = texts->parsed.name,
		.from = texts->from,
	};
	struct af_source source = {
		.shell = texts->shell,
		.shell_len = strlen(texts->shell),
		.name = send->name,
		.in_context = jdoc_get(texts->state_doc, "message_ids"),
		.mark = &mark,
		.agent_type = texts->agent_type,
		.llm_config = texts->model.llm_config,
		.embedding_config = texts->model.embedding_config,
		.next = agent_feed_next,
		.ctx = feed,
	};
	struct af_writer *writer = NULL;
	struct af_stats stats;
	int rc;

	rc = af_rule_target(to->caps.version, &source.targets, err);
	if (rc == 0)
		rc = af_open(&source, &writer, err);
	if (rc == 0)
		rc = send->before(send->ctx, &texts->parsed, err);
	if (rc == 0)
		rc = upload(to, writer, send->name, id, err);
	if (rc == 0) {
		af_stats(writer, &stats);
		say_sent(note, id, &stats, agent_feed_changes(feed));
	}
	af_close(writer);
	return rc;
}

/* The number behind the last "message-" or "messages." of a text. */
static bool
row_number(const char *text, uint64_t *number)
{
	static const char *const words[] = { "message-", "messages." };
	const char *at, *found = NULL;
	char digits[20];
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		for (at = strstr(text, words[i]); at;
		    at = strstr(at + 1, words[i])) {
			if (at[strlen(words[i])] >= '0' &&
			    at[strlen(words[i])] <= '9')
				found = at + strlen(words[i]);
		}
	}
	if (!found)
		return false;
	n = strspn(found, "0123456789");
	if (n >= sizeof(digits))
		return false;
	memcpy(digits, found, n);
	digits[n] = '\0';
	return str_u64(digits, UINT64_MAX, number);
}

/*
 * A server that refuses a file names the row by its place in it; say which
 * that is at the source.
 */
static void
name_row(const struct agent_feed_source *from, struct err *err)
{
	struct agent_feed *feed = NULL;
	struct err second = ERR_INIT;
	struct buf shown = BUF_INIT(512);
	struct af_row row;
	uint64_t number, at = 0;
	int more = 1;

	if (err->kind != ERR_FAILED || !row_number(err->text, &number) ||
	    agent_feed_open(from, &feed, &second) != 0)
		return;
	while (at <= number && more > 0) {
		more = agent_feed_next(feed, &row, &second);
		at++;
	}
	if (more > 0) {
		shown_text(&shown, row.id, strlen(row.id), LETTA_ID_SIZE);
		(void)err_ctx(err, "row %" PRIu64 " of the file is %s of the "
		    "source", number, buf_cstr(&shown));
	}
	agent_feed_close(feed);
	buf_clear(&shown);
}

int
agent_send(struct run *run, struct server *to, const struct agent_send *send,
    struct plan_note *note, char id[static LETTA_ID_SIZE], struct err *err)
{
	const struct conf_agent *agent = send->agent;
	char *scope = agent_scope("source", agent, "messages");
	struct source_texts texts = { 0 };
	struct af_rules rules = { 0 };
	struct agent_feed_source from = {
		.journal = run->journal, .scope = scope, .rules = &rules
	};
	struct agent_feed_source noted = from;
	struct agent_changes changes;
	struct agent_feed *feed = NULL;
	int rc;

	noted.changed = agent_changes_add;
	noted.ctx = &changes;
	rc = agent_changes_begin(&changes, run->journal, agent, err);
	if (rc == 0)
		rc = texts_load(&texts, run, agent, err);
	if (rc == 0)
		rc = agent_rules(agent, run->journal, &to->caps, &rules,
		    err);
	if (rc == 0)
		rc = agent_model_choose(to, agent, &texts.parsed,
		    &texts.model, NULL, err);
	if (rc == 0)
		rc = agent_feed_open(&noted, &feed, err);
	if (rc == 0)
		rc = send_texts(run, to, send, &texts, feed, note, id, err);
	agent_feed_close(feed);
	rc = agent_changes_end(&changes, rc, err);
	if (rc != 0)
		name_row(&from, err);
	texts_clear(&texts);
	free(scope);
	return rc;
}
