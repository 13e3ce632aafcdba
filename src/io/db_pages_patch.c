#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "io/db_pages.h"
#include "io/db_pages_part.h"
#include "io/fs.h"
#include "io/wire.h"

#define MAGIC_SIZE (sizeof(DB_PAGES_MAGIC) - 1)
#define HEAD_SIZE (MAGIC_SIZE + 8 + HASH_SIZE)
#define RECORD_SIZE 12u
#define IN_MAX (RECORD_SIZE + DB_PAGES_RUN * DB_PAGES_SIZE)

/* What the next bytes of the stream are. */
enum part {
	PART_HEAD,
	PART_RECORD,
	PART_PAGES,
	PART_END,
	PART_DONE
};

struct db_pages_patch {
	char *path;
	char *sums_path;	/* or NULL */
	int fd;
	struct db_pages_list list;	/* of the file as it is by now */
	struct hash *hash;
	enum part part;
	struct buf in;		/* bytes of a part that is not whole yet */
	uint64_t size_bytes;	/* of the file as it will be */
	uint64_t index;		/* of the record under way */
	uint32_t count;
	uint64_t changed;
	bool begun;		/* the file was changed */
	unsigned char want[HASH_SIZE];
};

int
db_pages_patch_open(const char *path, const char *sums_path,
    struct db_pages_patch **out, struct err *err)
{
	struct db_pages_patch *p = mem_zero(1, sizeof(*p));
	bool found = false;
	int rc = 0;

	*out = NULL;
	p->path = mem_strdup(path);
	p->sums_path = sums_path ? mem_strdup(sums_path) : NULL;
	buf_init(&p->in, IN_MAX);
	p->hash = hash_new(err);
	p->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (!p->hash)
		rc = -1;
	else if (p->fd < 0)
		rc = fs_fail(err, "open", path);
	if (rc == 0 && sums_path)
		rc = db_pages_list_load(sums_path, p->fd, &p->list, &found,
		    err);
	if (rc == 0 && !found)
		rc = db_pages_list_read(p->fd, path, &p->list, err);
	if (rc != 0)
		db_pages_patch_free(p);
	else
		*out = p;
	return rc;
}

void
db_pages_patch_free(struct db_pages_patch *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	hash_free(p->hash);
	db_pages_list_clear(&p->list);
	buf_clear(&p->in);
	free(p->sums_path);
	free(p->path);
	free(p);
}

static int
malformed(const struct db_pages_patch *p, struct err *err)
{
	return err_set(err, ERR_DATA, "%s: the stream of its pages is "
	    "malformed; run the same command again", p->path);
}

static int
drop(const char *path, const char *end, struct err *err)
{
	char *file = mem_printf("%s%s", path, end);
	int rc = 0;

	if (unlink(file) != 0 && errno != ENOENT)
		rc = fs_fail(err, "remove", file);
	free(file);
	return rc;
}

/* From now on neither the sums nor what lies beside it is of this file. */
static int
begin(struct db_pages_patch *p, struct err *err)
{
	if (p->begun)
		return 0;
	p->begun = true;
	if ((p->sums_path && drop(p->sums_path, "", err) != 0) ||
	    drop(p->path, "-journal", err) != 0 ||
	    drop(p->path, "-wal", err) != 0 ||
	    drop(p->path, "-shm", err) != 0)
		return -1;
	fault_point("db_pages_begin");
	return 0;
}

static int
take_head(struct db_pages_patch *p, struct err *err)
{
	unsigned char sum[HASH_SIZE];
	struct wire_reader r;

	if (memcmp(p->in.data, DB_PAGES_MAGIC, MAGIC_SIZE) != 0)
		return malformed(p, err);
	wire_reader_init(&r, p->in.data + MAGIC_SIZE,
	    p->in.len - MAGIC_SIZE);
	p->size_bytes = wire_get_u64(&r);
	if (r.bad || p->size_bytes > DB_PAGES_FILE_MAX)
		return malformed(p, err);
	if (db_pages_sum_all(&p->list, sum, err) != 0)
		return -1;
	if (memcmp(sum, r.data, HASH_SIZE) != 0)
		return err_set(err, ERR_STALE, "%s: another copy than the "
		    "pages are for; run the same command again", p->path);
	/* Pages that the copy has more are cut off at the end. */
	db_pages_list_resize(&p->list, p->size_bytes);
	p->part = PART_RECORD;
	return 0;
}

static int
take_record(struct db_pages_patch *p, struct err *err)
{
	struct wire_reader r;

	wire_reader_init(&r, p->in.data, p->in.len);
	p->index = wire_get_u64(&r);
	p->count = wire_get_u32(&r);
	if (p->index == UINT64_MAX && p->count == 0) {
		p->part = PART_END;
		return 0;
	}
	if (p->count == 0 || p->count > DB_PAGES_RUN ||
	    p->index >= p->list.n || p->count > p->list.n - p->index)
		return malformed(p, err);
	p->part = PART_PAGES;
	return 0;
}

