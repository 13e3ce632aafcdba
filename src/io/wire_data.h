#ifndef IO_WIRE_DATA_H
#define IO_WIRE_DATA_H

#include "io/wire.h"

struct buf;
struct db_pages_stats;
struct db_report;
struct err;
struct fs_meta;
struct procs_info;
struct tree_entry;
struct tree_id;
struct tree_owner;
struct tree_stats;

/*
 * The structs of io/fs.h, io/db.h, io/tree.h, io/procs.h and base/err.h
 * as fields of a frame, in the order of their members.
 *
 * A get makes the reader bad when a value is not one that the other end
 * could have meant: an unknown type, a path that is absolute or has a ".."
 * in it, more tables than fit.
 */
void wire_data_put_meta(struct buf *, const struct fs_meta *);
void wire_data_get_meta(struct wire_reader *, struct fs_meta *);

void wire_data_put_report(struct buf *, const struct db_report *);
void wire_data_get_report(struct wire_reader *, struct db_report *);

/* The strings of the entry that get fills live as long as the payload. */
void wire_data_put_entry(struct buf *, const struct tree_entry *);
void wire_data_get_entry(struct wire_reader *, struct tree_entry *);

/* Likewise. */
void wire_data_put_process(struct buf *, const struct procs_info *);
void wire_data_get_process(struct wire_reader *, struct procs_info *);

void wire_data_put_pages(struct buf *, const struct db_pages_stats *);
void wire_data_get_pages(struct wire_reader *, struct db_pages_stats *);

void wire_data_put_stats(struct buf *, const struct tree_stats *);
void wire_data_get_stats(struct wire_reader *, struct tree_stats *);

/* get: the lists are new, to be freed with wire_data_free_owner. */
void wire_data_put_owner(struct buf *, const struct tree_owner *);
void wire_data_get_owner(struct wire_reader *, struct tree_owner *);
void wire_data_free_owner(struct tree_owner *);

/*
 * A failure.  The text is made printable when it is got, and its kind is one
 * that work on files can have: a far side does not decide what our exit code
 * says of keys or of signals.
 */
void wire_data_put_err(struct buf *, const struct err *);
void wire_data_get_err(struct wire_reader *, struct err *);

/* A list of strings: u32 count, then each.  Fails by making the buf full. */
void wire_data_put_words(struct buf *, const char *const *words);

/*
 * A new NULL-ended array, to be freed; the strings live as long as the
 * payload.  More than max words are bad.  Never NULL.
 */
const char **wire_data_get_words(struct wire_reader *, uint32_t max);

#endif /* !IO_WIRE_DATA_H */
