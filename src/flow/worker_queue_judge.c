#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/queue.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_back.h"
#include "flow/worker_queue_part.h"
#include "flow/worker_source.h"
#include "io/journal.h"

#define PAGE_ROWS 200		/* of a listing: most rows to judge are young */
#define PAGES_MAX 10000
#define BODY_MAX (64 * 1024)
#define SHRINK 4

/* What is shown of a row, beside its case in the same place. */
struct row {
	char *message;		/* id */
	char *user;
};

struct judging {
	struct run *run;
	const struct conf_worker *worker;
	enum worker_way way;
	struct worker_queue_ids again;	/* judged before */
	struct queue_cases cases;
	struct row *rows;
	char *fault;		/* why the agent could not be asked */
	char *scope;
};

static const char *const words[] = {
	[QUEUE_ANSWERED] = "answered",
	[QUEUE_UNANSWERED] = "unanswered",
	[QUEUE_UNCLEAR] = "unclear",
};

/* The rows. */

static char *
user_of(const char *const *columns)
{
	const char *platform = columns[QUEUE_PLATFORM];
	const char *id = columns[QUEUE_USER_ID];
	const char *name = columns[QUEUE_USERNAME];
	struct buf out = BUF_INIT(4096);
	char *raw = mem_printf("%.200s %.200s%s%.200s%s",
	    platform ? platform : "?", id ? id : "?", name ? " (" : "",
	    name ? name : "", name ? ")" : "");

	str_printable(&out, raw, strlen(raw));
	free(raw);
	return buf_take(&out);
}

static void
add_case(struct judging *judging, int64_t id, const char *const *columns)
{
	struct buf wire = BUF_INIT(32 * 1024 * 1024);
	const char *text = columns[QUEUE_TEXT];
	struct queue_case *one;
	struct row *row;
	bool told = queue_wire(&wire, columns[QUEUE_PLATFORM],
	    columns[QUEUE_USER_ID], columns[QUEUE_USERNAME], text);

	judging->rows = mem_grow(judging->rows, judging->cases.n + 1,
	    sizeof(*judging->rows));
	row = &judging->rows[judging->cases.n];
	row->message = mem_strdup(columns[QUEUE_MESSAGE] ?
	    columns[QUEUE_MESSAGE] : "");
	row->user = user_of(columns);
	one = queue_cases_add(&judging->cases, id, columns[QUEUE_IDENTITY],
	    buf_cstr(&wire), text ? text : "", columns[QUEUE_TEXT_TIME],
	    columns[QUEUE_TIME]);
	if (!columns[QUEUE_MESSAGE])
		one->fault = "its message is not in the database";
	else if (!columns[QUEUE_PROFILE])
		one->fault = "its user has no profile";
	else if (!told)
		one->fault = "how its message was sent cannot be told";
	buf_clear(&wire);
}

static int
see_row(struct judging *judging, const char *const *columns, struct err *err)
{
	int64_t id;

	if (worker_queue_number(columns[QUEUE_ID], "queue.id", &id, err) != 0)
		return -1;
	if (worker_queue_ids_has(&judging->again, id) ||
	    queue_maybe_sent(columns[QUEUE_STATUS], columns[QUEUE_ATTEMPTS],
	    columns[QUEUE_TIME], columns[QUEUE_TEXT_TIME]))
		add_case(judging, id, columns);
	return 0;
}

/* Another row that may be the one which the agent answered. */
static int
see_twin(struct judging *judging, const char *const *columns,
    struct err *err)
{
	struct queue_case *one;
	int64_t id;

	if (worker_queue_number(columns[0], "queue.id", &id, err) != 0)
		return -1;
	one = queue_cases_find(&judging->cases, id);
	if (one && queue_maybe_sent(columns[1], columns[2], columns[3],
	    columns[4]))
		queue_case_twin(one, columns[4]);
	return 0;
}

static int
see(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	(void)n;
	return statement == 0 ? see_row(ctx, columns, err) :
	    see_twin(ctx, columns, err);
}

