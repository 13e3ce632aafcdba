#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_answer.h"
#include "core/letta_memory.h"

#define TEXT_MAX (16 * 1024 * 1024)

/* "BEFORE<id>BETWEEN<other>"; other may be NULL. */
static void
path(struct buf *out, const char *before, const char *id,
    const char *between, const char *other)
{
	buf_str(out, before);
	str_url(out, id);
	buf_str(out, between);
	if (other)
		str_url(out, other);
}

void
letta_path_passage_newest(struct buf *out, const char *agent)
{
	path(out, "/v1/agents/", agent,
	    "/archival-memory?ascending=false&limit=1", NULL);
}

bool
letta_archive_is_auto(const char *archive, const char *agent)
{
	size_t len = strlen(agent);

	return strncmp(archive, agent, len) == 0 &&
	    str_eq(archive + len, "'s Archive");
}

void
letta_path_passage_batch(struct buf *out, const char *archive)
{
	path(out, "/v1/archives/", archive, "/passages/batch", NULL);
}

void
letta_path_blocks_by_label(struct buf *out, const char *label)
{
	path(out, LETTA_PATH_BLOCKS "?label=", label, "", NULL);
}

void
letta_path_block_attach(struct buf *out, const char *agent,
    const char *block)
{
	path(out, "/v1/agents/", agent, "/core-memory/blocks/attach/", block);
}

void
letta_path_block_detach(struct buf *out, const char *agent,
    const char *block)
{
	path(out, "/v1/agents/", agent, "/core-memory/blocks/detach/", block);
}

void
letta_path_identity(struct buf *out, const char *identity)
{
	path(out, LETTA_PATH_IDENTITIES, identity, "", NULL);
}

void
letta_path_identities_by_key(struct buf *out, const char *key)
{
	path(out, LETTA_PATH_IDENTITIES "?identifier_key=", key, "", NULL);
}

void
letta_path_identity_agents(struct buf *out, const char *identity)
{
	path(out, LETTA_PATH_IDENTITIES, identity, "/agents", NULL);
}

void
letta_path_identity_attach(struct buf *out, const char *agent,
    const char *identity)
{
	path(out, "/v1/agents/", agent, "/identities/attach/", identity);
}

void
letta_path_agent_tools(struct buf *out, const char *agent)
{
	path(out, "/v1/agents/", agent, "/tools?limit=1000", NULL);
}

void
letta_path_tool_attach(struct buf *out, const char *agent, const char *tool)
{
	path(out, "/v1/agents/", agent, "/tools/attach/", tool);
}

void
letta_path_tool_detach(struct buf *out, const char *agent, const char *tool)
{
	path(out, "/v1/agents/", agent, "/tools/detach/", tool);
}

int
letta_body_passages(struct buf *out, const struct letta_staged *staged,
    size_t n, struct err *err)
{
	buf_str(out, "{\"passages\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, ',');
		if (letta_body_passage(out, staged[i].text, staged[i].len,
		    err) != 0)
			return -1;
	}
	buf_str(out, "]}");
	return 0;
}

static void
set_copy(struct jdoc *out, const struct jdoc *from, const char *key)
{
	if (jdoc_type(jdoc_get(from, key)) != JDOC_NULL)
		jdoc_set(out, key, jdoc_copy(jdoc_get(from, key)));
}

/* Canonical text leaves null members out. */
static int
write_row(const struct jdoc *row, const char *what, struct buf *out,
    struct err *err)
{
	jdoc_write_canonical(row, out);
	return buf_check(out, what, err);
}

int
letta_block_row(const struct jdoc *block, const struct jdoc *shared_with,
    struct buf *out, struct err *err)
{
	static const char *const keys[] = { "label", "value", "limit",
	    "description", "read_only", "metadata" };
	struct jdoc *row = jdoc_new_object(), *tags;
	int rc = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		set_copy(row, block, keys[i]);
	if (!jdoc_has(row, "read_only"))
		jdoc_set(row, "read_only", jdoc_new_bool(false));
	if (jdoc_type(jdoc_get(block, "tags")) == JDOC_ARRAY) {
		tags = jdoc_new_array();
		jdoc_set(row, "tags", tags);
		rc = letta_answer_tags(jdoc_get(block, "tags"), "block",
		    tags, err);
	}
	jdoc_set(row, "shared_with", shared_with ? jdoc_copy(shared_with) :
	    jdoc_new_array());
	if (rc == 0 && (!jdoc_get_str(row, "label") ||
	    !jdoc_get_str(row, "value")))
		rc = err_set(err, ERR_DATA, "block: no label or no value");
	if (rc == 0)
		rc = write_row(row, "block", out, err);
	jdoc_free(row);
	return rc;
}

