#ifndef TEST_TREE_BED_H
#define TEST_TREE_BED_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "io/tree.h"

struct err;

/*
 * What the tests of io/tree.h share: a directory for each test, a tree with
 * a bit of everything, its walk as text, its stream as bytes.  Functions
 * without an err fail the test by themselves.
 */
#define TREE_BED_MAX (16 * 1024 * 1024)		/* bytes of a stream */

/* What a walk saw: a line an entry, and the paths. */
struct tree_bed {
	struct buf text;
	char *paths[400];
	size_t n;
};

/* Each test works in a directory of its own, which is its current one. */
int tree_bed_set_up(void **state);
int tree_bed_tear_down(void **state);

void tree_bed_put(const char *path, const void *data, size_t len,
    mode_t mode);
void tree_bed_holds(const char *path, const char *text);
void tree_bed_time(const char *path, time_t sec, long nsec);

/* Walk with hashes; *seen is to be forgotten, after a failure, too. */
int tree_bed_walk(const char *root, const char *const *exclude,
    struct tree_bed *seen, struct err *);
void tree_bed_forget(struct tree_bed *seen);

/* A tree_sink into a struct buf; all of root as a stream. */
int tree_bed_into_buf(void *buf, const void *data, size_t len, struct err *);
int tree_bed_pack(const char *root, struct buf *stream, struct err *);

/* Unpack in pieces of step bytes; the owner is whoever runs us. */
int tree_bed_unpack(const char *root, const char *data, size_t len,
    size_t step, struct tree_stats *, struct err *);

/* 12 entries, 150,026 bytes, one file of three chunks, a mode of 01555. */
void tree_bed_make(const char *root);
void tree_bed_same(const char *left, const char *right);

#endif /* !TEST_TREE_BED_H */
