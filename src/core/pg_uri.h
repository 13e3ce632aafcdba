#ifndef CORE_PG_URI_H
#define CORE_PG_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct secret;

/*
 * LETTA_PG_URI taken apart, as SQLAlchemy does it, for programs that are
 * libpq's (psql and the like):
 *
 *     postgresql://USER:PASSWORD@HOST:PORT/DATABASE?NAME=VALUE&...
 *
 * postgres:// and a driver (postgresql+pg8000://) are the same.  USER,
 * PASSWORD, HOST, DATABASE and VALUE may have %XX in them; a "%" that is not
 * followed by two hexadecimal digits stands for itself, as it does there.
 * Without PORT it is 5432.  HOST is a name, an IPv4 address, [an IPv6 one], or
 * the directory of a socket (%2Frun%2Fpostgresql, or ?host=/run/postgresql,
 * or unix_sock=); without one, libpq's own socket.
 *
 * Of the options, host, port, user, password, sslmode (and asyncpg's ssl),
 * sslrootcert, sslcert, sslkey and connect_timeout are used; others are kept
 * for pg_uri_write alone.
 */
#define PG_URI_MAX 4096
#define PG_URI_PORT 5432

struct pg_uri {
	char *user;
	char *host;		/* NULL: libpq's own socket */
	bool is_socket;		/* host is a directory, or NULL */
	unsigned int port;
	char *database;
	struct secret *password;	/* NULL: none given */
	char *options;		/* " sslmode='require'", of libpq; or "" */
	struct secret *text;	/* as it was given */
	size_t at, end;		/* of "/DATABASE" in it */
};

/*
 * Fails with ERR_USAGE, by the part that is wrong and never by its text: any
 * of it may be a piece of the password.  No user or no database is wrong,
 * too.  Nothing to clear then.
 */
int pg_uri_parse(const char *text, size_t len, struct pg_uri *out,
    struct err *) MUST_CHECK;
void pg_uri_clear(struct pg_uri *);

/*
 * Append libpq's "host='127.0.0.1' port='5432' ... dbname='letta'", without
 * the password: a word of argv.  inside: by its own socket, so neither host
 * nor port nor options.
 */
void pg_uri_conninfo(const struct pg_uri *, const char *database, bool inside,
    struct buf *out);

/* Append the URI as it was given, with another database; with its password. */
void pg_uri_write(const struct pg_uri *, const char *database,
    struct buf *out);

/*
 * Append it without its driver, which is of whoever connects; false, with
 * nothing appended, when it has another scheme.
 */
bool pg_uri_plain(const char *text, struct buf *out) MUST_CHECK;

/*
 * Whether both name one database, as seen from one machine: every name of the
 * loopback is one host, and so is its socket.
 */
bool pg_uri_is_same(const struct pg_uri *, const struct pg_uri *);

/* "127.0.0.1:5432", "[::1]:5432" or "/run/postgresql:5432", for messages. */
void pg_uri_place(const struct pg_uri *, struct buf *out);

#endif /* !CORE_PG_URI_H */
