#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "io/host_part.h"
#include "io/wire.h"

int
host_snapshot(struct host *h, const char *source, const char *target,
    struct db_report *report, struct err *err)
{
	char *full = host_full_path(h, source, err);
	char *full_target = full ? host_full_path(h, target, err) : NULL;
	int rc = -1;

	if (full_target)
		rc = host_done(h, full, h->ops->snapshot(h->state, full,
		    full_target, report, err), err);
	else
		free(full);
	free(full_target);
	if (rc == 0)
		fault_point("host_snapshot");
	return rc;
}

int
host_db_check(struct host *h, const char *path, struct db_report *report,
    struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full)
		return -1;
	return host_done(h, full, h->ops->db_check(h->state, full, report, err),
	    err);
}

int
host_db_script(struct host *h, const char *path,
    const struct db_script *script, db_row *each, void *ctx,
    uint64_t *changes, struct err *err)
{
	struct buf rows = BUF_INIT(WIRE_BLOB_MAX);
	char *full = host_full_path(h, path, err);
	int rc;

	if (!full)
		return -1;
	rc = host_done(h, full, h->ops->db_script(h->state, full, script, &rows,
	    changes, err), err);
	if (rc == 0 && script->write)
		fault_point("host_db_script");
	if (rc == 0)
		rc = db_script_give(&rows, script, each, ctx, err);
	buf_wipe(&rows);
	return rc;
}

/* Make the directory that a file of sums is to lie in. */
static int
make_parent(struct host *h, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = mem_strndup(path, (size_t)(slash - path));
	int rc = 0;

	if (dir[0] != '\0')
		rc = h->ops->mkdirs(h->state, dir, 0700, err);
	free(dir);
	return rc;
}

int
host_db_sums(struct host *h, const char *path, const char *sums_path,
    struct db_pages_stats *stats, struct err *err)
{
	char *full = host_full_path(h, path, err);
	char *sums = full ? host_full_path(h, sums_path, err) : NULL;
	int rc = sums ? make_parent(h, sums, err) : -1;

	if (rc == 0)
		rc = h->ops->db_sums(h->state, full, sums, stats, err);
	if (sums)
		rc = host_done(h, full, rc, err);
	else
		free(full);
	free(sums);
	if (rc == 0)
		fault_point("host_db_sums");
	return rc;
}

/* Changed pages on their way through this machine; all paths are full. */
struct delta {
	struct host *from;
	char *from_db;
	char *from_sums;
	struct host *to;
	char *to_db;
	char *to_sums;
	struct db_pages_stats base;	/* of the copy, before */
	uint64_t sent;
	bool target_failed;
	struct err target_err;
};

static int
delta_sink(void *ctx, const void *data, size_t len, struct err *err)
{
	struct delta *d = ctx;

	if (d->to->ops->patch_write(d->to->state, data, len, err) != 0) {
		d->target_failed = true;
		d->target_err = *err;
		return -1;
	}
	d->sent += len;
	return 0;
}

/* Say at which end it failed. */
static int
delta_failed(struct delta *d, bool at_target, struct err *err)
{
	if (at_target)
		return host_done(d->to, mem_strdup(d->to_db), -1, err);
	return host_done(d->from, mem_strdup(d->from_db), -1, err);
}

/* One stream of what differs from the sums at sums (NULL: of all). */
static int
delta_send(struct delta *d, const char *sums, struct db_pages_stats *stats,
    struct err *err)
{
	struct db_pages_stats arrived;

	if (d->to->ops->patch_open(d->to->state, d->to_db, d->to_sums,
	    err) != 0)
		return delta_failed(d, true, err);
	if (d->from->ops->db_send(d->from->state, d->from_db, sums,
	    d->base.sum, delta_sink, d, stats, err) != 0) {
		d->to->ops->patch_abort(d->to->state);
		if (d->target_failed)
			*err = d->target_err;
		return delta_failed(d, d->target_failed, err);
	}
	if (d->to->ops->patch_finish(d->to->state, &arrived, err) != 0)
		return delta_failed(d, true, err);
	if (memcmp(arrived.sum, stats->sum, sizeof(arrived.sum)) != 0)
		return err_set(err, ERR_DATA, "%s:%s: not the same as the "
		    "source after its pages came; run the same command "
		    "again", d->to->name, d->to_db);
	return 0;
}

/*
 * The source has no sums of this very copy: one that was cut short before, or
 * changed since.  It is given the copy's own; *sums is what to send by.
 */
static int
delta_bring_sums(struct delta *d, const char **sums, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	struct buf b = BUF_INIT(WIRE_BLOB_MAX);
	int rc;

	*sums = NULL;
	if (d->base.pages * DB_PAGES_SUM > WIRE_BLOB_MAX - 4096)
		return 0;
	rc = d->to->ops->read(d->to->state, d->to_sums, &b, NULL, err);
	if (rc != 0)
		rc = delta_failed(d, true, err);
	else if (make_parent(d->from, d->from_sums, err) != 0 ||
	    d->from->ops->replace(d->from->state, d->from_sums, b.data, b.len,
	    &meta, err) != 0)
		rc = delta_failed(d, false, err);
	d->sent += b.len;
	*sums = d->from_sums;
	buf_clear(&b);
	return rc;
}

static int
delta_across(struct delta *d, struct db_pages_stats *stats, struct err *err)
{
	const char *sums;
	int rc;

	if (make_parent(d->to, d->to_sums, err) != 0 ||
	    d->to->ops->db_sums(d->to->state, d->to_db, d->to_sums, &d->base,
	    err) != 0)
		return delta_failed(d, true, err);
	rc = delta_send(d, d->from_sums, stats, err);
	if (rc != 0 && err->kind == ERR_STALE && d->sent == 0 &&
	    !d->target_failed) {
		err_clear(err);
		rc = delta_bring_sums(d, &sums, err);
		if (rc == 0)
			rc = delta_send(d, sums, stats, err);
	}
	stats->wire_bytes = d->sent;
	return rc;
}

static int
delta_here(struct delta *d, struct db_pages_stats *stats, struct err *err)
{
	int rc = make_parent(d->to, d->to_sums, err);

	if (rc == 0)
		rc = d->to->ops->db_delta(d->to->state, d->from_db,
		    d->from_sums, d->to_db, d->to_sums, stats, err);
	return rc == 0 ? 0 : delta_failed(d, false, err);
}

int
host_db_delta(struct host *from, const char *from_db, const char *from_sums,
    struct host *to, const char *to_db, const char *to_sums,
    struct db_pages_stats *stats, struct err *err)
{
	struct delta d = { .from = from, .to = to };
	int rc = -1;

	memset(stats, 0, sizeof(*stats));
	d.from_db = host_full_path(from, from_db, err);
	d.from_sums = d.from_db ? host_full_path(from, from_sums, err) : NULL;
	d.to_db = d.from_sums ? host_full_path(to, to_db, err) : NULL;
	d.to_sums = d.to_db ? host_full_path(to, to_sums, err) : NULL;
	if (d.to_sums)
		rc = from == to ? delta_here(&d, stats, err) :
		    delta_across(&d, stats, err);
	free(d.to_sums);
	free(d.to_db);
	free(d.from_sums);
	free(d.from_db);
	if (rc == 0)
		fault_point("host_db_delta");
	return rc;
}
