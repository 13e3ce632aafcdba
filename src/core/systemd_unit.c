#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/systemd_unit.h"

/* An assignment, on its lines. */
struct entry {
	char section[64];
	char *key;
	char *value;
};

static struct buf *
list_new(void)
{
	struct buf *list = mem_zero(1, sizeof(*list));

	buf_init(list, UNIT_MAX_BYTES);
	return list;
}

void
systemd_unit_init(struct systemd_unit *u)
{
	*u = (struct systemd_unit){
		.exec = list_new(),
		.environment = list_new(),
		.environment_files = list_new(),
	};
}

static void
list_free(struct buf *list)
{
	if (list)
		buf_wipe(list);
	free(list);
}

void
systemd_unit_clear(struct systemd_unit *u)
{
	free(u->description);
	free(u->user);
	free(u->working_directory);
	list_free(u->exec);
	list_free(u->environment);
	list_free(u->environment_files);
	*u = (struct systemd_unit){ 0 };
}

static void
set(char **field, const char *value)
{
	free(*field);
	*field = *value ? mem_strdup(value) : NULL;
}

/* Words in the quotes of systemd, each with a NUL. */
static void
put_words(struct buf *out, const char *s)
{
	char quote;

	for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
		for (quote = '\0'; *s && (quote || !strchr(" \t", *s)); s++) {
			if (quote && *s == quote)
				quote = '\0';
			else if (!quote && (*s == '"' || *s == '\''))
				quote = *s;
			else if (*s == '\\' && s[1])
				buf_char(out, *++s);
			else
				buf_char(out, *s);
		}
		buf_add(out, "", 1);
	}
}

static void
put_list(struct buf *list, const char *value, bool words)
{
	if (*value == '\0')
		buf_wipe(list);
	else if (words)
		put_words(list, value);
	else
		buf_add(list, value, strlen(value) + 1);
}

/* "-/path", "@/path name": what stands in front of a program's path. */
static const char *
bare(const char *value, const char *signs)
{
	return value + strspn(value, signs);
}

static void
take_service(struct systemd_unit *u, const char *key, const char *value)
{
	if (str_eq(key, "User"))
		set(&u->user, value);
	else if (str_eq(key, "WorkingDirectory"))
		set(&u->working_directory, bare(value, "-"));
	else if (str_eq(key, "Environment"))
		put_list(u->environment, value, true);
	else if (str_eq(key, "EnvironmentFile"))
		put_list(u->environment_files, *value ? bare(value, "-") :
		    "", false);
	else if (str_starts(key, "ExecStart") && *value) {
		buf_str(u->exec, bare(value, "-@:+!|"));
		buf_char(u->exec, '\n');
	} else if (str_eq(key, "ExecStart"))
		buf_wipe(u->exec);
}

static void
take(struct systemd_unit *u, const struct entry *e)
{
	if (str_eq(e->section, "Service"))
		take_service(u, e->key, e->value);
	else if (str_eq(e->section, "Unit") && str_eq(e->key, "Description"))
		set(&u->description, e->value);
	else if (str_eq(e->section, "Install"))
		u->has_install = true;
}

static void
trim(char *text)
{
	size_t len = strlen(text), skip = strspn(text, " \t\r");

	while (len > skip && strchr(" \t\r", text[len - 1]))
		len--;
	memmove(text, text + skip, len - skip);
	text[len - skip] = '\0';
}

/* One whole line: a section, or key=value. */
static void
take_line(struct systemd_unit *u, struct entry *e, char *line)
{
	char *equals = strchr(line, '=');
	size_t len = strlen(line);

	if (*line == '[' && line[len - 1] == ']') {
		line[len - 1] = '\0';
		(void)snprintf(e->section, sizeof(e->section), "%s",
		    line + 1);
	} else if (equals) {
		*equals = '\0';
		e->key = line;
		e->value = equals + 1;
		trim(e->key);
		trim(e->value);
		take(u, e);
	}
}

void
systemd_unit_read(struct systemd_unit *u, const char *text, size_t len)
{
	struct entry e = { .section = "" };
	struct buf whole = BUF_INIT(UNIT_MAX_BYTES);
	const char *end = text + len, *stop;
	bool more;
	char *line;

	for (; text < end; text = stop + 1) {
		stop = memchr(text, '\n', (size_t)(end - text));
		stop = stop ? stop : end;
		line = mem_strndup(text, (size_t)(stop - text));
		trim(line);
		/* A comment between two lines that are one parts them not. */
		more = *line == '#' || *line == ';' ? whole.len > 0 :
		    str_ends(line, "\\");
		if (more && str_ends(line, "\\"))
			line[strlen(line) - 1] = ' ';
		if (*line != '#' && *line != ';')
			buf_str(&whole, line);
		free(line);
		if (more && stop < end)
			continue;
		if (whole.len > 0 && !whole.full)
			take_line(u, &e, whole.data);
		buf_wipe(&whole);
		whole.full = false;
	}
	buf_wipe(&whole);
}

/* Bytes of a line that set the named key; 0 for any other. */
static size_t
sets(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key), at = n;

	if (len <= n || memcmp(line, key, n) != 0)
		return 0;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return at < len && line[at] == '=' ? at + 1 : 0;
}

void
systemd_unit_set_user(const char *text, size_t len, const char *user,
    struct buf *out)
{
	const char *end = text + len, *stop;

	for (; text < end; text = stop) {
		stop = memchr(text, '\n', (size_t)(end - text));
		stop = stop ? stop + 1 : end;
		if (sets(text, (size_t)(stop - text), "User") > 0)
			buf_printf(out, "User=%s\n", user);
		else if (sets(text, (size_t)(stop - text), "Group") == 0)
			buf_add(out, text, (size_t)(stop - text));
	}
}

void
systemd_unit_expand(const char *text, const char *home, const char *user,
    struct buf *out)
{
	for (; *text; text++) {
		if (*text != '%' || !strchr("hu%", text[1]) || !text[1])
			buf_char(out, *text);
		else if (*++text == 'h')
			buf_str(out, home);
		else
			buf_str(out, *text == 'u' ? user : "%");
	}
}
