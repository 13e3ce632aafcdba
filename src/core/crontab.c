#include "base/base.h"

#include "base/buf.h"
#include "core/crontab.h"

#define PREFIX "#sanctumctl-"
#define MARK_BYTES "0123456789abcdefghijklmnopqrstuvwxyz"

void
crontab_init(struct crontab *tab, const char *text, size_t len,
    enum crontab_form form)
{
	*tab = (struct crontab){ .text = text, .len = len, .form = form };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t
blanks(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && is_blank(s[n]))
		n++;
	return n;
}

static size_t
word(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && !is_blank(s[n]))
		n++;
	return n;
}

/* Where the "=" of NAME = value is; 0 for any other line. */
static size_t
find_equals(const char *s, size_t len)
{
	size_t n = 0;
	char quote = len > 0 && (s[0] == '"' || s[0] == '\'') ? s[0] : '\0';

	if (quote) {
		for (n = 1; n < len && s[n] != quote; n++)
			;
		n += n < len;
	} else {
		while (n < len && !is_blank(s[n]) && s[n] != '=')
			n++;
	}
	if (n == 0)
		return 0;
	n += blanks(s + n, len - n);
	return n < len && s[n] == '=' ? n : 0;
}

/* Step over a field and the blanks behind it. */
static size_t
skip_field(const char *s, size_t len)
{
	size_t n = word(s, len);

	return n + blanks(s + n, len - n);
}

/* s begins with a schedule: fill the rest of a job, or leave it OTHER. */
static void
read_job(const char *s, size_t len, enum crontab_form form,
    struct crontab_line *line)
{
	static const char reboot[] = "@reboot";
	unsigned int fields = *s == '@' ? 1 : 5;
	size_t at = 0;

	line->kind = CRONTAB_OTHER;
	line->at_reboot = word(s, len) == sizeof(reboot) - 1 &&
	    strncasecmp(s, reboot, sizeof(reboot) - 1) == 0;
	while (fields-- > 0)
		at += skip_field(s + at, len - at);
	if (form == CRONTAB_SYSTEM) {
		line->user = s + at;
		line->user_len = word(s + at, len - at);
		at += skip_field(s + at, len - at);
	}
	if (at >= len)
		return;
	line->kind = CRONTAB_JOB;
	line->command = s + at;
	line->command_len = len - at;
}

static void
read_kind(const char *s, size_t len, enum crontab_form form,
    struct crontab_line *line)
{
	size_t skip = blanks(s, len);

	s += skip;
	len -= skip;
	if (len == 0 || *s == '#')
		line->kind = CRONTAB_BLANK;
	else if (find_equals(s, len) > 0)
		line->kind = CRONTAB_SETTING;
	else
		read_job(s, len, form, line);
}

/* Whether it begins with our prefix; then what is behind it. */
static bool
is_ours(const char *s, size_t len, struct crontab_line *line)
{
	size_t at = sizeof(PREFIX) - 1, n = 0;

	if (len < at || memcmp(s, PREFIX, at) != 0)
		return false;
	while (at + n < len && n < CRONTAB_MARK_MAX && s[at + n] != '\0' &&
	    strchr(MARK_BYTES, s[at + n]))
		n++;
	if (n == 0 || at + n + 2 > len || memcmp(s + at + n, "# ", 2) != 0)
		return false;
	line->mark = s + at;
	line->mark_len = n;
	line->text = s + at + n + 2;
	line->len = len - at - n - 2;
	return true;
}

bool
crontab_next(struct crontab *tab, struct crontab_line *line)
{
	const char *s = tab->text + tab->at, *end;
	size_t left = tab->len - tab->at, len;

	if (left == 0)
		return false;
	end = memchr(s, '\n', left);
	len = end ? (size_t)(end - s) : left;
	*line = (struct crontab_line){
		.number = ++tab->number,
		.begin = tab->at,
		.end = tab->at + len + (end != NULL),
		.text = s,
		.len = len,
	};
	tab->at = line->end;
	line->disabled = is_ours(s, len, line);
	read_kind(line->text, line->len, tab->form, line);
	return true;
}

void
crontab_command(const struct crontab_line *line, struct buf *shell,
    struct buf *input)
{
	const char *s = line->command;
	struct buf *out = shell;

	for (size_t i = 0; i < line->command_len; i++) {
		if (s[i] == '\\' && i + 1 < line->command_len &&
		    s[i + 1] == '%')
			buf_char(out, s[++i]);
		else if (s[i] == '%' && out == shell)
			out = input;
		else
			buf_char(out, s[i] == '%' ? '\n' : s[i]);
	}
	if (out == input)
		buf_char(input, '\n');
}

/* Without blanks around it and one pair of quotes. */
static void
put_bare(const char *s, size_t len, struct buf *out)
{
	size_t skip = blanks(s, len);

	s += skip;
	len -= skip;
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	if (len > 1 && (*s == '"' || *s == '\'') && s[len - 1] == *s) {
		s++;
		len -= 2;
	}
	buf_add(out, s, len);
}

void
crontab_setting(const struct crontab_line *line, struct buf *name,
    struct buf *value)
{
	size_t skip = blanks(line->text, line->len);
	const char *s = line->text + skip;
	size_t len = line->len - skip, at = find_equals(s, len);

	if (line->kind != CRONTAB_SETTING)
		return;
	put_bare(s, at, name);
	put_bare(s + at + 1, len - at - 1, value);
}