/* In question are rows in processing, and those that wait or are held by us. */
static int
load(struct judging *judging, struct host *host, const char *db,
    struct err *err)
{
	struct journal *journal = judging->run->journal;
	char *held = worker_queue_scope(judging->worker, judging->way, "held");
	struct worker_queue_ids ours = { 0 };
	struct buf list = BUF_INIT(WORKER_QUEUE_IDS_MAX);
	const char *params[1];
	struct db_statement ask[] = {
		{ queue_sql(QUEUE_SQL_ROWS), params, 1 },
		{ queue_sql(QUEUE_SQL_TWINS), params, 1 },
	};
	int rc;

	rc = worker_queue_ids_load(journal, held, NULL, &ours, err);
	if (rc == 0)
		rc = worker_queue_ids_load(journal, judging->scope, NULL,
		    &judging->again, err);
	for (size_t i = 0; i < judging->again.n && rc == 0; i++)
		worker_queue_ids_add(&ours, judging->again.list[i]);
	if (rc == 0)
		rc = worker_queue_ids_text(&ours, &list, err);
	params[0] = buf_cstr(&list);
	if (rc == 0)
		rc = worker_queue_script(host, db, false, ask, 2, see,
		    judging, err);
	worker_queue_ids_clear(&ours);
	buf_clear(&list);
	free(held);
	return rc;
}

/* The agent. */

/* Which agent at which server was given the rows. */
static int
find_agent(const struct judging *judging, struct server **server, char **id,
    struct err *err)
{
	const struct conf_worker *worker = judging->worker;
	bool move = judging->way == WORKER_MOVE;
	const struct conf_letta *letta = move ? worker->from_server :
	    worker->server;
	int rc;

	*id = NULL;
	if (!letta)
		return err_set(err, ERR_MISSING, "the job names no server of "
		    "worker %s at its source (from_server)", worker->name);
	rc = move ? worker_source_agent(judging->run, worker, id, err) :
	    worker_agent_id(judging->run, worker, id, err);
	if (rc == 0 && !*id)
		rc = err_set(err, ERR_MISSING, "the agent of worker %s is not "
		    "known", worker->name);
	if (rc == 0)
		rc = run_server(judging->run, letta, server, err);
	return rc;
}

static int
ask_runs(struct judging *judging, struct server *server, const char *id,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *runs = NULL;
	int rc;

	letta_path_active_runs(&path, id, server->caps.backward);
	rc = server_get_doc(server, buf_cstr(&path), "active runs", &runs,
	    err);
	if (rc == 0)
		rc = queue_cases_runs(&judging->cases, runs, err);
	jdoc_free(runs);
	buf_clear(&path);
	return rc;
}

/*
 * The rows before the cursor, of all conversations: the newest of them first,
 * page by page.  A page that fails is asked for with fewer rows.
 */
static int
ask_page(struct judging *judging, struct server *server, const char *id,
    struct queue_page *page, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	unsigned int limit = PAGE_ROWS;
	char cursor[LETTA_ID_SIZE];
	int rc;

	memcpy(cursor, page->first_id, sizeof(cursor));
	for (;;) {
		letta_path_messages(&path, id, NULL, true, cursor, limit);
		rc = server_get(server, buf_cstr(&path), &answer, err);
		if (rc == 0 || limit == 1 ||
		    (err->kind != ERR_DATA && err->kind != ERR_FAILED))
			break;
		err_clear(err);
		limit = limit / SHRINK > 0 ? limit / SHRINK : 1;
		buf_truncate(&path, 0);
	}
	if (rc == 0)
		rc = queue_cases_page(&judging->cases, buf_cstr(&answer),
		    answer.len, page, err);
	if (rc == 0 && page->items > 0 && str_eq(page->first_id, cursor))
		rc = err_set(err, ERR_DATA, "the listing goes in a circle at "
		    "%s", cursor);
	buf_clear(&path);
	buf_clear(&answer);
	return rc;
}

static int
ask_agent(struct judging *judging, struct err *err)
{
	struct queue_page page = { 0 };
	struct server *server = NULL;
	char *id = NULL;
	int rc;

	rc = find_agent(judging, &server, &id, err);
	if (rc == 0)
		rc = ask_runs(judging, server, id, err);
	for (int i = 0; i < PAGES_MAX && rc == 0 &&
	    !queue_cases_past(&judging->cases); i++) {
		rc = stop_check(err);
		if (rc == 0)
			rc = ask_page(judging, server, id, &page, err);
	}
	free(id);
	return rc;
}

