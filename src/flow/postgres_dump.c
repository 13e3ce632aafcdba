#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/command.h"
#include "flow/postgres_part.h"
#include "io/host.h"

#define LIST_MAX (4 * 1024 * 1024)
#define SUM_MAX 4096
#define IDS_MAX (96 * 1024)	/* one word of argv has 128 KiB */

/* A rest of an earlier one may have another mode. */
static int
make_room(struct postgres *pg, const char *path, struct err *err)
{
	char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	int rc = host_mkdirs(pg->host, dir, 0700, err);

	free(dir);
	return rc == 0 ? host_remove(pg->host, path, err) : -1;
}

int
postgres_dump(struct postgres *pg, const char *path, struct err *err)
{
	static const char *const words[] = { "-Fc", NULL };
	const char *const sync[] = { "sync", "--", path, NULL };
	const struct postgres_call call = { .program = "pg_dump",
	    .words = words, .db = pg->uri.database, .admin = true,
	    .out_file = path, .timeout_ms = POSTGRES_LONG_MS };
	struct err ignored = ERR_INIT;

	if (make_room(pg, path, err) != 0)
		return -1;
	/* To stdout, pg_dump does not sync itself. */
	if (postgres_run(pg, &call, NULL, err) == 0 &&
	    command_must(pg->host, sync, "", 0, err) == 0)
		return 0;
	if (host_remove(pg->host, path, &ignored) != 0)
		err_clear(&ignored);
	return err_ctx(err, "dump to %s:%s", host_name(pg->host), path);
}

/* "215; 1259 16398 TABLE public agents letta" */
static bool
lists_table(const char *list, const char *name)
{
	char word[64];

	(void)snprintf(word, sizeof(word), " TABLE DATA public %s ", name);
	return strstr(list, word) != NULL;
}

static uint64_t
count_tables(const char *list)
{
	uint64_t n = 0;

	for (; (list = strstr(list, " TABLE DATA ")) != NULL; list++)
		n++;
	return n;
}

/* What it lists, or all of it read and thrown away. */
static int
read_dump(struct postgres *pg, const char *path, bool all, struct buf *out,
    struct err *err)
{
	static const char *const list[] = { "-l", NULL };
	static const char *const whole[] = { "-f", "/dev/null", NULL };
	const struct postgres_call call = { .program = "pg_restore",
	    .words = all ? whole : list, .read_only = true, .in_file = path,
	    .timeout_ms = POSTGRES_LONG_MS };

	return postgres_run(pg, &call, out, err);
}

int
postgres_dump_check(struct postgres *pg, const char *path, uint64_t *tables,
    struct err *err)
{
	struct buf list = BUF_INIT(LIST_MAX);
	int rc;

	*tables = 0;
	rc = read_dump(pg, path, false, &list, err);
	if (rc == 0 && (!lists_table(buf_cstr(&list), "agents") ||
	    !lists_table(buf_cstr(&list), "messages")))
		rc = err_set(err, ERR_DATA, "the tables agents and messages "
		    "are not in it");
	if (rc == 0) {
		*tables = count_tables(buf_cstr(&list));
		rc = read_dump(pg, path, true, NULL, err);
	}
	buf_clear(&list);
	return rc == 0 ? 0 : err_ctx(err, "%s:%s: check the dump",
	    host_name(pg->host), path);
}

