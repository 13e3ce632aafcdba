#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"

const struct letta_field letta_import_fields[LETTA_IMPORT_FIELDS] = {
	{ "append_copy_suffix", "false" },
	{ "override_existing_tools", "false" },
};

/* A number up to a dot or the end; the text has been bounded. */
static bool
version_part(const char **p, unsigned int *out)
{
	const char *first = *p;

	*out = 0;
	for (; **p >= '0' && **p <= '9' && *p - first < 6; (*p)++)
		*out = *out * 10 + (unsigned int)(**p - '0');
	return *p > first;
}

static bool
version_read(const char *text, struct letta_caps *caps)
{
	const char *p = text;

	if (strlen(text) >= sizeof(caps->version))
		return false;
	if (!version_part(&p, &caps->major) || *p++ != '.' ||
	    !version_part(&p, &caps->minor) || *p++ != '.' ||
	    !version_part(&p, &caps->patch) || *p)
		return false;
	memcpy(caps->version, text, strlen(text) + 1);
	return true;
}

/* Whether this is older than 0.MINOR.PATCH. */
static bool
before(const struct letta_caps *caps, unsigned int minor, unsigned int patch)
{
	if (caps->major != 0 || caps->minor != minor)
		return caps->major == 0 && caps->minor < minor;
	return caps->patch < patch;
}

static int
judge(const struct letta_caps *caps, struct err *err)
{
	if (before(caps, 11, 3))
		return err_set(err, ERR_DATA, "server is Letta %s; known are "
		    "0.11.3 to 0.16.8", caps->version);
	return 0;
}

void
letta_caps_of(const char *version, struct letta_caps *caps)
{
	*caps = (struct letta_caps){ 0 };
	if (version && version_read(version, caps))
		caps->backward = before(caps, 16, 2);
}

int
letta_caps_target(const struct letta_caps *caps, struct err *err)
{
	if (before(caps, 16, 2) || caps->untried)
		return err_set(err, ERR_DATA, "Letta %s can be a source only: "
		    "agents go to 0.16.2 to 0.16.8", caps->version);
	return 0;
}

int
letta_caps_read(const char *text, size_t len, struct letta_caps *caps,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	struct buf shown = BUF_INIT(64);
	const char *version;
	int rc = -1;

	memset(caps, 0, sizeof(*caps));
	if (!doc)
		return err_ctx(err, "health (is this a Letta server?)");
	version = jdoc_get_str(doc, "version");
	if (!version) {
		err_set(err, ERR_DATA, "health: no `version' in the answer "
		    "(is this a Letta server?)");
	} else if (!version_read(version, caps)) {
		str_printable(&shown, version, strlen(version));
		err_set(err, ERR_DATA, "health: version \"%s\" is not of the "
		    "form 0.16.2", buf_cstr(&shown));
	} else {
		rc = judge(caps, err);
		caps->backward = before(caps, 16, 2);
		caps->untried = !before(caps, 16, 9);
	}
	buf_clear(&shown);
	jdoc_free(doc);
	return rc;
}

static bool
is_lower_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool
letta_id_ok(const char *id, const char *prefix)
{
	static const char shape[] = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
	size_t i;

	if (!str_starts(id, prefix))
		return false;
	id += strlen(prefix);
	if (strlen(id) != strlen(shape))
		return false;
	for (i = 0; shape[i]; i++) {
		if (shape[i] == 'x' ? !is_lower_hex(id[i]) :
		    shape[i] == 'v' ? !strchr("89ab", id[i]) :
		    id[i] != shape[i])
			return false;
	}
	return true;
}

bool
letta_name_may_pass(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++) {
		if ((unsigned char)*name < 0x80 &&
		    !(*name >= 'a' && *name <= 'z') &&
		    !(*name >= 'A' && *name <= 'Z') &&
		    !(*name >= '0' && *name <= '9') && !strchr(" -_'", *name))
			return false;
	}
	return true;
}