/* What cannot be asked makes rows unclear, and is no failure. */
static int
ask(struct judging *judging, struct err *err)
{
	struct buf why = BUF_INIT(4096);

	if (judging->cases.n == 0 || ask_agent(judging, err) == 0)
		return 0;
	if (err->kind == ERR_INTERRUPTED)
		return -1;
	log_warn("worker %s: the agent's messages cannot be asked: %s",
	    judging->worker->name, err->text);
	buf_str(&why, "the agent cannot be asked: ");
	str_printable(&why, err->text, strlen(err->text));
	judging->fault = buf_take(&why);
	for (size_t i = 0; i < judging->cases.n; i++) {
		if (!judging->cases.list[i].fault)
			judging->cases.list[i].fault = judging->fault;
	}
	err_clear(err);
	return 0;
}

/* The results. */

static int
stage_one(const struct judging *judging, size_t i, struct err *err)
{
	struct journal *journal = judging->run->journal;
	const struct queue_case *one = &judging->cases.list[i];
	struct buf text = BUF_INIT(BODY_MAX);
	struct jdoc *body = jdoc_new_object();
	const char *why;
	char id[32];
	bool added;
	int rc;

	jdoc_set_str(body, "verdict", words[queue_case_verdict(
	    &judging->cases, one, &why)]);
	jdoc_set_str(body, "message", judging->rows[i].message);
	jdoc_set_str(body, "user", judging->rows[i].user);
	jdoc_set_str(body, "why", why ? why : "");
	jdoc_write(body, &text);
	(void)snprintf(id, sizeof(id), "%" PRId64, one->id);
	rc = buf_check(&text, "result", err);
	if (rc == 0)
		rc = journal_row_add(journal, judging->scope, id,
		    buf_cstr(&text), text.len, &added, err);
	if (rc == 0 && !added)
		rc = journal_row_set(journal, judging->scope, id,
		    buf_cstr(&text), text.len, err);
	jdoc_free(body);
	buf_clear(&text);
	return rc;
}

static int
stage(const struct judging *judging, struct err *err)
{
	struct journal *journal = judging->run->journal;
	int rc;

	rc = journal_page_begin(journal, err);
	for (size_t i = 0; i < judging->cases.n && rc == 0; i++)
		rc = stage_one(judging, i, err);
	if (rc != 0) {
		journal_page_abort(journal);
		return -1;
	}
	return journal_page_commit(journal, judging->scope, "", true, err);
}

/* The statements that one verdict takes; returns how many. */
static size_t
put_statements(const struct judging *judging, size_t i,
    const char **params, struct db_statement *out)
{
	const struct queue_case *one = &judging->cases.list[i];
	const char *why;
	enum queue_verdict verdict = queue_case_verdict(&judging->cases, one,
	    &why);

	if (verdict == QUEUE_ANSWERED) {
		params[1] = one->reply;
		out[0] = (struct db_statement){ queue_sql(QUEUE_SQL_ANSWER),
			params, 2 };
		out[1] = (struct db_statement){ queue_sql(QUEUE_SQL_COMPLETE),
			params, 1 };
		return 2;
	}
	params[1] = verdict == QUEUE_UNCLEAR ? QUEUE_HELD : "pending";
	out[0] = (struct db_statement){ queue_sql(QUEUE_SQL_STATUS), params,
		2 };
	return 1;
}

static int
write_down(const struct judging *judging, struct host *host, const char *db,
    struct err *err)
{
	size_t n = judging->cases.n, used = 0;
	struct db_statement *statements = mem_zero(2 * n, sizeof(*statements));
	const char **params = mem_zero(2 * n, sizeof(*params));
	char (*ids)[32] = mem_zero(n, sizeof(*ids));
	int rc;

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "%" PRId64,
		    judging->cases.list[i].id);
		params[2 * i] = ids[i];
		used += put_statements(judging, i, &params[2 * i],
		    &statements[used]);
	}
	rc = worker_queue_script(host, db, true, statements, used, NULL, NULL,
	    err);
	free(statements);
	free(params);
	free(ids);
	return rc;
}

struct saying {
	struct plan_note *note;
	size_t n[3];		/* of each verdict */
};

