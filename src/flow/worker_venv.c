#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/venv_paths.h"
#include "flow/worker.h"
#include "flow/worker_paths.h"
#include "flow/worker_venv.h"
#include "io/host.h"

#define OUT_MAX (256 * 1024)
#define LIST_MAX (1024 * 1024)
#define ASK_MS 60000
#define INSTALL_MS (UINT64_C(30) * 60 * 1000)
#define SAID_MAX 600

/* One environment that is made on the target. */
struct build {
	const struct worker_venv *venv;
	struct host *to;
	char *dir;		/* where it goes, in staging */
	char *part;		/* where it is made, beside it */
	char *final;		/* where it is after install */
	char python[32];	/* "python3.11" */
	struct fs_meta owner;	/* of the directory that it is in */
};

/* Is made under a name that no listing of trees has. */
static char *
part_of(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return mem_printf("%.*s/.sanctumctl-venv-%s", (int)(slash - dir), dir,
	    slash + 1);
}

/* Run a program there; what it said last goes into the error. */
static int
run_there(struct build *b, const char *const *argv, const char *input,
    uint64_t timeout_ms, const char *what, struct buf *out, struct err *err)
{
	const struct proc_spec spec = {
		.argv = argv, .timeout_ms = timeout_ms, .input = input,
		.input_len = input ? strlen(input) : 0,
	};
	struct buf said = BUF_INIT(8 * SAID_MAX);
	struct proc_result result;
	const struct buf *text;
	size_t from;
	int rc;

	proc_result_init(&result, OUT_MAX);
	rc = host_run(b->to, &spec, &result, err);
	if (rc == 0 && result.status != 0) {
		text = result.err_out.len > 0 ? &result.err_out : &result.out;
		from = text->len > SAID_MAX ? text->len - SAID_MAX : 0;
		str_printable(&said, buf_cstr(text) + from,
		    text->len - from);
		rc = err_set(err, ERR_FAILED, "%s: %s (exit code %d): %s; "
		    "`venv = skip' in the job file leaves environments out",
		    b->venv->path, what, result.status, buf_cstr(&said));
	}
	if (rc == 0 && out)
		buf_add(out, buf_cstr(&result.out), result.out.len);
	proc_result_clear(&result);
	buf_clear(&said);
	return rc;
}

/* The same minor version if it is there, else python3, if that is Python 3. */
static int
choose_python(struct build *b, struct err *err)
{
	static const char script[] = "for p in \"$1\" python3; do "
	    "v=$(\"$p\" -c 'import sys; print(\"%d.%d\" % "
	    "sys.version_info[:2])' 2>/dev/null) && "
	    "{ echo \"$p $v\"; exit 0; }; done; "
	    "echo 'there is no python3' >&2; exit 1";
	const char *dot = strchr(b->venv->version, '.');
	char wanted[40] = "python3", major = b->venv->version[0];
	const char *const argv[] = { "sh", "-c", script, "sh", wanted, NULL };
	struct buf out = BUF_INIT(1024);
	size_t len;
	int rc;

	if (dot)
		(void)snprintf(wanted, sizeof(wanted), "python%.*s",
		    (int)(dot - b->venv->version + 1 +
		    (ptrdiff_t)strspn(dot + 1, "0123456789")),
		    b->venv->version);
	if (major != '\0' && major != '3')
		return err_set(err, ERR_DATA, "%s is of Python %s, and only "
		    "Python 3 is made anew; `venv = skip' in the job file "
		    "leaves it out", b->venv->path, b->venv->version);
	rc = run_there(b, argv, NULL, ASK_MS, "look for python", &out, err);
	if (rc == 0) {
		len = strcspn(buf_cstr(&out), " \n");
		(void)snprintf(b->python, sizeof(b->python), "%.*s", (int)len,
		    buf_cstr(&out));
	}
	buf_clear(&out);
	return rc;
}

static int
install_packages(struct build *b, struct err *err)
{
	char *python = worker_path(b->part, "bin/python");
	const char *const install[] = { python, "-m", "pip",
	    "--disable-pip-version-check", "install", "--no-input", "--quiet",
	    "--no-deps", "--requirement", "/dev/stdin", NULL };
	const char *const verify[] = { python, "-m", "pip",
	    "--disable-pip-version-check", "check", NULL };
	int rc = 0;

	if (b->venv->count.kept > 0)
		rc = run_there(b, install, buf_cstr(&b->venv->kept),
		    INSTALL_MS, "pip install", NULL, err);
	if (rc == 0)
		rc = run_there(b, verify, NULL, ASK_MS, "pip check", NULL,
		    err);
	free(python);
	return rc;
}

