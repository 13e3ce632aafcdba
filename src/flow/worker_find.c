#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shpath.h"
#include "flow/command.h"
#include "flow/supervisor_kind.h"
#include "flow/worker_find.h"

#define TEXT_MAX_BYTES (1024 * 1024)
#define QUOTED(x) #x
#define NUMBER(x) QUOTED(x)
#define QUEUE_PY "/runtime/core/queue.py"
#define FIND_MS 120000

/* Every name that find(1) has told, NUL after each. */
struct names {
	struct host *host;
	struct buf text;
	struct worker_finds *out;
};

const char *
worker_program_word(enum worker_program program)
{
	static const char *const words[] = { "broca", "smcp", "otto" };

	return words[program];
}

/* Directories that are not there make it end with 1, which is no failure. */
static int
find_names(struct names *names, struct err *err)
{
	const char *const argv[] = { "find", "-H", "/home", "/opt", "/srv",
	    "/root", host_facts(names->host)->home, "-maxdepth",
	    NUMBER(WORKER_FIND_DEPTH), "(", "-name", "venv", "-o", "-name",
	    ".venv", "-o", "-name", "env", "-o", "-name", "node_modules",
	    "-o", "-name", ".git", "-o", "-name", "__pycache__", "-o",
	    "-name", "site-packages", "-o", "-name", ".cache", "-o", "-name",
	    "*.sanctumctl-*", ")", "-prune", "-o", "(", "-name", "main.py",
	    "-o", "-path", "*" QUEUE_PY, "-o", "-name", "smcp.py", "-o",
	    "-path", "*/plugins/*otto*/plugin.py", "-o", "-path",
	    "*/run/otto_bridge", ")", "-print0", NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = FIND_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, TEXT_MAX_BYTES);
	rc = host_run(names->host, &spec, &result, err);
	if (rc == 0)
		rc = buf_check(&result.out, "the list of names", err);
	if (rc == 0)
		buf_add(&names->text, buf_cstr(&result.out), result.out.len);
	proc_result_clear(&result);
	return rc == 0 ? 0 : err_ctx(err, "%s: look for workers",
	    host_name(names->host));
}

static bool
has(const struct names *names, const char *path)
{
	for (size_t at = 0; at < names->text.len;
	    at += strlen(names->text.data + at) + 1) {
		if (str_eq(names->text.data + at, path))
			return true;
	}
	return false;
}

/* Where a link leads; a copy of path when that cannot be told. */
static char *
follow(struct host *host, const char *path)
{
	const char *const argv[] = { "readlink", "-f", "--", path, NULL };
	struct buf out = BUF_INIT(8192);
	struct err ignored = ERR_INIT;
	char *real = NULL;
	int status;

	if (command_run(host, argv, NULL, 0, &status, &out, NULL,
	    &ignored) == 0 && status == 0 && out.len > 1)
		real = mem_strndup(out.data, out.len - 1);
	buf_clear(&out);
	return real ? real : mem_strdup(path);
}

/* take: path's directory, up names above the last one. */
static char *
parent(const char *path, unsigned int up)
{
	char *dir = mem_strdup(path), *slash;

	while (up-- > 0 && (slash = strrchr(dir, '/')) != NULL)
		*slash = '\0';
	return dir;
}

static bool
is_known(const struct worker_finds *out, enum worker_program program,
    const char *dir)
{
	for (size_t i = 0; i < out->n; i++) {
		if (out->list[i].program == program &&
		    str_eq(out->list[i].dir, dir))
			return true;
	}
	return false;
}

static void
add(struct names *names, enum worker_program program, char *take_dir,
    char *take_real)
{
	struct worker_finds *out = names->out;

	if (out->n >= WORKER_FIND_MAX || is_known(out, program, take_dir)) {
		free(take_dir);
		free(take_real);
		return;
	}
	out->list = mem_grow(out->list, out->n + 1, sizeof(*out->list));
	out->list[out->n++] = (struct worker_found){ .program = program,
	    .dir = take_dir, .real = take_real };
}

/* main.py: Broca's own, or a link to it. */
static void
take_main(struct names *names, const char *path)
{
	char *dir = parent(path, 1), *real = NULL, *queue;
	struct fs_meta meta;
	struct err ignored = ERR_INIT;

	queue = mem_printf("%s" QUEUE_PY, dir);
	if (has(names, queue))
		add(names, WORKER_BROCA, mem_strdup(dir), follow(names->host,
		    dir));
	else if (host_stat(names->host, path, &meta, &ignored) == 0 &&
	    meta.type == FS_SYMLINK) {
		char *file = follow(names->host, path);

		real = parent(file, 1);
		free(queue);
		queue = mem_printf("%s" QUEUE_PY, real);
		if (host_stat(names->host, queue, &meta, &ignored) == 0 &&
		    meta.type == FS_FILE)
			add(names, WORKER_BROCA, mem_strdup(dir),
			    mem_strdup(real));
		free(file);
	}
	free(real);
	free(queue);
	free(dir);
}

