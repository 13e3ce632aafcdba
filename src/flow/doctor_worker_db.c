#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/doctor_part.h"
#include "flow/doctor_worker_part.h"
#include "flow/worker_find.h"
#include "io/host.h"

/* Beyond LONG_TASK_MAX_WAIT and its buffer, 600 + 180 s. */
#define OLD "coalesce((julianday('now') - julianday(timestamp)) * 86400," \
	" 901) > 900"
#define WAIT_MS 2000

struct counts {
	uint64_t processing, pending, working;
};

static int
take(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct counts *counts = ctx;

	(void)statement;
	if (n != 3 || !columns[0] || !columns[1] || !columns[2] ||
	    !str_u64(columns[0], INT64_MAX, &counts->processing) ||
	    !str_u64(columns[1], INT64_MAX, &counts->pending) ||
	    !str_u64(columns[2], INT64_MAX, &counts->working))
		return err_set(err, ERR_DATA, "the queue cannot be counted");
	return 0;
}

static int
look_at_queue(const struct doctor_at *at, const struct worker_found *one,
    const char *path, struct err *err)
{
	static const struct db_statement count = { .sql = "SELECT "
	    "count(CASE WHEN status = 'processing' AND " OLD " THEN 1 END), "
	    "count(CASE WHEN status = 'pending' AND " OLD " THEN 1 END), "
	    "count(CASE WHEN status = 'processing' AND NOT (" OLD ") THEN 1 "
	    "END) FROM queue" };
	static const struct db_script script = { .statements = &count,
	    .n_statements = 1, .wait_ms = WAIT_MS };
	struct counts counts = { 0 };

	if (host_db_script(at->host, path, &script, take, &counts, NULL,
	    err) != 0)
		return doctor_pass(at, "worker-processing", err);
	DOCTOR_JUDGE(at, path, counts.processing > 0, "worker-processing",
	    "%" PRIu64 " rows, for more than 900 s", counts.processing);
	if (one->n_lives > 0)
		DOCTOR_JUDGE(at, path, counts.pending > 0 &&
		    counts.working == 0, "worker-queue-idle", "%" PRIu64
		    " rows have waited for more than 900 s, and none is "
		    "worked on", counts.pending);
	return 0;
}

int
doctor_worker_db(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	char *path = one->who.database ? mem_strdup(one->who.database) :
	    mem_printf("%s/sanctum.db", one->real);
	char *journal = mem_printf("%s-journal", path);
	const char *const paths[] = { path, journal };
	struct fs_meta metas[2];
	bool hot;
	int rc;

	rc = host_stat_all(at->host, paths, 2, metas, err);
	if (rc != 0)
		rc = doctor_pass(at, "worker-database-mode", err);
	else if (metas[0].type == FS_FILE) {
		hot = metas[1].type == FS_FILE && metas[1].size_bytes > 0 &&
		    one->n_lives == 0;
		DOCTOR_JUDGE(at, path, (metas[0].mode & 077) != 0,
		    "worker-database-mode", "its mode is %04o",
		    metas[0].mode);
		DOCTOR_JUDGE(at, journal, hot, "worker-database-journal",
		    "it is there, and no process of the tree lives");
		if (!hot)
			rc = look_at_queue(at, one, path, err);
	}
	free(journal);
	free(path);
	return rc;
}
