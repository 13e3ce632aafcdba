#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/requirements.h"
#include "flow/run.h"
#include "flow/runtime_part.h"
#include "flow/runtime_venv.h"
#include "flow/share_file.h"
#include "flow/venv_paths.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/host.h"

#define LIST_NAME "requirements.txt"	/* in the environment */
#define STAMP_NAME ".sanctumctl-sum"	/* written last */
#define STAMP_MAX 4096
#define PYTHON_SIZE 128

/* One that is being made. */
struct build {
	const struct runtime *rt;
	const struct runtime_venv *venv;
	char *part;			/* the name until it is whole */
	char *python;			/* PART/bin/python */
	char *list;			/* PART/requirements.txt */
	char base[PYTHON_SIZE];		/* of the host: "python3.11" */
	bool uv;
};

static const char *const uv_env[] = { "UV_PYTHON_DOWNLOADS=never",
	"UV_NO_PROGRESS=1", NULL };

void
runtime_venv_clear(struct runtime_venv *venv)
{
	buf_clear(&venv->list);
	free(venv->list_path);
	free(venv->word);
	free(venv->dir);
	*venv = (struct runtime_venv){ 0 };
}

static int
no_list(const struct runtime *rt, const char *path, struct err *err)
{
	const char *v = rt->letta->version;

	return err_set(err, ERR_USAGE, "[letta %s]: there is no list of what "
	    "to install for Letta %s (%s).  Make one, as of a day shortly "
	    "after its release, and name it by `requirements': "
	    "echo 'letta[server,postgres,redis]==%s' | uv pip compile "
	    "--generate-hashes --exclude-newer DAY --python-version 3.11 "
	    "--no-emit-package psycopg2 -o letta-%s.txt -", rt->letta->name,
	    v, path, v, v);
}

static int
check_pin(const struct runtime *rt, const struct runtime_venv *venv,
    struct err *err)
{
	char version[REQUIREMENTS_VERSION_SIZE];

	if (requirements_check(venv->list_path, buf_cstr(&venv->list),
	    venv->list.len, err) != 0)
		return -1;
	requirements_version(buf_cstr(&venv->list), "letta", version);
	if (str_eq(version, rt->letta->version))
		return 0;
	return err_set(err, ERR_USAGE, "%s: pins letta %s, and `version' of "
	    "[letta %s] is %s", venv->list_path, *version ? version : "not "
	    "at all", rt->letta->name, rt->letta->version);
}

int
runtime_venv_letta(const struct runtime *rt, struct runtime_venv *venv,
    struct err *err)
{
	char *name;
	int rc;

	*venv = (struct runtime_venv){ .dir = runtime_venv_dir(rt),
	    .word = mem_strdup("install"),
	    .list_path = run_local_path(rt->letta->requirements) };
	buf_init(&venv->list, REQUIREMENTS_MAX);
	if (venv->list_path) {
		rc = fs_read(venv->list_path, &venv->list, NULL, err);
		if (rc != 0)
			err->kind = ERR_USAGE;
	} else {
		name = mem_printf("letta/requirements-%s.txt",
		    rt->letta->version);
		rc = share_file_read(name, &venv->list_path, &venv->list,
		    err);
		if (rc != 0 && err->kind == ERR_MISSING)
			rc = no_list(rt, venv->list_path, err);
		free(name);
	}
	return rc == 0 ? check_pin(rt, venv, err) : -1;
}

int
runtime_venv_postgres(const struct runtime *rt, struct runtime_venv *venv,
    struct err *err)
{
	(void)rt;
	*venv = (struct runtime_venv){
		.dir = mem_strdup(RUNTIME_OPT "/postgres"),
		.word = mem_strdup("database.venv") };
	buf_init(&venv->list, REQUIREMENTS_MAX);
	return share_file_read("letta/requirements-postgres.txt",
	    &venv->list_path, &venv->list, err);
}

