#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/template.h"
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
		*path = mem_printf("%s/%s", dir && *dir ? dir :
		    PKGDATADIR "/templates", name);
		if (fs_read(*path, text, NULL, err) != 0)
			return err_ctx(err, "template");
	}
	return buf_check(text, *path, err);
}

static bool
is_named(const char *text, const char *name)
{
	char *word = mem_printf("@{%s}", name);
	bool named = strstr(text, word) != NULL;

	free(word);
	return named;
}

int
template_file_fill(const struct conf *conf, const char *name,
    const struct template_value *values, size_t n, struct buf *out,
    struct err *err)
{
	struct template_value used[TEMPLATE_MAX_VALUES];
	struct buf text = BUF_INIT(TEMPLATE_MAX_BYTES);
	char *path = NULL;
	size_t n_used = 0;
	int rc = template_file_read(conf, name, &path, &text, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (is_named(buf_cstr(&text), values[i].name))
			used[n_used++] = values[i];
	}
	if (rc == 0)
		rc = template_fill(path, buf_cstr(&text), text.len, used,
		    n_used, out, err);
	buf_clear(&text);
	free(path);
	return rc;
}
