#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/*
 * Memory that is there or the program ends.  A stop at any instant is a case
 * that the journal survives, so nothing is gained by carrying "out of memory"
 * up through every caller.  Hence the rule that goes with it: a size that
 * comes from outside is bounded before it is asked for.
 */

void *mem_alloc(size_t size_bytes);			/* not cleared */
void *mem_zero(size_t count, size_t size_bytes);	/* cleared */
void *mem_grow(void *old, size_t count, size_t size_bytes);
void *mem_dup(const void *data, size_t size_bytes);
char *mem_strdup(const char *);
char *mem_strndup(const char *, size_t max_bytes);
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);

#endif /* !BASE_MEM_H */
