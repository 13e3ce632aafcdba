#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/shpath.h"
#include "core/worker.h"
#include "flow/worker.h"
#include "flow/worker_paths.h"
#include "flow/worker_venv.h"
#include "io/host.h"

#define OUT_MAX (1024 * 1024)
#define ASK_MS 120000
#define TREES_MAX 16

/* Nothing is written into the source's environment, no cache either. */
static const char ask_python[] =
    "import subprocess, sys\n"
    "print('%d.%d.%d' % sys.version_info[:3])\n"
    "run = subprocess.run([sys.executable, '-IB', '-m', 'pip',\n"
    "    '--disable-pip-version-check', 'freeze'],\n"
    "    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
    "if run.returncode == 0:\n"
    "    sys.stdout.write(run.stdout.decode())\n"
    "else:\n"
    "    from importlib import metadata\n"
    "    for d in metadata.distributions():\n"
    "        print('%s==%s' % (d.metadata['Name'], d.version))\n";

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct worker_venv *)a)->path,
	    ((const struct worker_venv *)b)->path);
}

/* "ROOT/broca/venv/pyvenv.cfg" NUL and so on. */
static int
add_found(const struct conf_worker *worker, const char *root,
    const struct buf *out, struct worker_venvs *venvs, struct err *err)
{
	const char *at = buf_cstr(out), *end = at + out->len;
	size_t skip = strlen(root) + 1;
	struct worker_venv *venv;

	for (; at < end; at += strlen(at) + 1) {
		if (strlen(at) < skip + strlen("/" WORKER_VENV_MARK))
			continue;
		if (venvs->n == WORKER_VENVS_MAX)
			return err_set(err, ERR_DATA, "%s:%s: more than %d "
			    "virtual environments; `venv = skip' leaves "
			    "them out", worker->from_host->name, root,
			    WORKER_VENVS_MAX);
		venv = &venvs->list[venvs->n++];
		venv->path = mem_strndup(at + skip, strlen(at) - skip -
		    strlen("/" WORKER_VENV_MARK));
		buf_init(&venv->kept, OUT_MAX);
		buf_init(&venv->left, OUT_MAX);
	}
	qsort(venvs->list, venvs->n, sizeof(*venvs->list), by_path);
	return 0;
}

static int
find_all(struct host *from, const struct conf_worker *worker,
    const char *root, struct worker_venvs *venvs, struct err *err)
{
	const char *argv[TREES_MAX + 12] = { "find" };
	struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct proc_result result;
	char *trees[TREES_MAX];
	size_t n = 0, at = 1;
	int rc;

	for (; worker->trees[n] && n < TREES_MAX; n++) {
		trees[n] = worker_path(root, worker->trees[n]);
		argv[at++] = trees[n];
	}
	argv[at++] = "-maxdepth";
	argv[at++] = "5";
	argv[at++] = "-name";
	argv[at++] = WORKER_VENV_MARK;
	argv[at++] = "-type";
	argv[at++] = "f";
	argv[at++] = "-print0";
	proc_result_init(&result, OUT_MAX);
	rc = host_ask(from, &spec, &result, err);
	if (rc == 0)
		rc = add_found(worker, root, &result.out, venvs, err);
	proc_result_clear(&result);
	while (n > 0)
		free(trees[--n]);
	return rc;
}

/*
 * By its own python: version, then what pip says.  *runs: it does.  Whoever
 * owns the environment decides what that is, so root asks as its owner.
 */
