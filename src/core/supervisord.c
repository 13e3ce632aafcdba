#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/supervisord.h"

#define PREFIX ";sanctumctl-"
#define MARK_BYTES "0123456789abcdefghijklmnopqrstuvwxyz"
#define HEAD "[program:"

/* One line of the text, our prefix taken off. */
struct line {
	const char *text;	/* to its end without line break */
	size_t len;
	const char *mark;	/* or NULL */
	size_t mark_len;
	size_t next;		/* where the following one begins */
};

static void
read_line(const char *text, size_t len, size_t at, struct line *line)
{
	const char *s = text + at, *end = memchr(s, '\n', len - at);
	size_t front = sizeof(PREFIX) - 1, n = 0;

	*line = (struct line){ .text = s };
	line->len = end ? (size_t)(end - s) : len - at;
	line->next = at + line->len + (end != NULL);
	if (line->len < front || memcmp(s, PREFIX, front) != 0)
		return;
	while (front + n < line->len && s[front + n] != '\0' &&
	    strchr(MARK_BYTES, s[front + n]))
		n++;
	if (n == 0 || front + n + 2 > line->len ||
	    memcmp(s + front + n, "; ", 2) != 0)
		return;
	line->mark = s + front;
	line->mark_len = n;
	line->text += front + n + 2;
	line->len -= front + n + 2;
}

static bool
is_head(const struct line *line)
{
	return line->len > 0 && line->text[0] == '[';
}

static char *
trimmed(const char *s, size_t len)
{
	while (len > 0 && strchr(" \t\r", *s)) {
		s++;
		len--;
	}
	while (len > 0 && strchr(" \t\r", s[len - 1]))
		len--;
	return mem_strndup(s, len);
}

/* The name of a program's head; NULL for any other line. */
static char *
program_name(const struct line *line)
{
	size_t front = sizeof(HEAD) - 1;
	const char *end;

	if (line->len <= front || memcmp(line->text, HEAD, front) != 0)
		return NULL;
	end = memchr(line->text, ']', line->len);
	return end ? trimmed(line->text + front,
	    (size_t)(end - line->text) - front) : NULL;
}

/* " ;" begins a comment behind a value. */
static void
take_key(struct supervisord_program *p, const struct line *line)
{
	const char *equals = memchr(line->text, '=', line->len), *comment;
	char *key, *value;
	char **field;

	if (!equals || line->len == 0 || strchr(";# \t", line->text[0]))
		return;
	key = trimmed(line->text, (size_t)(equals - line->text));
	value = trimmed(equals + 1,
	    (size_t)(line->text + line->len - equals - 1));
	comment = strstr(value, " ;");
	if (comment)
		value[comment - value] = '\0';
	field = str_eq(key, "command") ? &p->command :
	    str_eq(key, "directory") ? &p->directory :
	    str_eq(key, "user") ? &p->user : NULL;
	if (field && !*field) {
		*field = value;
		value = NULL;
	}
	free(key);
	free(value);
}

/* From behind the head to before the next one. */
static void
read_section(const char *text, size_t len, struct supervisord_program *p,
    const struct line *head)
{
	struct buf whole = BUF_INIT(len + 2);
	struct line line = *head;
	size_t at = p->begin;

	do {
		buf_add(&whole, line.text, line.len);
		buf_char(&whole, '\n');
		take_key(p, &line);
		p->end = at = line.next;
		if (at < len)
			read_line(text, len, at, &line);
	} while (at < len && !is_head(&line));
	p->text = mem_strdup(buf_cstr(&whole));
	buf_wipe(&whole);
}

bool
supervisord_next(const char *text, size_t len, size_t *at,
    struct supervisord_program *p)
{
	struct line line;

	*p = (struct supervisord_program){ .line = 1 };
	for (size_t i = 0; i < *at; i++)
		p->line += text[i] == '\n';
	while (*at < len) {
		read_line(text, len, *at, &line);
		p->name = program_name(&line);
		if (p->name) {
			p->begin = *at;
			p->disabled = line.mark != NULL;
			if (line.mark)
				p->mark = mem_strndup(line.mark,
				    line.mark_len);
			read_section(text, len, p, &line);
			*at = p->end;
			return true;
		}
		*at = line.next;
		p->line++;
	}
	return false;
}

void
supervisord_program_clear(struct supervisord_program *p)
{
	free(p->name);
	free(p->command);
	free(p->directory);
	free(p->user);
	if (p->text)
		explicit_bzero(p->text, strlen(p->text));
	free(p->text);
	free(p->mark);
	*p = (struct supervisord_program){ 0 };
}

/* Copy a section with the prefix, or without that of the mark. */
static void
put_section(const char *text, const struct supervisord_program *p,
    const char *mark, bool off, struct buf *out)
{
	struct line line;
	const char *from;

	for (size_t at = p->begin; at < p->end; at = line.next) {
		read_line(text, p->end, at, &line);
		from = text + at;
		if (off && line.len > 0)
			buf_printf(out, PREFIX "%s; ", mark);
		else if (!off && line.mark && line.mark_len == strlen(mark) &&
		    memcmp(line.mark, mark, line.mark_len) == 0)
			from = line.text;
		buf_add(out, from, (size_t)(text + line.next - from));
	}
}

static int
change(struct buf *text, const char *name, const char *mark, bool off,
    bool *changed, struct err *err)
{
	struct buf made = BUF_INIT(text->max);
	struct supervisord_program p;
	size_t at = 0, kept = 0;
	int rc;

	*changed = false;
	while (supervisord_next(buf_cstr(text), text->len, &at, &p)) {
		if (str_eq(p.name, name) && p.disabled != off &&
		    (off || str_eq(p.mark, mark))) {
			buf_add(&made, text->data + kept, p.begin - kept);
			put_section(text->data, &p, mark, off, &made);
			kept = p.end;
			*changed = true;
		}
		supervisord_program_clear(&p);
	}
	buf_add(&made, buf_cstr(text) + kept, text->len - kept);
	rc = buf_check(&made, "the configuration", err);
	if (rc == 0 && *changed) {
		buf_truncate(text, 0);
		buf_add(text, buf_cstr(&made), made.len);
	}
	buf_wipe(&made);
	return rc;
}

int
supervisord_disable(struct buf *text, const char *name, const char *mark,
    bool *changed, struct err *err)
{
	return change(text, name, mark, true, changed, err);
}

int
supervisord_enable(struct buf *text, const char *name, const char *mark,
    bool *changed, struct err *err)
{
	return change(text, name, mark, false, changed, err);
}
