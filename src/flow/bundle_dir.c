#include "base/base.h"

#include <fcntl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/bundle_line.h"
#include "core/shown.h"
#include "flow/bundle_dir.h"
#include "io/fs.h"

#define PIECE 65536

/* The directories that a bundle has. */
static const char *const folders[] = {
	"conversations", "originals", "tools", NULL
};

/* Append a whole file below fd. */
static int
read_whole(int fd, const char *path, struct buf *out,
    struct sumfile_sum *sum, struct err *err)
{
	char piece[PIECE];
	struct sumfile *f;
	ptrdiff_t n;
	int rc = 0;

	if (sumfile_open(fd, path, 0, &f, err) != 0)
		return -1;
	do {
		n = sumfile_read(f, piece, sizeof(piece), err);
		if (n > 0)
			buf_add(out, piece, (size_t)n);
		rc = n < 0 ? -1 : buf_check(out, path, err);
	} while (rc == 0 && n > 0);
	if (rc == 0)
		rc = sumfile_end(f, sum, err);
	sumfile_close(f);
	return rc;
}

int
bundle_dir_open(const char *path, struct bundle_dir *dir, struct err *err)
{
	struct buf text = BUF_INIT(BUNDLE_MANIFEST_MAX);
	struct sumfile_sum sum;
	int rc;

	*dir = (struct bundle_dir){ .fd = -1 };
	dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return fs_fail(err, "open", path);
	dir->path = mem_strdup(path);
	rc = read_whole(dir->fd, BUNDLE_MANIFEST, &text, &sum, err);
	if (rc != 0 && err->kind == ERR_MISSING)
		rc = err_set(err, ERR_DATA, "no bundle: it has no "
		    BUNDLE_MANIFEST);
	if (rc == 0)
		rc = bundle_manifest_read(buf_cstr(&text), text.len,
		    &dir->manifest, err);
	if (rc == 0)
		memcpy(dir->digest, sum.sha256, sizeof(dir->digest));
	else {
		(void)err_ctx(err, "%s", path);
		bundle_dir_close(dir);
	}
	buf_clear(&text);
	return rc;
}

void
bundle_dir_close(struct bundle_dir *dir)
{
	if (dir->path)
		(void)close(dir->fd);
	free(dir->path);
	bundle_manifest_clear(&dir->manifest);
	*dir = (struct bundle_dir){ .fd = -1 };
}

/* A directory on its way through fs_list, which cannot fail in between. */
struct strays {
	const struct bundle_dir *dir;
	const char *folder;		/* NULL: the bundle's own */
	int (*each)(void *ctx, const char *name, struct err *);
	void *ctx;
	struct err *err;
	int rc;
};

static bool
is_folder(const char *name)
{
	for (size_t i = 0; folders[i]; i++) {
		if (str_eq(folders[i], name))
			return true;
	}
	return false;
}

static void
look_at(void *ctx, const char *name)
{
	struct strays *s = ctx;
	struct buf shown = BUF_INIT(2048);
	char *path;

	if (s->rc != 0 || (!s->folder && (is_folder(name) ||
	    str_eq(name, BUNDLE_MANIFEST))))
		return;
	path = mem_printf("%s%s%s", s->folder ? s->folder : "",
	    s->folder ? "/" : "", name);
	if (!bundle_manifest_find(&s->dir->manifest, path)) {
		shown_text(&shown, path, strlen(path), 300);
		s->rc = s->each(s->ctx, buf_cstr(&shown), s->err);
	}
	buf_clear(&shown);
	free(path);
}

int
bundle_dir_strays(const struct bundle_dir *dir,
    int (*each)(void *ctx, const char *name, struct err *), void *ctx,
    struct err *err)
{
	struct strays s = {
		.dir = dir, .each = each, .ctx = ctx, .err = err
	};
	struct fs_meta meta;
	char *path;
	int rc;

