#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "io/db_pages.h"
#include "io/db_pages_part.h"
#include "io/fs.h"
#include "io/wire.h"

#define SUMS_MAGIC "sanctumctl page sums 1\n"
#define YOUNG_NS INT64_C(2000000000)
#define HEAD_MAX 256u
#define NS INT64_C(1000000000)

/* Whose sums they are. */
struct owner {
	uint64_t dev;
	uint64_t ino;
	int64_t mtime_ns;
	int64_t ctime_ns;
	bool settled;		/* the last change was old enough */
};

uint64_t
db_pages_count(uint64_t size_bytes)
{
	return size_bytes / DB_PAGES_SIZE + (size_bytes % DB_PAGES_SIZE != 0);
}

void
db_pages_list_clear(struct db_pages_list *list)
{
	free(list->sums);
	memset(list, 0, sizeof(*list));
}

void
db_pages_list_resize(struct db_pages_list *list, uint64_t size_bytes)
{
	const uint64_t n = db_pages_count(size_bytes);

	list->sums = mem_grow(list->sums, n + 1, DB_PAGES_SUM);
	if (n > list->n)
		memset(list->sums + list->n * DB_PAGES_SUM, 0,
		    (n - list->n) * DB_PAGES_SUM);
	list->size_bytes = size_bytes;
	list->n = n;
}

int
db_pages_sum_one(struct hash *hash, const void *data, size_t len,
    unsigned char *out, struct err *err)
{
	unsigned char digest[HASH_SIZE];

	hash_add(hash, data, len);
	if (hash_end(hash, digest, err) != 0)
		return -1;
	memcpy(out, digest, DB_PAGES_SUM);
	return 0;
}

int
db_pages_sum_all(const struct db_pages_list *list,
    unsigned char out[static HASH_SIZE], struct err *err)
{
	struct hash *hash = hash_new(err);
	struct buf size = BUF_INIT(8);
	int rc;

	if (!hash)
		return -1;
	wire_put_u64(&size, list->size_bytes);
	hash_add(hash, size.data, size.len);
	hash_add(hash, list->sums, list->n * DB_PAGES_SUM);
	rc = hash_end(hash, out, err);
	buf_clear(&size);
	hash_free(hash);
	return rc;
}

