#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/compose_look.h"
#include "core/doctor.h"

#define VALUE_MAX 512

bool
compose_look_pinned(const char *image)
{
	const char *slash = strrchr(image, '/'), *tag;

	if (strstr(image, "@sha256:"))
		return true;
	tag = strchr(slash ? slash : image, ':');
	return tag && tag[1] != '\0' && !str_starts(tag, ":latest");
}

bool
compose_look_published(const char *ports)
{
	return strstr(ports, "0.0.0.0:") || strstr(ports, ":::") ||
	    strstr(ports, "[::]:");
}

/* A scalar of one line, without quotes and comment. */
static void
scalar(const char *from, size_t len, char out[static VALUE_MAX])
{
	char quote = '\0';
	size_t n = 0;

	while (len > 0 && (*from == ' ' || *from == '\t')) {
		from++;
		len--;
	}
	if (len > 0 && (*from == '"' || *from == '\'')) {
		quote = *from++;
		len--;
	}
	for (; len > 0 && n < VALUE_MAX - 1; from++, len--) {
		if (quote ? *from == quote : *from == '#' && (n == 0 ||
		    from[-1] == ' '))
			break;
		out[n++] = *from;
	}
	while (!quote && n > 0 && strchr(" \t\r", out[n - 1]))
		n--;
	out[n] = '\0';
}

/* "8283:8283", "0.0.0.0:8283:8283/tcp", "[::]:1:1"; not "127.0.0.1:1:1". */
static bool
is_public_port(const char *text)
{
	size_t colons = 0;

	if (text[strspn(text, "0123456789.:-[]/tcpud")] != '\0' ||
	    !strchr(text, ':'))
		return false;
	for (const char *at = text; *at; at++)
		colons += *at == ':';
	return colons == 1 || str_starts(text, "0.0.0.0:") ||
	    str_starts(text, "[::]:");
}

static void
look_at_line(struct doctor *d, const char *place, const char *line,
    size_t len)
{
	char value[VALUE_MAX];

	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (len > 6 && memcmp(line, "image:", 6) == 0) {
		scalar(line + 6, len - 6, value);
		doctor_judge(d, !compose_look_pinned(value),
		    "compose-latest", place, "image: %s", value);
	} else if (len > 2 && memcmp(line, "- ", 2) == 0) {
		scalar(line + 2, len - 2, value);
		if (strspn(value, "0123456789[") > 0)
			doctor_judge(d, is_public_port(value),
			    "compose-published", place, "%s", value);
	}
}

void
compose_look(struct doctor *d, const char *where, const char *text)
{
	size_t line = 1, len;
	char *place;

	for (; *text; text += len + (text[len] == '\n'), line++) {
		len = strcspn(text, "\n");
		place = mem_printf("%s:%zu", where, line);
		look_at_line(d, place, text, len);
		free(place);
	}
}