static int
write_at(const struct db_pages_patch *p, const char *data, size_t len,
    uint64_t at, struct err *err)
{
	ssize_t n;

	while (len > 0) {
		n = pwrite(p->fd, data, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_fail(err, "write", p->path);
		data += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int
take_pages(struct db_pages_patch *p, struct err *err)
{
	const uint64_t at = p->index * DB_PAGES_SIZE;
	const uint64_t room = p->size_bytes - at;
	const size_t len = p->in.len < room ? p->in.len : (size_t)room;

	for (size_t done = 0; done < len; done += DB_PAGES_SIZE)
		if (db_pages_sum_one(p->hash, p->in.data + done,
		    len - done < DB_PAGES_SIZE ? len - done : DB_PAGES_SIZE,
		    p->list.sums + (p->index + done / DB_PAGES_SIZE) *
		    DB_PAGES_SUM, err) != 0)
			return -1;
	if (begin(p, err) != 0 ||
	    write_at(p, p->in.data, len, at, err) != 0)
		return -1;
	if (p->changed == 0)
		fault_point("db_pages_first");
	p->changed += p->count;
	p->part = PART_RECORD;
	return 0;
}

static size_t
need(const struct db_pages_patch *p)
{
	switch (p->part) {
	case PART_HEAD:
		return HEAD_SIZE;
	case PART_RECORD:
		return RECORD_SIZE;
	case PART_PAGES:
		return (size_t)p->count * DB_PAGES_SIZE;
	case PART_END:
		return HASH_SIZE;
	case PART_DONE:
		break;
	}
	return 0;
}

static int
take_part(struct db_pages_patch *p, struct err *err)
{
	int rc = 0;

	switch (p->part) {
	case PART_HEAD:
		rc = take_head(p, err);
		break;
	case PART_RECORD:
		rc = take_record(p, err);
		break;
	case PART_PAGES:
		rc = take_pages(p, err);
		break;
	case PART_END:
		memcpy(p->want, p->in.data, HASH_SIZE);
		p->part = PART_DONE;
		break;
	case PART_DONE:
		break;
	}
	buf_truncate(&p->in, 0);
	return rc;
}

int
db_pages_patch_write(struct db_pages_patch *p, const void *data, size_t len,
    struct err *err)
{
	const char *at = data;

	while (len > 0) {
		const size_t lacks = need(p) - p->in.len;
		const size_t n = len < lacks ? len : lacks;

		if (p->part == PART_DONE)
			return malformed(p, err);
		buf_add(&p->in, at, n);
		at += n;
		len -= n;
		if (p->in.len == need(p) && take_part(p, err) != 0)
			return -1;
	}
	return 0;
}

int
db_pages_patch_finish(struct db_pages_patch *p, struct db_pages_stats *stats,
    struct err *err)
{
	memset(stats, 0, sizeof(*stats));
	if (p->part != PART_DONE)
		return malformed(p, err);
	if (begin(p, err) != 0)
		return -1;
	if (ftruncate(p->fd, (off_t)p->size_bytes) != 0)
		return fs_fail(err, "set the length of", p->path);
	if (fsync(p->fd) != 0)
		return fs_fail(err, "fsync", p->path);
	if (db_pages_sum_all(&p->list, stats->sum, err) != 0)
		return -1;
	if (memcmp(stats->sum, p->want, HASH_SIZE) != 0)
		return err_set(err, ERR_DATA, "%s: not the same as the source "
		    "after its pages came; run the same command again",
		    p->path);
	stats->size_bytes = p->size_bytes;
	stats->pages = p->list.n;
	stats->changed = p->changed;
	fault_point("db_pages_finish");
	return 0;
}

/* From one file of this machine to another. */
struct across {
	struct db_pages_patch *patch;
	uint64_t sent;
};

static int
across_sink(void *ctx, const void *data, size_t len, struct err *err)
{
	struct across *a = ctx;

	a->sent += len;
	return db_pages_patch_write(a->patch, data, len, err);
}

int
db_pages_delta(const char *from, const char *from_sums, const char *to,
    const char *to_sums, struct db_pages_stats *stats, struct err *err)
{
	struct db_pages_stats base, arrived;
	struct across a = { .sent = 0 };
	int rc;

	if (db_pages_sums(to, to_sums, &base, err) != 0 ||
	    db_pages_patch_open(to, to_sums, &a.patch, err) != 0)
		return -1;
	rc = db_pages_send(from, from_sums, base.sum, across_sink, &a, stats,
	    err);
	if (rc != 0 && err->kind == ERR_STALE && a.sent == 0) {
		/* The copy's own sums are as near. */
		err_clear(err);
		rc = db_pages_send(from, to_sums, base.sum, across_sink, &a,
		    stats, err);
	}
	if (rc == 0)
		rc = db_pages_patch_finish(a.patch, &arrived, err);
	db_pages_patch_free(a.patch);
	stats->wire_bytes = a.sent;
	return rc;
}