int
runtime_venv_sum(const struct runtime_venv *venv, char **out,
    struct err *err)
{
	const struct buf nothing = { 0 };
	char hex[2 * HASH_SIZE + 1];

	if (runtime_sum(&venv->list, &nothing, hex, err) != 0)
		return -1;
	*out = mem_strdup(hex);
	return 0;
}

/* The directories that this job has made; "" when none. */
static int
get_made(const struct runtime *rt, const struct runtime_venv *venv,
    char **out, struct err *err)
{
	char *key = mem_printf("%s.made", venv->word);
	int rc = runtime_get(rt, key, out, err);

	if (rc == 0 && !*out)
		*out = mem_strdup("");
	free(key);
	return rc;
}

static int
put_made(const struct runtime *rt, const struct runtime_venv *venv,
    const char *dirs, struct err *err)
{
	char *key = mem_printf("%s.made", venv->word);
	int rc = runtime_put(rt, key, dirs, err);

	free(key);
	return rc;
}

static int
note_made(const struct runtime *rt, const struct runtime_venv *venv,
    struct err *err)
{
	char *made = NULL, *all;
	int rc = get_made(rt, venv, &made, err);

	if (rc == 0 && !str_has_word(made, venv->dir)) {
		all = mem_printf("%s%s%s", made, *made ? " " : "", venv->dir);
		rc = put_made(rt, venv, all, err);
		free(all);
	}
	free(made);
	return rc;
}

int
runtime_venv_look(const struct runtime *rt, const struct runtime_venv *venv,
    enum runtime_venv_state *out, struct err *err)
{
	char *stamp = mem_printf("%s/" STAMP_NAME, venv->dir), *sum = NULL;
	struct buf text = BUF_INIT(STAMP_MAX);
	struct fs_meta meta;
	char *made = NULL;
	int rc;

	rc = host_stat(rt->host, venv->dir, &meta, err);
	*out = RUNTIME_VENV_NONE;
	if (rc == 0 && meta.type != FS_NONE) {
		rc = runtime_venv_sum(venv, &sum, err);
		if (rc == 0)
			rc = get_made(rt, venv, &made, err);
		if (rc == 0 && host_read(rt->host, stamp, &text, NULL, err)
		    != 0) {
			rc = err->kind == ERR_MISSING ? 0 : -1;
			if (rc == 0)
				err_clear(err);
		}
		*out = rc == 0 && str_eq(buf_cstr(&text), sum) ?
		    RUNTIME_VENV_WHOLE : rc == 0 &&
		    str_has_word(made, venv->dir) ? RUNTIME_VENV_OTHER :
		    RUNTIME_VENV_FOREIGN;
	}
	buf_clear(&text);
	free(made);
	free(sum);
	free(stamp);
	return rc;
}

/* Whether a program is there, by its `--version'; a host_ask. */
static int
is_there(const struct build *b, const char *program, bool *out,
    struct err *err)
{
	const char *const argv[] = { program, "--version", NULL };
	const struct proc_spec spec = { .argv = argv,
	    .timeout_ms = RUNTIME_ASK_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, STAMP_MAX);
	rc = host_ask(b->rt->host, &spec, &result, err);
	*out = rc == 0 && result.status == 0;
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	proc_result_clear(&result);
	return rc;
}

/* The lists are made for 3.11; a later one may do, an earlier one not. */
static int
choose_python(struct build *b, struct err *err)
{
	static const char program[] =
	    "import sys; sys.exit(sys.version_info < (3, 11))";
	const char *const argv[] = { b->base, "-IBc", program, NULL };
	const struct runtime_call call = {
		.what = "python3 is older than 3.11, which Letta needs",
		.argv = argv, .asks = true };
	bool there;

	(void)snprintf(b->base, sizeof(b->base), "python3.11");
	if (is_there(b, b->base, &there, err) != 0)
		return -1;
	if (there)
		return 0;
	(void)snprintf(b->base, sizeof(b->base), "python3");
	if (is_there(b, b->base, &there, err) != 0)
		return -1;
	if (!there)
		return err_set(err, ERR_MISSING, "%s: there is no python3; on "
		    "Debian, install python3-venv", host_name(b->rt->host));
	return runtime_do(b->rt->host, &call, NULL, err);
}

