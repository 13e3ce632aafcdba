#ifndef FLOW_POSTGRES_H
#define FLOW_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct conf_letta;
struct err;
struct postgres;
struct run;

/*
 * The PostgreSQL that a [letta] of an upgrade has its database in, driven by
 * psql, pg_dump and pg_restore as programs on its host:
 *
 *     struct postgres *pg;
 *
 *     if (postgres_open(&pg, run, upgrade->from, err) != 0) ...
 *     if (postgres_ask(pg, NULL, "SELECT 1", &text, err) != 0) ...
 *     postgres_close(pg);
 *
 * Who connects: `database' (LETTA_PG_URI, core/pg_uri.h) reads and dumps;
 * `database_admin', or the same where it is not given, makes, drops and
 * restores databases.  A URI over a socket without a password is that of an
 * account there (peer): the program then runs as the account of that name,
 * where there is one.
 *
 * Where the programs are: the first directory with them out of PATH,
 * /usr/lib/postgresql/N/bin, and that of runtime_postgres_own.c, whose
 * pg_dump has the server's major version; else the next newer one.
 *
 * With `compose_database' the container's own programs run, by `docker exec'
 * of the one whose labels name that service and file, over its own socket:
 * host and port of the URI are as Letta's container sees them and are not
 * used.  Without a `database' it is role and database `letta'.  What is dumped
 * is written by the host's shell, outside of the container.
 *
 * The password is in the environment (PGPASSWORD) of the one child that needs
 * it, which on Linux root and the child's own user alone can read; over SSH it
 * crosses in the helper's request, as stdin does.  A PGPASSFILE would lie on
 * the disk and stay there after a kill -9.  Into a container it goes as the
 * first line of stdin, since `docker exec -e NAME=value' is argv, and kept by
 * the engine.  Whatever a program says is masked before it is in an error.
 *
 * libpq's variables (PGHOSTADDR, PGSERVICE, ...) of whoever started sanctumctl
 * are not handed on, but for PGPASSFILE.
 *
 * Failures: ERR_AUTH (password or role refused), ERR_UNREACHABLE (nobody
 * answers), ERR_MISSING (no psql there, no such database), ERR_FAILED with
 * what the program said.
 */

/* Connects once: the version is known.  ERR_USAGE: no URI, or a wrong one. */
int postgres_open(struct postgres **out, struct run *,
    const struct conf_letta *, struct err *) MUST_CHECK;
void postgres_close(struct postgres *);

/* "letta", of the URI; and "old:127.0.0.1:5432/letta", for messages. */
const char *postgres_database(const struct postgres *);
const char *postgres_where(const struct postgres *);

/*
 * SQL, by psql -XAt with a tab between columns, stopping at the first error.
 * db NULL: that of the URI.  postgres_ask's session is read only
 * (default_transaction_read_only).  In every session search_path is
 * pg_catalog, whatever is set for a role or a database: Letta's tables are
 * called public.agents, and no function of theirs is met by name.  out may be
 * NULL.
 */
int postgres_ask(struct postgres *, const char *db, const char *sql,
    struct buf *out, struct err *) MUST_CHECK;
int postgres_do(struct postgres *, const char *db, const char *sql,
    struct err *) MUST_CHECK;
/*
 * The same as database_admin; db NULL: its own, or postgres where that is the
 * database that is rebuilt.
 */
int postgres_admin_ask(struct postgres *, const char *db, const char *sql,
    struct buf *out, struct err *) MUST_CHECK;
int postgres_admin_do(struct postgres *, const char *db, const char *sql,
    struct err *) MUST_CHECK;

/*
 * The right to make and drop databases, and to make the extension vector:
 * ERR_FAILED names the statement that gives what is lacking, or the package.
 * Whether database_admin is of the same server, too.  Changes nothing.
 */
int postgres_check_rights(struct postgres *, struct err *) MUST_CHECK;

/*
 * ERR_DATA unless public.agents and public.messages are there.  Changes
 * nothing.
 */
int postgres_check_tables(struct postgres *, struct err *) MUST_CHECK;

/* Bytes of the database, as it lies on its server's disk. */
int postgres_size(struct postgres *, uint64_t *out, struct err *) MUST_CHECK;