static int
say_one(void *ctx, const struct worker_queue_result *result, struct err *err)
{
	struct saying *saying = ctx;
	struct buf *out = &saying->note->diff;

	(void)err;
	saying->n[result->verdict]++;
	if (result->verdict == QUEUE_ANSWERED)
		buf_printf(out, "  queue row %" PRId64 ", message %s of %s: "
		    "answered by the agent; whether the answer was delivered "
		    "is not known\n", result->id, result->message,
		    result->user);
	else if (result->verdict == QUEUE_UNCLEAR)
		buf_printf(out, "  queue row %" PRId64 ", message %s of %s: "
		    "held: %s\n", result->id, result->message, result->user,
		    result->why);
	return 0;
}

/* All that the journal has: what an earlier, killed run has judged, too. */
static int
say(const struct judging *judging, struct plan_note *note, struct err *err)
{
	struct saying saying = { .note = note };

	if (worker_queue_results(judging->run, judging->worker, judging->way,
	    say_one, &saying, err) != 0)
		return -1;
	plan_say(note, '~', "%zu rows of the queue may have been sent: %zu "
	    "answered, %zu not, %zu unclear and held",
	    saying.n[QUEUE_ANSWERED] + saying.n[QUEUE_UNANSWERED] +
	    saying.n[QUEUE_UNCLEAR], saying.n[QUEUE_ANSWERED],
	    saying.n[QUEUE_UNANSWERED], saying.n[QUEUE_UNCLEAR]);
	return 0;
}

static void
judging_clear(struct judging *judging)
{
	for (size_t i = 0; i < judging->cases.n; i++) {
		free(judging->rows[i].message);
		free(judging->rows[i].user);
	}
	free(judging->rows);
	queue_cases_clear(&judging->cases);
	worker_queue_ids_clear(&judging->again);
	free(judging->fault);
	free(judging->scope);
}

int
worker_queue_judge(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct host *host, const char *db,
    struct plan_note *note, struct err *err)
{
	struct judging judging = { .run = run, .worker = worker, .way = way };
	int rc;

	judging.scope = worker_queue_scope(worker, way, "judged");
	rc = way == WORKER_MOVE ? worker_queue_mark(run, worker, host, db,
	    err) : 0;
	if (rc == 0)
		rc = load(&judging, host, db, err);
	if (rc == 0)
		rc = ask(&judging, err);
	if (rc == 0 && judging.cases.n > 0)
		rc = stage(&judging, err);
	if (rc == 0 && judging.cases.n > 0)
		rc = write_down(&judging, host, db, err);
	if (rc == 0)
		rc = say(&judging, note, err);
	judging_clear(&judging);
	return rc == 0 ? 0 : err_ctx(err, "judge the queue of worker %s",
	    worker->name);
}

static enum queue_verdict
verdict_of(const struct jdoc *body)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (jdoc_is(body, "verdict", words[i]))
			return (enum queue_verdict)i;
	}
	return QUEUE_UNCLEAR;
}

static int
give_result(const struct journal_row *row, int (*each)(void *ctx,
    const struct worker_queue_result *, struct err *), void *ctx,
    struct err *err)
{
	struct worker_queue_result result = { 0 };
	struct jdoc *body = jdoc_parse(row->body, row->body_len, err);
	int rc;

	if (!body)
		return -1;
	rc = worker_queue_number(row->id, "a staged row", &result.id, err);
	result.verdict = verdict_of(body);
	result.message = jdoc_get_str(body, "message");
	result.user = jdoc_get_str(body, "user");
	result.why = jdoc_get_str(body, "why");
	if (rc == 0 && (!result.message || !result.user || !result.why))
		rc = err_set(err, ERR_DATA, "a result in the journal is not "
		    "whole");
	if (rc == 0)
		rc = each(ctx, &result, err);
	jdoc_free(body);
	return rc;
}

int
worker_queue_results(struct run *run, const struct conf_worker *worker,
    enum worker_way way, int (*each)(void *ctx,
    const struct worker_queue_result *, struct err *), void *ctx,
    struct err *err)
{
	char *scope = worker_queue_scope(worker, way, "judged");
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	rc = journal_rows_open(run->journal, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0)
		rc = give_result(&row, each, ctx, err);
	journal_rows_close(rows);
	free(scope);
	return rc == 0 && more == 0 ? 0 : -1;
}
