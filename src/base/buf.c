#include "base/base.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf)BUF_INIT(max_bytes);
}

void
buf_init_still(struct buf *b, size_t max_bytes)
{
	buf_init(b, max_bytes);
	b->cap = max_bytes + 1;
	b->data = mem_alloc(b->cap);
	b->data[0] = '\0';
}

/* Make room for extra bytes and a NUL, or turn full. */
static bool
reserve(struct buf *b, size_t extra)
{
	size_t cap;

	if (b->full || extra > b->max - b->len) {
		b->full = true;
		return false;
	}
	if (b->len + extra < b->cap)
		return true;

	cap = b->cap ? b->cap : 64;
	while (cap <= b->len + extra)
		cap *= 2;
	b->data = mem_grow(b->data, cap, 1);
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const void *data, size_t len_bytes)
{
	if (!reserve(b, len_bytes))
		return;
	if (len_bytes)
		memcpy(b->data + b->len, data, len_bytes);
	b->len += len_bytes;
	b->data[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_char(struct buf *b, char c)
{
	if (!reserve(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		b->full = true;
	else if (reserve(b, (size_t)len)) {
		(void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt,
		    again);
		b->len += (size_t)len;
	}
	va_end(again);
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void
buf_truncate(struct buf *b, size_t n)
{
	if (!b->data)
		return;
	b->len = n;
	b->data[n] = '\0';
}

const char *
buf_cstr(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *
buf_take(struct buf *b)
{
	char *data = b->data ? b->data : mem_strdup("");

	buf_init(b, b->max);
	return data;
}

int
buf_check(const struct buf *b, const char *what, struct err *err)
{
	if (!b->full)
		return 0;
	return err_set(err, ERR_DATA, "%s is larger than %zu bytes", what,
	    b->max);
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}
