#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

struct pack {
	const char *root;
	int root_fd;
	tree_sink *sink;
	void *ctx;
	struct hash *hash;
	unsigned char *chunk;	/* its length, then TREE_CHUNK_MAX bytes */
	struct buf xattrs;	/* of the current entry */
};

static int
refuse(const struct pack *p, enum err_kind kind, const char *why,
    const char *path, struct err *err)
{
	(void)err_set(err, kind, "%s", why);
	return tree_path_ctx(err, p->root, path);
}

/* errno of an open or stat: what is not as it was listed is ERR_STALE. */
static int
fail(const struct pack *p, const char *what, const char *path,
    struct err *err)
{
	switch (errno) {
	case ENOENT:
		return refuse(p, ERR_STALE, "vanished", path, err);
	case ELOOP:
	case ENOTDIR:
	case EXDEV:
		return refuse(p, ERR_STALE, "it, or a directory that it is "
		    "in, became a symlink or something else", path, err);
	default:
		return tree_path_fail(err, what, p->root, path);
	}
}

static int
send_header(struct pack *p, const struct tree_header *h, const char *path,
    struct err *err)
{
	unsigned char text[TREE_HEADER_SIZE + TREE_PATH_MAX] = { 0 };

	text[0] = (unsigned char)h->type;
	tree_path_put(text + 2, h->path_len, 2);
	tree_path_put(text + 4, h->mode, 4);
	tree_path_put(text + 8, (uint64_t)h->mtime_ns, 8);
	tree_path_put(text + 16, h->size, 8);
	tree_path_put(text + 24, h->uid, 4);
	tree_path_put(text + 28, h->gid, 4);
	tree_path_put(text + 32, h->xattrs_len, 4);
	memcpy(text + TREE_HEADER_SIZE, path, h->path_len);
	if (p->sink(p->ctx, text, TREE_HEADER_SIZE + h->path_len, err) != 0)
		return -1;
	return h->xattrs_len == 0 ? 0 :
	    p->sink(p->ctx, p->xattrs.data, h->xattrs_len, err);
}

static struct tree_header
header_of(char type, const char *path, const struct stat *st, uint64_t size)
{
	return (struct tree_header) {
		.type = type,
		.path_len = strlen(path),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
		    st->st_mtim.tv_nsec,
		.size = size,
	};
}

static int
send_hole(struct pack *p, uint64_t len, struct err *err)
{
	if (len == 0)
		return 0;
	tree_path_put(p->chunk, TREE_HOLE, 4);
	tree_path_put(p->chunk + 4, len, 8);
	tree_hash_hole(p->hash, len);
	return p->sink(p->ctx, p->chunk, 12, err);
}

/* Send size bytes of fd as chunks; it is ERR_STALE to have fewer. */
static int
send_content(struct pack *p, int fd, const struct stat *st, const char *path,
    struct err *err)
{
	unsigned char digest[HASH_SIZE];
	off_t at = 0, hole = 0, data;
	ssize_t got;

	for (; at < st->st_size; at += got) {
		if (stop_check(err) != 0)
			return -1;
		if (at == hole) {
			data = tree_data_from(fd, at, st, &hole);
			if (send_hole(p, (uint64_t)(data - at), err) != 0)
				return -1;
			at = data;
			got = 0;
			continue;
		}
		do
			got = pread(fd, p->chunk + 4, hole - at <
			    TREE_CHUNK_MAX ? (size_t)(hole - at) :
			    TREE_CHUNK_MAX, at);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return fail(p, "read", path, err);
		if (got == 0)
			return refuse(p, ERR_STALE, "became shorter while "
			    "it was read", path, err);
		tree_path_put(p->chunk, (uint64_t)got, 4);
		hash_add(p->hash, p->chunk + 4, (size_t)got);
		if (p->sink(p->ctx, p->chunk, (size_t)got + 4, err) != 0)
			return -1;
	}
	if (hash_end(p->hash, digest, err) != 0)
		return -1;
	tree_path_put(p->chunk, 0, 4);
	memcpy(p->chunk + 4, digest, sizeof(digest));
	return p->sink(p->ctx, p->chunk, sizeof(digest) + 4, err);
}

static int
read_xattrs(struct pack *p, int fd, const char *path,
    struct tree_header *header, struct err *err)
{
	buf_truncate(&p->xattrs, 0);
	if (tree_xattr_read(fd, true, &p->xattrs, NULL, err) != 0)
		return tree_path_ctx(err, p->root, path);
	header->xattrs_len = (uint32_t)p->xattrs.len;
	return 0;
}

