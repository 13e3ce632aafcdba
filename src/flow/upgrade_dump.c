#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/postgres_census.h"
#include "flow/run.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_since.h"
#include "io/host.h"

#define HOST_DIR "/var/lib/sanctumctl"
#define PART ".partial"
#define TRIAL "trial"
#define CENSUS_MAX (16 * 1024 * 1024)
#define WORDS_MAX 2048
#define SPARE_BYTES (UINT64_C(64) * 1024 * 1024)

char *
upgrade_dump_path(const struct upgrade *up)
{
	return mem_printf(HOST_DIR "/%s/%s-%s.dump", up->run->conf->name,
	    up->conf->name, *up->run->mark ? up->run->mark : "MARK");
}

char *
upgrade_properties_path(const struct upgrade *up)
{
	char *dump = upgrade_dump_path(up);
	char *path = mem_printf("%s.properties", dump);

	free(dump);
	return path;
}

int
upgrade_oid(const struct upgrade *up, const char *word, uint64_t *out,
    struct err *err)
{
	char *value = NULL;
	int rc = upgrade_get(up, word, &value, err);

	if (!value || !str_u64(value, UINT64_MAX, out))
		*out = 0;
	free(value);
	return rc;
}

int
upgrade_put_oid(const struct upgrade *up, const char *word, uint64_t oid,
    struct err *err)
{
	char value[24];

	(void)snprintf(value, sizeof(value), "%" PRIu64, oid);
	return upgrade_put(up, word, value, err);
}

char *
upgrade_aside(const struct upgrade *up, const char *what)
{
	/* A plan may be shown before the job has its mark. */
	return mem_printf("sanctumctl_%s_%s", what,
	    *up->run->mark ? up->run->mark : "MARK");
}

/* Whether a dump is noted and there, by its size. */
static int
is_there(const struct upgrade *up, bool *noted, bool *there, char **path,
    struct err *err)
{
	struct fs_meta meta = { 0 };
	char *size = NULL;
	uint64_t bytes = 0;
	int rc;

	rc = upgrade_get(up, "dump.size", &size, err);
	*noted = size != NULL;
	*there = false;
	*path = upgrade_dump_path(up);
	if (rc == 0 && *noted)
		rc = host_stat(up->host, *path, &meta, err);
	if (rc == 0 && *noted && str_u64(size, UINT64_MAX, &bytes))
		*there = meta.type == FS_FILE && meta.size_bytes == bytes;
	free(size);
	return rc;
}

int
upgrade_is_rebuilt(const struct upgrade *up, struct postgres *pg, bool *out,
    struct err *err)
{
	uint64_t was, now;

	*out = false;
	if (upgrade_oid(up, "database.was", &was, err) != 0 ||
	    (was != 0 && postgres_oid(pg, NULL, &now, err) != 0))
		return -1;
	*out = was != 0 && now != was;
	return 0;
}

/* The file stays until another one has its name. */
int
upgrade_dump_forget(const struct upgrade *up, struct err *err)
{
	return upgrade_put(up, "dump.size", "", err);
}

static int
probe_missing(struct upgrade *up, bool noted, const char *path,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char *trial = upgrade_aside(up, TRIAL);
	struct postgres *pg = NULL;
	bool rebuilt = false, needed = false;
	uint64_t size = 0;
	int rc;

	rc = postgres_open(&pg, up->run, up->conf->from, err);
	if (rc == 0 && noted)
		rc = upgrade_is_rebuilt(up, pg, &rebuilt, err);
	if (rc == 0 && !rebuilt)
		rc = postgres_size(pg, &size, err);
	if (rc == 0 && rebuilt)
		rc = upgrade_needs_copy(up, &needed, err);
	*found = rebuilt ? PLAN_DONE : PLAN_TODO;
	if (rc == 0 && rebuilt)
		plan_say(note, '~', "the safety copy %s:%s is not there any "
		    "more%s", host_name(up->host), path, needed ?
		    ": nothing leads back to the old server" : "; the old "
		    "database still is");
	if (rc == 0 && !rebuilt) {
		plan_say(note, '+', "pg_dump -Fc of %s (%" PRIu64 " MB) to "
		    "%s:%s, checked", postgres_where(pg), size / 1000000,
		    host_name(up->host), path);
		buf_printf(&note->diff, "    -- its definitions are tried in "
		    "the database %s, made\n    -- as the step `database' "
		    "says, and dropped\n", trial);
	}
	postgres_close(pg);
	free(trial);
	return rc;
}

static int
dump_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	struct upgrade up;
	char *path = NULL;
	bool noted, there;
	int rc;

	rc = upgrade_open(&up, run, step, err);
	if (rc == 0)
		rc = is_there(&up, &noted, &there, &path, err);
	if (rc == 0 && there) {
		*found = PLAN_DONE;
		plan_say(note, '+', "safety copy of the database: %s:%s",
		    host_name(up.host), path);
	} else if (rc == 0) {
		rc = probe_missing(&up, noted, path, note, found, err);
	}
	free(path);
	return rc;
}

