#include "base/base.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

/* What the next bytes of the stream are. */
enum state {
	START,
	HEADER,
	PATH,
	XATTRS,		/* goes into a buffer of its own */
	LINK,		/* of both kinds */
	CHUNK_LEN,
	HOLE,
	CHUNK,		/* goes straight into the file */
	DIGEST,
	DONE,		/* the end record has come */
	FAILED
};

struct tree_unpack {
	struct tree_build build;
	uint64_t entries;
	enum state state;
	unsigned char part[TREE_PATH_MAX];	/* of what state wants */
	size_t have, want;
	uint64_t left;		/* bytes of a file that are still to come */
	size_t chunk_left;
};

static int
refuse(const struct tree_unpack *u, const char *why, struct err *err)
{
	return tree_build_refuse(&u->build, why, err);
}

static void
expect(struct tree_unpack *u, enum state state, size_t want)
{
	u->state = state;
	u->have = 0;
	u->want = want;
}

static void
next_entry(struct tree_unpack *u)
{
	u->entries++;
	expect(u, HEADER, TREE_HEADER_SIZE);
}

static int
on_start(struct tree_unpack *u, struct err *err)
{
	uint64_t version = tree_path_get(u->part + TREE_MAGIC_SIZE, 4);

	if (memcmp(u->part, TREE_MAGIC, TREE_MAGIC_SIZE) != 0)
		return refuse(u, "what comes is not a tree stream", err);
	if (version != TREE_VERSION) {
		(void)err_set(err, ERR_DATA, "a tree stream of version %"
		    PRIu64 "; this program knows version %d", version,
		    TREE_VERSION);
		return tree_path_ctx(err, u->build.root, "");
	}
	expect(u, HEADER, TREE_HEADER_SIZE);
	return 0;
}

static int
on_header(struct tree_unpack *u, struct err *err)
{
	struct tree_header *h = &u->build.header;

	/* Until the path is known, messages name root. */
	u->build.path[0] = '\0';
	*h = (struct tree_header) {
		.type = (char)u->part[0],
		.path_len = (size_t)tree_path_get(u->part + 2, 2),
		.mode = (uint32_t)tree_path_get(u->part + 4, 4),
		.mtime_ns = (int64_t)tree_path_get(u->part + 8, 8),
		.size = tree_path_get(u->part + 16, 8),
		.uid = (uint32_t)tree_path_get(u->part + 24, 4),
		.gid = (uint32_t)tree_path_get(u->part + 28, 4),
		.xattrs_len = (uint32_t)tree_path_get(u->part + 32, 4),
	};
	if (u->part[1] != 0 || (h->mode & ~07777U) != 0 ||
	    h->path_len >= TREE_PATH_MAX || h->size > INT64_MAX ||
	    tree_path_get(u->part + 36, 4) != 0 ||
	    h->xattrs_len > TREE_XATTRS_MAX)
		return refuse(u, "an entry of the stream is malformed", err);
	if (h->xattrs_len > 0 && h->type != 'd' && h->type != 'f')
		return refuse(u, "a link with attributes of its own", err);
	switch (h->type) {
	case 'E':
		if (h->path_len != 0 || h->mode != 0 || h->mtime_ns != 0)
			return refuse(u, "the end of the stream is malformed",
			    err);
		if (h->size != u->entries)
			return refuse(u, "the stream ends with another "
			    "count of entries than it had", err);
		expect(u, DONE, 0);
		return 0;
	case 'd':
		if (h->size != 0)
			return refuse(u, "a directory with content", err);
		break;
	case 'l':
	case 'h':
		if (h->size == 0 || h->size >= TREE_PATH_MAX)
			return refuse(u, "a link with a target of no or "
			    "too many bytes", err);
		break;
	case 'f':
		break;
	default:
		return refuse(u, "an entry of a type that is none", err);
	}
	expect(u, PATH, h->path_len);
	return 0;
}

/* All but the body of an entry is there. */
static int
begin_body(struct tree_unpack *u, struct err *err)
{
	switch (u->build.header.type) {
	case 'd':
		if (tree_build_dir(&u->build, err) != 0)
			return -1;
		next_entry(u);
		return 0;
	case 'l':
	case 'h':
		expect(u, LINK, (size_t)u->build.header.size);
		return 0;
	default:
		if (tree_build_begin(&u->build, err) != 0)
			return -1;
		u->left = u->build.header.size;
		expect(u, CHUNK_LEN, 4);
		return 0;
	}
}

static int
on_path(struct tree_unpack *u, struct err *err)
{
	size_t len = u->build.header.path_len;

	if (stop_check(err) != 0)
		return -1;
	if (!tree_path_valid((const char *)u->part, len))
		return refuse(u, "a path in the stream leads out of root or "
		    "is no path", err);
	memcpy(u->build.path, u->part, len);
	u->build.path[len] = '\0';
	if (len == 0 && u->build.header.type != 'd')
		return refuse(u, "root is not a directory in the stream",
		    err);
	buf_truncate(&u->build.xattrs, 0);
	if (u->build.header.xattrs_len == 0)
		return begin_body(u, err);
	expect(u, XATTRS, u->build.header.xattrs_len);
	return 0;
}

