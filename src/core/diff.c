#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/diff.h"

#define CONTEXT 3
#define MAX_EDITS 1000		/* at 4 * MAX_EDITS^2 bytes of memory */
#define MAX_WORK 20000000	/* line comparisons */

/* A line with its "\n"; the last one of a text may have none. */
struct line {
	const char *text;
	size_t len;
};

struct side {
	struct line *lines;
	size_t n;
	bool *changed;		/* taken out of old, put into new */
};

/* A piece of both sides, [from, to). */
struct span {
	size_t old_from, old_to;
	size_t new_from, new_to;
};

static void
split(struct side *s, const char *text, size_t len)
{
	const char *end = text + len, *nl;
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	s->lines = mem_zero(n, sizeof(*s->lines));
	s->changed = mem_zero(n, sizeof(*s->changed));
	s->n = 0;
	while (text < end) {
		nl = memchr(text, '\n', (size_t)(end - text));
		s->lines[s->n].text = text;
		s->lines[s->n].len = (size_t)((nl ? nl + 1 : end) - text);
		text += s->lines[s->n++].len;
	}
}

static void
side_clear(struct side *s)
{
	free(s->lines);
	free(s->changed);
}

static bool
same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* The part between the common first and the common last lines. */
static struct span
middle(const struct side *old, const struct side *new)
{
	struct span s = { 0, old->n, 0, new->n };

	while (s.old_from < s.old_to && s.new_from < s.new_to &&
	    same(&old->lines[s.old_from], &new->lines[s.new_from])) {
		s.old_from++;
		s.new_from++;
	}
	while (s.old_from < s.old_to && s.new_from < s.new_to &&
	    same(&old->lines[s.old_to - 1], &new->lines[s.new_to - 1])) {
		s.old_to--;
		s.new_to--;
	}
	return s;
}

/*
 * Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986): rows[d]
 * holds, for each diagonal k = x - y of -d..d at index k + d, how far x gets
 * with d edits.
 */
struct search {
	const struct line *a, *b;
	long n, m;
	int32_t *rows[MAX_EDITS + 1];
	long work;
};

/* Where diagonal k of row d starts, before its equal lines; -1: nowhere. */
static long
step_x(const struct search *s, long d, long k)
{
	const int32_t *prev = s->rows[d - 1];
	long down = -1, right = -1;

	if (k < d - 1)				/* from diagonal k + 1 */
		down = prev[k + 1 + d - 1];
	if (k > -d + 1)				/* from diagonal k - 1 */
		right = prev[k - 1 + d - 1] + 1;
	return down > right - 1 ? down : right;
}

/* Fill rows until both ends are met; the number of edits, or -1. */
static long
search_run(struct search *s)
{
	long x, y;

	for (long d = 0; d <= MAX_EDITS; d++) {
		s->rows[d] = mem_alloc((size_t)(2 * d + 1) *
		    sizeof(*s->rows[d]));
		for (long k = -d; k <= d; k += 2) {
			x = d == 0 ? 0 : step_x(s, d, k);
			y = x - k;
			while (x < s->n && y < s->m && y >= 0 &&
			    same(&s->a[x], &s->b[y])) {
				x++;
				y++;
				s->work++;
			}
			s->rows[d][k + d] = (int32_t)x;
			if (x >= s->n && y >= s->m)
				return d;
		}
		if (s->work > MAX_WORK)
			return -1;
	}
	return -1;
}

static void
search_mark(const struct search *s, long d, bool *removed, bool *added)
{
	long k = s->n - s->m, x;

	for (; d > 0; d--) {
		x = step_x(s, d, k);
		if (k < d - 1 && x == s->rows[d - 1][k + 1 + d - 1]) {
			added[x - k - 1] = true;
			k++;
		} else {
			removed[x - 1] = true;
			k--;
		}
	}
}

static void
compare(struct side *old, struct side *new)
{
	struct span mid = middle(old, new);
	struct search s = { .a = old->lines + mid.old_from,
	    .b = new->lines + mid.new_from,
	    .n = (long)(mid.old_to - mid.old_from),
	    .m = (long)(mid.new_to - mid.new_from) };
	long d;

	d = search_run(&s);
	if (d >= 0)
		search_mark(&s, d, old->changed + mid.old_from,
		    new->changed + mid.new_from);
	else {
		memset(old->changed + mid.old_from, true, (size_t)s.n);
		memset(new->changed + mid.new_from, true, (size_t)s.m);
	}
	for (long i = 0; i <= MAX_EDITS; i++)
		free(s.rows[i]);
}

