#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/queue.h"
#include "core/queue_back.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_back.h"
#include "flow/worker_queue_part.h"
#include "io/host.h"
#include "io/journal.h"

#define LIST_MAX (96 * 1024 * 1024)	/* 64 MiB of rows, escaped */
#define MARKS 5

/* Each kind of rows: how they are read there and written here. */
enum part {
	NEW_USERS,
	NEW_PROFILES,
	NEW_MESSAGES,
	NEW_ROWS,
	OLD_USERS,
	OLD_PROFILES,
	OLD_ROWS,
	OLD_ANSWERS,
	PARTS
};

static const struct kind {
	enum queue_back_sql read, write;
	unsigned int mark;	/* whose is ?1 */
	size_t n_params;
} kinds[PARTS] = {
	/* In this order they can name one another. */
	[NEW_USERS] = { QUEUE_BACK_NEW_USERS, QUEUE_BACK_ADD_USERS, 0, 1 },
	[NEW_PROFILES] = { QUEUE_BACK_NEW_PROFILES, QUEUE_BACK_ADD_PROFILES,
	    1, 1 },
	[NEW_MESSAGES] = { QUEUE_BACK_NEW_MESSAGES, QUEUE_BACK_ADD_MESSAGES,
	    2, 1 },
	[NEW_ROWS] = { QUEUE_BACK_NEW_ROWS, QUEUE_BACK_ADD_ROWS, 3, 1 },
	[OLD_USERS] = { QUEUE_BACK_OLD_USERS, QUEUE_BACK_SET_USERS, 0, 1 },
	[OLD_PROFILES] = { QUEUE_BACK_OLD_PROFILES, QUEUE_BACK_SET_PROFILES,
	    1, 1 },
	[OLD_ROWS] = { QUEUE_BACK_OLD_ROWS, QUEUE_BACK_SET_ROWS, 3, 3 },
	[OLD_ANSWERS] = { QUEUE_BACK_OLD_ANSWERS, QUEUE_BACK_SET_ANSWERS, 3,
	    3 },
};

struct back {
	struct run *run;
	const struct conf_worker *worker;
	bool fresh;
	char *marks[MARKS];
	struct worker_queue_ids open;	/* at the source */
	struct worker_queue_ids ours;	/* held by this reverse alone */
	struct worker_queue_ids met;	/* of open, at the target */
	struct jdoc *parts[PARTS];	/* rows as lists */
};

/* The marks. */

static char *
marks_key(const struct conf_worker *worker)
{
	return run_key("worker", worker->name, "queue_marks");
}

static int
see_marks(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct buf *out = ctx;
	struct jdoc *list = jdoc_new_array();

	(void)statement;
	(void)err;
	for (size_t i = 0; i < n; i++)
		jdoc_push(list, jdoc_new_str(columns[i] ? columns[i] : ""));
	jdoc_write(list, out);
	jdoc_free(list);
	return 0;
}

int
worker_queue_mark(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, struct err *err)
{
	struct db_statement ask = { .sql = queue_back_sql(QUEUE_BACK_MARKS) };
	struct buf text = BUF_INIT(4096);
	char *key = marks_key(worker);
	int rc;

	rc = worker_queue_script(host, db, false, &ask, 1, see_marks, &text,
	    err);
	if (rc == 0)
		rc = buf_check(&text, "marks of the queue", err);
	if (rc == 0)
		rc = journal_put(run->journal, key, buf_cstr(&text), err);
	buf_clear(&text);
	free(key);
	return rc;
}

static int
load_marks(struct back *back, struct err *err)
{
	char *key = marks_key(back->worker), *text = NULL;
	struct jdoc *list = NULL;
	int rc;

	rc = journal_get(back->run->journal, key, &text, err);
	if (rc == 0 && text)
		list = jdoc_parse(text, strlen(text), err);
	if (rc == 0 && jdoc_len(list) != MARKS)
		rc = err_set(err, ERR_DATA, "the journal does not know where "
		    "the queue of worker %s ended at the switch: this job "
		    "has not moved it", back->worker->name);
	for (size_t i = 0; i < MARKS && rc == 0; i++)
		back->marks[i] = mem_strdup(jdoc_str(jdoc_at(list, i)));
	jdoc_free(list);
	free(text);
	free(key);
	return rc;
}

/* Rows of the target. */

/* In what state a row comes to the source. */
static int
state_of(const struct back *back, int64_t id, const char *status,
    const char **out, struct err *err)
{
	if (!status || str_eq(status, "processing"))
		return err_set(err, ERR_FAILED, "row %" PRId64 " of the "
		    "target's queue is in processing; it must be judged "
		    "first", id);
	*out = str_eq(status, QUEUE_HELD) &&
	    worker_queue_ids_has(&back->ours, id) ? "pending" : status;
	return 0;
}

