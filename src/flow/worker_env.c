#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/diff.h"
#include "core/dotenv.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "io/host.h"

#define ENV_MAX (1024 * 1024)
#define ENV_FILES_MAX 16

/* Stands for the id in a diff before the import has given it. */
#define ID_TO_COME "agent-00000000-0000-4000-8000-000000000000"

/* The .env files of a worker, as they are and as they shall be. */
struct env_set {
	const struct conf_worker *worker;
	size_t n_files;
	size_t changed;		/* keys, over all files */
	struct {
		char *path;	/* below the worker's directory */
		struct buf before;
		struct buf after;
	} files[ENV_FILES_MAX];
};

static void
set_clear(struct env_set *set)
{
	for (size_t i = 0; i < set->n_files; i++) {
		free(set->files[i].path);
		buf_wipe(&set->files[i].before);
		buf_wipe(&set->files[i].after);
	}
	free(set);
}

static int
set_add(struct env_set *set, struct host *host, const char *root,
    const char *path, struct err *err)
{
	char *full = worker_path(root, path);
	struct fs_meta meta;
	int rc;

	rc = host_stat(host, full, &meta, err);
	if (rc == 0 && meta.type == FS_NONE)
		goto out;
	if (rc == 0 && meta.type != FS_FILE) {
		rc = err_set(err, ERR_DATA, "%s:%s is not a regular file; "
		    "make it one, then run the same command again",
		    set->worker->from_host->name, full);
	} else if (rc == 0) {
		size_t i = set->n_files++;

		set->files[i].path = mem_strdup(path);
		buf_init(&set->files[i].before, ENV_MAX);
		buf_init(&set->files[i].after, ENV_MAX);
		rc = host_read(host, full, &set->files[i].before, NULL, err);
		if (rc == 0)
			rc = buf_check(&set->files[i].before, full, err);
	}
out:
	free(full);
	return rc;
}

/* ".env" of the worker's directory and of each tree. */
static int
set_read(struct env_set *set, struct host *host, const char *root,
    struct err *err)
{
	const char *const *tree = set->worker->trees;
	char *path;
	int rc;

	rc = set_add(set, host, root, ".env", err);
	for (; rc == 0 && *tree && set->n_files < ENV_FILES_MAX; tree++) {
		path = worker_path(*tree, ".env");
		rc = set_add(set, host, root, path, err);
		free(path);
	}
	return rc;
}

/* Give every file its new text; nothing is written yet. */
static int
set_edit(struct env_set *set, const char *where, const struct worker_env *env,
    struct err *err)
{
	struct worker_env_result result;
	bool names_agent = false;
	struct buf *before, *after;
	char *shown;
	int rc = 0;

	for (size_t i = 0; i < set->n_files && rc == 0; i++) {
		before = &set->files[i].before;
		after = &set->files[i].after;
		buf_add(after, before->data, before->len);
		shown = mem_printf("%s/%s", where, set->files[i].path);
		rc = worker_env_edit(after, shown, env, &result, err);
		free(shown);
		set->changed += result.changed;
		names_agent |= result.names_agent;
	}
	if (rc == 0 && !names_agent && worker_has_broca(set->worker))
		rc = err_set(err, ERR_DATA, "%s: no .env of this worker "
		    "assigns AGENT_ID, so nothing would tell it which agent "
		    "it serves; add the line AGENT_ID= to broca/.env there",
		    where);
	return rc;
}

static int
set_diff(const struct env_set *set, struct plan_note *note, struct err *err)
{
	struct buf before = BUF_INIT(2 * ENV_MAX);
	struct buf after = BUF_INIT(2 * ENV_MAX);
	int rc = 0;

	for (size_t i = 0; i < set->n_files && rc == 0; i++) {
		dotenv_mask(set->files[i].before.data,
		    set->files[i].before.len, worker_env_shown(), &before);
		dotenv_mask(set->files[i].after.data,
		    set->files[i].after.len, worker_env_shown(), &after);
		rc = diff_unified(set->files[i].path, buf_cstr(&before),
		    before.len, set->files[i].path, buf_cstr(&after),
		    after.len, &note->diff, err);
		buf_clear(&before);
		buf_clear(&after);
	}
	return rc;
}

/* Read the source's files and give them their new text, in memory. */
static int
set_make(struct env_set *set, struct run *run, const char *id,
    struct err *err)
{
	const struct conf_worker *worker = set->worker;
	char *url = run_server_url(worker->server);
	char *where = mem_printf("%s:%s", worker->from_host->name,
	    worker->from_path);
	struct worker_env env = {
		.agent_id = id,
		.url = url,
		.token = run_token(run, worker->server),
		.server = worker->server->name,
	};
	struct host *from;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = set_read(set, from, worker->from_path, err);
	if (rc == 0)
		rc = set_edit(set, where, &env, err);
	free(where);
	free(url);
	return rc;
}

