#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shown.h"
#include "flow/supervisor_kind.h"

#define SCRIPTS_MAX 8
#define DIRS_MAX 8
#define SCRIPT_MAX_BYTES (64 * 1024)

/* A text that is read for what it starts. */
struct reading {
	struct supervisor_look *look;
	bool starts;
	char *cd_tree, *run_tree;
	char *scripts[SCRIPTS_MAX];
	size_t n_scripts;
};

struct supervisor *
supervisor_add(struct supervisors *all, enum supervisor_kind kind)
{
	struct supervisor *s;

	all->list = mem_grow(all->list, all->n + 1, sizeof(*all->list));
	s = &all->list[all->n++];
	*s = (struct supervisor){ .kind = kind };
	return s;
}

bool
supervisor_is_below(const struct supervisor_look *look, const char *path)
{
	return shpath_below(path, look->dir) ||
	    shpath_below(path, look->real);
}

/* "broca" of "broca", "broca2", "sage-broca"; NULL of another name. */
static const char *
known_tree(const char *name, size_t len)
{
	static const char *const trees[] = { "broca", "smcp", "otto" };

	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		if (memmem(name, len, trees[i], strlen(trees[i])))
			return trees[i];
	}
	return NULL;
}

void
supervisor_note_tree(const struct supervisor_look *look, const char *path,
    char **tree)
{
	const char *dir = shpath_below(path, look->dir) ? look->dir :
	    look->real, *name, *known;

	if (*tree)
		return;
	name = path + strlen(dir);
	name += *name == '/';
	known = known_tree(name, strcspn(name, "/"));
	if (!known) {
		name = strrchr(look->dir, '/') + 1;
		known = known_tree(name, strlen(name));
	}
	if (known)
		*tree = mem_strdup(known);
}

/* Only what may be one: programs of the system are large and no scripts. */
static bool
may_be_script(const char *path)
{
	static const char *const roots[] = { "/bin/", "/sbin/", "/usr/",
	    "/lib", "/dev/", "/proc/", "/sys/",
	    "/etc/cron." };

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		if (str_starts(path, roots[i]))
			return str_starts(path, "/usr/local/");
	}
	return true;
}

static void
take_path(void *ctx, enum shpath_role role, const char *path)
{
	struct reading *reading = ctx;

	if (role != SHPATH_CD && role != SHPATH_RUN)
		return;
	if (supervisor_is_below(reading->look, path)) {
		reading->starts = true;
		supervisor_note_tree(reading->look, path, role == SHPATH_CD ?
		    &reading->cd_tree : &reading->run_tree);
	}
	if (role == SHPATH_RUN && may_be_script(path) &&
	    reading->n_scripts < SCRIPTS_MAX)
		reading->scripts[reading->n_scripts++] = mem_strdup(path);
}

static bool
is_script(const char *path, const struct buf *text)
{
	return str_ends(path, ".sh") ||
	    (text->len > 2 && memcmp(text->data, "#!", 2) == 0 &&
	    memmem(text->data, strcspn(text->data, "\n"), "sh", 2));
}

/* One level: a script that starts a script is beyond us. */
static void
read_script(struct reading *reading, const char *path, const char *home)
{
	struct shpath_place place = { .home = home, .script = path };
	struct buf text = BUF_INIT(SCRIPT_MAX_BYTES);
	struct err ignored = ERR_INIT;

	if (host_read(reading->look->host, path, &text, NULL, &ignored) == 0 &&
	    text.len > 0 && is_script(path, &text))
		shpath_each(text.data, text.len, &place, take_path, reading);
	buf_wipe(&text);
}

