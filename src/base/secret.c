#include "base/base.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/secret.h"

struct secret {
	size_t len;
	size_t map_bytes;	/* of the whole mapping, this header included */
	char bytes[];
};

struct secret *
secret_new(const void *data, size_t len)
{
	size_t map_bytes = (sizeof(struct secret) + len + 1 + 4095) & ~4095ul;
	struct secret *s;

	s = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		abort();

	/* Best effort: both are refused to small RLIMIT_MEMLOCK and old
	 * kernels, and the secret is needed all the same. */
	(void)mlock(s, map_bytes);
	(void)madvise(s, map_bytes, MADV_DONTDUMP);
	s->len = len;
	s->map_bytes = map_bytes;
	memcpy(s->bytes, data, len);
	s->bytes[len] = '\0';
	return s;
}

void
secret_free(struct secret *s)
{
	if (!s)
		return;
	secret_wipe(s->bytes, s->len);
	(void)munmap(s, s->map_bytes);
}

const char *
secret_bytes(const struct secret *s)
{
	return s->bytes;
}

size_t
secret_len(const struct secret *s)
{
	return s->len;
}

void
secret_hide(const struct secret *s, char *text, size_t len)
{
	char *end = text + len, *found;

	if (!s || s->len == 0 || len == 0)
		return;
	while ((found = memmem(text, (size_t)(end - text), s->bytes,
	    s->len)) != NULL) {
		memset(found, '*', s->len);
		text = found + s->len;
	}
}

void
secret_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}

void
secret_guard_process(void)
{
	static const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__	/* LeakSanitizer attaches to us by ptrace */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
}
