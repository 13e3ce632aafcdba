#include "base/base.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/journal.h"
#include "io/journal_db.h"
#include "io/journal_lock.h"

/* The words of the table, as sanctumctl-journal(5) has them. */
static const char *const state_words[] = {
	[JOURNAL_BEGUN] = "begun",
	[JOURNAL_DONE] = "done",
	[JOURNAL_UNDONE] = "undone",
};

#define STATES (sizeof(state_words) / sizeof(state_words[0]))

static int
make_directory(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int rc;

	if (!slash || slash == path)
		return 0;
	dir = mem_strndup(path, (size_t)(slash - path));
	rc = fs_mkdirs(dir, 0700, err);
	free(dir);
	return rc;
}

int
journal_open(const char *path, bool writer, struct journal **out,
    struct err *err)
{
	struct journal *j = mem_zero(1, sizeof(*j));
	int rc = -1;

	*out = NULL;
	j->path = mem_strdup(path);
	j->lock_fd = -1;
	if (writer) {
		if (make_directory(path, err) != 0)
			goto out;
		j->lock_fd = journal_lock_take(path, err);
		if (j->lock_fd < 0)
			goto out;
	}
	rc = journal_db_open(j, writer, err);
out:
	if (rc != 0)
		journal_close(j);
	else
		*out = j;
	return rc;
}

void
journal_close(struct journal *j)
{
	if (!j)
		return;
	journal_page_abort(j);
	journal_db_close(j);
	journal_lock_drop(j->lock_fd);
	free(j->scope);
	free(j->path);
	free(j);
}

const char *
journal_path(const struct journal *j)
{
	return j->path;
}

int
journal_put(struct journal *j, const char *key, const char *value,
    struct err *err)
{
	const char *texts[] = { key, value };

	if (journal_db_write(j, JOURNAL_SQL_META_PUT, texts, 2, err) != 0)
		return err_ctx(err, "record %s", key);
	if (!j->in_page)
		fault_point_of("journal_meta", key);
	return 0;
}

int
journal_get(struct journal *j, const char *key, char **value,
    struct err *err)
{
	if (journal_db_text(j, JOURNAL_SQL_META_GET, &key, 1, value, err) != 0)
		return err_ctx(err, "read %s", key);
	return 0;
}

/* What a step says must stand when the call returns, so not in a page. */
static int
write_step(struct journal *j, enum journal_sql which,
    const char *const *texts, int n, struct err *err)
{
	if (j->in_page)
		return err_set(err, ERR_FAILED, "record step %s: journal %s: "
		    "a page is open", texts[0], j->path);
	if (journal_db_write(j, which, texts, n, err) != 0)
		return err_ctx(err, "record step %s", texts[0]);
	fault_point_of("journal_step", texts[0]);
	return 0;
}

int
journal_step_begin(struct journal *j, const char *name, struct err *err)
{
	char now[CLOCK_TEXT_SIZE];
	const char *texts[] = { name, now };

	clock_utc(now);
	return write_step(j, JOURNAL_SQL_STEP_BEGIN, texts, 2, err);
}

int
journal_step_end(struct journal *j, const char *name,
    enum journal_state state, const char *note, struct err *err)
{
	char now[CLOCK_TEXT_SIZE];
	const char *texts[] = { name, NULL, now, note ? note : "" };

	if (state == JOURNAL_NONE || state >= STATES)
		return err_set(err, ERR_FAILED, "record step %s: no such "
		    "state: %d", name, (int)state);
	texts[1] = state_words[state];
	clock_utc(now);
	return write_step(j, JOURNAL_SQL_STEP_END, texts, 4, err);
}

static int
read_state(const char *word, enum journal_state *state, struct err *err)
{
	size_t i;

	for (i = JOURNAL_BEGUN; i < STATES; i++)
		if (word && str_eq(word, state_words[i])) {
			*state = (enum journal_state)i;
			return 0;
		}
	return err_set(err, ERR_DATA, "journal holds an unknown state");
}

int
journal_step_state(struct journal *j, const char *name,
    enum journal_state *state, struct err *err)
{
	char *word;
	int rc = 0;

	*state = JOURNAL_NONE;
	if (journal_db_text(j, JOURNAL_SQL_STEP_STATE, &name, 1, &word,
	    err) != 0)
		return err_ctx(err, "read step %s", name);
	if (word)
		rc = read_state(word, state, err);
	free(word);
	return rc == 0 ? 0 : err_ctx(err, "read step %s: %s", name, j->path);
}

static const char *
column(sqlite3_stmt *st, int i)
{
	const char *text = (const char *)sqlite3_column_text(st, i);

	return text ? text : "";
}

int
journal_steps(struct journal *j,
    int (*each)(void *ctx, const struct journal_step *, struct err *),
    void *ctx, struct err *err)
{
	static const char sql[] = "SELECT name, state, begun_at, ended_at,"
	    " note FROM step ORDER BY seq";
	struct journal_step step;
	sqlite3_stmt *st = NULL;
	int rc;

	if (journal_db_prepare(j, sql, &st, err) != 0)
		return err_ctx(err, "list steps");
	for (;;) {
		rc = journal_db_step(j, st, err);
		if (rc < 0)
			(void)err_ctx(err, "list steps");
		if (rc <= 0)
			break;
		step.name = column(st, 0);
		step.begun_at = column(st, 2);
		step.ended_at = column(st, 3);
		step.note = column(st, 4);
		rc = read_state(column(st, 1), &step.state, err);
		if (rc == 0)
			rc = each(ctx, &step, err);
		if (rc != 0)
			break;
	}
	(void)sqlite3_finalize(st);
	return rc == 0 ? 0 : -1;
}

int
journal_id_put(struct journal *j, const char *kind, const char *source,
    const char *target, struct err *err)
{
	const char *texts[] = { kind, source, target };

	if (journal_db_write(j, JOURNAL_SQL_ID_PUT, texts, 3, err) != 0)
		return err_ctx(err, "record new id of %s %s", kind, source);
	if (!j->in_page)
		fault_point("journal_meta");
	return 0;
}

int
journal_id_get(struct journal *j, const char *kind, const char *source,
    char **target, struct err *err)
{
	const char *texts[] = { kind, source };

	if (journal_db_text(j, JOURNAL_SQL_ID_GET, texts, 2, target, err) != 0)
		return err_ctx(err, "read new id of %s %s", kind, source);
	return 0;
}
