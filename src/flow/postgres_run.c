#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/postgres_part.h"
#include "io/host.h"

#define SAID_MAX (64 * 1024)
#define SHOWN_MAX 600
#define WORDS_MAX 56
#define CONNINFO_MAX (2 * PG_URI_MAX)

/*
 * The words of the host's shell around a program, for a file there that is
 * its stdin or stdout; in front of a container's stdin stands the password.
 */
static const char into_file[] =
    "umask 077 && exec >\"$1\" && shift && exec \"$@\"";
static const char from_file[] = "exec <\"$1\" && shift && exec \"$@\"";
static const char behind_line[] =
    "f=$1 && shift && cat - \"$f\" | \"$@\"";
/*
 * Which server it is, and which its options are, says the URI alone: libpq's
 * variables of whoever called us do not.
 */
static const char clean[] =
    "for v in $(env | sed -n 's/^\\(PG[A-Z_]*\\)=.*/\\1/p'); do\n"
    "case $v in PGPASSWORD|PGPASSFILE) ;; *) unset \"$v\" ;; esac; done\n"
    "exec \"$@\"";
/* The list of pg_restore -L, made by whoever reads it. */
static const char listed[] =
    "ids=$1; shift; exec \"$@\" 3<<EOF\n$(printf '%s\\n' $ids)\nEOF\n";
static const char with_password[] =
    "IFS= read -r PGPASSWORD && export PGPASSWORD && exec \"$@\"";

/* What a run is put together from. */
struct parts {
	const char *argv[WORDS_MAX];
	size_t n;
	struct buf conninfo, input, env;
};

static void
add(struct parts *p, const char *word)
{
	if (p->n < WORDS_MAX - 1)
		p->argv[p->n++] = word;
}

static const struct pg_uri *
uri_of(const struct postgres *pg, const struct postgres_call *call)
{
	return call->admin && pg->admin.user ? &pg->admin : &pg->uri;
}

static void
add_shell(struct parts *p, const char *script)
{
	add(p, "sh");
	add(p, "-c");
	add(p, script);
	add(p, "sh");
}

static void
add_container(const struct postgres *pg, struct parts *p)
{
	add(p, "docker");
	add(p, "exec");
	add(p, "--interactive");
	add(p, pg->container);
	add_shell(p, with_password);
}

static void
add_around(const struct postgres *pg, const struct postgres_call *call,
    struct parts *p)
{
	const char *account = call->admin && pg->admin.user ?
	    pg->admin_account : pg->account;

	add_shell(p, clean);
	if (call->out_file) {
		add_shell(p, into_file);
		add(p, call->out_file);
	} else if (call->in_file) {
		add_shell(p, pg->inside ? behind_line : from_file);
		add(p, call->in_file);
	}
	if (pg->inside) {
		add_container(pg, p);
	} else if (account) {
		add(p, "runuser");
		add(p, "-u");
		add(p, account);
		add(p, "--");
	}
}

static void
add_program(const struct postgres *pg, const struct postgres_call *call,
    const char *path, struct parts *p)
{
	if (call->ids) {
		add_shell(p, listed);
		add(p, call->ids);
	}
	add(p, path);
	for (size_t i = 0; call->words && call->words[i]; i++)
		add(p, call->words[i]);
	if (!call->db)
		return;
	pg_uri_conninfo(uri_of(pg, call), call->db, pg->inside,
	    &p->conninfo);
	buf_str(&p->conninfo, " client_encoding=UTF8");
	if (!strstr(buf_cstr(&p->conninfo), "connect_timeout"))
		buf_str(&p->conninfo, " connect_timeout=15");
	/* A function of whoever owns the database must not be met by name. */
	buf_str(&p->conninfo, " options='-c search_path=pg_catalog");
	if (call->read_only)
		buf_str(&p->conninfo, " -c default_transaction_read_only=on");
	buf_char(&p->conninfo, '\'');
	add(p, "-w");
	add(p, "-d");
	add(p, buf_cstr(&p->conninfo));
}

/* The one place from where a password goes to a program. */
static void
put_password(const struct postgres *pg, const struct postgres_call *call,
    struct parts *p)
{
	const struct secret *password = call->db ?
	    uri_of(pg, call)->password : NULL;

	if (pg->inside) {
		if (password)
			buf_str(&p->input, secret_bytes(password));
		buf_char(&p->input, '\n');
	} else if (password) {
		buf_str(&p->env, "PGPASSWORD=");
		buf_str(&p->env, secret_bytes(password));
	}
	if (call->input)
		buf_str(&p->input, call->input);
}

static void
mask(struct buf *text, const struct secret *password)
{
	const char *word = password ? secret_bytes(password) : "";
	size_t len = strlen(word);
	char *at = text->data;

	while (len > 0 && at && (at = strstr(at, word)) != NULL) {
		memset(at, '*', len);
		at += len;
	}
}

static bool
says(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strstr(text, *words))
			return true;
	}
	return false;
}

/* As libpq and the server say it in English, which PostgreSQL 16 did. */
static enum err_kind
kind_of(const char *text)
{
	static const char *const auth[] = { "authentication failed",
	    "no password supplied", "no pg_hba.conf entry",
	    "pg_hba.conf rejects", "is not permitted to log in", NULL };
	static const char *const away[] = { "Connection refused",
	    "could not translate host name", "No route to host",
	    "timeout expired", "is starting up", "is shutting down",
	    "Is the server running", "server closed the connection", NULL };
	const char *failed = strstr(text, "FATAL:");

	if (says(text, auth))
		return ERR_AUTH;
	if (failed && strstr(failed, "does not exist"))
		return strstr(failed, "role \"") ? ERR_AUTH : ERR_MISSING;
	return says(text, away) ? ERR_UNREACHABLE : ERR_FAILED;
}

