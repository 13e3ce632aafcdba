#include "base/base.h"

#include "base/err.h"
#include "core/lint.h"
#include "flow/lint_path.h"
#include "io/fs.h"
#include "io/pieces.h"

static int
feed(void *ctx, const char *data, size_t len, struct err *err)
{
	return lint_feed(ctx, data, len, err);
}

static int
lint_agent_file(const char *path, const struct lint_watch *watch,
    struct lint_result *out, struct err *err)
{
	struct lint *lint = lint_new(watch);
	int rc;

	rc = pieces_read(path, feed, lint, err);
	if (rc == 0 && lint_end(lint, err) != 0)
		rc = err_ctx(err, "%s", path);
	*out = *lint_result(lint);
	lint_free(lint);
	return rc;
}

bool
lint_path_is_dir(const char *path)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	return fs_stat(path, &meta, &ignored) == 0 && meta.type == FS_DIR;
}

int
lint_path(const char *path, const struct lint_watch *watch,
    struct lint_result *out, struct err *err)
{
	struct fs_meta meta;

	memset(out, 0, sizeof(*out));
	if (fs_stat(path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_DIR)
		return err_set(err, ERR_USAGE, "%s: a directory; name an "
		    "agent file", path);
	return lint_agent_file(path, watch, out, err);
}