	rc = fs_list(dir->path, look_at, &s, err);
	for (size_t i = 0; folders[i] && rc == 0 && s.rc == 0; i++) {
		s.folder = folders[i];
		path = mem_printf("%s/%s", dir->path, folders[i]);
		rc = fs_stat(path, &meta, err);
		if (rc == 0 && meta.type == FS_DIR)
			rc = fs_list(path, look_at, &s, err);
		else if (rc == 0 && meta.type != FS_NONE)
			s.rc = each(ctx, folders[i], err);
		free(path);
	}
	return rc == 0 && s.rc == 0 ? 0 : -1;
}

/* Whether what was read is what the manifest says. */
static int
compare(const struct bundle_file *file, const struct sumfile_sum *sum,
    uint64_t rows, struct err *err)
{
	if (sum->size_bytes != file->size_bytes)
		return err_set(err, ERR_DATA, "%s: %" PRIu64 " bytes; the "
		    "manifest says %" PRIu64, file->path, sum->size_bytes,
		    file->size_bytes);
	if (!str_eq(sum->sha256, file->sha256))
		return err_set(err, ERR_DATA, "%s: its SHA-256 is not the "
		    "manifest's: it was changed or damaged", file->path);
	if (rows != file->rows)
		return err_set(err, ERR_DATA, "%s: %" PRIu64 " rows; the "
		    "manifest says %" PRIu64, file->path, rows, file->rows);
	return 0;
}

/* A file that the manifest names must be there. */
static int
open_file(const struct bundle_dir *dir, const struct bundle_file *file,
    size_t line_max, struct sumfile **out, struct err *err)
{
	if (sumfile_open(dir->fd, file->path, line_max, out, err) == 0)
		return 0;
	if (err->kind == ERR_MISSING)
		return err_set(err, ERR_DATA, "%s: the manifest names it, and "
		    "it is not there", file->path);
	return -1;
}

int
bundle_dir_read(const struct bundle_dir *dir, const struct bundle_file *file,
    struct buf *out, struct err *err)
{
	struct sumfile_sum sum;
	int rc;

	rc = read_whole(dir->fd, file->path, out, &sum, err);
	if (rc != 0 && err->kind == ERR_MISSING)
		rc = err_set(err, ERR_DATA, "%s: the manifest names it, and "
		    "it is not there", file->path);
	return rc != 0 ? -1 : compare(file, &sum, 0, err);
}

int
bundle_dir_rows(const struct bundle_dir *dir, const struct bundle_file *file,
    uint64_t skip, int (*each)(void *ctx, const char *id, const char *body,
    size_t len, struct err *), void *ctx, struct err *err)
{
	char id[BUNDLE_ID_SIZE];
	struct sumfile_sum sum;
	const char *line, *body;
	struct sumfile *f;
	size_t len, body_len;
	uint64_t rows = 0;
	int more = 0, rc;

	if (open_file(dir, file, BUNDLE_LINE_MAX, &f, err) != 0)
		return -1;
	rc = 0;
	while (rc == 0 && (more = sumfile_line(f, &line, &len, err)) > 0) {
		rows++;
		rc = stop_check(err);
		if (rc == 0 && rows > skip) {
			rc = bundle_line_read(line, len, id, &body,
			    &body_len, err);
			if (rc == 0)
				rc = each(ctx, id, body, body_len, err);
			if (rc != 0)
				(void)err_ctx(err, "%s: line %" PRIu64,
				    file->path, rows);
		}
	}
	if (rc == 0 && more == 0)
		rc = sumfile_end(f, &sum, err);
	else
		rc = -1;
	sumfile_close(f);
	return rc == 0 ? compare(file, &sum, rows, err) : -1;
}

int
bundle_dir_sum(const struct bundle_dir *dir, const struct bundle_file *file,
    struct err *err)
{
	struct sumfile_sum sum;
	struct sumfile *f;
	int rc;

	if (open_file(dir, file, 0, &f, err) != 0)
		return -1;
	rc = sumfile_end(f, &sum, err);
	sumfile_close(f);
	return rc == 0 ? compare(file, &sum, file->rows, err) : -1;
}