bool
letta_name_ok(const char *name)
{
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			return false;
	}
	return letta_name_may_pass(name);
}

/* "/v1/KIND/<id>TAIL" */
static void
path(struct buf *out, const char *kind, const char *id, const char *tail)
{
	buf_str(out, "/v1/");
	buf_str(out, kind);
	buf_char(out, '/');
	str_url(out, id);
	buf_str(out, tail);
}

static void
add_query(struct buf *out, const char *key, const char *value)
{
	if (value && *value) {
		buf_printf(out, "&%s=", key);
		str_url(out, value);
	}
}

void
letta_path_agent(struct buf *out, const char *agent)
{
	path(out, "agents", agent, "");
}

void
letta_path_agents_by_name(struct buf *out, const char *name)
{
	buf_str(out, "/v1/agents/?name=");
	str_url(out, name);
}

void
letta_path_agents(struct buf *out, const char *after, unsigned int limit)
{
	buf_printf(out, "/v1/agents/?order=asc&ascending=true&limit=%u"
	    "&show_hidden_agents=true", limit);
	if (after && *after) {
		buf_str(out, "&after=");
		str_url(out, after);
	}
}

void
letta_path_export(struct buf *out, const char *agent, unsigned int max_steps)
{
	path(out, "agents", agent, "/export");
	if (max_steps > 0)
		buf_printf(out, "?max_steps=%u", max_steps);
}

void
letta_path_active_runs(struct buf *out, const char *agent, bool backward)
{
	if (backward) {
		buf_str(out, "/v1/runs/active?agent_ids=");
		str_url(out, agent);
		return;
	}
	buf_str(out, "/v1/runs/?active=true");
	add_query(out, "agent_id", agent);
}

void
letta_path_messages(struct buf *out, const char *agent,
    const char *conversation, bool backward, const char *cursor,
    unsigned int limit)
{
	path(out, "agents", agent, "/messages?use_assistant_message=false");
	if (backward)
		buf_str(out, "&include_err=true");
	else
		buf_str(out, "&order=asc");
	buf_printf(out, "&limit=%u", limit);
	if (!backward)
		add_query(out, "conversation_id", conversation ?
		    conversation : "default");
	add_query(out, backward ? "before" : "after", cursor);
}

void
letta_path_shown(struct buf *out, const char *agent, const char *after,
    unsigned int limit)
{
	path(out, "agents", agent, "/messages?order=asc");
	buf_printf(out, "&limit=%u", limit);
	add_query(out, "conversation_id", "default");
	add_query(out, "after", after);
}

void
letta_path_turn(struct buf *out, const char *agent)
{
	path(out, "agents", agent, "/messages");
}

void
letta_path_message_newest(struct buf *out, const char *agent, bool backward)
{
	path(out, "agents", agent, "/messages?use_assistant_message=false"
	    "&limit=1");
	buf_str(out, backward ? "&include_err=true" : "&order=desc");
}

void
letta_path_conversations(struct buf *out, const char *agent,
    const char *after, unsigned int limit)
{
	buf_printf(out, "/v1/conversations/?limit=%u", limit);
	add_query(out, "agent_id", agent);
	add_query(out, "after", after);
}

void
letta_path_passages(struct buf *out, const char *agent, const char *cursor,
    unsigned int limit)
{
	path(out, "agents", agent, "/archival-memory?");
	buf_printf(out, "ascending=true&limit=%u", limit);
	add_query(out, "after", cursor);
}

void
letta_path_passage(struct buf *out, const char *agent, const char *passage)
{
	path(out, "agents", agent, "/archival-memory/");
	str_url(out, passage);
}

void
letta_path_passage_insert(struct buf *out, const char *agent)
{
	path(out, "agents", agent, "/archival-memory");
}

void
letta_path_archives(struct buf *out, const char *agent)
{
	buf_str(out, "/v1/archives/?agent_id=");
	str_url(out, agent);
}