static int
ask(struct host *from, const char *dir, struct worker_venv *venv,
    struct err *err)
{
	char *python = worker_path(dir, "bin/python");
	char uid[48], gid[48];
	const char *const argv[] = { "setpriv", uid, gid, "--clear-groups",
	    "--no-new-privs", "--", python, "-IBc", ask_python, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct proc_result result;
	struct fs_meta owner;
	const char *text;
	size_t len;
	int rc;

	proc_result_init(&result, OUT_MAX);
	rc = host_stat(from, dir, &owner, err);
	(void)snprintf(uid, sizeof(uid), "--reuid=%" PRIu32,
	    (uint32_t)owner.uid);
	(void)snprintf(gid, sizeof(gid), "--regid=%" PRIu32,
	    (uint32_t)owner.gid);
	if (host_facts(from)->uid != 0 || owner.uid == 0)
		spec.argv += 6;
	if (rc == 0)
		rc = host_ask(from, &spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	} else if (rc == 0 && result.status == 0) {
		text = buf_cstr(&result.out);
		len = strcspn(text, "\n");
		venv->runs = true;
		(void)snprintf(venv->version, sizeof(venv->version), "%.*s",
		    (int)(len < 31 ? len : 31), text);
		freeze_sort(text + len, &venv->kept, &venv->left,
		    &venv->count);
	}
	proc_result_clear(&result);
	free(python);
	return rc;
}

/* By what lies there. */
static int
look(struct host *from, const char *dir, struct worker_venv *venv,
    struct err *err)
{
	const char *const argv[] = { "find", dir, "-maxdepth", "5", "-name",
	    "*.dist-info", "-print0", NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	char *cfg = worker_path(dir, WORKER_VENV_MARK);
	struct buf text = BUF_INIT(65536), names = BUF_INIT(OUT_MAX);
	struct proc_result result;
	const char *at, *slash;
	int rc;

	proc_result_init(&result, OUT_MAX);
	rc = host_read(from, cfg, &text, NULL, err);
	if (rc == 0 && !freeze_version(buf_cstr(&text), venv->version,
	    sizeof(venv->version)))
		venv->version[0] = '\0';
	if (rc == 0)
		rc = host_ask(from, &spec, &result, err);
	at = buf_cstr(&result.out);
	for (; rc == 0 && at < buf_cstr(&result.out) + result.out.len;
	    at += strlen(at) + 1) {
		slash = strrchr(at, '/');
		/* pip itself comes with the new environment. */
		if (slash && !str_starts(slash + 1, "pip-") &&
		    !str_starts(slash + 1, "setuptools-"))
			(void)freeze_dist_info(slash + 1, &names);
	}
	if (rc == 0)
		freeze_sort(buf_cstr(&names), &venv->kept, &venv->left,
		    &venv->count);
	proc_result_clear(&result);
	buf_clear(&names);
	buf_clear(&text);
	free(cfg);
	return rc;
}

bool
worker_venv_is_ruin(const struct worker_venv *venv)
{
	return !venv->runs && venv->count.kept + venv->count.left == 0;
}

int
worker_venvs_read(struct host *from, const struct conf_worker *worker,
    struct worker_venvs *venvs, struct err *err)
{
	char *root = worker_paths_full(from, worker->from_path), *dir;
	int rc;

	memset(venvs, 0, sizeof(*venvs));
	rc = find_all(from, worker, root, venvs, err);
	for (size_t i = 0; rc == 0 && i < venvs->n; i++) {
		dir = worker_path(root, venvs->list[i].path);
		rc = ask(from, dir, &venvs->list[i], err);
		if (rc == 0 && !venvs->list[i].runs)
			rc = look(from, dir, &venvs->list[i], err);
		free(dir);
	}
	free(root);
	return rc;
}

void
worker_venvs_clear(struct worker_venvs *venvs)
{
	for (size_t i = 0; i < venvs->n; i++) {
		free(venvs->list[i].path);
		buf_clear(&venvs->list[i].kept);
		buf_clear(&venvs->list[i].left);
	}
	venvs->n = 0;
}

/* Is there a tree of a program without an environment below it? */
static bool
is_bare(const struct conf_worker *worker, const struct worker_venvs *venvs)
{
	bool has;

	for (size_t i = 0; worker->trees[i]; i++) {
		if (!str_eq(worker->trees[i], "broca") &&
		    !str_eq(worker->trees[i], "smcp"))
			continue;
		has = false;
		for (size_t k = 0; k < venvs->n && !has; k++)
			has = str_starts(venvs->list[k].path,
			    worker->trees[i]);
		if (!has)
			return true;
	}
	return false;
}

static bool
is_carried(const struct conf_worker *worker, const char *root,
    const char *path)
{
	char *tree;
	bool is = false;

	for (size_t i = 0; worker->trees[i] && !is; i++) {
		tree = worker_path(root, worker->trees[i]);
		is = shpath_below(path, tree);
		free(tree);
	}
	return is;
}

/* In the order in which a worker with a supervisor of ours is given one. */
static const char find_outside[] =
    "for d in \"$1\" \"$1/..\" \"$1/../..\"; do\n"
    "	for v in venv .venv env; do\n"
    "		[ -x \"$d/$v/bin/python\" ] || continue\n"
    "		cd \"$d/$v\" && pwd\n"
    "		exit\n"
    "	done\n"
    "done\n";

int
worker_venvs_outside(struct host *from, struct host *to,
    const struct conf_worker *worker, const struct worker_venvs *venvs,
    char **out, struct err *err)
{
	char *root = worker_paths_full(from, worker->from_path), *python;
	const char *argv[] = { "sh", "-c", find_outside, "sh", root, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct proc_result result;
	struct fs_meta there = { .type = FS_NONE };
	int rc = 0;

	*out = NULL;
	proc_result_init(&result, 8192);
	if (is_bare(worker, venvs))
		rc = host_ask(from, &spec, &result, err);
	if (rc == 0 && result.out.len > 1)
		*out = mem_strndup(buf_cstr(&result.out),
		    strcspn(buf_cstr(&result.out), "\n"));
	if (*out) {
		python = worker_path(*out, "bin/python");
		rc = host_stat(to, python, &there, err);
		free(python);
	}
	if (*out && (rc != 0 || there.type != FS_NONE ||
	    is_carried(worker, root, *out))) {
		free(*out);
		*out = NULL;
	}
	proc_result_clear(&result);
	free(root);
	return rc;
}