/* Its oid; 0: there is none of that name (name NULL: the URI's). */
int postgres_oid(struct postgres *, const char *name, uint64_t *out,
    struct err *) MUST_CHECK;

/*
 * pg_dump -Fc of the database to path on the host: 0600, root's, directory
 * made 0700.  A file of that name is replaced.  What fails half-way is
 * removed.
 */
int postgres_dump(struct postgres *, const char *path, struct err *)
    MUST_CHECK;

/*
 * That pg_restore can read all of the file at path on the host: its list has
 * the tables agents and messages, and each block can be read (ERR_DATA).
 * *tables: how many have data in it.
 */
int postgres_dump_check(struct postgres *, const char *path,
    uint64_t *tables, struct err *) MUST_CHECK;

/* SHA-256 of a file there, as hex, and its bytes; ERR_MISSING. */
#define POSTGRES_SUM_SIZE 65
int postgres_dump_sum(struct postgres *, const char *path,
    char sum[static POSTGRES_SUM_SIZE], uint64_t *size, struct err *)
    MUST_CHECK;

/*
 * The dump at path into the empty database db, in one transaction: all of it,
 * or its definitions, to see that this server takes them.  The extension
 * vector and rights of the schema public are made as database_admin, all else
 * as Letta's own role, so ERR_FAILED when something in it is another role's.
 */
enum postgres_part {
	POSTGRES_ALL,
	POSTGRES_DEFINITIONS
};

int postgres_restore(struct postgres *, const char *path, const char *db,
    enum postgres_part, struct err *) MUST_CHECK;

/*
 * The SQL that makes a database as ours is now: owner, encoding, locale,
 * tablespace, limit, grants, settings of it and of roles in it, comment.  In
 * it the name is POSTGRES_NAME, quoted.  postgres_make runs it for a name and
 * makes the extension vector, if that is wanted; a database that has the name
 * is dropped before, so it must be one of ours ("sanctumctl" is in it).
 */
#define POSTGRES_NAME "\"sanctumctl-name\""
int postgres_properties(struct postgres *, struct buf *sql, struct err *)
    MUST_CHECK;
int postgres_make(struct postgres *, const char *properties,
    const char *name, bool vector, struct err *) MUST_CHECK;
/*
 * What it runs, for `plan': with *** for the values of settings of an
 * application's own (app.secret), which it may keep secrets in.
 */
void postgres_make_text(const char *properties, const char *name,
    bool vector, struct buf *out);

/*
 * Another name, once whoever is connected to it was disconnected.  The text of
 * what is run, and of what drops one.
 */
int postgres_rename(struct postgres *, const char *from, const char *to,
    struct err *) MUST_CHECK;
void postgres_rename_text(const char *from, const char *to,
    struct buf *out);
void postgres_drop_text(const char *name, struct buf *out);

/*
 * Drop `old', if it is there, with whoever is connected to it, and give `made'
 * its name.  A kill between the two is met by the same call.  ERR_STALE: there
 * is no `made', and nothing was dropped.  The text of what is run.
 */
int postgres_swap(struct postgres *, const char *made, const char *old,
    struct err *) MUST_CHECK;
void postgres_swap_text(const char *made, const char *old,
    struct buf *out);

/*
 * A database beside it, of the same properties, empty but for the extension
 * vector; name has "sanctumctl" in it (ERR_USAGE).  One that is there is made
 * anew.  drop: what is not there is a success.
 */
int postgres_scratch_make(struct postgres *, const char *name, struct err *)
    MUST_CHECK;
int postgres_scratch_drop(struct postgres *, const char *name, struct err *)
    MUST_CHECK;
/* Our URI with that database in it; holds the password: the caller wipes. */
void postgres_uri(const struct postgres *, const char *db, struct buf *out);

/*
 * messages.sequence_id (0.16.x): *lacks when there is the column and it has no
 * default, so that no message can be stored.  The statements that set it.
 */
int postgres_sequence_look(struct postgres *, bool *lacks, struct err *)
    MUST_CHECK;
const char *postgres_sequence_text(void);
int postgres_sequence_set(struct postgres *, struct err *) MUST_CHECK;

#endif /* !FLOW_POSTGRES_H */
