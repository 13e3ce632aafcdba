#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/shpath.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/worker_paths.h"
#include "io/host.h"

#define OUT_MAX (1024 * 1024)
#define FIND_MS 120000
#define SHOWN 40

char *
worker_paths_full(const struct host *host, const char *path)
{
	return str_starts(path, "~/") ?
	    mem_printf("%s%s", host_facts(host)->home, path + 1) :
	    mem_strdup(path);
}

/* Of a file beside the trees, or in one of them. */
static bool
is_carried(const struct conf_worker *worker, const char *path)
{
	size_t len = strcspn(path, "/");

	if (path[len] == '\0')
		return true;
	for (const char *const *tree = worker->trees; *tree; tree++)
		if (strlen(*tree) == len && memcmp(*tree, path, len) == 0)
			return true;
	return false;
}

/* What grep -Zn printed: path, NUL, line, ":", text, line end. */
static void
say_lines(const struct conf_worker *worker, const char *root, bool scripts,
    const struct buf *out, struct plan_note *note)
{
	const char *at = buf_cstr(out), *end = at + out->len, *line, *last;
	size_t n = 0, root_len = strlen(root) + 1;

	for (; at < end; at = last + 1) {
		line = at + strlen(at) + 1;
		last = line < end ? memchr(line, '\n', (size_t)(end - line)) :
		    NULL;
		if (!last || strlen(at) <= root_len)
			break;
		if (!is_carried(worker, at + root_len) ||
		    (!scripts && worker_is_script(at + root_len)))
			continue;
		if (n == 0)
			buf_printf(&note->diff, "    name %s, which is "
			    "another path there; see to them:\n", root);
		if (n++ >= SHOWN)
			continue;
		buf_str(&note->diff, "      ");
		str_printable(&note->diff, at + root_len,
		    strlen(at + root_len));
		buf_printf(&note->diff, ":%.*s\n",
		    (int)strspn(line, "0123456789"), line);
	}
	if (n > SHOWN)
		buf_printf(&note->diff, "      ... and %zu more\n",
		    n - SHOWN);
}

static int
look(struct host *from, const struct conf_worker *worker, const char *root,
    bool scripts, struct plan_note *note, struct err *err)
{
	const char *const argv[] = {
		"find", root, "-maxdepth", "8",
		"(", "-type", "d", "(", "-name", "venv", "-o", "-name",
		".venv", "-o", "-name", "node_modules", "-o", "-name",
		"__pycache__", "-o", "-name", ".git", "-o", "-name", "logs",
		"-o", "-name", "site-packages", ")", "-prune", ")",
		"-o", "-type", "f", "-size", "-1024k", "!", "-name", ".env*",
		"-exec", "grep", "-ZnIHF", "-m", "5", "--", root, "{}", "+",
		NULL
	};
	const struct proc_spec spec = { .argv = argv, .timeout_ms = FIND_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, OUT_MAX);
	rc = host_ask(from, &spec, &result, err);
	if (rc == 0)
		say_lines(worker, root, scripts, &result.out, note);
	proc_result_clear(&result);
	return rc;
}

int
worker_paths_say(struct host *from, struct host *to,
    const struct conf_worker *worker, struct plan_note *note,
    struct err *err)
{
	char *root = worker_paths_full(from, worker->from_path);
	char *there = worker_paths_full(to, worker->to_path);
	int rc = 0;

	if (!str_eq(root, there))
		rc = look(from, worker, root, !shpath_is_plain(there), note,
		    err);
	free(root);
	free(there);
	return rc;
}
