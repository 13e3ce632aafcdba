#include "base/base.h"

#include "base/buf.h"
#include "core/dotenv_parse.h"
#include "core/repoint.h"

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
}

/* Replace in text[begin, end). */
static size_t
replace(struct buf *text, size_t begin, size_t end, const char *old_id,
    const char *new_id)
{
	size_t n = 0, len = strlen(old_id);
	char *data = text->data;

	for (size_t i = begin; end - begin >= len && i + len <= end; i++) {
		if (memcmp(data + i, old_id, len) != 0 ||
		    (i > 0 && is_word(data[i - 1])) ||
		    (i + len < text->len && is_word(data[i + len])))
			continue;
		memcpy(data + i, new_id, len);
		n++;
	}
	return n;
}

size_t
repoint_text(struct buf *text, const char *old_id, const char *new_id)
{
	if (text->len == 0 || strlen(old_id) != strlen(new_id))
		return 0;
	return replace(text, 0, text->len, old_id, new_id);
}

size_t
repoint_env(struct buf *text, const char *old_id, const char *new_id)
{
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t n = 0;

	if (text->len == 0 || strlen(old_id) != strlen(new_id))
		return 0;
	dotenv_parse_init(&p, text->data, text->len);
	while (dotenv_parse_next(&p, &e)) {
		if (dotenv_parse_is_key(&e, "AGENT_ID") ||
		    dotenv_parse_is_key(&e, "LETTA_AGENT_ID"))
			n += replace(text, e.value_begin, e.value_end,
			    old_id, new_id);
	}
	return n;
}

size_t
repoint_line(const char *text, size_t len, const char *id)
{
	const char *at = len > 0 ? memmem(text, len, id, strlen(id)) : NULL;

	return at ? dotenv_parse_line(text, (size_t)(at - text)) : 0;
}
