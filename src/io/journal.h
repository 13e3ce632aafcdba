#ifndef IO_JOURNAL_H
#define IO_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/*
 * The memory of one job: an SQLite file (WAL, synchronous FULL, 0600) that
 * alone makes resume possible.  sanctumctl-journal(5) describes its tables.
 *
 *   meta     facts of the job: its kind, the mark, texts such as the shell of
 *            an agent file
 *   step     name, state, when, figures; intent is written before the act
 *   id       old id -> new id, per kind
 *   row      what was read from a listing, in order, per scope
 *   cursor   where the listing of a scope stands; committed with its rows
 *
 * A scope is a path-like name: "source/sage/messages".
 *
 * One writer: journal_open takes a lock (fcntl on the file JOURNAL.lock,
 * gone with its process) and fails with ERR_LOCKED naming host, pid and start
 * of the holder.  Readers (status) take no lock and see committed state.
 */
struct journal;

/*
 * Directory is made 0700 when needed.  writer false: the file must exist, is
 * opened read-only, and calls that would write fail.
 *
 * Fails with ERR_LOCKED (writer alone); ERR_MISSING: no such file, or no
 * writer has made its tables yet; ERR_DATA: not SQLite, another program's
 * file, a version that is not ours; ERR_FAILED: a symlink, not a regular
 * file, readable or writable for group or others, a filesystem without locks
 * or shared memory.
 *
 * Later calls fail with ERR_FAILED when the disk is full, ERR_DATA when the
 * file is damaged, ERR_AGAIN when another program (sqlite3) keeps a write
 * lock for 10 s; each names the file.
 */
int journal_open(const char *path, bool writer, struct journal **out,
    struct err *) MUST_CHECK;
void journal_close(struct journal *);
const char *journal_path(const struct journal *);

/*
 * Facts.  journal_get gives a string that the caller frees, NULL if unset.
 * In an open page, facts and ids become part of it.
 */
int journal_put(struct journal *, const char *key, const char *value,
    struct err *) MUST_CHECK;
int journal_get(struct journal *, const char *key, char **value,
    struct err *) MUST_CHECK;

/* Steps. */
enum journal_state {
	JOURNAL_NONE,		/* never begun */
	JOURNAL_BEGUN,		/* intent recorded; the act may have happened */
	JOURNAL_DONE,
	JOURNAL_UNDONE		/* taken back by cancel */
};

struct journal_step {
	const char *name;
	enum journal_state state;
	const char *begun_at;	/* "2026-01-02T03:04:05Z" or "" */
	const char *ended_at;
	const char *note;	/* figures of the act: "340 rows", or "" */
};

/*
 * Both stand on disk when they return, so they fail in an open page.  A step
 * that is begun again loses its end and note and keeps its place in the
 * order; one that is ended without having been begun (a probe found it done)
 * has no begun_at.  note may be NULL.
 */
int journal_step_begin(struct journal *, const char *name, struct err *)
    MUST_CHECK;
int journal_step_end(struct journal *, const char *name,
    enum journal_state, const char *note, struct err *) MUST_CHECK;
int journal_step_state(struct journal *, const char *name,
    enum journal_state *, struct err *) MUST_CHECK;
/* Every step in the order in which it was first begun. */
int journal_steps(struct journal *,
    int (*each)(void *ctx, const struct journal_step *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/* Ids.  kind is "agent", "block", "row", ...; the last one put stands. */
int journal_id_put(struct journal *, const char *kind, const char *source,
    const char *target, struct err *) MUST_CHECK;
int journal_id_get(struct journal *, const char *kind, const char *source,
    char **target, struct err *) MUST_CHECK;

/*
 * Staged rows.  One page of a listing and the cursor behind it commit
 * together:
 *
 *     journal_page_begin(j, err)
 *     journal_row_add(j, scope, id, body, len, err)      once a row
 *     journal_page_commit(j, scope, cursor, ended, err)
 *
 * A row whose id the scope already holds is left as it is and *added is
 * false (pages may repeat).  seq counts rows of a scope from 0.  A page that
 * is not committed (journal_page_abort, or a kill) never was.  After a
 * failure of journal_row_add the page is aborted by the caller; a failed
 * commit has aborted it.  body is UTF-8 of at most 32 MiB; cursor may be NULL
 * for "".
 */
int journal_page_begin(struct journal *, struct err *) MUST_CHECK;
/*
 * The same for a listing that goes backwards: the rows of the page come before
 * all that the scope holds, in the order in which they are added.  At most
 * 2^20 of them; seq goes below 0 and has gaps.
 */
int journal_page_begin_front(struct journal *, const char *scope,
    struct err *) MUST_CHECK;
int journal_row_add(struct journal *, const char *scope, const char *id,
    const char *body, size_t len, bool *added, struct err *) MUST_CHECK;
int journal_page_commit(struct journal *, const char *scope,
    const char *cursor, bool ended, struct err *) MUST_CHECK;
void journal_page_abort(struct journal *);

/*
 * One row by its id.  *body is NULL when the scope has none such; the caller
 * frees it.  journal_row_set replaces the body of a row that is there, within
 * an open page.
 */
int journal_row_get(struct journal *, const char *scope, const char *id,
    char **body, struct err *) MUST_CHECK;
int journal_row_set(struct journal *, const char *scope, const char *id,
    const char *body, size_t len, struct err *) MUST_CHECK;

/* *cursor NULL: never begun.  The caller frees it. */
int journal_cursor(struct journal *, const char *scope, char **cursor,
    bool *ended, struct err *) MUST_CHECK;
int journal_count(struct journal *, const char *scope, uint64_t *rows,
    struct err *) MUST_CHECK;
/* Forget the rows and the cursor of a scope. */
int journal_scope_drop(struct journal *, const char *scope, struct err *)
    MUST_CHECK;

/*
 * Walk the rows of a scope in order of seq, or of body when sorted (for a
 * multiset comparison; bytes are compared, no locale).  id and body live until
 * the next call; body has a NUL after its body_len bytes.  next returns 1 with
 * a row, 0 at the end, -1.
 *
 * Pages of other scopes may be begun, committed and aborted meanwhile, and
 * several walks may be open; all are closed before journal_close.  Until a
 * walk is closed the write-ahead log cannot be taken in and grows.  sorted
 * spills to SQLite's temporary directory (SQLITE_TMPDIR, TMPDIR, /var/tmp:
 * a file without a name) once a scope is beyond about 2 MB.
 */
struct journal_rows;

struct journal_row {
	int64_t seq;
	const char *id;
	const char *body;
	size_t body_len;
};

int journal_rows_open(struct journal *, const char *scope, bool sorted,
    struct journal_rows **out, struct err *) MUST_CHECK;
/* Of two rows by their bodies, as memcmp: the order of a sorted walk. */
int journal_row_order(const struct journal_row *, const struct journal_row *);
int journal_rows_next(struct journal_rows *, struct journal_row *,
    struct err *) MUST_CHECK;
void journal_rows_close(struct journal_rows *);

#endif /* !IO_JOURNAL_H */