int
postgres_fail(const struct postgres *pg, const struct postgres_call *call,
    int status, const struct buf *said, struct err *err)
{
	struct buf text = BUF_INIT(SAID_MAX), shown = BUF_INIT(8 * SHOWN_MAX);

	buf_add(&text, buf_cstr(said), said->len);
	mask(&text, pg->uri.password);
	mask(&text, pg->admin.password);
	command_said(&shown, &text, SHOWN_MAX);
	(void)err_set(err, kind_of(buf_cstr(&text)), "%s: %s (exit code %d): "
	    "%s", pg->where, call->program, status, buf_cstr(&shown));
	buf_clear(&shown);
	buf_wipe(&text);
	return -1;
}

static int
take(const struct postgres *pg, const struct postgres_call *call,
    struct proc_result *result, struct buf *out, struct err *err)
{
	if (result->status != 0)
		return postgres_fail(pg, call, result->status,
		    result->err_out.len > 0 ? &result->err_out :
		    &result->out, err);
	if (buf_check(&result->out, "what it says", err) != 0)
		return err_ctx(err, "%s: %s", pg->where, call->program);
	if (out)
		buf_add(out, buf_cstr(&result->out), result->out.len);
	return 0;
}

int
postgres_run(struct postgres *pg, const struct postgres_call *call,
    struct buf *out, struct err *err)
{
	size_t input_max = (call->input ? strlen(call->input) : 0) +
	    PG_URI_MAX + 2;
	struct parts p = { .n = 0 };
	char *path = mem_printf("%s%s", pg->bin, call->program);
	const char *env[3] = { "LC_ALL=C", NULL, NULL };
	struct proc_spec spec = { .argv = p.argv, .env = env,
	    .timeout_ms = call->timeout_ms ? call->timeout_ms :
	    POSTGRES_ASK_MS };
	struct proc_result result;
	int rc;

	buf_init(&p.conninfo, CONNINFO_MAX);
	buf_init_still(&p.input, input_max);
	buf_init_still(&p.env, PG_URI_MAX + 16);
	add_around(pg, call, &p);
	add_program(pg, call, path, &p);
	put_password(pg, call, &p);
	if (p.env.len > 0)
		env[1] = p.env.data;
	spec.input = buf_cstr(&p.input);
	spec.input_len = p.input.len;
	proc_result_init(&result, POSTGRES_OUT_MAX);
	rc = call->read_only ? host_ask(pg->host, &spec, &result, err) :
	    host_run(pg->host, &spec, &result, err);
	if (rc != 0)
		(void)err_ctx(err, "%s: %s", pg->where, call->program);
	else
		rc = take(pg, call, &result, out, err);
	proc_result_clear(&result);
	buf_wipe(&p.env);
	buf_wipe(&p.input);
	buf_clear(&p.conninfo);
	free(path);
	return rc;
}

int
postgres_sql(struct postgres *pg, const char *db, bool admin, bool read_only,
    const char *sql, struct buf *out, struct err *err)
{
	static const char *const words[] = { "-XAtq", "-F", "\t", "-v",
	    "ON_ERROR_STOP=1", NULL };
	const struct postgres_call call = { .program = "psql",
	    .words = words, .db = db, .admin = admin,
	    .read_only = read_only, .input = sql,
	    .timeout_ms = POSTGRES_LONG_MS };

	return postgres_run(pg, &call, out, err);
}

int
postgres_ask(struct postgres *pg, const char *db, const char *sql,
    struct buf *out, struct err *err)
{
	return postgres_sql(pg, db ? db : pg->uri.database, false, true, sql,
	    out, err);
}

int
postgres_do(struct postgres *pg, const char *db, const char *sql,
    struct err *err)
{
	return postgres_sql(pg, db ? db : pg->uri.database, false, false, sql,
	    NULL, err);
}

const char *
postgres_maintenance(const struct postgres *pg)
{
	if (pg->admin.user && !str_eq(pg->admin.database, pg->uri.database))
		return pg->admin.database;
	return str_eq(pg->uri.database, "postgres") ? "template1" :
	    "postgres";
}

int
postgres_admin_ask(struct postgres *pg, const char *db, const char *sql,
    struct buf *out, struct err *err)
{
	return postgres_sql(pg, db ? db : postgres_maintenance(pg), true,
	    true, sql, out, err);
}

int
postgres_admin_do(struct postgres *pg, const char *db, const char *sql,
    struct err *err)
{
	return postgres_sql(pg, db ? db : postgres_maintenance(pg), true,
	    false, sql, NULL, err);
}

static void
put_quoted(struct buf *out, const char *text, char quote)
{
	buf_char(out, quote);
	for (; *text; text++) {
		if (*text == quote)
			buf_char(out, quote);
		buf_char(out, *text);
	}
	buf_char(out, quote);
}

void
postgres_put_literal(struct buf *out, const char *text)
{
	put_quoted(out, text, '\'');
}

void
postgres_put_name(struct buf *out, const char *text)
{
	put_quoted(out, text, '"');
}
