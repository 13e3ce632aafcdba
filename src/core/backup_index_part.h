#ifndef CORE_BACKUP_INDEX_PART_H
#define CORE_BACKUP_INDEX_PART_H

#include <stddef.h>
#include <stdint.h>

/*
 * Between the files of core/backup_index.h: the members of its structs by the
 * key that they have in the file.
 */
struct backup_member {
	const char *key;	/* NULL ends a list */
	size_t offset;
};

extern const struct backup_member backup_index_texts[];
extern const struct backup_member backup_entry_texts[];
extern const struct backup_member backup_entry_counts[];

char **backup_text_at(const void *object, const struct backup_member *);
uint64_t *backup_count_at(const void *object, const struct backup_member *);

#endif /* !CORE_BACKUP_INDEX_PART_H */
