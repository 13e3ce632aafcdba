#ifndef FLOW_POSTGRES_PART_H
#define FLOW_POSTGRES_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/pg_uri.h"
#include "flow/postgres.h"

struct buf;
struct err;
struct host;

/* For postgres*.c alone. */

#define POSTGRES_ASK_MS 60000
#define POSTGRES_LONG_MS (UINT64_C(6) * 60 * 60 * 1000)
#define POSTGRES_OUT_MAX (16 * 1024 * 1024)

/* Where pg_restore finds the ids of a call. */
#define POSTGRES_IDS "/proc/self/fd/3"

struct postgres {
	struct run *run;
	const struct conf_letta *letta;
	struct host *host;	/* belongs to the run */
	struct pg_uri uri;
	struct pg_uri admin;	/* .user NULL: the same as uri */
	bool inside;		/* of a container: compose_database */
	char *container;	/* its id then */
	char *account;		/* who runs the programs; NULL: we */
	char *admin_account;
	char *bin;		/* "/usr/bin/"; "": by PATH */
	char *where;
	unsigned int version;
};

/* One of libpq's programs. */
struct postgres_call {
	const char *program;		/* "psql" */
	const char *const *words;	/* NULL-ended, before its -d; or NULL */
	const char *db;			/* NULL: it connects to none */
	bool admin;			/* as database_admin */
	bool read_only;			/* its session; and no fault point */
	const char *input;		/* NULL: empty */
	const char *ids;		/* "12 13" for -L POSTGRES_IDS */
	const char *in_file;		/* on the host, in input's stead */
	const char *out_file;		/* on the host, made 0600 */
	uint64_t timeout_ms;		/* 0: POSTGRES_ASK_MS */
};

/* out may be NULL; what is said on stderr is in the error, masked. */
int postgres_run(struct postgres *, const struct postgres_call *,
    struct buf *out, struct err *) MUST_CHECK;

/* Words of what libpq's programs say, as a kind of error. */
int postgres_fail(const struct postgres *, const struct postgres_call *,
    int status, const struct buf *said, struct err *);

/*
 * Set bin and version: in a container, or on the host where they are.
 * ERR_MISSING: none there, or none that is new enough.
 */
int postgres_find(struct postgres *, struct err *) MUST_CHECK;

/* SQL of a file's length, by whom and where it is said. */
int postgres_sql(struct postgres *, const char *db, bool admin,
    bool read_only, const char *sql, struct buf *out, struct err *)
    MUST_CHECK;
/* The database that admin's SQL runs in when none is said. */
const char *postgres_maintenance(const struct postgres *);

/* 'it''s' and "na""me" for SQL. */
void postgres_put_literal(struct buf *out, const char *text);
void postgres_put_name(struct buf *out, const char *text);

#endif /* !FLOW_POSTGRES_PART_H */
