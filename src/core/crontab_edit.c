#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/crontab.h"

#define PREFIX "#sanctumctl-"

static int
check(const struct buf *text, const char *line, const char *mark,
    struct err *err)
{
	size_t len = strlen(mark);

	if (len == 0 || len > CRONTAB_MARK_MAX ||
	    strspn(mark, "0123456789abcdefghijklmnopqrstuvwxyz") != len)
		return err_set(err, ERR_USAGE, "`%s' is no mark", mark);
	if (strchr(line, '\n'))
		return err_set(err, ERR_USAGE, "a line of a crontab cannot "
		    "hold a line break");
	if (strncmp(line, PREFIX, sizeof(PREFIX) - 1) == 0)
		return err_set(err, ERR_USAGE, "the line is a comment of "
		    "ours and starts nothing");
	if (text->len > 0 && memchr(text->data, '\0', text->len))
		return err_set(err, ERR_DATA, "the crontab holds a NUL byte "
		    "and is not changed");
	return 0;
}

static bool
is_line(const struct crontab_line *at, const char *line)
{
	return at->len == strlen(line) && memcmp(at->text, line, at->len) == 0;
}

/* The new text takes the place of the old one, if it is whole. */
static int
settle(struct buf *text, struct buf *made, struct err *err)
{
	int rc = buf_check(made, "the crontab", err);

	if (rc == 0) {
		buf_truncate(text, 0);
		buf_add(text, buf_cstr(made), made->len);
		rc = buf_check(text, "the crontab", err);
	}
	buf_clear(made);
	return rc;
}

int
crontab_disable(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *err)
{
	struct buf made = BUF_INIT(text->max);
	struct crontab tab;
	struct crontab_line at;

	*changed = 0;
	if (check(text, line, mark, err) != 0)
		return -1;
	crontab_init(&tab, buf_cstr(text), text->len, CRONTAB_USER);
	while (crontab_next(&tab, &at)) {
		if (!at.disabled && is_line(&at, line)) {
			buf_printf(&made, PREFIX "%s# ", mark);
			(*changed)++;
		}
		buf_add(&made, text->data + at.begin, at.end - at.begin);
	}
	return settle(text, &made, err);
}

int
crontab_enable(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *err)
{
	struct buf made = BUF_INIT(text->max);
	struct crontab tab;
	struct crontab_line at;
	const char *from;

	*changed = 0;
	if (check(text, line, mark, err) != 0)
		return -1;
	crontab_init(&tab, buf_cstr(text), text->len, CRONTAB_USER);
	while (crontab_next(&tab, &at)) {
		from = text->data + at.begin;
		if (at.disabled && is_line(&at, line) &&
		    at.mark_len == strlen(mark) &&
		    memcmp(at.mark, mark, at.mark_len) == 0) {
			from = at.text;
			(*changed)++;
		}
		buf_add(&made, from,
		    (size_t)(text->data + at.end - from));
	}
	return settle(text, &made, err);
}

/* What stands behind from up to the comment that ends it; NULL: no end. */
static const char *
find_end(const char *from, const char *mark)
{
	char *last = mem_printf("\n" PREFIX "%s end\n", mark);
	const char *end = strstr(from - 1, last);
	size_t len = strlen(last);

	free(last);
	return end ? end + len : NULL;
}

/* Whether the job line of [from, end) is `line', or is it put out of use. */
static bool
holds(const char *from, const char *end, const char *line)
{
	struct crontab tab;
	struct crontab_line at;

	crontab_init(&tab, from, (size_t)(end - from), CRONTAB_USER);
	while (crontab_next(&tab, &at)) {
		if (is_line(&at, line))
			return true;
	}
	return false;
}

/* The part of the text that mark has added with line: *to is its end. */
static const char *
find_added(const char *text, const char *line, const char *mark,
    const char **to)
{
	char *first = mem_printf(PREFIX "%s begin\n", mark);
	const char *at = strstr(text, first), *found = NULL, *next;

	for (; !found && at; at = next) {
		next = strstr(at + 1, first);
		*to = at == text || at[-1] == '\n' ?
		    find_end(at + strlen(first), mark) : NULL;
		if (*to && (!next || next >= *to) && holds(at, *to, line))
			found = at;
	}
	free(first);
	return found;
}

int
crontab_add(struct buf *text, const char *settings, const char *line,
    const char *mark, size_t *changed, struct err *err)
{
	struct buf made = BUF_INIT(text->max);
	const char *end;

	*changed = 0;
	if (check(text, line, mark, err) != 0)
		return -1;
	if (find_added(buf_cstr(text), line, mark, &end))
		return 0;
	*changed = 1;
	buf_add(&made, buf_cstr(text), text->len);
	if (made.len > 0 && made.data[made.len - 1] != '\n')
		buf_char(&made, '\n');
	buf_printf(&made, PREFIX "%s begin\n%s%s\n" PREFIX "%s end\n", mark,
	    settings, line, mark);
	return settle(text, &made, err);
}

int
crontab_remove(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *err)
{
	struct buf made = BUF_INIT(text->max);
	const char *begin, *end;

	*changed = 0;
	if (check(text, line, mark, err) != 0)
		return -1;
	begin = find_added(buf_cstr(text), line, mark, &end);
	if (!begin)
		return 0;
	*changed = 1;
	buf_add(&made, text->data, (size_t)(begin - text->data));
	buf_str(&made, end);
	return settle(text, &made, err);
}