static void
take_smcp(struct names *names, const char *path)
{
	char *dir = parent(path, 1), *plugins;
	struct fs_meta meta;
	struct err ignored = ERR_INIT;

	plugins = mem_printf("%s/plugins", dir);
	if (host_stat(names->host, plugins, &meta, &ignored) == 0 &&
	    meta.type != FS_NONE)
		add(names, WORKER_SMCP, mem_strdup(dir), follow(names->host,
		    dir));
	free(plugins);
	free(dir);
}

/* The bridge is a plugin of the Broca two names above. */
static void
take(struct names *names, const char *path)
{
	if (str_ends(path, "/main.py"))
		take_main(names, path);
	else if (str_ends(path, "/smcp.py"))
		take_smcp(names, path);
	else if (str_ends(path, "/plugin.py"))
		add(names, WORKER_OTTO, parent(path, 1), parent(path, 1));
	else if (str_ends(path, "/run/otto_bridge"))
		add(names, WORKER_OTTO, mem_strdup(path), mem_strdup(path));
}

static int
by_dir(const void *a, const void *b)
{
	const struct worker_found *x = a, *y = b;
	int c = strcmp(x->dir, y->dir);

	return c ? c : (int)x->program - (int)y->program;
}

int
worker_find_dirs(struct host *host, struct worker_finds *out,
    struct err *err)
{
	struct names names = { .host = host, .text =
	    BUF_INIT(TEXT_MAX_BYTES), .out = out };
	int rc;

	*out = (struct worker_finds){ 0 };
	rc = find_names(&names, err);
	for (size_t at = 0; rc == 0 && at < names.text.len;
	    at += strlen(names.text.data + at) + 1)
		take(&names, names.text.data + at);
	buf_clear(&names.text);
	if (rc == 0 && out->n > 0)
		qsort(out->list, out->n, sizeof(*out->list), by_dir);
	return rc;
}

/* A process belongs to the tree whose script its command names. */
static void
take_lives(struct worker_found *one, const struct worker_lives *lives)
{
	const char *script = one->program == WORKER_BROCA ? "main.py" :
	    "smcp.py";

	for (size_t i = 0; i < lives->n; i++) {
		if (!str_eq(lives->list[i].script, script) ||
		    (!str_eq(lives->list[i].dir, one->dir) &&
		    !str_eq(lives->list[i].dir, one->real)))
			continue;
		one->lives = mem_grow(one->lives, one->n_lives + 1,
		    sizeof(*one->lives));
		one->lives[one->n_lives++] = lives->list[i];
	}
}

static void
add_screens(struct worker_found *one)
{
	struct supervisor *s;

	for (size_t i = 0; i < one->n_lives; i++) {
		if (!one->lives[i].screen)
			continue;
		s = supervisor_add(&one->supervisors, SUPERVISOR_SCREEN);
		s->name = mem_strdup(one->lives[i].screen);
		s->where = mem_printf("screen session %s", s->name);
		s->tree = mem_strdup(worker_program_word(one->program));
	}
}

static int
fill(struct host *host, struct worker_finds *all, struct worker_found *one,
    struct err *err)
{
	if (one->program == WORKER_OTTO)
		return 0;
	take_lives(one, &all->lives);
	if (worker_identity_read(host, one->dir, one->program == WORKER_BROCA ?
	    "main.py" : "smcp.py", one->n_lives > 0 ? one->lives : NULL,
	    &one->who, err) != 0 ||
	    supervisor_find(host, one->dir, &one->supervisors, err) != 0)
		return -1;
	add_screens(one);
	return 0;
}

int
worker_find(struct host *host, struct worker_finds *out, struct err *err)
{
	int rc = worker_find_dirs(host, out, err);

	if (rc == 0)
		rc = worker_live_list(host, &out->lives, err);
	for (size_t i = 0; rc == 0 && i < out->n; i++)
		rc = fill(host, out, &out->list[i], err);
	if (rc == 0)
		rc = worker_find_traps(host, out, err);
	if (rc != 0)
		worker_finds_clear(out);
	return rc;
}

void
worker_finds_clear(struct worker_finds *all)
{
	struct worker_found *one;

	for (size_t i = 0; i < all->n; i++) {
		one = &all->list[i];
		free(one->dir);
		free(one->real);
		free(one->lives);
		worker_identity_clear(&one->who);
		supervisors_clear(&one->supervisors);
		for (size_t k = 0; k < one->n_traps; k++)
			free(one->traps[k].text);
		free(one->traps);
	}
	free(all->list);
	worker_live_clear(&all->lives);
	*all = (struct worker_finds){ 0 };
}
