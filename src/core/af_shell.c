#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"

#define LIST_MAX 100000
#define MCP_TAG "mcp:"
/* Of a list of names in a message, and of one of them. */
#define NAMES_MAX 200
#define NAME_SHOWN 64

const struct jdoc *
af_shell_agent(const struct jdoc *file, struct err *err)
{
	const struct jdoc *agents = jdoc_get(file, "agents");

	if (jdoc_type(file) != JDOC_OBJECT) {
		err_set(err, ERR_DATA, "agent file: not an object");
	} else if (!agents && (jdoc_has(file, "core_memory") ||
	    jdoc_has(file, "in_context_message_indices"))) {
		err_set(err, ERR_DATA, "agent file: version 1, the legacy "
		    "format of servers before 0.16, which no later server "
		    "imports");
	} else if (jdoc_type(agents) != JDOC_ARRAY) {
		err_set(err, ERR_DATA, "agent file: no `agents'");
	} else if (jdoc_len(agents) != 1) {
		err_set(err, ERR_DATA, "agent file: holds %zu agents, and "
		    "exactly one is moved at a time", jdoc_len(agents));
	} else if (jdoc_type(jdoc_at(agents, 0)) != JDOC_OBJECT) {
		err_set(err, ERR_DATA, "agent file: /agents/0 is not an "
		    "object");
	} else {
		return jdoc_at(agents, 0);
	}
	return NULL;
}

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

static const struct jdoc *
object_or_null(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_OBJECT ? value : NULL;
}

/* Names of tool variables: under either key (0.16.2 has the second). */
static const struct jdoc *
variables(const struct jdoc *agent)
{
	const struct jdoc *names = jdoc_get(agent, "secrets");

	return jdoc_len(names) > 0 ? names :
	    jdoc_get(agent, "tool_exec_environment_variables");
}

static int
read_blocks(const struct jdoc *list, struct af_shell *shell, struct err *err)
{
	const struct jdoc *item, *value;
	struct af_block *b;
	size_t i, n = jdoc_len(list);

	if (n > LIST_MAX)
		return err_set(err, ERR_DATA, "%zu blocks", n);
	shell->blocks = mem_zero(n + 1, sizeof(*shell->blocks));
	for (i = 0; i < n; i++) {
		item = jdoc_at(list, i);
		value = jdoc_get(item, "value");
		b = &shell->blocks[i];
		b->label = jdoc_get_str(item, "label");
		b->value = jdoc_str(value);
		if (!b->label || !b->value)
			return err_set(err, ERR_DATA, "block %zu: no label "
			    "or no value", i);
		b->value_len = jdoc_str_len(value);
		b->limit = jdoc_int(jdoc_get(item, "limit"));
		b->description = jdoc_get_str(item, "description");
		b->read_only = jdoc_bool(jdoc_get(item, "read_only"));
		b->metadata = object_or_null(jdoc_get(item, "metadata"));
		b->id = or_empty(jdoc_get_str(item, "id"));
		shell->n_blocks++;
	}
	return 0;
}

static int
read_tools(const struct jdoc *list, struct af_shell *shell, struct err *err)
{
	const struct jdoc *item;
	struct af_tool *t;
	size_t i, n = jdoc_len(list);

	if (n > LIST_MAX)
		return err_set(err, ERR_DATA, "%zu tools", n);
	shell->tools = mem_zero(n + 1, sizeof(*shell->tools));
	for (i = 0; i < n; i++) {
		item = jdoc_at(list, i);
		t = &shell->tools[i];
		t->name = jdoc_get_str(item, "name");
		if (!t->name)
			return err_set(err, ERR_DATA, "tool %zu: no name", i);
		t->type = or_empty(jdoc_get_str(item, "tool_type"));
		t->source_code = jdoc_get_str(item, "source_code");
		t->id = or_empty(jdoc_get_str(item, "id"));
		t->doc = item;
		shell->n_tools++;
	}
	return 0;
}

