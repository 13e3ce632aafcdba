#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/diff.h"
#include "core/dotenv.h"
#include "core/env_dialect.h"
#include "core/shpath.h"
#include "core/worker.h"
#include "core/worker_env.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_env_set.h"
#include "flow/worker_paths.h"
#include "io/host.h"

/* In a plan, for a server of this job that has made no password so far. */
#define TOKEN_TO_COME "made-on-its-host"
#define EXTRAS_MAX 128
#define REMARKS_MAX (64 * 1024)

struct env_set *
env_set_new(const struct conf_worker *worker)
{
	struct env_set *set = mem_zero(1, sizeof(*set));

	set->worker = worker;
	buf_init(&set->remarks, REMARKS_MAX);
	return set;
}

void
env_set_free(struct env_set *set)
{
	for (size_t i = 0; i < set->n_files; i++) {
		free(set->files[i].path);
		buf_wipe(&set->files[i].before);
		buf_wipe(&set->files[i].after);
	}
	buf_clear(&set->remarks);
	free(set);
}

/* Take full as path of the set; nothing there is a success. */
static int
add(struct env_set *set, struct host *host, const char *full,
    const char *path, const char *tree, struct err *err)
{
	struct env_file *file = &set->files[set->n_files];
	struct fs_meta meta;

	if (host_stat(host, full, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return 0;
	if (meta.type != FS_FILE)
		return err_set(err, ERR_DATA, "%s:%s is not a regular file; "
		    "make it one, then run the same command again",
		    host_name(host), full);
	if (set->n_files == ENV_FILES_MAX)
		return err_set(err, ERR_DATA, "%s:%s: more than %d .env "
		    "files and start scripts", host_name(host), full,
		    ENV_FILES_MAX);
	set->n_files++;
	*file = (struct env_file){
		.path = mem_strdup(path),
		.tree = tree,
		.mode = meta.mode,
		.script = worker_is_script(path),
	};
	set->n_scripts += file->script;
	buf_init(&file->before, ENV_MAX);
	buf_init(&file->after, ENV_MAX);
	if (host_read(host, full, &file->before, NULL, err) != 0)
		return -1;
	return buf_check(&file->before, full, err);
}

int
env_set_add(struct env_set *set, struct host *host, const char *root,
    const char *path, const char *tree, struct err *err)
{
	char *full = worker_path(root, path);
	int rc = add(set, host, full, path, tree, err);

	free(full);
	return rc;
}

/* Paths of start scripts, while a walk is under way. */
struct scripts {
	char *paths[ENV_FILES_MAX];
	size_t n;
	char *agent;	/* a directory broca/agent-..., or NULL */
};

static int
take_script(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct scripts *scripts = ctx;

	(void)err;
	if (entry->type != 'd' && worker_is_script(entry->path) &&
	    scripts->n < ENV_FILES_MAX)
		scripts->paths[scripts->n++] = mem_strdup(entry->path);
	if (entry->type == 'd' && !scripts->agent &&
	    str_starts(entry->path, "broca/agent-"))
		scripts->agent = mem_strdup(entry->path);
	return 0;
}

static const char *
tree_of(const struct conf_worker *worker, const char *path)
{
	size_t len = strcspn(path, "/");

	for (const char *const *t = worker->trees; *t; t++) {
		if (path[len] == '/' && strlen(*t) == len &&
		    memcmp(*t, path, len) == 0)
			return *t;
	}
	return NULL;
}

/* INSTALL.md's layout: `python ../main.py' in a directory per agent. */
static int
refuse_below(struct host *host, const char *root, const char *agent,
    struct err *err)
{
	char *path = mem_printf("%s/%s/.env", root, agent);
	struct fs_meta meta;
	int rc = host_stat(host, path, &meta, err);

	if (rc == 0 && meta.type != FS_NONE)
		rc = err_set(err, ERR_DATA, "%s:%s: an agent that shares "
		    "broca/ with others: all of them read broca/.env, not "
		    "this, and write one sanctum.db; give each a directory "
		    "of its own with broca/ in it", host_name(host), path);
	free(path);
	return rc;
}

static int
read_scripts(struct env_set *set, struct host *host, const char *root,
    struct err *err)
{
	/* What the walk refuses is the copy's business: look no deeper. */
	static const char *const exclude[] = { "/*/*/*", "venv", ".venv",
	    "node_modules", "__pycache__", ".git", NULL };
	const struct tree_rules rules = { .exclude = exclude,
	    .top = set->worker->trees };
	struct scripts found = { .n = 0 };
	struct fs_meta meta;
	int rc = host_stat(host, root, &meta, err);

	if (rc == 0 && meta.type == FS_DIR)
		rc = host_walk(host, root, &rules, take_script, &found, err);
	if (rc == 0 && found.agent)
		rc = refuse_below(host, root, found.agent, err);
	free(found.agent);
	for (size_t i = 0; i < found.n; i++) {
		if (rc == 0)
			rc = env_set_add(set, host, root, found.paths[i],
			    tree_of(set->worker, found.paths[i]), err);
		free(found.paths[i]);
	}
	return rc;
}

int
env_set_read(struct env_set *set, struct host *host, const char *root,
    struct err *err)
{
	const char *const *tree = set->worker->trees;
	char *path;
	int rc;

	rc = env_set_add(set, host, root, ".env", NULL, err);
	for (; rc == 0 && *tree; tree++) {
		path = worker_path(*tree, ".env");
		rc = env_set_add(set, host, root, path, *tree, err);
		free(path);
	}
	return rc == 0 ? read_scripts(set, host, root, err) : -1;
}

static struct env_file *
find(struct env_set *set, const char *path)
{
	for (size_t i = 0; i < set->n_files; i++) {
		if (str_eq(set->files[i].path, path))
			return &set->files[i];
	}
	return NULL;
}

/* The .env that Broca reads: the nearest one from its main.py upward. */
static struct env_file *
effective(struct env_set *set)
{
	struct env_file *file = find(set, "broca/.env");

	return file ? file : find(set, ".env");
}

/* The worker's directory without "~". */
static char *
source_root(const struct env_set *set, const struct host *host)
{
	return conf_expand_home(set->worker->from_path,
	    host_facts(host)->home);
}

/* The first .env above the worker's directory becomes broca/.env. */
static int
read_above(struct env_set *set, struct host *host, struct err *err)
{
	char *dir = source_root(set, host), *slash, *full;
	size_t before = set->n_files;
	struct fs_meta meta;
	int rc = 0;

	while (rc == 0 && set->n_files == before &&
	    (slash = strrchr(dir, '/')) != NULL) {
		*slash = '\0';
		full = worker_path(dir, ".env");
		/* A directory of that name is passed over, by Broca too. */
		rc = host_stat(host, full, &meta, err);
		if (rc == 0 && meta.type != FS_DIR)
			rc = add(set, host, full, "broca/.env", "broca", err);
		if (rc == 0 && set->n_files > before)
			buf_printf(&set->remarks, "    %s:%s is what Broca "
			    "reads there; it becomes broca/.env\n",
			    host_name(host), full);
		free(full);
	}
	free(dir);
	return rc;
}

/*
 * INSTALL.md's layout, one tree of code and a directory below it per agent:
 * there all of them read one .env and write one sanctum.db.
 */
static int
refuse_shared(struct env_set *set, struct host *host, struct err *err)
{
	static const char *const mains[] = { "broca/main.py", "main.py",
	    "../main.py" };
	bool there[3];
	struct fs_meta meta;
	char *full;
	int rc = 0;

	for (size_t i = 0; i < 3 && rc == 0; i++) {
		full = worker_path(set->worker->from_path, mains[i]);
		rc = host_stat(host, full, &meta, err);
		there[i] = rc == 0 && meta.type != FS_NONE;
		free(full);
	}
	if (rc != 0 || there[0] || !(there[1] || there[2]))
		return rc;
	return err_set(err, ERR_DATA, "%s:%s: Broca's main.py is %s, not in "
	    "broca/: agents that share it share one .env and one sanctum.db, "
	    "and cannot be moved one by one; give this agent a directory of "
	    "its own with broca/ in it", host_name(host),
	    set->worker->from_path, there[1] ? "here" : "one level above");
}

static bool
is_new(const struct env_file *file, const char *value)
{
	return value && *value != '\0' &&
	    strstr(buf_cstr(&file->after), value) &&
	    !strstr(buf_cstr(&file->before), value);
}

/* A script keeps its mode, unless we have put into it what may be secret. */
static void
close_script(struct env_set *set, struct env_file *file,
    const struct worker_env *env)
{
	bool close = is_new(file, env->token ? secret_bytes(env->token) :
	    NULL);

	for (size_t i = 0; i < env->n_extras && !close; i++)
		close = is_new(file, env->extras[i].value);
	if (!close || (file->mode & 077) == 0)
		return;
	buf_printf(&set->remarks, "    %s: others could read (%04o) what is "
	    "put into it; it becomes %04o\n", file->path,
	    (unsigned int)file->mode, (unsigned int)file->mode & 0700);
	file->mode &= 0700;
}

static int
edit_file(struct env_set *set, struct env_file *file, const char *where,
    const struct worker_env *env, struct worker_env_result *result,
    struct err *err)
{
	struct worker_env_result one = { 0 };
	char *shown = mem_printf("%s/%s", where, file->path);
	int rc;

	buf_add(&file->after, buf_cstr(&file->before), file->before.len);
	rc = file->script ?
	    worker_env_script(&file->after, shown, env, &one, err) :
	    worker_env_edit(&file->after, shown, file->tree, env, &one, err);
	free(shown);
	if (rc != 0)
		return -1;
	if (file->script && one.changed > 0) {
		buf_printf(&set->remarks, "    %s: %zu assignments get "
		    "another value\n", file->path, one.changed);
		close_script(set, file, env);
	}
	for (enum env_reader r = ENV_SH; r < ENV_READERS; r++) {
		if (one.disagree & (1u << r))
			buf_printf(&set->remarks, "    %s: %s would read "
			    "another value for %s; see `worker env lint'\n",
			    file->path, env_reader_name(r),
			    one.disagree_key);
	}
	result->changed += one.changed;
	result->names_agent |= one.names_agent;
	return 0;
}

static bool
is_assigned(const struct env_set *set, const struct worker_env_extra *extra)
{
	const struct env_file *file = set->files;

	for (; file < set->files + set->n_files; file++) {
		if (!file->script && (!extra->tree ||
		    (file->tree && str_eq(file->tree, extra->tree))) &&
		    dotenv_assigns(buf_cstr(&file->after), file->after.len,
		    extra->key) > 0)
			return true;
	}
	return false;
}

/* To the tree's file; there has to be one: a new one would hide another. */
static int
add_extra(struct env_set *set, const char *where,
    const struct worker_env_extra *extra, struct worker_env_result *result,
    struct err *err)
{
	char *path = worker_path(extra->tree ? extra->tree : "broca", ".env");
	struct env_file *file = extra->tree ? find(set, path) :
	    effective(set);
	char *shown = mem_printf("%s/%s", where, path);
	int rc;

	if (file)
		rc = worker_env_add(&file->after, shown, extra, result, err);
	else
		rc = err_set(err, ERR_DATA, "%s: there is no such file that "
		    "%s of [env %s] could be put into; make it there, 0600",
		    shown, extra->key, set->worker->name);
	free(shown);
	free(path);
	return rc;
}

static int
guard(struct env_set *set, const char *where, const struct worker_env *env,
    struct err *err)
{
	const struct env_file *file = effective(set);
	bool background = false;
	char *shown;
	int rc;

	if (!file || !worker_has_broca(set->worker))
		return 0;
	shown = mem_printf("%s/%s", where, file->path);
	rc = worker_env_guard(buf_cstr(&file->after), file->after.len, shown,
	    env, &background, err);
	if (rc == 0 && background)
		buf_printf(&set->remarks, "    USE_BACKGROUND_PROCESSING is "
		    "on: %s must have Redis, or each message is\n    answered "
		    "again and again; else put USE_BACKGROUND_PROCESSING = "
		    "false into [env %s]\n", env->server, env->name);
	free(shown);
	return rc;
}

static int
edit(struct env_set *set, const char *where, const struct worker_env *env,
    struct err *err)
{
	struct worker_env_result result = { 0 };
	int rc = 0;

	for (size_t i = 0; i < set->n_files && rc == 0; i++)
		rc = edit_file(set, &set->files[i], where, env, &result, err);
	for (size_t i = 0; i < env->n_extras && rc == 0; i++) {
		if (!is_assigned(set, &env->extras[i]))
			rc = add_extra(set, where, &env->extras[i], &result,
			    err);
	}
	set->changed = result.changed;
	if (rc == 0 && !result.names_agent && worker_has_broca(set->worker))
		rc = err_set(err, ERR_DATA, "%s: no .env of this worker "
		    "assigns AGENT_ID, so nothing would tell it which agent "
		    "it serves; add the line AGENT_ID= to broca/.env there",
		    where);
	return rc == 0 ? guard(set, where, env, err) : -1;
}

/* The lines of [env WORKER], secrets fetched; false: none was fetched. */
static bool
fill_extras(struct run *run, const struct conf_worker *worker,
    struct worker_env_extra extras[static EXTRAS_MAX])
{
	const struct secret *secret;

	for (size_t i = 0; i < worker->n_env && i < EXTRAS_MAX; i++) {
		secret = worker->env[i].value ? NULL :
		    run_secret(run, &worker->env[i].secret);
		if (!worker->env[i].value && !secret)
			return false;
		extras[i] = (struct worker_env_extra){
			.key = worker->env[i].key,
			.tree = worker->env[i].tree,
			.value = secret ? secret_bytes(secret) :
			    worker->env[i].value,
		};
	}
	return true;
}

static void
move_script(struct env_set *set, struct env_file *file,
    const struct shpath_move *move)
{
	struct buf moved = BUF_INIT(2 * ENV_MAX);

	shpath_rewrite(buf_cstr(&file->after), file->after.len, move, &moved);
	if (moved.len != file->after.len ||
	    memcmp(moved.data, file->after.data, moved.len) != 0) {
		buf_wipe(&file->after);
		buf_add(&file->after, moved.data, moved.len);
		buf_printf(&set->remarks, "    %s: paths below %s become "
		    "those below %s\n", file->path, move->from_dir,
		    move->to_dir);
	}
	buf_wipe(&moved);
}

/*
 * A start script goes where the worker was by its whole path: in another
 * directory it would find nothing, or start the source.  A path that a shell
 * would have to quote is left, and worker_paths_say tells of it.
 */
static int
move_scripts(struct env_set *set, struct run *run, struct host *from,
    struct err *err)
{
	const struct conf_worker *worker = set->worker;
	struct shpath_move move = { .from_home = host_facts(from)->home };
	struct host *to;
	char *from_dir, *to_dir;

	if (run_host(run, worker->to_host, &to, err) != 0)
		return -1;
	move.from_dir = from_dir = worker_paths_full(from, worker->from_path);
	move.to_dir = to_dir = worker_paths_full(to, worker->to_path);
	move.to_home = host_facts(to)->home;
	for (size_t i = 0; i < set->n_files; i++) {
		if (set->files[i].script && !str_eq(from_dir, to_dir) &&
		    shpath_is_plain(to_dir))
			move_script(set, &set->files[i], &move);
	}
	free(from_dir);
	free(to_dir);
	return 0;
}

int
env_set_make(struct env_set *set, struct run *run, const char *id,
    struct err *err)
{
	const struct conf_worker *worker = set->worker;
	struct worker_env_extra extras[EXTRAS_MAX];
	char *url = run_server_url(worker->server);
	char *where = mem_printf("%s:%s", worker->from_host->name,
	    worker->from_path);
	struct worker_env env = {
		.agent_id = id,
		.url = url,
		.server = worker->server->name,
		.name = worker->name,
		.extras = extras,
		.n_extras = worker->n_env,
	};
	struct secret *to_come = NULL;
	struct host *from;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = run_token(run, worker->server, &env.token, err);
	if (rc == 0 && !env.token &&
	    worker->server->runtime != CONF_RUNTIME_THERE)
		env.token = to_come = secret_new(TOKEN_TO_COME,
		    strlen(TOKEN_TO_COME));
	if (rc == 0 && (worker->n_env > EXTRAS_MAX ||
	    !fill_extras(run, worker, extras)))
		rc = err_set(err, ERR_USAGE, "[env %s]: more than %d lines, "
		    "or a secret that was not fetched", worker->name,
		    EXTRAS_MAX);
	if (rc == 0 && worker_has_broca(worker))
		rc = refuse_shared(set, from, err);
	if (rc == 0)
		rc = env_set_read(set, from, worker->from_path, err);
	if (rc == 0 && worker_has_broca(worker) && !effective(set))
		rc = read_above(set, from, err);
	if (rc == 0)
		rc = edit(set, where, &env, err);
	if (rc == 0)
		rc = move_scripts(set, run, from, err);
	secret_free(to_come);
	free(where);
	free(url);
	return rc;
}

static int
diff_file(const struct env_file *file, struct plan_note *note,
    struct err *err)
{
	struct buf before = BUF_INIT(2 * ENV_MAX);
	struct buf after = BUF_INIT(2 * ENV_MAX);
	int rc;

	dotenv_mask(buf_cstr(&file->before), file->before.len,
	    worker_env_shown(), &before);
	dotenv_mask(buf_cstr(&file->after), file->after.len,
	    worker_env_shown(), &after);
	rc = diff_unified(file->path, buf_cstr(&before), before.len,
	    file->path, buf_cstr(&after), after.len, &note->diff, err);
	buf_clear(&before);
	buf_clear(&after);
	return rc;
}

/* A script has no diff: nobody knows where in it secrets are. */
int
env_set_diff(const struct env_set *set, struct plan_note *note,
    struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < set->n_files && rc == 0; i++) {
		if (!set->files[i].script)
			rc = diff_file(&set->files[i], note, err);
	}
	buf_str(&note->diff, buf_cstr(&set->remarks));
	return rc;
}
