#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_rebuild.h"
#include "io/host.h"

#define TEXT_MAX (16 * 1024 * 1024)

void
upgrade_rebuild_close(struct upgrade_rebuild *r)
{
	postgres_close(r->pg);
}

int
upgrade_rebuild_open(struct upgrade_rebuild *r, struct run *run,
    const struct step *step, struct err *err)
{
	*r = (struct upgrade_rebuild){ 0 };
	if (upgrade_open(&r->up, run, step, err) != 0 ||
	    postgres_open(&r->pg, run, r->up.conf->from, err) != 0 ||
	    upgrade_oid(&r->up, "database.was", &r->was, err) != 0 ||
	    upgrade_oid(&r->up, "database.made", &r->made, err) != 0 ||
	    upgrade_oid(&r->up, "database.back", &r->back, err) != 0)
		return -1;
	return postgres_oid(r->pg, NULL, &r->now, err);
}

/* As kept; NULL: they were not. */
int
upgrade_rebuild_kept(const struct upgrade_rebuild *r, char **out,
    struct err *err)
{
	char *path = upgrade_properties_path(&r->up);
	struct buf sql = BUF_INIT(TEXT_MAX);
	struct fs_meta meta = { 0 };
	int rc = host_stat(r->up.host, path, &meta, err);

	*out = NULL;
	if (rc == 0 && meta.type == FS_FILE)
		rc = host_read(r->up.host, path, &sql, NULL, err);
	if (rc == 0 && sql.len > 0)
		*out = buf_take(&sql);
	buf_clear(&sql);
	free(path);
	return rc;
}

int
upgrade_rebuild_properties(const struct upgrade_rebuild *r, char **out,
    struct err *err)
{
	struct buf sql = BUF_INIT(TEXT_MAX);
	int rc;

	if (upgrade_rebuild_kept(r, out, err) != 0)
		return -1;
	if (*out)
		return 0;
	rc = postgres_properties(r->pg, &sql, err);
	if (rc == 0)
		*out = buf_take(&sql);
	buf_clear(&sql);
	return rc;
}

int
upgrade_rebuild_keep(const struct upgrade_rebuild *r, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *path = upgrade_properties_path(&r->up), *sql = NULL;
	int rc = upgrade_rebuild_properties(r, &sql, err);

	if (rc == 0)
		rc = host_replace(r->up.host, path, sql, strlen(sql), &meta,
		    err);
	free(sql);
	free(path);
	return rc;
}

int
upgrade_rebuild_aside(const struct upgrade_rebuild *r, const char *name,
    const char *word, uint64_t *oid, struct err *err)
{
	bool fresh = str_eq(word, "database.made");
	char *sql = NULL, *path = NULL;
	int rc;

	rc = upgrade_rebuild_kept(r, &sql, err);
	if (rc == 0 && !sql)
		rc = err_set(err, ERR_DATA, "how %s was made is not known: "
		    "the file beside its safety copy is not there",
		    postgres_where(r->pg));
	if (rc == 0)
		rc = postgres_make(r->pg, sql, name, fresh, err);
	path = upgrade_dump_path(&r->up);
	if (rc == 0 && !fresh)
		rc = postgres_restore(r->pg, path, name, POSTGRES_ALL, err);
	if (rc == 0)
		rc = postgres_oid(r->pg, name, oid, err);
	if (rc == 0)
		rc = upgrade_put_oid(&r->up, word, *oid, err);
	fault_point("database_whole");
	free(path);
	free(sql);
	return rc;
}

int
upgrade_rebuild_stranger(const struct upgrade_rebuild *r, struct err *err)
{
	return err_set(err, ERR_STALE, "%s: is a database that this job has "
	    "neither found nor made; it was left as it is.  Rename it, then "
	    "run the same command again", postgres_where(r->pg));
}