/* Of the nearest directory above that there is. */
static int
free_there(const struct upgrade *up, char *path, uint64_t *out,
    struct err *err)
{
	struct fs_meta meta;
	char *slash;
	int rc = host_stat(up->host, path, &meta, err);

	while (rc == 0 && meta.type == FS_NONE &&
	    (slash = strrchr(path, '/')) != NULL && slash != path) {
		*slash = '\0';
		rc = host_stat(up->host, path, &meta, err);
	}
	return rc == 0 ? host_free_bytes(up->host, path, out, err) : -1;
}

/* It is smaller in most cases; vectors are larger as text. */
int
upgrade_dump_room(const struct upgrade *up, uint64_t database_bytes,
    uint64_t *room, struct err *err)
{
	char *dir = mem_printf(HOST_DIR "/%s", up->run->conf->name);
	uint64_t need = database_bytes + SPARE_BYTES;
	int rc = free_there(up, dir, room, err);

	if (rc == 0 && *room < need)
		rc = err_set(err, ERR_FAILED, "%s:" HOST_DIR "/%s: the "
		    "safety copy of the database may need %" PRIu64 " bytes "
		    "and the filesystem has %" PRIu64 " free; make room "
		    "there, then run the same command again",
		    host_name(up->host), up->run->conf->name, need, *room);
	free(dir);
	return rc;
}

static int
check_room(const struct upgrade *up, struct postgres *pg, struct err *err)
{
	char *dir = mem_printf(HOST_DIR "/%s", up->run->conf->name);
	uint64_t size, room;
	int rc;

	rc = host_mkdirs(up->host, dir, 0700, err);
	if (rc == 0)
		rc = postgres_size(pg, &size, err);
	if (rc == 0)
		rc = upgrade_dump_room(up, size, &room, err);
	free(dir);
	return rc;
}

/* While it was read, nobody wrote: else it is not the last state. */
static int
dump_quietly(struct postgres *pg, const char *part, struct buf *census,
    struct err *err)
{
	struct buf after = BUF_INIT(CENSUS_MAX), moved = BUF_INIT(WORDS_MAX);
	int rc;

	rc = postgres_census(pg, NULL, census, err);
	if (rc == 0 && census->len == 0)
		rc = err_set(err, ERR_DATA, "%s: none of Letta's tables is "
		    "seen there, so that nothing could tell whether the copy "
		    "is whole; nothing was dropped.  Give a role that sees "
		    "them as `database'", postgres_where(pg));
	if (rc == 0)
		rc = postgres_dump(pg, part, err);
	if (rc == 0)
		rc = postgres_census(pg, NULL, &after, err);
	if (rc == 0 && postgres_census_moved(buf_cstr(census),
	    buf_cstr(&after), &moved) > 0)
		rc = err_set(err, ERR_STALE, "%s: somebody wrote to it while "
		    "it was dumped: %s; stop whoever that is, then run the "
		    "same command again, which backs up anew",
		    postgres_where(pg), buf_cstr(&moved));
	buf_clear(&moved);
	buf_clear(&after);
	return rc;
}

/*
 * A rollback must not be the first who learns that this server does not take
 * the definitions: a role or an extension that is lacking.
 */
static int
try_definitions(const struct upgrade *up, struct postgres *pg,
    const char *part, struct err *err)
{
	struct buf sql = BUF_INIT(CENSUS_MAX);
	char *name = upgrade_aside(up, TRIAL);
	struct err ignored = ERR_INIT;
	int rc;

	rc = postgres_properties(pg, &sql, err);
	if (rc == 0)
		rc = postgres_make(pg, buf_cstr(&sql), name, false, err);
	if (rc == 0)
		rc = postgres_restore(pg, part, name, POSTGRES_DEFINITIONS,
		    err);
	if (postgres_scratch_drop(pg, name, rc == 0 ? err : &ignored) != 0)
		rc = -1;
	free(name);
	buf_clear(&sql);
	return rc;
}

/* A former dump stays until this one has its name. */
static int
put_over(const struct upgrade *up, const char *part, const char *path,
    struct err *err)
{
	struct fs_meta meta;

