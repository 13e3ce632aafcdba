#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/af_rule.h"
#include "core/jdoc.h"

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

/* Whether a server takes the character of len bytes; 0: it is none. */
static bool
may_pass(const char *s, size_t len)
{
	char one[5] = "";

	if (len == 0 || len >= sizeof(one))
		return false;
	memcpy(one, s, len);
	return af_rule_name_ok(one);
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

	if (*name && af_rule_name_ok(name)) {
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