static int
on_link(struct tree_unpack *u, struct err *err)
{
	const char *target = (const char *)u->part;
	int rc;

	u->part[u->have] = '\0';
	rc = u->build.header.type == 'l' ?
	    tree_build_link(&u->build, target, err) :
	    tree_build_hard(&u->build, target, err);
	if (rc == 0)
		next_entry(u);
	return rc;
}

static int
on_hole(struct tree_unpack *u, struct err *err)
{
	uint64_t len = tree_path_get(u->part, 8);

	if (len == 0 || len > u->left)
		return refuse(u, "a hole in the stream is longer than what "
		    "is left of its file", err);
	if (tree_build_hole(&u->build, len, err) != 0)
		return -1;
	u->left -= len;
	expect(u, CHUNK_LEN, 4);
	return 0;
}

static int
on_chunk_len(struct tree_unpack *u, struct err *err)
{
	uint64_t len = tree_path_get(u->part, 4);

	if (len == TREE_HOLE) {
		expect(u, HOLE, 8);
		return 0;
	}
	if (len > TREE_CHUNK_MAX || len > u->left ||
	    (len == 0 && u->left > 0))
		return refuse(u, "its chunks in the stream do not add up",
		    err);
	if (len == 0) {
		expect(u, DIGEST, HASH_SIZE);
		return 0;
	}
	u->left -= len;
	u->chunk_left = (size_t)len;
	expect(u, CHUNK, 0);
	return 0;
}

/* The part that state wants is whole: act on it. */
static int
act(struct tree_unpack *u, struct err *err)
{
	switch (u->state) {
	case START:
		return on_start(u, err);
	case HEADER:
		return on_header(u, err);
	case PATH:
		return on_path(u, err);
	case XATTRS:
		return begin_body(u, err);
	case LINK:
		return on_link(u, err);
	case HOLE:
		return on_hole(u, err);
	case CHUNK_LEN:
		return on_chunk_len(u, err);
	case DIGEST:
		if (tree_build_end(&u->build, u->part, err) != 0)
			return -1;
		next_entry(u);
		return 0;
	case CHUNK:
	case DONE:
	case FAILED:
		break;
	}
	return refuse(u, "there is more behind the end of the stream", err);
}

/* Take some of the bytes; *used tells how many. */
static int
take(struct tree_unpack *u, const unsigned char *data, size_t len,
    size_t *used, struct err *err)
{
	size_t n;

	if (u->state == CHUNK) {
		n = len < u->chunk_left ? len : u->chunk_left;
		if (stop_check(err) != 0 ||
		    tree_build_write(&u->build, data, n, err) != 0)
			return -1;
		u->chunk_left -= n;
		if (u->chunk_left == 0)
			expect(u, CHUNK_LEN, 4);
		*used = n;
		return 0;
	}
	n = u->want - u->have;
	if (n > len)
		n = len;
	if (u->state == XATTRS)
		buf_add(&u->build.xattrs, data, n);
	else
		memcpy(u->part + u->have, data, n);
	u->have += n;
	*used = n;
	return u->have == u->want ? act(u, err) : 0;
}

int
tree_unpack_write(struct tree_unpack *u, const void *data, size_t len,
    struct err *err)
{
	const unsigned char *at = data;
	size_t used = 0;

	if (u->state == FAILED)
		return refuse(u, "the stream has failed already", err);
	while (len > 0 || (u->state == PATH && u->want == 0)) {
		if (take(u, at, len, &used, err) != 0) {
			u->state = FAILED;
			tree_build_drop(&u->build, false);
			return -1;
		}
		at += used;
		len -= used;
	}
	return 0;
}

int
tree_unpack_open(const char *root, const struct tree_owner *owner,
    struct tree_unpack **out, struct err *err)
{
	struct tree_unpack *u = mem_zero(1, sizeof(*u));

	if (tree_build_open(&u->build, root, owner, err) != 0) {
		tree_unpack_free(u);
		return -1;
	}
	expect(u, START, TREE_START_SIZE);
	*out = u;
	return 0;
}

int
tree_unpack_finish(struct tree_unpack *u, struct tree_stats *stats,
    struct err *err)
{
	if (u->state == FAILED)
		return refuse(u, "the stream has failed already", err);
	if (u->state != DONE) {
		tree_build_drop(&u->build, false);
		u->state = FAILED;
		return refuse(u, "the stream was cut short here", err);
	}
	if (tree_build_settle(&u->build, err) != 0)
		return -1;
	fault_point("tree_unpack");
	if (stats)
		*stats = (struct tree_stats) {
			.entries = u->entries,
			.bytes = u->build.bytes,
			.lost_xattrs = u->build.lost_xattrs,
		};
	return 0;
}

void
tree_unpack_free(struct tree_unpack *u)
{
	if (!u)
		return;
	tree_build_close(&u->build);
	free(u);
}