static int
rewrite_paths(struct build *b, struct err *err)
{
	const char *const argv[] = { b->python, "-IBc",
	    venv_paths_program, b->part, b->final, NULL };

	return run_there(b, argv, NULL, ASK_MS, "rewrite its paths", NULL,
	    err);
}

/* To whoever owns the tree that it is in. */
static int
give_owner(struct build *b, struct err *err)
{
	char *who = mem_printf("%" PRIu32 ":%" PRIu32, b->owner.uid,
	    b->owner.gid);
	const char *const argv[] = { "chown", "-Rh", "--", who, b->part,
	    NULL };
	const struct host_facts *facts = host_facts(b->to);
	int rc = 0;

	if (facts->uid == 0 &&
	    (b->owner.uid != facts->uid || b->owner.gid != facts->gid))
		rc = run_there(b, argv, NULL, ASK_MS, "set its owner", NULL,
		    err);
	free(who);
	return rc;
}

/* The list is written last: with it, the environment is whole. */
static int
make_part(struct build *b, struct err *err)
{
	const struct fs_meta meta = {
		.mode = 0644, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	const char *slash = strrchr(b->dir, '/');
	/* Else the prompt would be the name that it is made under. */
	const char *const venv[] = { b->python, "-m", "venv", "--prompt",
	    slash + 1, b->part, NULL };
	char *list = worker_path(b->part, WORKER_VENV_LIST);
	int rc;

	rc = host_remove(b->to, b->part, err);
	if (rc == 0)
		rc = choose_python(b, err);
	if (rc == 0)
		rc = run_there(b, venv, NULL, INSTALL_MS,
		    "python -m venv (on Debian, install python3-venv)", NULL,
		    err);
	if (rc == 0)
		rc = install_packages(b, err);
	if (rc == 0)
		rc = rewrite_paths(b, err);
	if (rc == 0)
		rc = host_replace(b->to, list, buf_cstr(&b->venv->kept),
		    b->venv->kept.len, &meta, err);
	if (rc == 0)
		rc = give_owner(b, err);
	free(list);
	return rc;
}

static int
make_one(const struct worker_venv *venv, struct host *to,
    const char *staging, const char *target, struct plan_note *note,
    struct err *err)
{
	struct build b = { .venv = venv, .to = to };
	char *parent;
	int rc;

	b.dir = worker_path(staging, venv->path);
	b.final = worker_path(target, venv->path);
	b.part = part_of(b.dir);
	parent = mem_strndup(b.dir, (size_t)(strrchr(b.dir, '/') - b.dir));
	rc = host_stat(to, parent, &b.owner, err);
	if (rc == 0)
		rc = make_part(&b, err);
	if (rc == 0)
		rc = host_remove(to, b.dir, err);
	if (rc == 0)
		rc = host_rename(to, b.part, b.dir, 0, err);
	if (rc == 0)
		buf_printf(&note->diff, "    %s: %s, %zu packages, pip check "
		    "finds nothing broken\n", venv->path, b.python,
		    venv->count.kept);
	free(parent);
	free(b.part);
	free(b.final);
	free(b.dir);
	return rc;
}

/* Whether what is staged was made of the same list. */
static int
is_made(const struct worker_venv *venv, struct host *to, const char *staging,
    bool *made, struct err *err)
{
	char *dir = worker_path(staging, venv->path);
	char *list = worker_path(dir, WORKER_VENV_LIST);
	struct buf text = BUF_INIT(LIST_MAX);
	int rc;

	*made = false;
	rc = host_read(to, list, &text, NULL, err);
	if (rc == 0)
		*made = str_eq(buf_cstr(&text), buf_cstr(&venv->kept));
	else if (err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&text);
	free(list);
	free(dir);
	return rc;
}

static void
say_one(const struct worker_venv *venv, struct plan_note *note)
{
	const char *at = buf_cstr(&venv->kept);
	size_t len;

	buf_str(&note->diff, "    ");
	str_printable(&note->diff, venv->path, strlen(venv->path));
	if (worker_venv_is_ruin(venv)) {
		buf_str(&note->diff, ": no python and no packages in it, "
		    "left out\n");
		return;
	}
	buf_printf(&note->diff, ": Python %s, %zu packages%s\n",
	    *venv->version ? venv->version : "(unknown)", venv->count.kept,
	    venv->runs ? "" : ", by the names of their directories, as its "
	    "python does not run");
	for (; *at != '\0'; at += len + (at[len] == '\n')) {
		len = strcspn(at, "\n");
		buf_str(&note->diff, "      ");
		str_printable(&note->diff, at, len);
		buf_char(&note->diff, '\n');
	}
	if (venv->count.left > 0)
		buf_printf(&note->diff, "      NOT installed, as they are "
		    "of a place on that machine or of a secret one: %s\n",
		    buf_cstr(&venv->left));
}

/* What is to be made, said; *todo: how many are not there yet. */
static int
look(struct run *run, const struct conf_worker *worker, struct host *from,
    struct host *to, struct plan_note *note, size_t *todo, char **outside,
    struct err *err)
{
	char *staging = worker_staging(run, worker);
	struct worker_venvs venvs;
	bool made;
	int rc;

	*todo = 0;
	rc = worker_venvs_read(from, worker, &venvs, err);
	for (size_t i = 0; rc == 0 && i < venvs.n; i++) {
		say_one(&venvs.list[i], note);
		if (worker_venv_is_ruin(&venvs.list[i]))
			continue;
		rc = is_made(&venvs.list[i], to, staging, &made, err);
		*todo += rc == 0 && !made;
	}
	if (rc == 0)
		rc = worker_venvs_outside(from, to, worker, &venvs, outside,
		    err);
	worker_venvs_clear(&venvs);
	free(staging);
	return rc;
}

static int
venv_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct host *from, *to;
	char *outside = NULL;
	bool installed;
	size_t todo = 0;

	*found = PLAN_DONE;
	if (worker->venv == CONF_VENV_SKIP) {
		plan_say(note, '+', "virtual environments are left out "
		    "(venv = skip)");
		return 0;
	}
	if (worker_installed(run, worker, &installed, err) != 0)
		return -1;
	if (installed) {
		plan_say(note, '+', "what environments there are is in place");
		return 0;
	}
	if (run_host(run, worker->from_host, &from, err) != 0 ||
	    run_host(run, worker->to_host, &to, err) != 0 ||
	    worker_paths_say(from, to, worker, note, err) != 0 ||
	    look(run, worker, from, to, note, &todo, &outside, err) != 0)
		return -1;
	plan_say(note, '+', "%zu virtual environments to be made anew%s%s%s",
	    todo, outside ? "; NOT " : "", outside ? outside : "", outside ?
	    ", which is outside its trees: bring it to the new host, or it "
	    "starts there without it" : "");
	free(outside);
	if (todo > 0)
		*found = PLAN_TODO;
	return 0;
}