static int
pack_dir(struct pack *p, const char *path, const struct stat *st,
    struct err *err)
{
	struct tree_header header = header_of('d', path, st, 0);
	int fd = fs_beneath_open(p->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
	int rc;

	if (fd < 0)
		return fail(p, "open", path, err);
	rc = read_xattrs(p, fd, path, &header, err);
	(void)close(fd);
	return rc == 0 ? send_header(p, &header, path, err) : -1;
}

/* "PATH//FILE": the link's own attributes are its file's. */
static int
pack_hard(struct pack *p, const char *entry, const char *at, struct err *err)
{
	const char *file = at + strlen(TREE_LINK_TO);
	struct tree_header header = {
		.type = 'h', .path_len = (size_t)(at - entry),
		.size = strlen(file),
	};

	if (!tree_path_valid(entry, header.path_len) || header.path_len == 0 ||
	    !tree_path_valid(file, header.size) || header.size == 0)
		return refuse(p, ERR_DATA, "not a path of an entry", entry,
		    err);
	if (send_header(p, &header, entry, err) != 0)
		return -1;
	return p->sink(p->ctx, file, header.size, err);
}

static int
pack_file(struct pack *p, const char *path, struct err *err)
{
	struct tree_header header;
	struct stat before, after;
	int fd, rc = -1;

	fd = fs_beneath_open(p->root_fd, path, O_RDONLY | O_NONBLOCK |
	    O_NOCTTY, 0);
	if (fd < 0)
		return fail(p, "open", path, err);
	if (fstat(fd, &before) != 0) {
		(void)fail(p, "stat", path, err);
		goto out;
	}
	if (!S_ISREG(before.st_mode)) {
		(void)refuse(p, ERR_STALE, "was a file and is now something "
		    "else", path, err);
		goto out;
	}
	header = header_of('f', path, &before, (uint64_t)before.st_size);
	if (read_xattrs(p, fd, path, &header, err) != 0 ||
	    send_header(p, &header, path, err) != 0 ||
	    send_content(p, fd, &before, path, err) != 0)
		goto out;
	if (fstat(fd, &after) != 0) {
		(void)fail(p, "stat", path, err);
		goto out;
	}
	if (after.st_size != before.st_size ||
	    after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	    after.st_mtim.tv_nsec != before.st_mtim.tv_nsec) {
		(void)refuse(p, ERR_STALE, "changed while it was read", path,
		    err);
		goto out;
	}
	rc = 0;
out:
	(void)close(fd);
	return rc;
}

static int
pack_link(struct pack *p, int dir, const char *name, const char *path,
    const struct stat *st, struct err *err)
{
	char target[TREE_PATH_MAX];
	struct tree_header header;

	if (tree_path_readlink(dir, name, path, target, sizeof(target),
	    err) != 0) {
		if (err->kind == ERR_MISSING)
			err->kind = ERR_STALE;
		return tree_path_ctx(err, p->root, path);
	}
	header = header_of('l', path, st, strlen(target));
	if (send_header(p, &header, path, err) != 0)
		return -1;
	return p->sink(p->ctx, target, strlen(target), err);
}

static int
pack_entry(struct pack *p, const char *path, struct err *err)
{
	const char *hard = strstr(path, TREE_LINK_TO);
	char dir_path[TREE_PATH_MAX];
	const char *name, *kind;
	struct stat st;
	int dir, rc = -1;

	if (stop_check(err) != 0)
		return -1;
	if (hard)
		return pack_hard(p, path, hard, err);
	if (!tree_path_valid(path, strlen(path)))
		return refuse(p, ERR_DATA, "not a path of an entry", path,
		    err);
	tree_path_split(path, dir_path, sizeof(dir_path), &name);
	dir = fs_beneath_open(p->root_fd, dir_path, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return fail(p, "open its directory", path, err);
	if (fstatat(dir, *name != '\0' ? name : ".", &st,
	    AT_SYMLINK_NOFOLLOW) != 0) {
		(void)fail(p, "stat", path, err);
		goto out;
	}
	kind = tree_path_special(st.st_mode);
	if (kind) {
		(void)err_set(err, ERR_DATA,
		    "a %s, which cannot be part of a tree", kind);
		(void)tree_path_ctx(err, p->root, path);
	} else if (S_ISDIR(st.st_mode)) {
		rc = pack_dir(p, path, &st, err);
	} else if (S_ISLNK(st.st_mode)) {
		rc = pack_link(p, dir, name, path, &st, err);
	} else {
		rc = pack_file(p, path, err);
	}
out:
	(void)close(dir);
	return rc;
}

int
tree_pack(const char *root, const char *const *paths, size_t n_paths,
    tree_sink *sink, void *ctx, struct err *err)
{
	struct pack p = {
		.root = root,
		.sink = sink,
		.ctx = ctx,
	};
	struct tree_header end = { .type = 'E', .size = n_paths };
	unsigned char start[TREE_START_SIZE];
	int rc = -1;

	p.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.root_fd < 0)
		return fs_fail(err, "open", root);
	buf_init(&p.xattrs, TREE_XATTRS_MAX);
	p.chunk = mem_alloc(TREE_CHUNK_MAX + 4);
	p.hash = hash_new(err);
	if (!p.hash)
		goto out;
	memcpy(start, TREE_MAGIC, TREE_MAGIC_SIZE);
	tree_path_put(start + TREE_MAGIC_SIZE, TREE_VERSION, 4);
	if (sink(ctx, start, sizeof(start), err) != 0)
		goto out;
	for (size_t i = 0; i < n_paths; i++)
		if (pack_entry(&p, paths[i], err) != 0)
			goto out;
	rc = send_header(&p, &end, "", err);
out:
	hash_free(p.hash);
	free(p.chunk);
	buf_clear(&p.xattrs);
	(void)close(p.root_fd);
	return rc;
}
