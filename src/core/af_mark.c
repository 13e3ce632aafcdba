#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/jdoc.h"
#include "core/letta.h"

static struct jdoc *
copy_of(const struct jdoc *metadata)
{
	return jdoc_type(metadata) == JDOC_OBJECT ? jdoc_copy(metadata) :
	    jdoc_new_object();
}

struct jdoc *
af_mark_put(const struct jdoc *metadata, const struct af_mark *mark)
{
	struct jdoc *out = copy_of(metadata), *entry = jdoc_new_object();

	jdoc_set_str(entry, "mark", mark->mark);
	jdoc_set_str(entry, "name", mark->name);
	jdoc_set_str(entry, "from", mark->from);
	jdoc_set(out, AF_MARK_KEY, entry);
	return out;
}

const char *
af_mark_of(const struct jdoc *metadata)
{
	return jdoc_get_str(jdoc_get(metadata, AF_MARK_KEY), "mark");
}

struct jdoc *
af_mark_final(const struct jdoc *metadata, const char *original_name)
{
	struct jdoc *out = copy_of(metadata);

	jdoc_remove(out, AF_MARK_KEY);
	if (original_name)
		jdoc_set_str(out, AF_MARK_NAME_KEY, original_name);
	return out;
}

struct jdoc *
af_mark_own(const struct jdoc *metadata)
{
	struct jdoc *out = af_mark_final(metadata, NULL);

	jdoc_remove(out, AF_MARK_NAME_KEY);
	return out;
}

/*
 * Beyond ASCII: signs, arrows, emoji and combining accents, none of which is
 * a letter or digit to a server (Python's \w).  Not all that it refuses.
 */
static const struct {
	uint32_t first, last;
} signs[] = {
	{ 0x0300, 0x036f }, { 0x2010, 0x2027 }, { 0x2030, 0x205e },
	{ 0x20a0, 0x20c0 }, { 0x2190, 0x2426 }, { 0x2500, 0x2775 },
	{ 0x2794, 0x2bff }, { 0x3001, 0x3004 }, { 0x3008, 0x3020 },
	{ 0xfe00, 0xfe0f }, { 0x1f000, 0x1f0ff }, { 0x1f1e6, 0x1f1ff },
	{ 0x1f300, 0x1faff },
};

/* The code point of one whole UTF-8 character of len bytes. */
static uint32_t
code_point(const char *s, size_t len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)s[0] & first[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

/* Whether a server takes the character of len bytes; 0: it is none. */
static bool
may_pass(const char *s, size_t len)
{
	const char one[2] = { s[0], '\0' };
	uint32_t c;

	if (len <= 1)
		return len == 1 && letta_name_may_pass(one);
	c = code_point(s, len);
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (c >= signs[i].first && c <= signs[i].last)
			return false;
	}
	return true;
}

/* The same for a whole name. */
static bool
passes(const char *name)
{
	size_t len;

	if (!*name)
		return false;
	for (; *name; name += len) {
		len = str_utf8_char(name, strlen(name));
		if (!may_pass(name, len))
			return false;
	}
	return true;
}

static bool
is_filler(char c)
{
	return c == '-' || c == ' ';
}

void
af_mark_name(const char *name, struct buf *out)
{
	const size_t start = out->len;
	bool refused = false;
	size_t len;

	if (passes(name)) {
		buf_str(out, name);
		return;
	}
	for (; *name; name += len) {
		len = str_utf8_char(name, strlen(name));
		if (!may_pass(name, len)) {
			refused = true;
			len = len > 0 ? len : 1;
			continue;
		}
		if (out->len == start && is_filler(*name))
			continue;
		if (refused && out->len > start && *name != '-' &&
		    out->data[out->len - 1] != '-')
			buf_char(out, '-');
		refused = false;
		buf_add(out, name, len);
	}
	while (out->len > start && is_filler(out->data[out->len - 1]))
		buf_truncate(out, out->len - 1);
	if (out->len == start)
		buf_str(out, "agent");
}
