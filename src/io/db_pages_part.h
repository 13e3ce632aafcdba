#ifndef IO_DB_PAGES_PART_H
#define IO_DB_PAGES_PART_H

#include <stdbool.h>

#include "io/db_pages.h"

/* What the files of db_pages share: the sums of one file in memory. */

#define DB_PAGES_MAGIC "sctlpg1\n"
#define DB_PAGES_READ (256u * DB_PAGES_SIZE)	/* bytes read at a time */
#define DB_PAGES_RUN 16u	/* pages of one record at most */

struct db_pages_list {
	uint64_t size_bytes;
	uint64_t n;
	unsigned char *sums;	/* n * DB_PAGES_SUM, owned */
};

uint64_t db_pages_count(uint64_t size_bytes);
void db_pages_list_clear(struct db_pages_list *);

/* Make it as long as size_bytes is; what it has more is zeroed. */
void db_pages_list_resize(struct db_pages_list *, uint64_t size_bytes);

/* The sum of one page of len bytes into its place. */
int db_pages_sum_one(struct hash *, const void *data, size_t len,
    unsigned char *out, struct err *) MUST_CHECK;

/* The sum of the whole file. */
int db_pages_sum_all(const struct db_pages_list *,
    unsigned char out[static HASH_SIZE], struct err *) MUST_CHECK;

/* Read all of fd, which stands for path in messages. */
int db_pages_list_read(int fd, const char *path, struct db_pages_list *,
    struct err *) MUST_CHECK;

/*
 * The sums in sums_path; with fd, only if they are believed of that file.
 * *found is false when they are missing, malformed or not believed.
 */
int db_pages_list_load(const char *sums_path, int fd, struct db_pages_list *,
    bool *found, struct err *) MUST_CHECK;

#endif /* !IO_DB_PAGES_PART_H */
