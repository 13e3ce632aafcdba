#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/db_open.h"
#include "io/db_pages.h"
#include "io/db_pages_part.h"
#include "io/fs.h"
#include "io/wire.h"

#define WAIT_MS 3000
#define CHECKPOINTS 3
#define RECORD_MAX (12u + DB_PAGES_RUN * DB_PAGES_SIZE)

/* A live file on its way out. */
struct send {
	const char *path;
	int fd;
	struct db_pages_list kept;	/* what the copy has; n 0: nothing */
	struct db_pages_list live;
	struct hash *hash;
	char *data;		/* DB_PAGES_READ bytes of the file */
	struct buf record;	/* pages that follow each other */
	uint64_t first;		/* index of the first one */
	uint64_t changed;
	tree_sink *sink;
	void *ctx;
};

/*
 * Bring a WAL into the file, and see under the lock that it is empty: between
 * the two somebody may have written once more.
 */
static int
lock_wal(const struct db_open *o, struct err *err)
{
	char said[32];
	const char *wal;
	struct stat st;
	int code;

	for (int i = 0; i < CHECKPOINTS; i++) {
		if (db_open_text(o, "PRAGMA wal_checkpoint(TRUNCATE)", said,
		    sizeof(said), err) != 0)
			return -1;
		if (!str_eq(said, "0"))
			return db_open_fail(o, SQLITE_BUSY,
			    "wal_checkpoint(TRUNCATE)", err);
		code = sqlite3_exec(o->db, "BEGIN IMMEDIATE", NULL, NULL,
		    NULL);
		if (code != SQLITE_OK)
			return db_open_fail(o, code, "BEGIN IMMEDIATE", err);
		wal = sqlite3_filename_wal(sqlite3_db_filename(o->db,
		    "main"));
		if (stat(wal, &st) != 0 || st.st_size == 0)
			return 0;
		(void)sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return db_open_fail(o, SQLITE_BUSY, "its WAL grows again", err);
}

static int
lock(struct db_open *o, struct err *err)
{
	char text[32];
	int code;

	if (db_open(o, SQLITE_OPEN_READWRITE, err) != 0 ||
	    /* The first look rolls a hot journal back. */
	    db_open_text(o, "SELECT count(*) FROM sqlite_schema", text,
	    sizeof(text), err) != 0 ||
	    db_open_text(o, "PRAGMA journal_mode", text, sizeof(text),
	    err) != 0)
		return -1;
	db_open_wait(o);
	if (str_eq(text, "wal"))
		return lock_wal(o, err);
	code = sqlite3_exec(o->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 :
	    db_open_fail(o, code, "BEGIN IMMEDIATE", err);
}

static int
give(struct send *s, const struct buf *b, struct err *err)
{
	return s->sink(s->ctx, buf_cstr(b), b->len, err);
}

/* Send the pages gathered so far as one record. */
static int
flush(struct send *s, struct err *err)
{
	struct buf head = BUF_INIT(16);
	int rc;

	if (s->record.len == 0)
		return 0;
	wire_put_u64(&head, s->first);
	wire_put_u32(&head, (uint32_t)(s->record.len / DB_PAGES_SIZE));
	rc = give(s, &head, err);
	if (rc == 0)
		rc = give(s, &s->record, err);
	buf_truncate(&s->record, 0);
	buf_clear(&head);
	return rc;
}

/* Add a page to the record, or begin another one with it. */
static int
add(struct send *s, uint64_t index, const char *page, size_t len,
    struct err *err)
{
	static const char zeros[DB_PAGES_SIZE];
	const uint64_t n = s->record.len / DB_PAGES_SIZE;

	if ((n == DB_PAGES_RUN || s->first + n != index) &&
	    flush(s, err) != 0)
		return -1;
	if (s->record.len == 0)
		s->first = index;
	buf_add(&s->record, page, len);
	buf_add(&s->record, zeros, DB_PAGES_SIZE - len);
	s->changed++;
	return 0;
}

static bool
is_kept(const struct send *s, uint64_t index, const unsigned char *sum)
{
	return index < s->kept.n && memcmp(sum, s->kept.sums +
	    index * DB_PAGES_SUM, DB_PAGES_SUM) == 0;
}

/* The pages in the `have` bytes of s->data, which lie at an offset. */
static int
send_part(struct send *s, size_t have, uint64_t at, struct err *err)
{
	for (size_t done = 0; done < have; done += DB_PAGES_SIZE) {
		const uint64_t index = (at + done) / DB_PAGES_SIZE;
		const size_t len = have - done < DB_PAGES_SIZE ?
		    have - done : DB_PAGES_SIZE;
		unsigned char *sum = s->live.sums + index * DB_PAGES_SUM;

		if (db_pages_sum_one(s->hash, s->data + done, len, sum,
		    err) != 0)
			return -1;
		if (!is_kept(s, index, sum) &&
		    add(s, index, s->data + done, len, err) != 0)
			return -1;
	}
	return 0;
}

static int
send_pages(struct send *s, struct err *err)
{
	uint64_t at = 0;

	(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (at < s->live.size_bytes) {
		const uint64_t left = s->live.size_bytes - at;
		const size_t want = left < DB_PAGES_READ ? (size_t)left :
		    DB_PAGES_READ;

		if (stop_check(err) != 0)
			return -1;
		if (pread(s->fd, s->data, want, (off_t)at) != (ssize_t)want)
			return err_sys(err, ERR_FAILED, "%s: read", s->path);
		if (send_part(s, want, at, err) != 0)
			return -1;
		at += want;
	}
	return flush(s, err);
}

/* All of the stream, of a file that is locked. */
static int
send_all(struct send *s, const unsigned char *base,
    struct db_pages_stats *stats, struct err *err)
{
	struct buf b = BUF_INIT(64);
	struct stat st, named;
	int rc = -1;

	if (fstat(s->fd, &st) != 0 || stat(s->path, &named) != 0)
		return fs_fail(err, "stat", s->path);
	if (st.st_ino != named.st_ino || st.st_dev != named.st_dev)
		return err_set(err, ERR_STALE, "replaced while it was "
		    "opened");
	if ((uint64_t)st.st_size > DB_PAGES_FILE_MAX)
		return err_set(err, ERR_DATA, "larger than %u GiB",
		    (unsigned int)(DB_PAGES_FILE_MAX >> 30));
	db_pages_list_resize(&s->live, (uint64_t)st.st_size);
	buf_str(&b, DB_PAGES_MAGIC);
	wire_put_u64(&b, s->live.size_bytes);
	buf_add(&b, base, HASH_SIZE);
	if (give(s, &b, err) != 0 || send_pages(s, err) != 0 ||
	    db_pages_sum_all(&s->live, stats->sum, err) != 0)
		goto out;
	buf_truncate(&b, 0);
	wire_put_u64(&b, UINT64_MAX);
	wire_put_u32(&b, 0);
	buf_add(&b, stats->sum, HASH_SIZE);
	rc = give(s, &b, err);
	stats->size_bytes = s->live.size_bytes;
	stats->pages = s->live.n;
	stats->changed = s->changed;
out:
	buf_clear(&b);
	return rc;
}

/* What the copy has, if sums_path tells: its sum must be base. */
static int
load(struct send *s, const char *sums_path, const unsigned char *base,
    struct err *err)
{
	unsigned char sum[HASH_SIZE];
	bool found;

	if (db_pages_list_load(sums_path, -1, &s->kept, &found, err) != 0)
		return -1;
	if (found && db_pages_sum_all(&s->kept, sum, err) != 0)
		return -1;
	if (!found || memcmp(sum, base, HASH_SIZE) != 0)
		return err_set(err, ERR_STALE, "%s: not the page sums of the "
		    "copy", sums_path);
	return 0;
}

int
db_pages_send(const char *path, const char *sums_path,
    const unsigned char base[static HASH_SIZE], tree_sink *sink, void *ctx,
    struct db_pages_stats *stats, struct err *err)
{
	struct send s = { .path = path, .fd = -1, .sink = sink, .ctx = ctx };
	struct db_open o = { .path = path, .wait_ms = WAIT_MS };
	int rc = -1;

	memset(stats, 0, sizeof(*stats));
	buf_init(&s.record, RECORD_MAX);
	if ((sums_path && load(&s, sums_path, base, err) != 0) ||
	    db_open_found(path, err) != 0)
		goto out;
	s.hash = hash_new(err);
	s.data = mem_alloc(DB_PAGES_READ);
	if (!s.hash)
		goto out;
	s.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s.fd < 0)
		(void)fs_fail(err, "open", path);
	else if (lock(&o, err) == 0)
		rc = send_all(&s, base, stats, err);
out:
	/* SQLite first: closing any descriptor drops the process's locks. */
	db_open_end(&o);
	if (s.fd >= 0)
		(void)close(s.fd);
	free(s.data);
	hash_free(s.hash);
	buf_clear(&s.record);
	db_pages_list_clear(&s.live);
	db_pages_list_clear(&s.kept);
	return rc;
}