static int
choose_installer(struct build *b, struct err *err)
{
	enum conf_installer wanted = b->rt->letta->installer;

	if (wanted == CONF_INSTALLER_PIP)
		return 0;
	if (is_there(b, "uv", &b->uv, err) != 0)
		return -1;
	if (b->uv || wanted == CONF_INSTALLER_AUTO)
		return 0;
	return err_set(err, ERR_MISSING, "%s: there is no uv in the PATH; "
	    "install it, or say `installer = pip' in [letta %s]",
	    host_name(b->rt->host), b->rt->letta->name);
}

static int
make_empty(struct build *b, struct err *err)
{
	const char *slash = strrchr(b->venv->dir, '/');
	const char *const with_uv[] = { "uv", "venv", "--quiet", "--prompt",
	    slash + 1, "--python", b->base, b->part, NULL };
	const char *const with_pip[] = { b->base, "-m", "venv", "--prompt",
	    slash + 1, b->part, NULL };
	const struct runtime_call call = {
		.what = b->uv ? "uv venv" : "python3 -m venv (on Debian, "
		    "install python3-venv)",
		.argv = b->uv ? with_uv : with_pip, .env = uv_env,
		.open = true,
		.timeout_ms = RUNTIME_INSTALL_MS };

	return runtime_do(b->rt->host, &call, NULL, err);
}

/* list: what to install from; NULL: from input. */
static int
install(struct build *b, const char *list, const struct buf *input,
    struct err *err)
{
	const char *from = list ? list : "/dev/stdin";
	const char *const with_uv[] = { "uv", "pip", "install", "--quiet",
	    "--python", b->python, "--require-hashes", "--no-deps",
	    "--no-build-isolation", "--compile-bytecode", "-r",
	    list ? list : "-", NULL };
	const char *const with_pip[] = { b->python, "-m", "pip",
	    "--disable-pip-version-check", "install", "--no-input",
	    "--quiet", "--require-hashes", "--no-deps",
	    "--no-build-isolation", "-r", from, NULL };
	const struct runtime_call call = {
		.what = b->uv ? "uv pip install" : "pip install",
		.argv = b->uv ? with_uv : with_pip, .env = uv_env,
		.open = true,
		.input = input ? buf_cstr(input) : NULL,
		.input_len = input ? input->len : 0,
		.timeout_ms = RUNTIME_INSTALL_MS };

	return runtime_do(b->rt->host, &call, NULL, err);
}

static int
install_all(struct build *b, struct err *err)
{
	const char *const with_uv[] = { "uv", "pip", "check", "--python",
	    b->python, NULL };
	const char *const with_pip[] = { b->python, "-m", "pip",
	    "--disable-pip-version-check", "check", NULL };
	const struct runtime_call check = { .what = "pip check",
	    .argv = b->uv ? with_uv : with_pip, .env = uv_env };
	struct buf first = BUF_INIT(REQUIREMENTS_MAX);
	int rc = 0;

	requirements_entry(buf_cstr(&b->venv->list), "setuptools", &first);
	if (first.len > 0)
		rc = install(b, NULL, &first, err);
	if (rc == 0)
		rc = install(b, b->list, NULL, err);
	if (rc == 0)
		rc = runtime_do(b->rt->host, &check, NULL, err);
	buf_clear(&first);
	return rc;
}

/* Its paths to those of its final name; readable by the account. */
static int
settle(struct build *b, struct err *err)
{
	const char *const paths[] = { b->base, "-IBc", venv_paths_program,
	    b->part, b->venv->dir, NULL };
	const char *const modes[] = { "chmod", "-R", "u=rwX,go=rX", b->part,
	    NULL };
	const struct runtime_call rewrite = { .what = "rewrite its paths",
	    .argv = paths };
	const struct runtime_call open = { .what = "chmod", .argv = modes,
	    .timeout_ms = RUNTIME_INSTALL_MS };

	if (runtime_do(b->rt->host, &rewrite, NULL, err) != 0)
		return -1;
	return runtime_do(b->rt->host, &open, NULL, err);
}

