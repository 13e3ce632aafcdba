#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_env_outside.h"
#include "flow/worker_env_set.h"
#include "io/host.h"

/* Stands for the id in a diff before the import has given it. */
#define ID_TO_COME "agent-00000000-0000-4000-8000-000000000000"

static int
env_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct env_set *set = env_set_new(step->subject);
	char *id = NULL;
	bool installed;
	int rc;

	rc = worker_installed(run, worker, &installed, err);
	if (rc == 0 && installed) {
		plan_say(note, '~', ".env files are in their place");
		*found = PLAN_DONE;
		goto out;
	}
	if (rc == 0)
		rc = worker_agent_id(run, worker, &id, err);
	if (rc == 0)
		rc = env_set_make(set, run, id ? id : ID_TO_COME, err);
	if (rc == 0)
		rc = env_set_outside(set, run, id ? id : ID_TO_COME, err);
	if (rc == 0)
		rc = env_set_diff(set, note, err);
	if (rc == 0) {
		plan_say(note, '~', "change %zu keys in %zu .env files%s",
		    set->changed, set->n_files - set->n_scripts,
		    id ? "" : " (the import gives the agent's id)");
		*found = PLAN_TODO;
	}
out:
	free(id);
	env_set_free(set);
	return rc;
}

/*
 * Into the staging directory: a .env 0600 from the first byte, whole, and
 * owned as the directory that it goes into.
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
	for (size_t i = 0; i < set->n_files && rc == 0; i++) {
		after = &set->files[i].after;
		meta.mode = set->files[i].script ? set->files[i].mode : 0600;
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
	struct env_set *set = env_set_new(step->subject);
	char *staging = worker_staging(run, worker), *id = NULL;
	struct host *to;
	int rc;

	rc = worker_agent_id(run, worker, &id, err);
	if (rc == 0 && !id)
		rc = err_set(err, ERR_FAILED, "the agent of worker %s is not "
		    "imported yet", worker->name);
	if (rc == 0)
		rc = env_set_make(set, run, id, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = set_write(set, to, staging, err);
	if (rc == 0)
		plan_say(note, '~', "%zu keys in %zu .env files, AGENT_ID %s",
		    set->changed, set->n_files - set->n_scripts, id);
	free(id);
	free(staging);
	env_set_free(set);
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
	struct env_set *there = env_set_new(set->worker);
	struct host *to;
	bool known;
	int rc;

	rc = run_host(run, set->worker->to_host, &to, err);
	if (rc == 0)
		rc = env_set_read(there, to, set->worker->to_path, err);
	for (size_t i = 0; i < there->n_files && rc == 0; i++) {
		known = false;
		for (size_t j = 0; j < set->n_files; j++)
			known |= str_eq(there->files[i].path,
			    set->files[j].path);
		seen->n_gone += !known;
	}
	env_set_free(there);
	return rc;
}

int
worker_env_look(struct run *run, const struct conf_worker *worker,
    const char *id, struct worker_env_seen *seen, struct err *err)
{
	struct env_set *set = env_set_new(worker);
	struct host *to;
	int rc;

	*seen = (struct worker_env_seen){ 0 };
	buf_init(&seen->reason, 4096);
	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = env_set_make(set, run, id, err);
	if (rc != 0 && err->kind == ERR_DATA) {
		/* The source's files have changed and cannot be edited now. */
		str_printable(&seen->reason, err->text, strlen(err->text));
		err_clear(err);
		env_set_free(set);
		return 0;
	}
	seen->n_files = set->n_files;
	for (size_t i = 0; i < set->n_files && rc == 0; i++)
		rc = compare_file(set, i, to, seen, err);
	if (rc == 0)
		rc = count_gone(set, run, seen, err);
	env_set_free(set);
	return rc;
}

/* The staged files go with the staging directory. */
const struct step_kind worker_env_kind = {
	.word = "env",
	.probe = env_probe,
	.act = env_act,
};