bool
supervisor_starts(struct supervisor_look *look, const char *text, size_t len,
    const char *home, const char *cwd, char **tree)
{
	struct shpath_place place = { .home = home, .cwd = cwd };
	struct reading reading = { .look = look };
	size_t n;
	char *found;

	shpath_each(text, len, &place, take_path, &reading);
	n = reading.n_scripts;
	for (size_t i = 0; i < n; i++)
		read_script(&reading, reading.scripts[i], home);
	for (size_t i = 0; i < reading.n_scripts; i++)
		free(reading.scripts[i]);
	found = reading.cd_tree ? reading.cd_tree : reading.run_tree;
	if (reading.starts && found && !*tree)
		*tree = mem_strdup(found);
	free(reading.cd_tree);
	free(reading.run_tree);
	return reading.starts;
}

int
supervisor_run(struct host *host, const char *const *argv, const char *input,
    size_t input_len, int *status, struct buf *out, struct buf *err_out,
    struct err *err)
{
	const struct proc_spec spec = {
		.argv = argv,
		.input = input,
		.input_len = input_len,
		.timeout_ms = SUPERVISOR_RUN_MS,
	};
	struct proc_result result;
	struct err failed = ERR_INIT;
	int rc;

	proc_result_init(&result, SUPERVISOR_TEXT_MAX);
	rc = host_run(host, &spec, &result, &failed);
	*status = rc == 0 ? result.status : 127;
	if (rc != 0 && failed.kind == ERR_MISSING)
		rc = 0;
	else if (rc != 0)
		*err = failed;
	if (rc == 0 && out)
		buf_add(out, buf_cstr(&result.out), result.out.len);
	if (rc == 0 && err_out)
		buf_add(err_out, buf_cstr(&result.err_out),
		    result.err_out.len);
	buf_wipe(&result.out);
	proc_result_clear(&result);
	return rc;
}

int
supervisor_must(struct host *host, const char *const *argv,
    const char *input, size_t input_len, struct err *err)
{
	struct buf said = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf out = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf shown = BUF_INIT(1024);
	const struct buf *words = &said;
	int status, rc;

	rc = supervisor_run(host, argv, input, input_len, &status, &out,
	    &said, err);
	if (rc == 0 && status != 0) {
		/* screen complains on its stdout. */
		words = said.len > 0 ? &said : &out;
		str_printable(&shown, buf_cstr(words),
		    words->len > 200 ? 200 : words->len);
		rc = err_set(err, status == 127 ? ERR_MISSING : ERR_FAILED,
		    "%s: %s %s: %s (exit code %d)", host_name(host), argv[0],
		    argv[1] ? argv[1] : "", status == 127 ?
		    "no such program" : buf_cstr(&shown), status);
	}
	buf_clear(&shown);
	buf_clear(&out);
	buf_clear(&said);
	return rc;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **
supervisor_files_of(struct host *host, const char *const *dirs,
    const char *type, const char *pattern, size_t *n)
{
	const char *argv[DIRS_MAX + 10] = { "find", "-H" };
	struct buf out = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct err ignored = ERR_INIT;
	char **list = NULL;
	size_t argc = 2;
	int status;

	for (size_t i = 0; dirs[i] && i < DIRS_MAX; i++)
		argv[argc++] = dirs[i];
	argv[argc++] = "-maxdepth";
	argv[argc++] = "1";
	argv[argc++] = "-type";
	argv[argc++] = type;
	argv[argc++] = "-name";
	argv[argc++] = pattern;
	argv[argc++] = "-print0";
	*n = 0;
	if (supervisor_run(host, argv, NULL, 0, &status, &out, NULL,
	    &ignored) == 0) {
		for (size_t at = 0; at < out.len;
		    at += strlen(out.data + at) + 1) {
			list = mem_grow(list, *n + 1, sizeof(*list));
			list[(*n)++] = mem_strdup(out.data + at);
		}
	}
	buf_clear(&out);
	if (*n > 0)
		qsort(list, *n, sizeof(*list), by_bytes);
	return list;
}

char **
supervisor_files(struct host *host, const char *dir, const char *type,
    const char *pattern, size_t *n)
{
	const char *const dirs[] = { dir, NULL };

	return supervisor_files_of(host, dirs, type, pattern, n);
}

void
supervisor_files_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}
