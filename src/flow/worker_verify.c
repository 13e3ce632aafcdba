#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/verdict.h"
#include "core/worker.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_verify_db.h"
#include "flow/worker_verify_smcp.h"
#include "flow/worker_verify_trees.h"
#include "io/host.h"

#define ENV_MAX (1024 * 1024)

/* The value of one key in one .env on the target. */
static int
check_key(struct host *to, const char *path, const char *key,
    const char *want, uint64_t *right, uint64_t *wrong, struct err *err)
{
	struct buf text = BUF_INIT(ENV_MAX), value = BUF_INIT(ENV_MAX);
	enum dotenv_found found;
	int rc;

	rc = host_read(to, path, &text, NULL, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	} else if (rc == 0) {
		rc = dotenv_get(buf_cstr(&text), text.len, key, NULL, &value,
		    &found, err);
		if (rc == 0 && found == DOTENV_VALUE)
			*(str_eq(buf_cstr(&value), want) ? right : wrong) += 1;
	}
	buf_wipe(&text);
	buf_wipe(&value);
	return rc;
}

/* Both keys that name the agent, in the .env of one directory. */
static int
check_file(struct host *to, const char *dir, const char *id, uint64_t *right,
    uint64_t *wrong, struct err *err)
{
	static const char *const keys[] = { "AGENT_ID", "LETTA_AGENT_ID" };
	char *path = worker_path(dir, ".env");
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++)
		rc = check_key(to, path, keys[i], id, right, wrong, err);
	free(path);
	return rc;
}

/* Whether the files name the right agent, and every other byte is right. */
static void
judge_env(const struct conf_worker *worker, const char *id,
    const struct worker_env_seen *seen, uint64_t right, uint64_t wrong,
    struct verdict *verdict)
{
	const char *reason = buf_cstr(&seen->reason);
	enum verdict_state state = VERDICT_SAME;
	const char *why = "every byte is as this job writes it";

	if (wrong > 0 || !id || (right == 0 && worker_has_broca(worker))) {
		state = VERDICT_DIFFERENT;
		why = *reason ? reason : "not the agent of this job";
	} else if (seen->n_same < seen->n_files) {
		state = VERDICT_DIFFERENT;
		why = reason;
	} else if (*reason || seen->n_gone > 0) {
		state = VERDICT_NOT_COMPARED;
		why = *reason ? reason : "one is gone at the source, and "
		    "cannot be compared";
	} else if (right == 0) {
		state = VERDICT_NOT_COMPARED;
		why = seen->n_files ? "no .env of these trees assigns an "
		    "agent's id; else every byte is as this job writes it" :
		    "there is none";
	}
	verdict_add(verdict, ".env", state, seen->n_files, seen->n_same,
	    "%s; AGENT_ID and LETTA_AGENT_ID read %s in %" PRIu64 " of %"
	    PRIu64 " places", why, id ? id : "(no agent yet)", right,
	    right + wrong);
}

static int
compare_env(struct run *run, const struct conf_worker *worker,
    struct host *to, struct verdict *verdict, struct err *err)
{
	const char *const *tree = worker->trees;
	struct worker_env_seen seen = { 0 };
	uint64_t right = 0, wrong = 0;
	char *id = NULL, *dir;
	int rc;

	rc = worker_agent_id(run, worker, &id, err);
	if (rc == 0 && id)
		rc = worker_env_look(run, worker, id, &seen, err);
	if (rc == 0 && id)
		rc = check_file(to, worker->to_path, id, &right, &wrong, err);
	for (; rc == 0 && id && *tree; tree++) {
		dir = worker_path(worker->to_path, *tree);
		rc = check_file(to, dir, id, &right, &wrong, err);
		free(dir);
	}
	if (rc == 0)
		judge_env(worker, id, &seen, right, wrong, verdict);
	buf_clear(&seen.reason);
	free(id);
	return rc;
}

/* What the copy has passed over at the source: no check speaks of it. */
static int
add_left(struct run *run, const struct conf_worker *worker,
    struct verdict *verdict, struct err *err)
{
	struct worker_left left;

	if (worker_look_left(run, worker, &left, err) != 0)
		return -1;
	if (left.unknown.len > 0)
		verdict_add(verdict, "left at the source",
		    VERDICT_NOT_COMPARED, 0, 0, "what the inventory rules "
		    "pass over cannot be listed: %s",
		    buf_cstr(&left.unknown));
	else
		verdict_add(verdict, "left at the source",
		    VERDICT_NOT_COMPARED, left.n_beside + left.n_inside, 0,
		    "%" PRIu64 " directories beside the trees%s%.100s; %"
		    PRIu64 " entries in and right below the trees passed "
		    "over by the inventory rules%s%.100s", left.n_beside,
		    left.n_beside ? ", such as " : "",
		    buf_cstr(&left.beside), left.n_inside,
		    left.n_inside ? ", such as " : "",
		    buf_cstr(&left.inside));
	worker_left_clear(&left);
	return 0;
}

int
worker_verify(struct run *run, const struct conf_worker *worker,
    struct verdict *verdict, struct err *err)
{
	char *prefix = mem_printf("worker.%s", worker->name);
	struct verdict own = { 0 };
	struct host *from, *to;
	bool installed = false;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_installed(run, worker, &installed, err);
	if (rc == 0 && !installed) {
		verdict_add(&own, "install", VERDICT_DIFFERENT, 1, 0,
		    "not in its place yet: run `apply' first");
	} else if (rc == 0) {
		rc = worker_verify_trees(run, worker, from, to, &own,
		    err);
		if (rc == 0)
			rc = compare_env(run, worker, to, &own, err);
		if (rc == 0)
			rc = worker_verify_db(run, worker, from, to, &own,
			    err);
		if (rc == 0)
			rc = worker_verify_smcp(run, worker, &own, err);
		if (rc == 0)
			rc = add_left(run, worker, &own, err);
	}
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	return rc;
}
