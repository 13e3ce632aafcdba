#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/command.h"
#include "flow/postgres_part.h"
#include "flow/runtime_part.h"
#include "io/host.h"

#define LINE_MAX_BYTES 1024

/* "/usr/bin, tab, pg_dump (PostgreSQL) 16.10", of each directory. */
static const char script[] =
    "one() { for p in psql pg_dump pg_restore; do\n"
    "[ -x \"$1/$p\" ] || return 0; done\n"
    "printf '%s\\t%s\\n' \"$1\" \"$(\"$1/pg_dump\" --version)\"; }\n"
    "IFS=:; for d in $PATH; do one \"$d\"; done; unset IFS\n"
    "for d in /usr/lib/postgresql/*/bin \"$1\"; do one \"$d\"; done\n";

/* Of the directories that were found. */
struct pick {
	unsigned int wanted;	/* major version of the server; 0: any */
	unsigned int best;	/* what was picked; 0: nothing */
	unsigned int newest;
	char dir[LINE_MAX_BYTES], newest_dir[LINE_MAX_BYTES];
};

static unsigned int
major_of(const char *line)
{
	const char *at = strstr(line, "(PostgreSQL) ");
	unsigned int n = 0;

	for (at = at ? at + 13 : ""; *at >= '0' && *at <= '9' && n < 1000;
	    at++)
		n = 10 * n + (unsigned int)(*at - '0');
	return n;
}

/* A pg_dump refuses a newer server; one that is newer may do. */
static void
pick_line(struct pick *pick, const char *line)
{
	unsigned int major = major_of(line);
	size_t len = strcspn(line, "\t");

	if (major == 0 || len >= sizeof(pick->dir))
		return;
	if (major > pick->newest) {
		pick->newest = major;
		(void)snprintf(pick->newest_dir, sizeof(pick->newest_dir),
		    "%.*s", (int)len, line);
	}
	if (major < pick->wanted ||
	    (pick->best != 0 && (pick->wanted == 0 || major >= pick->best)))
		return;
	pick->best = major;
	(void)snprintf(pick->dir, sizeof(pick->dir), "%.*s", (int)len, line);
}

static int
list(struct postgres *pg, struct buf *out, struct err *err)
{
	static const char *const argv[] = { "sh", "-c", script, "sh",
	    RUNTIME_OPT "/postgres/pgsql/bin", NULL };
	int status;

	return command_ask(pg->host, argv, &status, out, err);
}

static void
pick_best(const char *text, unsigned int wanted, struct pick *pick)
{
	char line[LINE_MAX_BYTES];
	size_t len;

	*pick = (struct pick){ .wanted = wanted };
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
		pick_line(pick, line);
	}
}

/* Of the server; by another database where ours is just not there. */
static int
ask_version(struct postgres *pg, struct err *err)
{
	static const char sql[] = "SHOW server_version_num";
	struct buf said = BUF_INIT(LINE_MAX_BYTES);
	char number[16];
	uint64_t version;
	int rc;

	rc = postgres_ask(pg, NULL, sql, &said, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = postgres_admin_ask(pg, NULL, sql, &said, err);
	}
	(void)snprintf(number, sizeof(number), "%.*s",
	    (int)strcspn(buf_cstr(&said), "\n"), buf_cstr(&said));
	if (rc == 0 && !str_u64(number, 9999999, &version))
		rc = err_set(err, ERR_DATA, "%s: does not say its version",
		    pg->where);
	if (rc == 0)
		pg->version = (unsigned int)version;
	buf_clear(&said);
	return rc;
}

static void
set_bin(struct postgres *pg, const char *dir)
{
	free(pg->bin);
	pg->bin = mem_printf("%s/", dir);
}

static int
find_on_host(struct postgres *pg, struct err *err)
{
	struct buf found = BUF_INIT(COMMAND_TEXT_MAX);
	struct pick pick;
	int rc;

	rc = list(pg, &found, err);
	pick_best(buf_cstr(&found), 0, &pick);
	if (rc == 0 && pick.best == 0)
		rc = err_set(err, ERR_MISSING, "%s: has no psql, pg_dump and "
		    "pg_restore, neither in PATH nor in "
		    "/usr/lib/postgresql; install postgresql-client, then "
		    "run the same command again", host_name(pg->host));
	if (rc == 0) {
		set_bin(pg, pick.dir);
		rc = ask_version(pg, err);
	}
	pick_best(buf_cstr(&found), pg->version / 10000, &pick);
	if (rc == 0 && pick.best == 0)
		rc = err_set(err, ERR_MISSING, "%s: is PostgreSQL %u, and "
		    "the newest pg_dump of %s is %u (%s), which cannot dump "
		    "it; install postgresql-client-%u there, then run the "
		    "same command again", pg->where, pg->version / 10000,
		    host_name(pg->host), pick.newest, pick.newest_dir,
		    pg->version / 10000);
	else if (rc == 0)
		set_bin(pg, pick.dir);
	buf_clear(&found);
	return rc;
}

int
postgres_find(struct postgres *pg, struct err *err)
{
	if (!pg->inside)
		return find_on_host(pg, err);
	pg->bin = mem_strdup("");
	return ask_version(pg, err);
}
