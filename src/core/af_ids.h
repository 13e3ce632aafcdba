#ifndef CORE_AF_IDS_H
#define CORE_AF_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


/*
 * A set of ids in 8 bytes each, in a table that is at least three eighths
 * full once it holds more than a few.  message-0 to message-(2^60) are kept
 * exactly; of any other id a hash is kept, so that two different ones are
 * taken for one with a chance of one in 2^61.
 */
struct af_ids {
	uint64_t *slots;	/* key << 2 | flags; 0: free */
	size_t n, cap;
};

/* Of a row: its role is system. */
#define AF_IDS_SYSTEM 1u

/* Never 0. */
uint64_t af_ids_key(const char *id);

/* False when the key is there already; its flags stay as they were. */
bool af_ids_add(struct af_ids *, uint64_t key, unsigned int flags);

/* flags may be NULL. */
bool af_ids_find(const struct af_ids *, uint64_t key, unsigned int *flags);

void af_ids_clear(struct af_ids *);

#endif /* !CORE_AF_IDS_H */
