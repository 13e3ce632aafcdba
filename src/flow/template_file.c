#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/run.h"
#include "flow/template_file.h"
#include "io/fs.h"

/* Whether the operator has one of his own; *path is NULL when not. */
static int
read_own(const struct conf *conf, const char *name, char **path,
    struct buf *text, struct err *err)
{
	char *dir = run_local_path(conf->templates);
	int rc;

	*path = NULL;
	if (!dir)
		return 0;
	*path = mem_printf("%s/%s", dir, name);
	free(dir);
	rc = fs_read(*path, text, NULL, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		free(*path);
		*path = NULL;
		rc = 0;
	}
	return rc;
}

int
template_file_read(const struct conf *conf, const char *name, char **path,
    struct buf *text, struct err *err)
{
	const char *dir = getenv("SANCTUMCTL_TEMPLATES");

	if (read_own(conf, name, path, text, err) != 0)
		return err_ctx(err, "template");
	if (!*path) {
		*path = mem_printf("%s/%s%s", dir && *dir ? dir :
		    PKGDATADIR "/templates/nginx",
		    strchr(name, '/') ? "../" : "", name);
		if (fs_read(*path, text, NULL, err) != 0)
			return err_ctx(err, "template");
	}
	return buf_check(text, *path, err);
}