/* Up to size bytes of fd at an offset: fewer only at its end. */
static ssize_t
read_at(int fd, char *data, size_t size, uint64_t at)
{
	size_t have = 0;
	ssize_t n;

	while (have < size) {
		n = pread(fd, data + have, size - have, (off_t)(at + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* The sums of `have` bytes that lie at an offset of the file. */
static int
sum_part(struct hash *hash, struct db_pages_list *list, const char *data,
    size_t have, uint64_t at, struct err *err)
{
	for (size_t done = 0; done < have; done += DB_PAGES_SIZE) {
		const size_t len = have - done < DB_PAGES_SIZE ?
		    have - done : DB_PAGES_SIZE;

		if (db_pages_sum_one(hash, data + done, len, list->sums +
		    (at + done) / DB_PAGES_SIZE * DB_PAGES_SUM, err) != 0)
			return -1;
	}
	return 0;
}

int
db_pages_list_read(int fd, const char *path, struct db_pages_list *list,
    struct err *err)
{
	struct hash *hash = NULL;
	char *data = NULL;
	struct stat st;
	uint64_t at, size;
	ssize_t n;
	int rc = -1;

	if (fstat(fd, &st) != 0)
		return fs_fail(err, "stat", path);
	size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || size > DB_PAGES_FILE_MAX)
		return err_set(err, ERR_DATA, "%s: not a regular file, or "
		    "larger than %u GiB", path,
		    (unsigned int)(DB_PAGES_FILE_MAX >> 30));
	db_pages_list_resize(list, size);
	hash = hash_new(err);
	data = mem_alloc(DB_PAGES_READ);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (at = 0; hash && at < size; at += (uint64_t)n) {
		if (stop_check(err) != 0)
			goto out;
		n = read_at(fd, data, DB_PAGES_READ, at);
		if (n <= 0 || (uint64_t)n > size - at) {
			(void)err_set(err, ERR_STALE, "%s: changed while it "
			    "was read, or cannot be read", path);
			goto out;
		}
		if (sum_part(hash, list, data, (size_t)n, at, err) != 0)
			goto out;
	}
	rc = hash ? 0 : -1;
out:
	free(data);
	hash_free(hash);
	return rc;
}

static int64_t
ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS + t->tv_nsec;
}

static void
owner_of(int fd, struct owner *o)
{
	struct timespec now = { 0 };
	struct stat st;

	memset(o, 0, sizeof(*o));
	if (fstat(fd, &st) != 0)
		return;
	o->dev = (uint64_t)st.st_dev;
	o->ino = (uint64_t)st.st_ino;
	o->mtime_ns = ns_of(&st.st_mtim);
	o->ctime_ns = ns_of(&st.st_ctim);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	o->settled = ns_of(&now) - o->ctime_ns > YOUNG_NS &&
	    ns_of(&now) - o->mtime_ns > YOUNG_NS;
}

static bool
same_owner(const struct owner *a, const struct owner *b)
{
	return a->settled && a->dev == b->dev && a->ino == b->ino &&
	    a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static int
store(const char *sums_path, const struct owner *o,
    const struct db_pages_list *list, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	struct buf b = BUF_INIT(HEAD_MAX + list->n * DB_PAGES_SUM);
	int rc;

	buf_str(&b, SUMS_MAGIC);
	wire_put_u64(&b, list->size_bytes);
	wire_put_u64(&b, o->dev);
	wire_put_u64(&b, o->ino);
	wire_put_i64(&b, o->mtime_ns);
	wire_put_i64(&b, o->ctime_ns);
	wire_put_u8(&b, o->settled);
	buf_add(&b, list->sums, list->n * DB_PAGES_SUM);
	rc = fs_replace(sums_path, b.data, b.len, &meta, err);
	buf_clear(&b);
	return rc;
}

/* Take a file of sums apart; false when it is none. */
static bool
parse(const struct buf *b, struct owner *o, struct db_pages_list *list)
{
	const size_t magic = strlen(SUMS_MAGIC);
	struct wire_reader r;
	uint64_t size;

	if (b->len < magic || memcmp(b->data, SUMS_MAGIC, magic) != 0)
		return false;
	wire_reader_init(&r, b->data + magic, b->len - magic);
	size = wire_get_u64(&r);
	o->dev = wire_get_u64(&r);
	o->ino = wire_get_u64(&r);
	o->mtime_ns = wire_get_i64(&r);
	o->ctime_ns = wire_get_i64(&r);
	o->settled = wire_get_u8(&r) != 0;
	if (r.bad || size > DB_PAGES_FILE_MAX ||
	    r.left != db_pages_count(size) * DB_PAGES_SUM)
		return false;
	db_pages_list_resize(list, size);
	memcpy(list->sums, r.data, r.left);
	return true;
}

int
db_pages_list_load(const char *sums_path, int fd, struct db_pages_list *list,
    bool *found, struct err *err)
{
	struct buf b = BUF_INIT(HEAD_MAX +
	    DB_PAGES_FILE_MAX / DB_PAGES_SIZE * DB_PAGES_SUM);
	struct owner kept = { 0 }, now = { 0 };
	struct stat st = { 0 };
	int rc;

	*found = false;
	rc = fs_read(sums_path, &b, NULL, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	} else if (rc == 0) {
		*found = parse(&b, &kept, list);
	}
	if (*found && fd >= 0) {
		owner_of(fd, &now);
		*found = fstat(fd, &st) == 0 && same_owner(&kept, &now) &&
		    (uint64_t)st.st_size == list->size_bytes;
	}
	buf_clear(&b);
	return rc;
}

int
db_pages_sums(const char *path, const char *sums_path,
    struct db_pages_stats *stats, struct err *err)
{
	struct db_pages_list list = { .n = 0 };
	struct owner owner;
	bool found = false;
	int fd, rc = 0;

	memset(stats, 0, sizeof(*stats));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fs_fail(err, "open", path);
	if (sums_path)
		rc = db_pages_list_load(sums_path, fd, &list, &found, err);
	if (rc == 0 && !found) {
		owner_of(fd, &owner);
		rc = db_pages_list_read(fd, path, &list, err);
		if (rc == 0 && sums_path)
			rc = store(sums_path, &owner, &list, err);
	}
	if (rc == 0)
		rc = db_pages_sum_all(&list, stats->sum, err);
	stats->size_bytes = list.size_bytes;
	stats->pages = list.n;
	db_pages_list_clear(&list);
	(void)close(fd);
	if (rc == 0 && sums_path && !found)
		fault_point("db_pages_sums");
	return rc;
}
