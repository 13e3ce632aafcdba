#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/journal.h"

char *
run_state_path(const char *state_dir, const char *job, const char *file)
{
	const char *base = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (state_dir)
		return mem_printf("%s/%s/%s", state_dir, job, file);
	if (base && *base == '/')
		return mem_printf("%s/sanctumctl/%s/%s", base, job, file);
	return mem_printf("%s/.local/state/sanctumctl/%s/%s",
	    home && *home ? home : "/root", job, file);
}

int
run_state_write(const char *state_dir, const char *job, const char *file,
    const char *text, struct err *err)
{
	const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	char *path = run_state_path(state_dir, job, file);
	char *dir = mem_strndup(path, strlen(path) - strlen(file) - 1);
	int rc;

	rc = fs_mkdirs(dir, 0700, err);
	if (rc == 0)
		rc = fs_replace(path, text, strlen(text), &meta, err);
	free(dir);
	free(path);
	return rc;
}

char *
run_dir(const struct run *run)
{
	const char *own = journal_path(run->journal);

	return mem_strndup(own, (size_t)(strrchr(own, '/') - own));
}
