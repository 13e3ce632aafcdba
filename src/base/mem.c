#include "base/base.h"

#include <stdarg.h>

#include "base/mem.h"

/* Say it without stdio, which may want memory itself. */
static NORETURN void
no_memory(void)
{
	static const char text[] = "sanctumctl: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

void *
mem_alloc(size_t size_bytes)
{
	void *p;

	p = malloc(size_bytes ? size_bytes : 1);
	if (!p)
		no_memory();
	return p;
}

void *
mem_zero(size_t count, size_t size_bytes)
{
	void *p;

	p = calloc(count ? count : 1, size_bytes ? size_bytes : 1);
	if (!p)
		no_memory();
	return p;
}

void *
mem_grow(void *old, size_t count, size_t size_bytes)
{
	void *p;

	p = reallocarray(old, count ? count : 1, size_bytes ? size_bytes : 1);
	if (!p)
		no_memory();
	return p;
}

void *
mem_dup(const void *data, size_t size_bytes)
{
	void *p = mem_alloc(size_bytes);

	if (size_bytes)
		memcpy(p, data, size_bytes);
	return p;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

char *
mem_strndup(const char *s, size_t max_bytes)
{
	size_t len = strnlen(s, max_bytes);
	char *copy = mem_alloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		no_memory();
	return text;
}
