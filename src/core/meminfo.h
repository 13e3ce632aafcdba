#ifndef CORE_MEMINFO_H
#define CORE_MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * The text of /proc/meminfo (proc(5)).
 *
 * What a new program may take without anything being swapped, by the kernel's
 * estimate: MemAvailable, in bytes.  False when the text does not say, as of
 * kernels before 3.14.  It is the machine's: the limit of a container that we
 * are in is not in it.
 */
bool meminfo_available(const char *text, uint64_t *out_bytes) MUST_CHECK;

#endif /* !CORE_MEMINFO_H */
