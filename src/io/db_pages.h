#ifndef IO_DB_PAGES_H
#define IO_DB_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "io/hash.h"
#include "io/tree.h"

struct err;

/*
 * The second pass of a database: a live file, whose writer is gone by then,
 * is read once, and of it only what a copy lacks goes over the wire.
 *
 *     host_snapshot, db_pages_sums         first pass, at the source
 *     host_copy, db_pages_sums             the copy, at the target
 *     (the freeze)
 *     host_db_delta                        the second pass
 *
 * A page here is DB_PAGES_SIZE bytes of the file, whatever SQLite's page size
 * is (the last one may be shorter), and its sum the first DB_PAGES_SUM bytes
 * of its SHA-256.  A file's sum is the SHA-256 of its length and of all its
 * pages' sums.
 *
 * A file of sums has the sums of each page and whose they are: length, device
 * and inode, time of last change (mtime and ctime).  It is believed of a file
 * for as long as all of these are the same, and if the last change was two
 * seconds old before reading began: a file system's clock may be that coarse.
 * Otherwise the file is read again.
 *
 * The stream, which is between two ends of the same version:
 *
 *     "sctlpg1\n", length u64, sum of the copy that it is for
 *     index u64, count u32, then count * DB_PAGES_SIZE bytes (the last page
 *     of the file with zeros behind it), as often as needed
 *     UINT64_MAX u64, 0 u32, sum of the whole file
 */
#define DB_PAGES_SIZE 4096u
#define DB_PAGES_SUM 16u
#define DB_PAGES_FILE_MAX (UINT64_C(64) << 30)	/* bytes of a database */

struct db_pages_stats {
	uint64_t size_bytes;
	uint64_t pages;
	uint64_t changed;	/* pages sent */
	uint64_t wire_bytes;	/* sent for it in all; host_db_delta fills it */
	unsigned char sum[HASH_SIZE];
};

/*
 * The sums of a database at rest (a snapshot, a copy), read unless sums_path
 * is believed of it, and kept at sums_path (0600, whole or not at all).  NULL
 * keeps nothing.  Fails with ERR_MISSING, ERR_DATA (longer than
 * DB_PAGES_FILE_MAX), ERR_INTERRUPTED.
 */
int db_pages_sums(const char *path, const char *sums_path,
    struct db_pages_stats *, struct err *) MUST_CHECK;

/*
 * Read the live database at path and give sink the stream for a copy whose
 * sum is base: the pages that sums_path (of any file) has otherwise, or, with
 * NULL, every page.
 *
 * Nobody can write meanwhile.  BEGIN IMMEDIATE is held until the stream has
 * ended; in WAL mode everything is brought into the file first
 * (wal_checkpoint(TRUNCATE)), so the file alone is the database.  A journal
 * that a killed writer left behind (PATH-journal) is rolled back first, as by
 * each writer.  No row is changed.
 *
 * Fails with ERR_STALE, before anything was sent: sums_path is missing, or
 * its sum is not base; ERR_AGAIN: locked for three seconds, by whom is said;
 * ERR_MISSING, ERR_DATA as db_snapshot.  Bytes of another database that lie
 * at path are not told from it: it is the caller's to know.
 */
int db_pages_send(const char *path, const char *sums_path,
    const unsigned char base[static HASH_SIZE], tree_sink *sink, void *ctx,
    struct db_pages_stats *, struct err *) MUST_CHECK;

/*
 * Make the copy at path what the stream says, in place: nobody uses it.  What
 * lies beside it (-journal, -wal, -shm) is of the former state, and goes.
 *
 * open takes sums_path if it is believed, else reads the copy.  A stream for
 * another copy is ERR_STALE at once.  Before the first page is written
 * sums_path is removed.  finish sets the length, syncs, and compares the sum:
 * ERR_DATA when it is not the one that the stream has.
 *
 * Stopped between, the copy is neither the old nor the new database: the
 * next db_pages_sums reads what is there, and the next stream mends it.
 */
struct db_pages_patch;

int db_pages_patch_open(const char *path, const char *sums_path,
    struct db_pages_patch **, struct err *) MUST_CHECK;
int db_pages_patch_write(struct db_pages_patch *, const void *data,
    size_t len, struct err *) MUST_CHECK;
int db_pages_patch_finish(struct db_pages_patch *, struct db_pages_stats *,
    struct err *) MUST_CHECK;
void db_pages_patch_free(struct db_pages_patch *);

/*
 * Both on this machine: what host_db_delta does between two.  sums_path of
 * the copy is needed.
 */
int db_pages_delta(const char *from, const char *from_sums, const char *to,
    const char *to_sums, struct db_pages_stats *, struct err *) MUST_CHECK;

#endif /* !IO_DB_PAGES_H */
