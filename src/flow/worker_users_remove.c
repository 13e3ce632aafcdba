#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_memory.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker_users_work.h"
#include "io/journal.h"

/* Whether an agent has it. */
static int
is_used(struct worker_users_work *work,
    void (*build)(struct buf *, const char *id), const char *id,
    bool *out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *agents = NULL;
	int rc;

	build(&path, id);
	rc = server_get_list(work->to, buf_cstr(&path), "agents of a user",
	    &agents, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	*out = jdoc_len(agents) > 0;
	jdoc_free(agents);
	buf_clear(&path);
	return rc;
}

/* Removing what is gone is a success. */
static int
remove_one(struct worker_users_work *work,
    void (*agents)(struct buf *, const char *id),
    void (*own)(struct buf *, const char *id), const char *id, size_t *n,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	bool used;
	int rc;

	rc = is_used(work, agents, id, &used, err);
	if (rc == 0 && !used) {
		own(&path, id);
		rc = server_delete(work->to, buf_cstr(&path), err);
		*n += rc == 0;
	}
	buf_clear(&path);
	return rc;
}

static int
remove_identity(struct worker_users_work *work, const char *key, size_t *n,
    struct err *err)
{
	char *id;
	int rc = worker_users_find_identity(work, key, &id, err);

	if (rc == 0 && id)
		rc = remove_one(work, letta_path_identity_agents,
		    letta_path_identity, id, n, err);
	free(id);
	return rc;
}

static int
remove_block(struct worker_users_work *work, const char *id, size_t *n,
    struct err *err)
{
	return remove_one(work, letta_path_block_agents, letta_path_block,
	    id, n, err);
}

/* Every id of a scope. */
static int
each_row(struct worker_users_work *work, const char *scope,
    int (*remove)(struct worker_users_work *, const char *, size_t *,
    struct err *), size_t *n, struct err *err)
{
	struct journal_rows *rows;
	struct journal_row row;
	int rc, got = 0;

	rc = journal_rows_open(work->run->journal, scope, false, &rows, err);
	if (rc != 0)
		return -1;
	while (rc == 0) {
		got = journal_rows_next(rows, &row, err);
		if (got <= 0)
			break;
		rc = remove(work, row.id, n, err);
	}
	journal_rows_close(rows);
	return got < 0 ? -1 : rc;
}

int
worker_users_remove(struct worker_users_work *work, size_t *n,
    struct err *err)
{
	struct jdoc_member member = { 0 };
	int rc;

	*n = 0;
	if (work->same || !work->to)
		return 0;
	rc = worker_users_list_made(work, err);
	while (rc == 0 && jdoc_next(work->made, &member))
		rc = remove_block(work, jdoc_str(member.value), n, err);
	if (rc == 0)
		rc = each_row(work, work->block_scope, remove_block, n, err);
	if (rc == 0)
		rc = each_row(work, work->identity_scope, remove_identity, n,
		    err);
	return rc;
}
