#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/requirements.h"

#define HASH "--hash=sha256:"
#define HASH_DIGITS 64
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
	"0123456789._-"

/* One entry: its lines up to one that does not go on. */
struct entry {
	const char *text;
	size_t len;
	int line;
};

/* The next entry from *at on; false at the end. */
static bool
next_entry(const char **at, int *line, struct entry *out)
{
	const char *end;
	size_t len;

	for (;;) {
		*at += strspn(*at, " \t\r");
		if (**at == '\0')
			return false;
		len = strcspn(*at, "\n");
		if (len > 0 && **at != '#')
			break;
		*at += len + ((*at)[len] == '\n');
		++*line;
	}
	*out = (struct entry){ .text = *at, .line = *line };
	for (end = *at;;) {
		len = strcspn(end, "\n");
		end += len;
		if (*end == '\0')
			break;
		++*line;
		end++;
		if (len == 0 || end[-2] != '\\')
			break;
	}
	out->len = (size_t)(end - *at);
	*at = end;
	return true;
}

/* Bytes of the name; 0 when the entry does not begin with one. */
static size_t
name_span(const struct entry *e)
{
	return strspn(e->text, NAME_CHARS);
}

/* Where "==" stands, behind the name and its extras; NULL: nowhere. */
static const char *
pin_of(const struct entry *e)
{
	const char *at = e->text + name_span(e);

	if (*at == '[')
		at += strcspn(at, "]\n") + 1;
	return strncmp(at, "==", 2) == 0 ? at + 2 : NULL;
}

static bool
has_hash(const struct entry *e)
{
	const char *end = e->text + e->len, *at = e->text;

	at = strstr(at, HASH);
	return at && at < end && strspn(at + sizeof(HASH) - 1,
	    "0123456789abcdef") >= HASH_DIGITS;
}

static int
check_entry(const char *path, const struct entry *e, struct err *err)
{
	const char *pin;

	if (*e->text == '-')
		return err_set(err, ERR_USAGE, "%s:%d: an option is not taken "
		    "here: the list holds NAME==VERSION with hashes alone",
		    path, e->line);
	pin = name_span(e) > 0 ? pin_of(e) : NULL;
	if (!pin || strspn(pin, NAME_CHARS "+!") == 0 || strchr("*", *pin))
		return err_set(err, ERR_USAGE, "%s:%d: %.*s is not pinned: "
		    "write NAME==VERSION with its hashes, as `uv pip compile "
		    "--generate-hashes' does", path, e->line,
		    (int)name_span(e), e->text);
	if (!has_hash(e))
		return err_set(err, ERR_USAGE, "%s:%d: %.*s has no "
		    "--hash=sha256:..., so what is downloaded could not be "
		    "told from something else", path, e->line,
		    (int)name_span(e), e->text);
	return 0;
}

int
requirements_check(const char *path, const char *text, size_t len,
    struct err *err)
{
	struct entry e;
	int line = 1;

	if (len > REQUIREMENTS_MAX || strlen(text) != len)
		return err_set(err, ERR_USAGE, "%s: is larger than %d bytes, "
		    "or has NUL bytes in it", path, REQUIREMENTS_MAX);
	while (next_entry(&text, &line, &e)) {
		if (check_entry(path, &e, err) != 0)
			return -1;
	}
	return 0;
}

static char
plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '_' || c == '.' ? '-' : c;
}

static bool
is_named(const struct entry *e, const char *name)
{
	size_t len = name_span(e);

	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (plain(e->text[i]) != plain(name[i]))
			return false;
	}
	return true;
}

static bool
find(const char *text, const char *name, struct entry *out)
{
	int line = 1;

	while (next_entry(&text, &line, out)) {
		if (is_named(out, name))
			return true;
	}
	return false;
}

void
requirements_version(const char *text, const char *name,
    char out[static REQUIREMENTS_VERSION_SIZE])
{
	const char *pin;
	struct entry e;

	out[0] = '\0';
	if (!find(text, name, &e))
		return;
	pin = pin_of(&e);
	if (pin)
		(void)snprintf(out, REQUIREMENTS_VERSION_SIZE, "%.*s",
		    (int)strspn(pin, NAME_CHARS "+!"), pin);
}

void
requirements_entry(const char *text, const char *name, struct buf *out)
{
	struct entry e;

	if (find(text, name, &e))
		buf_add(out, e.text, e.len);
}