/* None is the same as an empty object. */
static bool
same_value(const struct jdoc *a, const struct jdoc *b)
{
	struct buf x = BUF_INIT(TEXT_MAX), y = BUF_INIT(TEXT_MAX);
	bool same;

	if (jdoc_len(a) == 0 && jdoc_len(b) == 0)
		return true;
	jdoc_write_canonical(a, &x);
	jdoc_write_canonical(b, &y);
	same = !x.full && !y.full && str_eq(buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

/* None is the same as an empty text. */
static bool
same_text(const struct jdoc *a, const struct jdoc *b, const char *key)
{
	const char *x = jdoc_get_str(a, key), *y = jdoc_get_str(b, key);

	return str_eq(x ? x : "", y ? y : "");
}

/* A server gives tags in any order. */
static bool
same_tags(const struct jdoc *row, const struct jdoc *there)
{
	struct jdoc *sorted = jdoc_new_array();
	struct err ignored = ERR_INIT;
	bool same;

	same = letta_answer_tags(there, "block", sorted, &ignored) == 0 &&
	    same_value(row, sorted);
	jdoc_free(sorted);
	return same;
}

static int64_t
wanted_limit(const struct jdoc *row)
{
	const struct jdoc *value = jdoc_get(row, "value");

	return af_shell_limit(jdoc_int(jdoc_get(row, "limit")),
	    jdoc_str(value) ? jdoc_str(value) : "", jdoc_str_len(value));
}

unsigned int
letta_block_changes(const struct jdoc *row, const struct jdoc *there)
{
	const struct jdoc *tags = jdoc_get(row, "tags");
	unsigned int fields = 0;

	if (!same_text(row, there, "label"))
		fields |= LETTA_BLOCK_LABEL;
	if (jdoc_has(row, "limit") &&
	    wanted_limit(row) != jdoc_int(jdoc_get(there, "limit")))
		fields |= LETTA_BLOCK_LIMIT;
	if (!same_text(row, there, "description"))
		fields |= LETTA_BLOCK_DESCRIPTION;
	if (jdoc_bool(jdoc_get(row, "read_only")) !=
	    jdoc_bool(jdoc_get(there, "read_only")))
		fields |= LETTA_BLOCK_READ_ONLY;
	if (!same_value(jdoc_get(row, "metadata"),
	    jdoc_get(there, "metadata")))
		fields |= LETTA_BLOCK_METADATA;
	if (tags && jdoc_has(there, "tags") &&
	    !same_tags(tags, jdoc_get(there, "tags")))
		fields |= LETTA_BLOCK_TAGS;
	return fields;
}

/* The row's member, or what stands for none of it. */
static void
set_field(struct jdoc *body, const struct jdoc *row, const char *key,
    struct jdoc *take_none)
{
	if (jdoc_has(row, key)) {
		set_copy(body, row, key);
		jdoc_free(take_none);
	} else {
		jdoc_set(body, key, take_none);
	}
}

static struct jdoc *
block_body(const struct jdoc *row, unsigned int fields)
{
	struct jdoc *body = jdoc_new_object();

	if (fields & LETTA_BLOCK_LABEL)
		set_copy(body, row, "label");
	if (fields & LETTA_BLOCK_VALUE)
		set_copy(body, row, "value");
	if ((fields & LETTA_BLOCK_LIMIT) && jdoc_has(row, "limit"))
		jdoc_set(body, "limit", jdoc_new_int(wanted_limit(row)));
	if (fields & LETTA_BLOCK_DESCRIPTION)
		set_field(body, row, "description", jdoc_new_str(""));
	if (fields & LETTA_BLOCK_READ_ONLY)
		set_copy(body, row, "read_only");
	if (fields & LETTA_BLOCK_METADATA)
		set_field(body, row, "metadata", jdoc_new_object());
	if (fields & LETTA_BLOCK_TAGS)
		set_copy(body, row, "tags");
	return body;
}

void
letta_body_block(struct buf *out, const struct jdoc *row,
    unsigned int fields)
{
	struct jdoc *body = block_body(row, fields);

	jdoc_write(body, out);
	jdoc_free(body);
}

void
letta_body_block_new(struct buf *out, const struct jdoc *row,
    const char *label)
{
	struct jdoc *body = block_body(row, LETTA_BLOCK_VALUE |
	    LETTA_BLOCK_LIMIT);

	jdoc_set_str(body, "label", label);
	jdoc_write(body, out);
	jdoc_free(body);
}

int
letta_identity_row(const struct jdoc *identity, struct buf *out,
    struct err *err)
{
	static const char *const keys[] = { "identifier_key", "identity_type",
	    "name" };
	struct jdoc *row = jdoc_new_object();
	int rc = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys) && rc == 0; i++) {
		set_copy(row, identity, keys[i]);
		if (!jdoc_get_str(row, keys[i]))
			rc = err_set(err, ERR_DATA, "identity: no %s",
			    keys[i]);
	}
	set_field(row, identity, "properties", jdoc_new_array());
	if (jdoc_type(jdoc_get(row, "properties")) != JDOC_ARRAY)
		jdoc_set(row, "properties", jdoc_new_array());
	if (rc == 0)
		rc = write_row(row, "identity", out, err);
	jdoc_free(row);
	return rc;
}