void
letta_path_archive(struct buf *out, const char *archive)
{
	path(out, "archives", archive, "");
}

void
letta_path_archive_agents(struct buf *out, const char *archive)
{
	path(out, "archives", archive, "/agents");
}

void
letta_path_agent_blocks(struct buf *out, const char *agent)
{
	path(out, "agents", agent, "/core-memory/blocks");
}

void
letta_path_block(struct buf *out, const char *block)
{
	path(out, "blocks", block, "");
}

void
letta_path_tool(struct buf *out, const char *tool)
{
	path(out, "tools", tool, "");
}

void
letta_path_block_agents(struct buf *out, const char *block)
{
	path(out, "blocks", block, "/agents");
}

void
letta_path_list(struct buf *out, const char *kind, const char *after,
    unsigned int limit)
{
	buf_printf(out, "/v1/%s/?limit=%u", kind, limit);
	add_query(out, "after", after);
}

void
letta_path_tools_by_name(struct buf *out, const char *name)
{
	buf_str(out, "/v1/tools/?name=");
	str_url(out, name);
}

int
letta_body_passage(struct buf *out, const char *staged, size_t len,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(staged, len, err);

	if (!doc)
		return err_ctx(err, "staged passage");
	if (!jdoc_get_str(doc, "text")) {
		jdoc_free(doc);
		return err_set(err, ERR_DATA, "staged passage: no text");
	}
	if (jdoc_len(jdoc_get(doc, "tags")) == 0)
		jdoc_remove(doc, "tags");
	jdoc_write(doc, out);
	jdoc_free(doc);
	return 0;
}

void
letta_body_agent(struct buf *out, const char *name,
    const struct jdoc *metadata)
{
	buf_char(out, '{');
	if (name) {
		buf_str(out, "\"name\":");
		jdoc_write_str(name, strlen(name), out);
	}
	if (metadata) {
		buf_str(out, name ? ",\"metadata\":" : "\"metadata\":");
		jdoc_write(metadata, out);
	}
	buf_char(out, '}');
}

static void
carry(struct jdoc *to, const struct jdoc *from, const char *key)
{
	if (jdoc_type(jdoc_get(from, key)) != JDOC_NULL)
		jdoc_set(to, key, jdoc_copy(jdoc_get(from, key)));
}

static struct jdoc *
copy_blocks(const struct jdoc *state)
{
	const struct jdoc *blocks = jdoc_get(jdoc_get(state, "memory"),
	    "blocks");
	struct jdoc *list = jdoc_new_array(), *block;

	for (size_t i = 0; i < jdoc_len(blocks); i++) {
		block = jdoc_new_object();
		carry(block, jdoc_at(blocks, i), "label");
		carry(block, jdoc_at(blocks, i), "value");
		carry(block, jdoc_at(blocks, i), "limit");
		jdoc_push(list, block);
	}
	return list;
}

void
letta_body_copy(struct buf *out, const struct jdoc *state, const char *name,
    const char *tool)
{
	static const char *const keys[] = {
		"agent_type", "llm_config", "embedding_config", "system"
	};
	struct jdoc *body = jdoc_new_object(), *tools = jdoc_new_array();

	jdoc_set_str(body, "name", name);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		carry(body, state, keys[i]);
	jdoc_set(body, "memory_blocks", copy_blocks(state));
	if (*tool)
		jdoc_push(tools, jdoc_new_str(tool));
	jdoc_set(body, "tool_ids", tools);
	jdoc_set(body, "include_base_tools", jdoc_new_bool(false));
	jdoc_write(body, out);
	jdoc_free(body);
}

void
letta_body_turn(struct buf *out, const char *text)
{
	buf_str(out, "{\"messages\":[{\"role\":\"user\",\"content\":");
	jdoc_write_str(text, strlen(text), out);
	buf_str(out, "}]}");
}