static int
map_user(const struct back *back, struct jdoc *row, size_t column,
    struct err *err)
{
	const char *id = jdoc_str(jdoc_at(row, column));
	char *there = NULL;
	int rc;

	if (!id)
		return 0;
	rc = column == QUEUE_BACK_USER_IDENTITY ?
	    worker_queue_identity_back(back->run, back->worker, id, &there,
	    err) : worker_queue_block_back(back->run, back->worker, id,
	    &there, err);
	if (rc == 0)
		jdoc_put(row, column, jdoc_new_str(there));
	free(there);
	return rc;
}

static int
fit(struct back *back, enum part part, int64_t id, struct jdoc *row,
    struct err *err)
{
	size_t column = part == NEW_ROWS ? QUEUE_BACK_ROW_STATUS :
	    QUEUE_BACK_OLD_STATUS;
	const char *state = NULL;

	if (part == NEW_USERS) {
		if (map_user(back, row, QUEUE_BACK_USER_IDENTITY, err) != 0)
			return -1;
		return map_user(back, row, QUEUE_BACK_USER_BLOCK, err);
	}
	if (part != NEW_ROWS && part != OLD_ROWS)
		return 0;
	if (part == OLD_ROWS)
		worker_queue_ids_add(&back->met, id);
	if (state_of(back, id, jdoc_str(jdoc_at(row, column)), &state,
	    err) != 0)
		return -1;
	jdoc_put(row, column, jdoc_new_str(state));
	return 0;
}

static int
see_row(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct back *back = ctx;
	enum part part = (enum part)(back->fresh ? statement :
	    statement + OLD_USERS);
	struct jdoc *row;
	int64_t id;

	if (worker_queue_number(columns[0], "an id", &id, err) != 0)
		return -1;
	row = jdoc_new_array();
	for (size_t i = 0; i < n; i++) {
		if (columns[i])
			jdoc_push(row, jdoc_new_str(columns[i]));
		else
			jdoc_push(row, jdoc_copy(NULL));
	}
	if (fit(back, part, id, row, err) != 0) {
		jdoc_free(row);
		return -1;
	}
	jdoc_push(back->parts[part], row);
	return 0;
}

static int
read_target(struct back *back, struct host *from, const char *db,
    struct err *err)
{
	struct db_statement ask[PARTS];
	const char *params[PARTS][3];
	struct buf open = BUF_INIT(WORKER_QUEUE_IDS_MAX);
	size_t first = back->fresh ? 0 : OLD_USERS;
	int rc;

	rc = worker_queue_ids_text(&back->open, &open, err);
	for (size_t i = 0; i < PARTS; i++) {
		params[i][0] = back->marks[kinds[i].mark];
		params[i][1] = buf_cstr(&open);
		params[i][2] = back->marks[MARKS - 1];
		ask[i] = (struct db_statement){ queue_back_sql(kinds[i].read),
			params[i], kinds[i].n_params };
		back->parts[i] = jdoc_new_array();
	}
	if (rc == 0)
		rc = worker_queue_script(from, db, false, ask + first,
		    PARTS - first, see_row, back, err);
	buf_clear(&open);
	return rc;
}

/* Into the source. */

static int
see_open(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct back *back = ctx;
	int64_t id;

	(void)statement;
	(void)n;
	if (worker_queue_number(columns[0], "queue.id", &id, err) != 0)
		return -1;
	worker_queue_ids_add(&back->open, id);
	return 0;
}

/* What the source waits for, and which of the target's rows wait there. */
static int
look(struct back *back, struct host *to, const char *db, struct err *err)
{
	struct db_statement ask = { .sql = queue_back_sql(QUEUE_BACK_OPEN) };
	struct journal *journal = back->run->journal;
	char *held = worker_queue_scope(back->worker, WORKER_REVERSE, "held");
	char *judged = worker_queue_scope(back->worker, WORKER_REVERSE,
	    "judged");
	struct worker_queue_ids all = { 0 }, unclear = { 0 };
	int rc;

	rc = worker_queue_script(to, db, false, &ask, 1, see_open, back, err);
	if (rc == 0)
		rc = worker_queue_ids_load(journal, held, NULL, &all, err);
	if (rc == 0)
		rc = worker_queue_ids_load(journal, judged,
		    worker_queue_is_unclear, &unclear, err);
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		if (!worker_queue_ids_has(&unclear, all.list[i]))
			worker_queue_ids_add(&back->ours, all.list[i]);
	}
	worker_queue_ids_clear(&all);
	worker_queue_ids_clear(&unclear);
	free(held);
	free(judged);
	return rc;
}

