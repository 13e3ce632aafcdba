#include "base/base.h"

#include <sys/stat.h>

#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

off_t
tree_data_from(int fd, off_t at, const struct stat *st, off_t *hole)
{
	off_t data = at;

	*hole = st->st_size;
	if ((off_t)st->st_blocks * 512 >= st->st_size)
		return at;
	data = lseek(fd, at, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return st->st_size;
	if (data < at)
		return at;
	if (data >= st->st_size)
		return st->st_size;
	*hole = lseek(fd, data, SEEK_HOLE);
	if (*hole <= data || *hole > st->st_size)
		*hole = st->st_size;
	return data;
}

void
tree_hash_hole(struct hash *hash, uint64_t len)
{
	static const unsigned char zeros[64 * 1024];
	size_t n;

	for (; len > 0; len -= n) {
		n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
		hash_add(hash, zeros, n);
	}
}
