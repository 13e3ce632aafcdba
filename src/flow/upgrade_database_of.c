#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/pg_uri.h"
#include "flow/port_owner.h"
#include "flow/run.h"
#include "flow/upgrade_database_of.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

/* Names and values, of which a URI has a password. */
#define VALUES_MAX (64 * 1024)

/* The value of "NAME=value", NUL after each; NULL: not set, or empty. */
static const char *
value_of(const struct buf *values, const char *name)
{
	const char *at = buf_cstr(values), *end = at + values->len;
	size_t n = strlen(name);

	for (; at < end; at += strlen(at) + 1) {
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return at[n + 1] ? at + n + 1 : NULL;
	}
	return NULL;
}

/* As it was given, or put together of parts as Letta does. */
static int
uri_of(const struct buf *values, struct pg_uri *out, bool *known,
    struct err *err)
{
	const char *whole = value_of(values, "LETTA_PG_URI");
	const char *host = value_of(values, "LETTA_PG_HOST");
	const char *port = value_of(values, "LETTA_PG_PORT");
	const char *db = value_of(values, "LETTA_PG_DB");
	struct buf made;
	int rc = 0;

	*known = whole || (host && port && db);
	if (whole)
		return pg_uri_parse(whole, strlen(whole), out, err);
	buf_init_still(&made, PG_URI_MAX);
	if (*known) {
		buf_printf(&made, "postgresql://letta@%s:%s/%s", host, port,
		    db);
		rc = pg_uri_parse(buf_cstr(&made), made.len, out, err);
	}
	buf_wipe(&made);
	return rc;
}

static int
ask_process(const struct upgrade *up, const struct port_owner *owner,
    struct pg_uri *out, struct err *err)
{
	static const char *const names[] = { "LETTA_PG_URI", "LETTA_PG_HOST",
	    "LETTA_PG_PORT", "LETTA_PG_DB", NULL };
	struct buf values;
	bool known = false;
	int rc;

	buf_init_still(&values, VALUES_MAX);
	rc = host_process_env(up->host, owner->pid, owner->start, names,
	    &values, err);
	if (rc == 0)
		rc = uri_of(&values, out, &known, err);
	if (rc == 0 && !known)
		rc = err_set(err, ERR_DATA, "its environment has no "
		    "LETTA_PG_URI, so which database it uses cannot be told; "
		    "without one a Letta server of this kind keeps its agents "
		    "in a file, which no upgrade brings over");
	buf_wipe(&values);
	return rc == 0 ? 0 : err_ctx(err, "%s: process %ld of the old server",
	    host_name(up->host), (long)owner->pid);
}

static int
refuse(const struct upgrade *up, const struct pg_uri *meant,
    const struct pg_uri *used, struct err *err)
{
	struct buf a = BUF_INIT(PG_URI_MAX), b = BUF_INIT(PG_URI_MAX);

	pg_uri_place(meant, &a);
	pg_uri_place(used, &b);
	(void)err_set(err, ERR_STALE, "%s: the old server's database is %s "
	    "of %s, by the environment of its process; `database' of "
	    "[letta %s] is %s of %s.  Nothing was changed",
	    host_name(up->host), used->database, buf_cstr(&b),
	    up->conf->from->name, meant->database, buf_cstr(&a));
	buf_clear(&b);
	buf_clear(&a);
	return -1;
}

int
upgrade_database_same(const struct upgrade *up,
    const struct port_owner *owner, struct err *err)
{
	const struct secret *given = run_secret(up->run,
	    &up->conf->from->database);
	struct pg_uri meant = { 0 }, used = { 0 };
	int rc;

	if (!given)
		return err_set(err, ERR_USAGE, "`database' of [letta %s] was "
		    "not fetched", up->conf->from->name);
	rc = pg_uri_parse(secret_bytes(given), secret_len(given), &meant,
	    err);
	if (rc != 0)
		return err_ctx(err, "`database' of [letta %s]",
		    up->conf->from->name);
	rc = ask_process(up, owner, &used, err);
	if (rc == 0 && !pg_uri_is_same(&meant, &used))
		rc = refuse(up, &meant, &used, err);
	pg_uri_clear(&used);
	pg_uri_clear(&meant);
	return rc;
}