static bool
is_changed(const struct side *s, size_t at)
{
	return at < s->n && s->changed[at];
}

/*
 * The hunk that holds the first change at or after the ends of the last one;
 * false when there is none.
 */
static bool
next_hunk(const struct side *old, const struct side *new, struct span *h)
{
	size_t i = h->old_to, j = h->new_to, lead, equal = 0;

	while (i < old->n && !old->changed[i] && !is_changed(new, j)) {
		i++;
		j++;
	}
	if (!is_changed(old, i) && !is_changed(new, j))
		return false;
	lead = i - h->old_to < CONTEXT ? i - h->old_to : CONTEXT;
	h->old_from = i - lead;
	h->new_from = j - lead;

	/* More than two contexts of equal lines end it. */
	while (equal <= 2 * CONTEXT) {
		if (is_changed(old, i) || is_changed(new, j)) {
			if (is_changed(old, i))
				i++;
			else
				j++;
			h->old_to = i;
			h->new_to = j;
			equal = 0;
		} else if (i < old->n) {
			i++;
			j++;
			equal++;
		} else
			break;
	}
	equal = old->n - h->old_to;
	equal = equal < CONTEXT ? equal : CONTEXT;
	h->old_to += equal;
	h->new_to += equal;
	return true;
}

static void
write_line(char sign, const struct line *line, struct buf *out)
{
	const char *p = line->text, *end = p + line->len, *tab;
	bool ended = line->len > 0 && end[-1] == '\n';

	end -= ended;
	buf_char(out, sign);
	while (p < end) {
		tab = memchr(p, '\t', (size_t)(end - p));
		str_printable(out, p, (size_t)((tab ? tab : end) - p));
		if (tab)
			buf_char(out, '\t');
		p = tab ? tab + 1 : end;
	}
	buf_char(out, '\n');
	if (!ended)
		buf_str(out, "\\ No newline at end of file\n");
}

/* "12,3", "12" for one line, "11,0" for none behind line 11. */
static void
write_range(size_t from, size_t to, struct buf *out)
{
	if (to - from == 1)
		buf_printf(out, "%zu", from + 1);
	else
		buf_printf(out, "%zu,%zu", to > from ? from + 1 : from,
		    to - from);
}

static void
write_hunk(const struct side *old, const struct side *new,
    const struct span *h, struct buf *out)
{
	size_t i = h->old_from, j = h->new_from;

	buf_str(out, "@@ -");
	write_range(h->old_from, h->old_to, out);
	buf_str(out, " +");
	write_range(h->new_from, h->new_to, out);
	buf_str(out, " @@\n");
	while (i < h->old_to || j < h->new_to) {
		if (i < h->old_to && old->changed[i])
			write_line('-', &old->lines[i++], out);
		else if (j < h->new_to && new->changed[j])
			write_line('+', &new->lines[j++], out);
		else {
			write_line(' ', &old->lines[i++], out);
			j++;
		}
	}
}

static void
write_name(const char *sign, const char *name, struct buf *out)
{
	buf_printf(out, "%s ", sign);
	str_printable(out, name, strlen(name));
	buf_char(out, '\n');
}

int
diff_unified(const char *old_name, const char *old, size_t old_len,
    const char *new_name, const char *new, size_t new_len, struct buf *out,
    struct err *err)
{
	struct span hunk = { 0, 0, 0, 0 };
	struct side a = { 0 }, b = { 0 };

	if (old_len > DIFF_MAX_BYTES || new_len > DIFF_MAX_BYTES)
		return err_set(err, ERR_DATA, "%s: larger than %d bytes: too "
		    "large to compare by line",
		    old_len > DIFF_MAX_BYTES ? old_name : new_name,
		    DIFF_MAX_BYTES);
	if (old_len == new_len &&
	    (old_len == 0 || memcmp(old, new, old_len) == 0))
		return 0;

	split(&a, old, old_len);
	split(&b, new, new_len);
	compare(&a, &b);
	write_name("---", old_name, out);
	write_name("+++", new_name, out);
	while (next_hunk(&a, &b, &hunk))
		write_hunk(&a, &b, &hunk, out);
	side_clear(&a);
	side_clear(&b);
	return buf_check(out, "the difference", err);
}
