#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/freeze.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789._-"

/* A web address without a user in it, nor a query: both may be a secret. */
static bool
is_open_url(const char *url, size_t len)
{
	const char *host = memmem(url, len, "://", 3), *slash;

	if (!host || memchr(url, '?', len) || str_starts(url, "file:") ||
	    str_starts(url, "git+file:"))
		return false;
	host += 3;
	slash = memchr(host, '/', len - (size_t)(host - url));
	return slash && !memchr(host, '@', (size_t)(slash - host));
}

/* What pip takes as one requirement, and nothing else it might do. */
static bool
can_install(const char *line, size_t len)
{
	size_t name = strspn(line, NAME_CHARS);

	if (name == 0 || name >= len || line[0] == '-')
		return false;
	if (len > name + 2 && memcmp(line + name, "==", 2) == 0)
		return name + 2 + strspn(line + name + 2,
		    NAME_CHARS "+!") >= len;
	return len > name + 3 && memcmp(line + name, " @ ", 3) == 0 &&
	    !memchr(line + name + 3, ' ', len - name - 3) &&
	    is_open_url(line + name + 3, len - name - 3);
}

/* The name in a line, or of an editable one what follows "#egg=". */
static void
add_left(struct buf *left, const char *line, size_t len)
{
	const char *egg = memmem(line, len, "#egg=", 5);
	size_t name = strspn(line, NAME_CHARS);

	if (left->len > 0)
		buf_str(left, ", ");
	if (egg) {
		egg += 5;
		str_printable(left, egg, strspn(egg, NAME_CHARS));
	} else if (line[0] == '-') {
		buf_str(left, "(an editable one)");
	} else {
		str_printable(left, line, name < len ? name : len);
	}
}

void
freeze_sort(const char *text, struct buf *kept, struct buf *left,
    struct freeze_count *count)
{
	size_t len;

	*count = (struct freeze_count){ 0 };
	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len == 0 || text[0] == '#')
			continue;
		if (can_install(text, len)) {
			buf_add(kept, text, len);
			buf_char(kept, '\n');
			count->kept++;
		} else {
			add_left(left, text, len);
			count->left++;
		}
	}
}

bool
freeze_dist_info(const char *name, struct buf *out)
{
	size_t len = strlen(name);
	const char *dash;

	if (!str_ends(name, ".dist-info"))
		return false;
	len -= strlen(".dist-info");
	dash = memrchr(name, '-', len);
	if (!dash || dash == name || strspn(name, NAME_CHARS "+!") < len)
		return false;
	buf_add(out, name, (size_t)(dash - name));
	buf_str(out, "==");
	buf_add(out, dash + 1, len - (size_t)(dash + 1 - name));
	buf_char(out, '\n');
	return true;
}

bool
freeze_version(const char *cfg, char *out, size_t size)
{
	const char *at = cfg;
	size_t len;

	/* "version" of venv, "version_info" of virtualenv. */
	while (!str_starts(at, "version")) {
		at = strchr(at, '\n');
		if (!at)
			return false;
		at++;
	}
	at += strcspn(at, "=\n");
	if (*at != '=')
		return false;
	at += 1 + strspn(at + 1, " \t");
	len = strspn(at, "0123456789.");
	if (len == 0 || len >= size)
		return false;
	(void)snprintf(out, size, "%.*s", (int)len, at);
	return true;
}