	if (host_stat(up->host, path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return host_rename(up->host, part, path, 0, err);
	if (host_rename(up->host, part, path, 1, err) != 0)
		return -1;
	return host_remove(up->host, part, err);
}

/* Without a size no dump is noted: what has the name meanwhile is no matter. */
static int
keep(const struct upgrade *up, struct postgres *pg, const char *part,
    const char *path, const struct buf *census, uint64_t *size,
    struct err *err)
{
	char sum[POSTGRES_SUM_SIZE];

	if (postgres_dump_sum(pg, part, sum, size, err) != 0 ||
	    upgrade_dump_forget(up, err) != 0 ||
	    upgrade_put(up, "dump.sha256", sum, err) != 0 ||
	    upgrade_put(up, "dump.census", buf_cstr(census), err) != 0 ||
	    put_over(up, part, path, err) != 0)
		return -1;
	return upgrade_put_oid(up, "dump.size", *size, err);
}

static int
make_dump(const struct upgrade *up, struct postgres *pg,
    struct plan_note *note, struct err *err)
{
	struct buf census = BUF_INIT(CENSUS_MAX);
	char *path = upgrade_dump_path(up);
	char *part = mem_printf("%s" PART, path);
	uint64_t tables = 0, size = 0;
	int rc;

	rc = check_room(up, pg, err);
	if (rc == 0)
		rc = dump_quietly(pg, part, &census, err);
	if (rc == 0)
		rc = postgres_dump_check(pg, part, &tables, err);
	if (rc == 0)
		rc = try_definitions(up, pg, part, err);
	if (rc == 0)
		rc = keep(up, pg, part, path, &census, &size, err);
	if (rc == 0)
		plan_say(note, '+', "safety copy of the database: %s:%s, %"
		    PRIu64 " tables, %" PRIu64 " bytes, read by pg_restore",
		    host_name(up->host), path, tables, size);
	free(part);
	free(path);
	buf_clear(&census);
	return rc;
}

static int
dump_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct postgres *pg = NULL;
	bool rebuilt = false;
	struct upgrade up;
	int rc;

	if (upgrade_open(&up, run, step, err) != 0 ||
	    upgrade_break_glass(&up, err) != 0 ||
	    postgres_open(&pg, run, up.conf->from, err) != 0)
		return -1;
	rc = upgrade_is_rebuilt(&up, pg, &rebuilt, err);
	if (rc == 0 && rebuilt)
		rc = err_set(err, ERR_STALE, "%s: is another database than "
		    "the one whose rebuild has begun; nothing was dumped",
		    postgres_where(pg));
	if (rc == 0)
		rc = postgres_check_rights(pg, err);
	if (rc == 0)
		rc = postgres_check_tables(pg, err);
	if (rc == 0)
		rc = make_dump(&up, pg, note, err);
	postgres_close(pg);
	return rc;
}

/* What a kill has left; a server that is away does not stop a rollback. */
static void
sweep_trial(const struct upgrade *up)
{
	char *name = upgrade_aside(up, TRIAL);
	struct err ignored = ERR_INIT;
	struct postgres *pg;

	if (postgres_open(&pg, up->run, up->conf->from, &ignored) == 0) {
		if (postgres_scratch_drop(pg, name, &ignored) != 0)
			err_clear(&ignored);
		postgres_close(pg);
	}
	free(name);
}

/* The dump stays, after a rollback too: it is removed by hand. */
static int
dump_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct upgrade up;
	char *path = NULL, *part = NULL;
	int rc;

	rc = upgrade_open(&up, run, step, err);
	if (rc == 0) {
		path = upgrade_dump_path(&up);
		part = mem_printf("%s" PART, path);
		rc = host_remove(up.host, part, err);
	}
	if (rc == 0)
		sweep_trial(&up);
	if (rc == 0)
		rc = upgrade_dump_forget(&up, err);
	if (rc == 0)
		plan_say(note, '-', "nothing: the safety copy %s:%s stays "
		    "until you remove it", host_name(up.host), path);
	free(part);
	free(path);
	return rc;
}

int
upgrade_dump_is_whole(const struct upgrade *up, struct postgres *pg,
    struct err *err)
{
	char *path = NULL, *kept = NULL, sum[POSTGRES_SUM_SIZE];
	bool noted, there;
	uint64_t size;
	int rc;

	rc = is_there(up, &noted, &there, &path, err);
	if (rc == 0)
		rc = upgrade_get(up, "dump.sha256", &kept, err);
	if (rc == 0 && (!there || !kept))
		rc = err_set(err, ERR_STALE, "%s:%s: the safety copy is not "
		    "there as it was made; nothing was dropped.  Put it back, "
		    "then run the same command again", host_name(up->host),
		    path);
	if (rc == 0)
		rc = postgres_dump_sum(pg, path, sum, &size, err);
	if (rc == 0 && !str_eq(sum, kept))
		rc = err_set(err, ERR_STALE, "%s:%s: the safety copy has "
		    "another SHA-256 than when it was made: %s, was %s; "
		    "nothing was dropped.  Put the right one back, then run "
		    "the same command again", host_name(up->host), path, sum,
		    kept);
	free(kept);
	free(path);
	return rc;
}

int
upgrade_dump_moved(const struct upgrade *up, struct postgres *pg,
    const char *db, struct buf *moved, struct err *err)
{
	struct buf now = BUF_INIT(CENSUS_MAX);
	char *before = NULL;
	int rc;

	rc = upgrade_get(up, "dump.census", &before, err);
	if (rc == 0)
		rc = postgres_census(pg, db, &now, err);
	if (rc == 0)
		(void)postgres_census_moved(before ? before : "",
		    buf_cstr(&now), moved);
	free(before);
	buf_clear(&now);
	return rc;
}

const struct step_kind upgrade_dump_kind = {
	.word = "dump",
	.probe = dump_probe,
	.act = dump_act,
	.undo = dump_undo,
};