int
postgres_dump_sum(struct postgres *pg, const char *path,
    char sum[static POSTGRES_SUM_SIZE], uint64_t *size, struct err *err)
{
	const char *const argv[] = { "sha256sum", "-b", "--", path, NULL };
	const struct proc_spec spec = { .argv = argv,
	    .timeout_ms = POSTGRES_LONG_MS };
	struct proc_result result;
	struct fs_meta meta;
	const char *hex;
	int rc;

	if (host_stat(pg->host, path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return err_set(err, ERR_MISSING, "%s:%s: is not there",
		    host_name(pg->host), path);
	*size = meta.size_bytes;
	proc_result_init(&result, SUM_MAX);
	rc = host_ask(pg->host, &spec, &result, err);
	/* A name with odd bytes has a backslash in front. */
	hex = buf_cstr(&result.out);
	hex += *hex == '\\';
	if (rc == 0 && (result.status != 0 || strspn(hex,
	    "0123456789abcdef") != POSTGRES_SUM_SIZE - 1))
		rc = err_set(err, ERR_FAILED, "%s:%s: sha256sum could not "
		    "read it", host_name(pg->host), path);
	else if (rc == 0)
		(void)snprintf(sum, POSTGRES_SUM_SIZE, "%s", hex);
	proc_result_clear(&result);
	return rc;
}

/*
 * What only database_admin may make: pgvector, and whose the schema public is.
 * Nothing of it calls a function of whoever owns the database.
 */
static bool
is_admins(const char *line, size_t len)
{
	static const char *const words[] = { "EXTENSION - vector ",
	    "COMMENT - EXTENSION vector ", "SCHEMA - public ",
	    "COMMENT - SCHEMA public ", "ACL - SCHEMA public " };

	/* "2; 3079 16390 EXTENSION - vector " */
	for (size_t i = 0; i < 3; i++) {
		while (len > 0 && *line != ' ') {
			line++;
			len--;
		}
		if (len > 0) {
			line++;
			len--;
		}
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (len >= strlen(words[i]) &&
		    memcmp(line, words[i], strlen(words[i])) == 0)
			return true;
	}
	return false;
}

static void
pick_ids(const char *list, bool admins, struct buf *ids)
{
	size_t len;

	for (; *list; list += len + (list[len] == '\n')) {
		len = strcspn(list, "\n");
		if (*list >= '0' && *list <= '9' &&
		    is_admins(list, len) == admins)
			buf_printf(ids, "%.*s ", (int)strcspn(list, ";"),
			    list);
	}
}

static int
restore_ids(struct postgres *pg, const char *path, const char *db,
    const struct postgres_call *like, const struct buf *ids, struct err *err)
{
	struct postgres_call call = *like;

	if (ids->len == 0)
		return 0;
	if (buf_check(ids, "the list of its entries", err) != 0)
		return -1;
	call.db = db;
	call.in_file = path;
	call.ids = buf_cstr(ids);
	return postgres_run(pg, &call, NULL, err);
}

/*
 * As Letta's own role, since a dump has functions that its data and indexes
 * call; as a superuser, SET ROLE or not, they could do anything on the host.
 */
int
postgres_restore(struct postgres *pg, const char *path, const char *db,
    enum postgres_part part, struct err *err)
{
	static const char *const all[] = { "--exit-on-error",
	    "--single-transaction", "-L", POSTGRES_IDS, NULL };
	static const char *const definitions[] = { "--exit-on-error",
	    "--single-transaction", "-L", POSTGRES_IDS, "--schema-only",
	    NULL };
	struct postgres_call call = { .program = "pg_restore",
	    .words = part == POSTGRES_ALL ? all : definitions,
	    .admin = true, .timeout_ms = POSTGRES_LONG_MS };
	struct buf list = BUF_INIT(LIST_MAX), admins = BUF_INIT(IDS_MAX);
	struct buf others = BUF_INIT(IDS_MAX);
	int rc;

	rc = read_dump(pg, path, false, &list, err);
	pick_ids(buf_cstr(&list), true, &admins);
	pick_ids(buf_cstr(&list), false, &others);
	if (rc == 0)
		rc = restore_ids(pg, path, db, &call, &admins, err);
	call.admin = false;
	if (rc == 0 && restore_ids(pg, path, db, &call, &others, err) != 0)
		rc = err_ctx(err, "as the role of `database', whose all that "
		    "is in Letta's database must be");
	buf_clear(&others);
	buf_clear(&admins);
	buf_clear(&list);
	return rc == 0 ? 0 : err_ctx(err, "%s:%s: restore the dump",
	    host_name(pg->host), path);
}
