#include "base/base.h"

#include "base/mem.h"
#include "core/pg_tally.h"

/* The next field of a line that has len bytes left. */
static const char *
field(const char **at, size_t *len, int *out_len)
{
	const char *text = *at, *tab = memchr(text, '\t', *len);
	size_t n = tab ? (size_t)(tab - text) : *len;

	*out_len = n > INT_MAX ? INT_MAX : (int)n;
	*at += n + (tab ? 1 : 0);
	*len -= n + (tab ? 1 : 0);
	return text;
}

static int
by_name(const void *a, const void *b)
{
	const struct pg_tally_line *x = a, *y = b;
	int len = x->name_len < y->name_len ? x->name_len : y->name_len;
	int order = memcmp(x->name, y->name, (size_t)len);

	return order != 0 ? order : x->name_len - y->name_len;
}

void
pg_tally_read(const char *text, struct pg_tally *out)
{
	size_t len, left, room = 0;
	struct pg_tally_line *line;
	const char *at;

	*out = (struct pg_tally){ 0 };
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len == 0)
			continue;
		if (out->n == room) {
			room = room ? 2 * room : 64;
			out->lines = mem_grow(out->lines, room,
			    sizeof(*out->lines));
		}
		line = &out->lines[out->n++];
		at = text;
		left = len;
		line->name = field(&at, &left, &line->name_len);
		line->count = field(&at, &left, &line->count_len);
		line->mark = field(&at, &left, &line->mark_len);
	}
	if (out->n > 1)
		qsort(out->lines, out->n, sizeof(*out->lines), by_name);
}

const struct pg_tally_line *
pg_tally_find(const struct pg_tally *tally, const char *name)
{
	const struct pg_tally_line key = { .name = name,
	    .name_len = (int)strlen(name) };

	return tally->n == 0 ? NULL : bsearch(&key, tally->lines, tally->n,
	    sizeof(*tally->lines), by_name);
}

void
pg_tally_clear(struct pg_tally *tally)
{
	free(tally->lines);
	*tally = (struct pg_tally){ 0 };
}

static bool
is_same(const char *a, int a_len, const char *b, int b_len)
{
	return a_len == b_len && memcmp(a, b, (size_t)a_len) == 0;
}

size_t
pg_tally_compare(const char *before, const char *after,
    void (*each)(void *ctx, enum pg_tally_moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is),
    void *ctx)
{
	const struct pg_tally_line *was, *is;
	enum pg_tally_moved moved;
	struct pg_tally a, b;
	size_t n = 0, i = 0, k = 0;
	int order;

	pg_tally_read(before, &a);
	pg_tally_read(after, &b);
	while (i < a.n || k < b.n) {
		order = i == a.n ? 1 : k == b.n ? -1 :
		    by_name(&a.lines[i], &b.lines[k]);
		was = order <= 0 ? &a.lines[i++] : NULL;
		is = order >= 0 ? &b.lines[k++] : NULL;
		if (was && is && is_same(was->count, was->count_len,
		    is->count, is->count_len) && is_same(was->mark,
		    was->mark_len, is->mark, is->mark_len))
			continue;
		n++;
		moved = !was ? PG_TALLY_NEW : !is ? PG_TALLY_GONE :
		    PG_TALLY_CHANGED;
		if (each)
			each(ctx, moved, was, is);
	}
	pg_tally_clear(&a);
	pg_tally_clear(&b);
	return n;
}
