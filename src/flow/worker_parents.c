#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/run.h"
#include "flow/worker_parents.h"
#include "io/host.h"
#include "io/journal.h"

#define LIST_MAX 65536
#define RMDIR_TIMEOUT_MS 30000

/* Append path and those above it that are not there, the deepest first. */
static int
list_missing(struct host *to, const char *path, struct buf *list,
    struct err *err)
{
	char *up = mem_strdup(path), *slash;
	struct fs_meta meta = { .type = FS_NONE };
	int rc = 0;

	while (rc == 0 && meta.type == FS_NONE) {
		rc = host_stat(to, up, &meta, err);
		if (rc != 0 || meta.type != FS_NONE)
			break;
		buf_printf(list, "%s\n", up);
		slash = strrchr(up, '/');
		if (!slash || slash == up)
			break;
		*slash = '\0';
	}
	free(up);
	return rc == 0 ? buf_check(list, "list of directories", err) : -1;
}

int
worker_parents_make(struct run *run, const struct conf_worker *worker,
    struct host *to, const char *parent, struct err *err)
{
	char *key = run_key("worker", worker->name, "parents");
	struct buf list = BUF_INIT(LIST_MAX);
	int rc;

	rc = list_missing(to, parent, &list, err);
	/* Nothing missing may also be the work of a run that was killed. */
	if (rc == 0 && list.len > 0)
		rc = journal_put(run->journal, key, buf_cstr(&list), err);
	if (rc == 0)
		rc = host_mkdirs(to, parent, 0755, err);
	buf_clear(&list);
	free(key);
	return rc;
}

/* Programs get no "~/": it is a word of the job file. */
static int
remove_empty(struct host *to, const char *path, struct err *err)
{
	char *full = str_starts(path, "~/") ? mem_printf("%s%s",
	    host_facts(to)->home, path + 1) : mem_strdup(path);
	const char *argv[] = {
		"rmdir", "--ignore-fail-on-non-empty", "--", full, NULL
	};
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = RMDIR_TIMEOUT_MS
	};
	struct proc_result result;
	struct fs_meta meta;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_stat(to, path, &meta, err);
	if (rc == 0 && meta.type == FS_DIR)
		rc = host_run(to, &spec, &result, err);
	proc_result_clear(&result);
	free(full);
	return rc;
}

int
worker_parents_remove(struct run *run, const struct conf_worker *worker,
    struct host *to, struct err *err)
{
	char *key = run_key("worker", worker->name, "parents");
	char *list = NULL, *line, *rest = NULL;
	int rc;

	rc = journal_get(run->journal, key, &list, err);
	for (line = list ? strtok_r(list, "\n", &rest) : NULL;
	    rc == 0 && line; line = strtok_r(NULL, "\n", &rest))
		rc = remove_empty(to, line, err);
	if (rc == 0 && list)
		rc = journal_put(run->journal, key, "", err);
	free(list);
	free(key);
	return rc;
}