static int
env_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct env_set *set = mem_zero(1, sizeof(*set));
	char *id = NULL;
	bool installed;
	int rc;

	set->worker = worker;
	rc = worker_installed(run, worker, &installed, err);
	if (rc == 0 && installed) {
		plan_say(note, '~', ".env files are in their place");
		*found = PLAN_DONE;
		goto out;
	}
	if (rc == 0)
		rc = worker_agent_id(run, worker, &id, err);
	if (rc == 0)
		rc = set_make(set, run, id ? id : ID_TO_COME, err);
	if (rc == 0)
		rc = set_diff(set, note, err);
	if (rc == 0) {
		plan_say(note, '~', "change %zu keys in %zu .env files%s",
		    set->changed, set->n_files,
		    id ? "" : " (the import gives the agent's id)");
		*found = PLAN_TODO;
	}
out:
	free(id);
	set_clear(set);
	return rc;
}

/*
 * Into the staging directory: 0600 from the first byte, whole, and owned as
 * the directory that it goes into.
 */
static int
set_write(const struct env_set *set, struct host *to, const char *root,
    struct err *err)
{
	struct fs_meta meta;
	const struct buf *after;
	char *path;
	int rc;

	rc = host_stat(to, root, &meta, err);
	meta.mode = 0600;
	for (size_t i = 0; i < set->n_files && rc == 0; i++) {
		after = &set->files[i].after;
		path = worker_path(root, set->files[i].path);
		rc = host_replace(to, path, buf_cstr(after), after->len, &meta,
		    err);
		free(path);
	}
	return rc;
}

static int
env_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct env_set *set = mem_zero(1, sizeof(*set));
	char *staging = worker_staging(run, worker), *id = NULL;
	struct host *to;
	int rc;

	set->worker = worker;
	rc = worker_agent_id(run, worker, &id, err);
	if (rc == 0 && !id)
		rc = err_set(err, ERR_FAILED, "the agent of worker %s is not "
		    "imported yet", worker->name);
	if (rc == 0)
		rc = set_make(set, run, id, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = set_write(set, to, staging, err);
	if (rc == 0)
		plan_say(note, '~', "%zu keys in %zu .env files, AGENT_ID %s",
		    set->changed, set->n_files, id);
	free(id);
	free(staging);
	set_clear(set);
	return rc;
}

/* The line, from 1, at which two texts part. */
static size_t
line_of_difference(const struct buf *a, const struct buf *b)
{
	size_t line = 1;

	for (size_t i = 0; i < a->len && i < b->len &&
	    a->data[i] == b->data[i]; i++)
		line += a->data[i] == '\n';
	return line;
}

/* One file of the target against what would be written there now. */
static int
compare_file(const struct env_set *set, size_t i, struct host *to,
    struct worker_env_seen *seen, struct err *err)
{
	const struct buf *want = &set->files[i].after;
	char *path = worker_path(set->worker->to_path, set->files[i].path);
	struct buf have = BUF_INIT(ENV_MAX);
	int rc;

	rc = host_read(to, path, &have, NULL, err);
	if (rc != 0 && (err->kind == ERR_MISSING || err->kind == ERR_DATA)) {
		if (seen->reason.len == 0)
			str_printable(&seen->reason, err->text,
			    strlen(err->text));
		err_clear(err);
		rc = 0;
	} else if (rc == 0 && have.len == want->len &&
	    (have.len == 0 || memcmp(have.data, want->data, have.len) == 0)) {
		seen->n_same++;
	} else if (rc == 0 && seen->reason.len == 0) {
		str_printable(&seen->reason, set->files[i].path,
		    strlen(set->files[i].path));
		buf_printf(&seen->reason, " is not what this job would "
		    "write, first in line %zu", line_of_difference(&have,
		    want));
	}
	buf_wipe(&have);
	free(path);
	return rc;
}

/* What the target has of these files, for those that the source has not. */
static int
count_gone(const struct env_set *set, struct run *run,
    struct worker_env_seen *seen, struct err *err)
{
	struct env_set *there = mem_zero(1, sizeof(*there));
	struct host *to;
	bool known;
	int rc;

	there->worker = set->worker;
	rc = run_host(run, set->worker->to_host, &to, err);
	if (rc == 0)
		rc = set_read(there, to, set->worker->to_path, err);
	for (size_t i = 0; i < there->n_files && rc == 0; i++) {
		known = false;
		for (size_t j = 0; j < set->n_files; j++)
			known |= str_eq(there->files[i].path,
			    set->files[j].path);
		seen->n_gone += !known;
	}
	set_clear(there);
	return rc;
}

int
worker_env_look(struct run *run, const struct conf_worker *worker,
    const char *id, struct worker_env_seen *seen, struct err *err)
{
	struct env_set *set = mem_zero(1, sizeof(*set));
	struct host *to;
	int rc;

	*seen = (struct worker_env_seen){ 0 };
	buf_init(&seen->reason, 4096);
	set->worker = worker;
	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = set_make(set, run, id, err);
	if (rc != 0 && err->kind == ERR_DATA) {
		/* The source's files have changed and cannot be edited now. */
		str_printable(&seen->reason, err->text, strlen(err->text));
		err_clear(err);
		set_clear(set);
		return 0;
	}
	seen->n_files = set->n_files;
	for (size_t i = 0; i < set->n_files && rc == 0; i++)
		rc = compare_file(set, i, to, seen, err);
	if (rc == 0)
		rc = count_gone(set, run, seen, err);
	set_clear(set);
	return rc;
}

/* The staged files go with the staging directory. */
const struct step_kind worker_env_kind = {
	.word = "env",
	.probe = env_probe,
	.act = env_act,
};
