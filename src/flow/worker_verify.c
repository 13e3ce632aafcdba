#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/verdict.h"
#include "core/worker.h"
#include "flow/manifest.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_owner.h"
#include "flow/worker_trees.h"
#include "io/host.h"
#include "io/journal.h"

#define ENV_MAX (1024 * 1024)

/* What differs between the two trees, but for what we rewrite. */
struct tree_diff {
	uint64_t n;
	char first[256];
};

static int
note_difference(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	static const char *const words[] = {
		[MANIFEST_ADDED] = "only at the source",
		[MANIFEST_REMOVED] = "only on the target",
		[MANIFEST_CHANGED] = "not the same",
	};
	struct tree_diff *diff = ctx;

	(void)err;
	if (diff->n++ == 0)
		(void)snprintf(diff->first, sizeof(diff->first), "%.200s is "
		    "%s", *path ? path : "the directory itself",
		    words[change]);
	return 0;
}

/* Both manifests, by hash, in a journal that is removed after. */
static int
compare_trees(struct run *run, const struct conf_worker *worker,
    struct host *from, struct host *to, struct verdict *verdict,
    struct err *err)
{
	struct manifest_owners ours = { .compare = false };
	struct manifest_owners theirs = { .compare = false };
	struct worker_owner owner;
	struct tree_rules rules;
	struct manifest_totals source = { 0 }, target = { 0 };
	struct tree_diff diff = { 0 };
	struct journal *scratch = NULL;
	char *path = run_scratch_path(run);
	int rc;

	worker_trees_rules(&rules, worker, true);
	rc = worker_owner_find(from, to, worker, &owner, err);
	theirs.map = &owner.owner;
	theirs.compare = ours.compare = owner.compare;
	if (rc == 0)
		rc = journal_open(path, true, &scratch, err);
	if (rc == 0)
		rc = manifest_stage_owned(scratch, "source", from,
		    worker->from_path, &rules, &theirs, false, &source, err);
	if (rc == 0)
		rc = manifest_stage_owned(scratch, "target", to,
		    worker->to_path, &rules, &ours, false, &target, err);
	if (rc == 0)
		rc = manifest_compare(scratch, "source", "target",
		    note_difference, &diff, err);
	if (rc == 0 && diff.n > 0)
		verdict_add(verdict, "trees", VERDICT_DIFFERENT,
		    source.entries, target.entries, "%" PRIu64 " paths "
		    "differ; %s", diff.n, diff.first);
	else if (rc == 0)
		verdict_add(verdict, "trees", VERDICT_SAME, source.entries,
		    target.entries, "by SHA-256, but for .env");
	worker_owner_clear(&owner);
	journal_close(scratch);
	run_scratch_remove(path);
	free(path);
	return rc;
}

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

static int
compare_db(struct run *run, const struct conf_worker *worker, struct host *to,
    struct verdict *verdict, struct err *err)
{
	char *key = run_key("worker", worker->name, "rows");
	char *path = worker_path(worker->to_path, WORKER_DB);
	char *want = NULL, *have = NULL;
	struct db_report report;
	int rc;

	rc = journal_get(run->journal, key, &want, err);
	if (rc == 0 && !want)
		verdict_add(verdict, "sanctum.db", VERDICT_NOT_COMPARED, 0, 0,
		    worker_has_broca(worker) ? "the source had none" :
		    "broca is not among the trees");
	if (rc == 0 && want) {
		rc = host_db_check(to, path, &report, err);
		if (rc == 0) {
			have = worker_row_counts(&report);
			verdict_add(verdict, "sanctum.db", str_eq(want, have) ?
			    VERDICT_SAME : VERDICT_DIFFERENT, report.n_tables,
			    report.n_tables, "integrity_check ok; rows at "
			    "the snapshot: %s; now: %s", want, have);
		} else if (err->kind == ERR_DATA || err->kind == ERR_MISSING) {
			verdict_add(verdict, "sanctum.db", VERDICT_DIFFERENT,
			    1, 0, "%s", err->text);
			err_clear(err);
			rc = 0;
		}
	}
	free(want);
	free(have);
	free(path);
	free(key);
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

/* What this version leaves to the operator, said each time. */
static void
add_blind(const struct conf_worker *worker, struct verdict *verdict)
{
	if (!worker_has_broca(worker))
		return;
	verdict_add(verdict, "queue rows since the snapshot",
	    VERDICT_NOT_COMPARED, 0, 0, "the source's worker was not stopped");
	verdict_add(verdict, "identities and blocks of users",
	    VERDICT_NOT_COMPARED, 0, 0, "letta_users of sanctum.db names "
	    "those of the source's server; they are not made anew");
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
		rc = compare_trees(run, worker, from, to, &own, err);
		if (rc == 0)
			rc = compare_env(run, worker, to, &own, err);
		if (rc == 0)
			rc = compare_db(run, worker, to, &own, err);
		if (rc == 0)
			rc = add_left(run, worker, &own, err);
		if (rc == 0)
			add_blind(worker, &own);
	}
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	return rc;
}
