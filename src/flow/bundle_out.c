#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/bundle_out.h"
#include "io/fs.h"
#include "io/sumfile.h"

#define PARTIAL ".partial-"

/* The directory that a path is in; the caller frees it. */
static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int
bundle_out_begin(struct bundle_out *out, const char *path, struct err *err)
{
	size_t len = strlen(path);
	struct fs_meta meta;
	const char *name;
	char *dir, *start;
	int rc;

	*out = (struct bundle_out){ 0 };
	while (len > 1 && path[len - 1] == '/')
		len--;
	out->path = mem_strndup(path, len);
	name = strrchr(out->path, '/');
	name = name ? name + 1 : out->path;
	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return err_set(err, ERR_USAGE, "%s: not the name of something "
		    "new", path);
	dir = parent_of(out->path);
	rc = fs_stat(out->path, &meta, err);
	if (rc == 0 && meta.type != FS_NONE)
		rc = err_set(err, ERR_USAGE, "%s: something is there already; "
		    "give another name, or move it away", out->path);
	start = mem_printf(".%s" PARTIAL, name);
	if (rc == 0 && fs_sweep(dir, fs_is_orphan, start, err) != 0) {
		err->kind = ERR_USAGE;
		rc = -1;
	}
	if (rc == 0)
		out->temp = mem_printf("%s/%s%ld", dir, start,
		    (long)getpid());
	free(start);
	free(dir);
	return rc;
}

int
bundle_out_place(struct bundle_out *out, struct err *err)
{
	if (fs_rename(out->temp, out->path, 0, err) != 0)
		return -1;
	free(out->temp);
	out->temp = NULL;
	return 0;
}

void
bundle_out_clear(struct bundle_out *out)
{
	struct err ignored = ERR_INIT;

	if (out->temp && fs_remove(out->temp, &ignored) != 0)
		err_clear(&ignored);
	free(out->temp);
	free(out->path);
	bundle_manifest_clear(&out->manifest);
	*out = (struct bundle_out){ 0 };
}

int
bundle_out_file(struct bundle_out *out, const char *path,
    struct sumfile **file, struct err *err)
{
	char *full = mem_printf("%s/%s", out->temp, path);
	char *dir = parent_of(full);
	int rc;

	rc = fs_mkdirs(dir, 0700, err);
	if (rc == 0)
		rc = sumfile_create(full, file, err);
	free(dir);
	free(full);
	return rc;
}

int
bundle_out_commit(struct bundle_out *out, const char *path,
    struct sumfile *take, uint64_t rows, struct err *err)
{
	struct bundle_file *entry;
	struct sumfile_sum sum;

	if (sumfile_commit(take, &sum, err) != 0)
		return -1;
	out->bytes += sum.size_bytes;
	if (str_eq(path, BUNDLE_MANIFEST))
		return 0;
	entry = bundle_manifest_add(&out->manifest, path);
	memcpy(entry->sha256, sum.sha256, sizeof(entry->sha256));
	entry->size_bytes = sum.size_bytes;
	entry->rows = rows;
	return 0;
}

int
bundle_out_text(struct bundle_out *out, const char *path, const char *text,
    size_t len, struct err *err)
{
	struct sumfile *f;

	if (bundle_out_file(out, path, &f, err) != 0)
		return -1;
	sumfile_add(f, text, len);
	return bundle_out_commit(out, path, f, 0, err);
}
