#include "base/base.h"

#include "base/str.h"
#include "core/env_dialect_part.h"

/* A line that its reader (Go's bufio.Scanner) takes. */
#define DOCKER_LINE_MAX (64 * 1024)

/* Length of what Go's unicode.IsSpace calls a space, in UTF-8; 0: none. */
static size_t
space_len(const char *text, size_t left)
{
	static const char *const wide[] = { "\xc2\x85", "\xc2\xa0",
	    "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	    "\xe2\x81\x9f", "\xe3\x80\x80", NULL };
	size_t n;

	if (left == 0)
		return 0;
	if (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		return 1;
	for (size_t i = 0; wide[i]; i++) {
		n = strlen(wide[i]);
		if (left >= n && memcmp(text, wide[i], n) == 0)
			return n;
	}
	/* U+2000 to U+200A */
	if (left >= 3 && memcmp(text, "\xe2\x80", 2) == 0 &&
	    (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8a)
		return 3;
	return 0;
}

/* False: the file is refused. */
static bool
read_line(const char *line, size_t len, size_t number,
    struct env_reading *out)
{
	const char *equals;
	size_t n, key_len;

	while ((n = space_len(line, len)) > 0) {
		line += n;
		len -= n;
	}
	if (len == 0 || *line == '#')
		return true;
	equals = memchr(line, '=', len);
	key_len = equals ? (size_t)(equals - line) : len;
	if (key_len == 0) {
		env_dialect_refuse(out, number, "no key before \"=\"");
		return false;
	}
	if (memchr(line, ' ', key_len) || memchr(line, '\t', key_len)) {
		env_dialect_refuse(out, number, "a blank in or behind the "
		    "key (`export', or blanks around \"=\")");
		return false;
	}
	/* KEY alone is taken from the environment of docker itself. */
	env_dialect_put(out, number, line, key_len,
	    equals ? equals + 1 : NULL, equals ? len - key_len - 1 : 0,
	    NULL);
	return true;
}

void
env_dialect_docker(const char *text, size_t len, struct env_reading *out)
{
	const char *end = text + len, *stop;
	size_t n;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (size_t number = 1; text < end; number++) {
		stop = memchr(text, '\n', (size_t)(end - text));
		n = (size_t)((stop ? stop : end) - text);
		if (n >= DOCKER_LINE_MAX) {
			env_dialect_refuse(out, number, "a line of 64 KiB or "
			    "more");
			return;
		}
		if (!read_line(text, n > 0 && text[n - 1] == '\r' ? n - 1 : n,
		    number, out))
			return;
		text += n + (stop ? 1 : 0);
	}
}