static int
write_in(struct build *b, const char *name, const char *text, size_t len,
    struct err *err)
{
	const struct fs_meta meta = { .mode = 0644, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *path = mem_printf("%s/%s", b->part, name);
	int rc = host_replace(b->rt->host, path, text, len, &meta, err);

	free(path);
	return rc;
}

static int
make_part(struct build *b, struct err *err)
{
	char *sum = NULL;
	int rc;

	rc = host_remove(b->rt->host, b->part, err);
	if (rc == 0)
		rc = choose_python(b, err);
	if (rc == 0)
		rc = choose_installer(b, err);
	if (rc == 0)
		rc = make_empty(b, err);
	if (rc == 0)
		rc = write_in(b, LIST_NAME, buf_cstr(&b->venv->list),
		    b->venv->list.len, err);
	if (rc == 0)
		rc = install_all(b, err);
	if (rc == 0)
		rc = settle(b, err);
	if (rc == 0)
		rc = runtime_venv_sum(b->venv, &sum, err);
	if (rc == 0)
		rc = write_in(b, STAMP_NAME, sum, strlen(sum), err);
	free(sum);
	return rc;
}

static char *
part_of(const struct runtime *rt, const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return mem_printf("%.*s/.sanctumctl-%s-%s", (int)(slash - dir), dir,
	    slash + 1, rt->run->mark);
}

/* One of another list, which we made, is exchanged and taken away. */
static int
put_in_place(struct build *b, struct err *err)
{
	struct host *host = b->rt->host;
	struct fs_meta meta;

	if (host_stat(host, b->venv->dir, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return host_rename(host, b->part, b->venv->dir, 0, err);
	if (host_rename(host, b->part, b->venv->dir, 1, err) != 0)
		return -1;
	return host_remove(host, b->part, err);
}

int
runtime_venv_make(const struct runtime *rt, const struct runtime_venv *venv,
    struct err *err)
{
	struct build b = { .rt = rt, .venv = venv };
	struct err first;
	int rc;

	b.part = part_of(rt, venv->dir);
	b.python = mem_printf("%s/bin/python", b.part);
	b.list = mem_printf("%s/" LIST_NAME, b.part);
	rc = make_part(&b, err);
	if (rc == 0)
		rc = note_made(rt, venv, err);
	if (rc == 0)
		rc = put_in_place(&b, err);
	if (rc != 0 && err->kind != ERR_INTERRUPTED) {
		/* A gigabyte that the next run would make anew. */
		first = *err;
		if (host_remove(rt->host, b.part, err) != 0)
			err_clear(err);
		*err = first;
		(void)err_ctx(err, "%s", venv->dir);
	}
	free(b.list);
	free(b.python);
	free(b.part);
	return rc;
}

static int
remove_part(const struct runtime *rt, const char *dir, struct err *err)
{
	char *part = part_of(rt, dir);
	int rc = host_remove(rt->host, part, err);

	free(part);
	return rc;
}

/* The job may say another version by now: what the journal says was made. */
int
runtime_venv_remove(const struct runtime *rt,
    const struct runtime_venv *venv, struct err *err)
{
	char *made = NULL, *save = NULL, *dir;
	int rc;

	rc = get_made(rt, venv, &made, err);
	if (rc == 0)
		rc = remove_part(rt, venv->dir, err);
	for (dir = rc == 0 ? strtok_r(made, " ", &save) : NULL;
	    rc == 0 && dir; dir = strtok_r(NULL, " ", &save)) {
		rc = remove_part(rt, dir, err);
		if (rc == 0)
			rc = host_remove(rt->host, dir, err);
	}
	if (rc == 0)
		rc = put_made(rt, venv, "", err);
	free(made);
	return rc;
}