/* Rows that wait at the source and are gone at the target. */
static int
gone_text(const struct back *back, size_t *n, struct buf *out,
    struct err *err)
{
	struct worker_queue_ids gone = { 0 };
	uint64_t mark;
	int rc;

	if (!str_u64(back->marks[3], INT64_MAX, &mark))
		return err_set(err, ERR_DATA, "a mark in the journal is no "
		    "number");
	for (size_t i = 0; i < back->open.n; i++) {
		/* Those above the mark came with an earlier try. */
		if ((uint64_t)back->open.list[i] <= mark &&
		    !worker_queue_ids_has(&back->met, back->open.list[i]))
			worker_queue_ids_add(&gone, back->open.list[i]);
	}
	*n = gone.n;
	rc = worker_queue_ids_text(&gone, out, err);
	worker_queue_ids_clear(&gone);
	return rc;
}

static int
write_source(const struct back *back, struct host *to, const char *db,
    size_t *gone, struct err *err)
{
	struct db_statement set[PARTS + 1];
	const char *params[PARTS + 1];
	struct buf texts[PARTS + 1];
	int rc = 0;

	for (size_t i = 0; i <= PARTS; i++) {
		buf_init(&texts[i], LIST_MAX);
		if (i < PARTS)
			jdoc_write(back->parts[i], &texts[i]);
		else if (rc == 0)
			rc = gone_text(back, gone, &texts[i], err);
		if (rc == 0)
			rc = buf_check(&texts[i], "rows to bring back", err);
		params[i] = buf_cstr(&texts[i]);
		set[i] = (struct db_statement){ queue_back_sql(i < PARTS ?
			kinds[i].write : QUEUE_BACK_FLUSH), &params[i], 1 };
	}
	if (rc == 0 && worker_queue_script(to, db, true, set, PARTS + 1, NULL,
	    NULL, err) != 0) {
		rc = -1;
		if (err->kind == ERR_DATA) {
			(void)err_ctx(err, "the source may have taken rows "
			    "since the switch; nothing was changed there");
			err->kind = ERR_STALE;
		}
	}
	for (size_t i = 0; i <= PARTS; i++)
		buf_wipe(&texts[i]);
	return rc;
}

static void
say(const struct back *back, size_t gone, struct plan_note *note)
{
	plan_say(note, '~', "%zu users, %zu messages and %zu rows of the queue "
	    "came back, %zu rows have the target's state, %zu were deleted "
	    "there", jdoc_len(back->parts[NEW_USERS]),
	    jdoc_len(back->parts[NEW_MESSAGES]),
	    jdoc_len(back->parts[NEW_ROWS]), jdoc_len(back->parts[OLD_ROWS]),
	    gone);
}

static void
back_clear(struct back *back)
{
	for (size_t i = 0; i < MARKS; i++)
		free(back->marks[i]);
	for (size_t i = 0; i < PARTS; i++)
		jdoc_free(back->parts[i]);
	worker_queue_ids_clear(&back->open);
	worker_queue_ids_clear(&back->ours);
	worker_queue_ids_clear(&back->met);
}

/* What was held at the freeze has its state from the target now. */
static int
forget_held(const struct back *back, struct err *err)
{
	char *held = worker_queue_scope(back->worker, WORKER_MOVE, "held");
	int rc;

	rc = journal_scope_drop(back->run->journal, held, err);
	free(held);
	return rc;
}

int
worker_queue_back(struct run *run, const struct conf_worker *worker,
    struct host *from, const char *from_db, struct host *to,
    const char *to_db, bool fresh, struct plan_note *note, struct err *err)
{
	struct back back = { .run = run, .worker = worker, .fresh = fresh };
	struct worker_queue_counts counts;
	size_t gone = 0;
	int rc;

	rc = worker_queue_counts(from, from_db, &counts, err);
	if (rc == 0)
		rc = worker_queue_counts(to, to_db, &counts, err);
	if (rc == 0)
		rc = load_marks(&back, err);
	if (rc == 0)
		rc = look(&back, to, to_db, err);
	if (rc == 0)
		rc = read_target(&back, from, from_db, err);
	if (rc == 0)
		rc = write_source(&back, to, to_db, &gone, err);
	if (rc == 0)
		rc = forget_held(&back, err);
	if (rc == 0)
		say(&back, gone, note);
	back_clear(&back);
	return rc == 0 ? 0 : err_ctx(err, "bring back the queue of worker %s",
	    worker->name);
}
