#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/bundle_line.h"
#include "core/jdoc.h"

static void
write_head(struct buf *out, const char *id, size_t len)
{
	buf_str(out, "{\"id\":");
	jdoc_write_str(id, len, out);
	buf_str(out, ",\"row\":");
}

void
bundle_line_write(struct buf *out, const char *id, const char *body,
    size_t len)
{
	size_t at;

	write_head(out, id, strlen(id));
	at = out->len;
	buf_add(out, body, len);
	/* In a string of JSON a line break is always escaped. */
	for (; at < out->len; at++) {
		if (out->data[at] == '\n' || out->data[at] == '\r')
			out->data[at] = ' ';
	}
	buf_str(out, "}\n");
}

static int
check(const struct jdoc *doc, struct err *err)
{
	const struct jdoc *id = jdoc_get(doc, "id");

	if (jdoc_type(doc) != JDOC_OBJECT || jdoc_len(doc) != 2 ||
	    jdoc_type(id) != JDOC_STRING ||
	    jdoc_type(jdoc_get(doc, "row")) != JDOC_OBJECT)
		return err_set(err, ERR_DATA, "not an id and a row");
	if (jdoc_str_len(id) == 0 || jdoc_str_len(id) >= BUNDLE_ID_SIZE ||
	    strlen(jdoc_str(id)) != jdoc_str_len(id))
		return err_set(err, ERR_DATA, "an id of 1 to %d bytes is "
		    "wanted", BUNDLE_ID_SIZE - 1);
	return 0;
}

int
bundle_line_read(const char *line, size_t len,
    char id[static BUNDLE_ID_SIZE], const char **body, size_t *body_len,
    struct err *err)
{
	struct buf head = BUF_INIT((size_t)BUNDLE_ID_SIZE * 8);
	struct jdoc *doc = jdoc_parse(line, len, err);
	int rc;

	if (!doc)
		return -1;
	rc = check(doc, err);
	if (rc == 0) {
		(void)snprintf(id, BUNDLE_ID_SIZE, "%s",
		    jdoc_get_str(doc, "id"));
		write_head(&head, id, strlen(id));
		if (len <= head.len || line[len - 1] != '}' ||
		    memcmp(line, buf_cstr(&head), head.len) != 0)
			rc = err_set(err, ERR_DATA, "not as this program "
			    "writes a line: {\"id\":...,\"row\":...}");
		*body = line + head.len;
		*body_len = len - head.len - 1;
	}
	jdoc_free(doc);
	buf_clear(&head);
	return rc;
}