static int
read_agent(const struct jdoc *agent, struct af_shell *shell, struct err *err)
{
	const struct jdoc *tags = jdoc_get(agent, "tags");

	shell->name = jdoc_get_str(agent, "name");
	if (!shell->name)
		return err_set(err, ERR_DATA, "no name");
	shell->agent_type = jdoc_get_str(agent, "agent_type");
	if (!shell->agent_type)
		shell->agent_type = "letta_v1_agent";
	shell->prompt = or_empty(jdoc_get_str(agent, "system"));
	shell->description = jdoc_get_str(agent, "description");
	shell->metadata = object_or_null(jdoc_get(agent, "metadata"));
	shell->tags = jdoc_type(tags) == JDOC_ARRAY ? tags : NULL;
	shell->messages = jdoc_len(jdoc_get(agent, "messages"));
	shell->llm_config = object_or_null(jdoc_get(agent, "llm_config"));
	shell->embedding_config = object_or_null(jdoc_get(agent,
	    "embedding_config"));
	return 0;
}

int
af_shell_read(const char *text, size_t len, struct af_shell *shell,
    struct err *err)
{
	const struct jdoc *agent;

	memset(shell, 0, sizeof(*shell));
	if (len > AF_SHELL_MAX)
		return err_set(err, ERR_DATA, "agent file: larger than %d "
		    "bytes", AF_SHELL_MAX);
	shell->doc = jdoc_parse(text, len, err);
	if (!shell->doc)
		return err_ctx(err, "agent file");
	agent = af_shell_agent(shell->doc, err);
	if (agent && (read_agent(agent, shell, err) != 0 ||
	    read_blocks(jdoc_get(shell->doc, "blocks"), shell, err) != 0 ||
	    read_tools(jdoc_get(shell->doc, "tools"), shell, err) != 0)) {
		err_ctx(err, "agent file");
		agent = NULL;
	}
	if (!agent) {
		af_shell_clear(shell);
		return -1;
	}
	shell->secrets = jdoc_len(variables(agent));
	return 0;
}

/* The same names, each with the empty text. */
static void
blank_values(struct jdoc *agent, const char *key)
{
	const struct jdoc *values = jdoc_get(agent, key);
	struct jdoc_member member = { 0 };
	struct jdoc *blank;

	if (jdoc_type(values) != JDOC_OBJECT)
		return;
	blank = jdoc_new_object();
	while (jdoc_next(values, &member))
		jdoc_set_str(blank, member.key, "");
	jdoc_set(agent, key, blank);
}

/* The agent of that number, to be changed; NULL when it is none. */
static struct jdoc *
edit_agent(struct jdoc *file, size_t number)
{
	struct jdoc *agent = jdoc_edit_at(jdoc_edit(file, "agents"), number);

	return jdoc_type(agent) == JDOC_OBJECT ? agent : NULL;
}

/* Of an MCP server its name and type: the rest may hold a secret. */
static void
keep_names(struct jdoc *file)
{
	static const char *const keys[] = {
		"id", "server_name", "server_type"
	};
	const struct jdoc *servers = jdoc_get(file, "mcp_servers"), *server;
	struct jdoc *list, *kept;

	if (jdoc_type(servers) != JDOC_ARRAY)
		return;
	list = jdoc_new_array();
	for (size_t i = 0; i < jdoc_len(servers); i++) {
		server = jdoc_at(servers, i);
		kept = jdoc_new_object();
		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
			if (jdoc_get_str(server, keys[k]))
				jdoc_set(kept, keys[k],
				    jdoc_copy(jdoc_get(server, keys[k])));
		}
		jdoc_push(list, kept);
	}
	jdoc_set(file, "mcp_servers", list);
}

void
af_shell_hide_secrets(struct jdoc *file)
{
	const size_t n = jdoc_len(jdoc_get(file, "agents"));
	struct jdoc *agent;

	keep_names(file);

	for (size_t i = 0; i < n; i++) {
		agent = edit_agent(file, i);
		blank_values(agent, "tool_exec_environment_variables");
		blank_values(agent, "secrets");
	}
}

void
af_shell_strip(struct jdoc *file)
{
	const size_t n = jdoc_len(jdoc_get(file, "agents"));
	struct jdoc *agent;

	af_shell_hide_secrets(file);
	for (size_t i = 0; i < n; i++) {
		agent = edit_agent(file, i);
		if (!agent)
			continue;
		jdoc_set(agent, "messages", jdoc_new_array());
		jdoc_set(agent, "in_context_message_ids", jdoc_new_array());
	}
}