static int
venv_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct worker_venvs venvs = { .n = 0 };
	char *staging = NULL, *there = NULL, *target = NULL;
	struct host *from, *to;
	size_t n = 0;
	bool made;
	int rc;

	if (run_host(run, worker->from_host, &from, err) != 0 ||
	    run_host(run, worker->to_host, &to, err) != 0)
		return -1;
	there = worker_staging(run, worker);
	staging = worker_paths_full(to, there);
	target = worker_paths_full(to, worker->to_path);
	rc = worker_venvs_read(from, worker, &venvs, err);
	for (size_t i = 0; rc == 0 && i < venvs.n; i++) {
		if (worker_venv_is_ruin(&venvs.list[i]))
			continue;
		rc = is_made(&venvs.list[i], to, staging, &made, err);
		if (rc == 0 && !made)
			rc = make_one(&venvs.list[i], to, staging, target,
			    note, err);
		n++;
	}
	if (rc == 0)
		plan_say(note, '+', "%zu virtual environments", n);
	worker_venvs_clear(&venvs);
	free(target);
	free(staging);
	free(there);
	return rc;
}

/* What it made is in staging, which undoing the copy removes. */
const struct step_kind worker_venv_kind = {
	.word = "venv",
	.probe = venv_probe,
	.act = venv_act,
};