/* Append ", NAME" while there is room, then ", ..." once. */
static void
list_name(struct buf *out, size_t start, const char *name)
{
	bool full = out->len - start > NAMES_MAX - NAME_SHOWN;

	if (full && str_ends(buf_cstr(out), "..."))
		return;
	buf_str(out, out->len > start ? ", " : "");
	if (full)
		buf_str(out, "...");
	else
		shown_text(out, name, strlen(name), NAME_SHOWN);
}

void
af_shell_secrets(const struct af_shell *shell, struct buf *out)
{
	const struct jdoc *names = variables(jdoc_at(jdoc_get(shell->doc,
	    "agents"), 0));
	struct jdoc_member member = { 0 };
	size_t start = out->len;

	while (jdoc_next(names, &member))
		list_name(out, start, member.key);
}

/* The server of a tool: in its metadata, else in a tag "mcp:NAME". */
static const char *
mcp_of_tool(const struct jdoc *tool)
{
	const struct jdoc *tags = jdoc_get(tool, "tags");
	const char *tag, *name;

	name = jdoc_get_str(jdoc_get(jdoc_get(tool, "metadata_"), "mcp"),
	    "server_name");
	for (size_t i = 0; i < jdoc_len(tags) && !name; i++) {
		tag = jdoc_str(jdoc_at(tags, i));
		if (tag && str_starts(tag, MCP_TAG))
			name = tag + strlen(MCP_TAG);
	}
	return name;
}

/* Add a name that is not in the list yet. */
static void
note_name(struct jdoc *names, const char *name)
{
	if (!name)
		return;
	for (size_t i = 0; i < jdoc_len(names); i++) {
		if (str_eq(jdoc_str(jdoc_at(names, i)), name))
			return;
	}
	jdoc_push(names, jdoc_new_str(name));
}

size_t
af_shell_mcp(const struct af_shell *shell, struct buf *out)
{
	const struct jdoc *servers = jdoc_get(shell->doc, "mcp_servers");
	struct jdoc *names = jdoc_new_array();
	size_t start = out->len, n;

	for (size_t i = 0; i < jdoc_len(servers); i++)
		note_name(names, jdoc_get_str(jdoc_at(servers, i),
		    "server_name"));
	for (size_t i = 0; i < shell->n_tools; i++)
		note_name(names, mcp_of_tool(shell->tools[i].doc));
	n = jdoc_len(names);
	for (size_t i = 0; i < n; i++)
		list_name(out, start, jdoc_str(jdoc_at(names, i)));
	jdoc_free(names);
	return n;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
refuse_label(const char *label, struct err *err)
{
	struct buf shown = BUF_INIT(512);

	shown_text(&shown, label, strlen(label), NAME_SHOWN);
	(void)err_set(err, ERR_DATA, "agent file: two blocks have the label "
	    "\"%s\", and a server would attach one of them; rename one",
	    buf_cstr(&shown));
	buf_clear(&shown);
	return -1;
}

int
af_shell_labels(const struct jdoc *file, struct err *err)
{
	const struct jdoc *blocks = jdoc_get(file, "blocks");
	size_t n = jdoc_len(blocks);
	const char **labels;
	int rc = 0;

	if (n > LIST_MAX)
		return err_set(err, ERR_DATA, "agent file: %zu blocks", n);
	labels = mem_zero(n + 1, sizeof(*labels));
	for (size_t i = 0; i < n; i++)
		labels[i] = or_empty(jdoc_get_str(jdoc_at(blocks, i),
		    "label"));
	qsort(labels, n, sizeof(*labels), by_text);
	for (size_t i = 1; i < n && rc == 0; i++) {
		if (str_eq(labels[i - 1], labels[i]))
			rc = refuse_label(labels[i], err);
	}
	free(labels);
	return rc;
}

int64_t
af_shell_limit(int64_t limit, const char *value, size_t value_len)
{
	int64_t n = 0;

	for (size_t i = 0; i < value_len; i++)
		n += ((unsigned char)value[i] & 0xc0) != 0x80;
	return n > limit ? n : limit;
}

void
af_shell_clear(struct af_shell *shell)
{
	if (!shell)
		return;
	free(shell->blocks);
	free(shell->tools);
	jdoc_free(shell->doc);
	memset(shell, 0, sizeof(*shell));
}
