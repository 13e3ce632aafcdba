#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_smcp.h"
#include "flow/backup_rest.h"
#include "flow/server.h"

#define PAGE 200
#define PAGES_MAX 500

/* A list of the server: the members of each that are kept. */
struct kind {
	const char *name;	/* in the index */
	const char *path;	/* in the API */
	const char *keys[6];	/* ended by NULL; one alone: a list of texts */
	const char *skip;	/* members of these types are Letta's own */
};

static const struct kind kinds[] = {
	{ "identities", "identities", { "id", "identifier_key", "name",
	    "identity_type", NULL }, NULL },
	{ "tools", "tools", { "id", "name", "tool_type", NULL }, "letta_" },
	{ "sources", "sources", { "name", NULL }, NULL },
	{ "groups", "groups", { "id", "manager_type", "agent_ids", NULL },
	    NULL },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

/* Of every server, whatever it has. */
static const char *const always[][2] = {
	{ "values of secrets and tool variables",
	    "no export has them; losses.json of each bundle has the names" },
	{ "tokens of MCP servers and keys of model providers",
	    "they are the server's own and are entered there again" },
	{ "runs, steps and jobs",
	    "no route takes them; what was said is in the messages" },
	{ "embeddings of passages",
	    "a server makes them anew from the text" },
	{ "users, organizations and projects",
	    "the agents of the default user are read" },
};

static void
lose(struct jdoc *losses, const char *what, const char *reason)
{
	struct jdoc *loss = jdoc_new_object();

	jdoc_set_str(loss, "what", what);
	jdoc_set_str(loss, "reason", reason);
	jdoc_push(losses, loss);
}

static struct jdoc *
item_of(const struct kind *kind, const struct jdoc *from)
{
	const struct jdoc *value = jdoc_get(from, kind->keys[0]);
	struct jdoc *item;

	if (!kind->keys[1])
		return value ? jdoc_copy(value) : jdoc_new_str("");
	item = jdoc_new_object();
	for (size_t i = 0; kind->keys[i]; i++) {
		value = jdoc_get(from, kind->keys[i]);
		if (value)
			jdoc_set(item, kind->keys[i], jdoc_copy(value));
	}
	return item;
}

static bool
is_own(const struct kind *kind, const struct jdoc *item)
{
	const char *type = jdoc_get_str(item, "tool_type");

	return kind->skip && type && str_starts(type, kind->skip);
}

/* One page; *last is the cursor behind it, "" when the list has ended. */
static int
read_page(struct server *server, const struct kind *kind,
    char last[static LETTA_ID_SIZE], struct jdoc *out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *page = NULL;
	const char *id;
	size_t n;
	int rc;

	letta_path_list(&path, kind->path, last, PAGE);
	rc = stop_check(err);
	if (rc == 0)
		rc = server_get_list(server, buf_cstr(&path), kind->name,
		    &page, err);
	n = jdoc_len(page);
	for (size_t i = 0; i < n; i++) {
		if (!is_own(kind, jdoc_at(page, i)))
			jdoc_push(out, item_of(kind, jdoc_at(page, i)));
	}
	id = n < PAGE ? "" : jdoc_get_str(jdoc_at(page, n - 1), "id");
	(void)snprintf(last, LETTA_ID_SIZE, "%s", id ? id : "");
	jdoc_free(page);
	buf_clear(&path);
	return rc;
}

static int
read_list(struct server *server, const struct kind *kind, struct jdoc *out,
    struct err *err)
{
	char last[LETTA_ID_SIZE] = "";
	int pages = 0, rc;

	do
		rc = read_page(server, kind, last, out, err);
	while (rc == 0 && *last && ++pages < PAGES_MAX);
	return rc;
}

static int
read_mcp(struct server *server, struct jdoc *out, struct err *err)
{
	struct letta_mcp_entry entry;
	struct jdoc *answer = NULL;
	int rc;

	rc = server_get_doc(server, server->caps.backward ?
	    LETTA_PATH_MCP_SERVERS_OLD : LETTA_PATH_MCP_SERVERS,
	    "MCP servers", &answer, err);
	for (size_t i = 0; rc == 0 && letta_mcp_entry(answer, i, &entry); i++)
		jdoc_push(out, jdoc_new_str(entry.name ? entry.name : ""));
	jdoc_free(answer);
	return rc;
}

/* A list that is not given is told, unless the server is gone altogether. */
static int
settle(int rc, const char *name, struct jdoc *losses, struct err *err)
{
	if (rc == 0)
		return 0;
	if (err->kind != ERR_FAILED && err->kind != ERR_DATA &&
	    err->kind != ERR_MISSING)
		return -1;
	lose(losses, name, err->text);
	err_clear(err);
	return 0;
}

int
backup_rest(struct server *server, struct jdoc **out, struct err *err)
{
	struct jdoc *losses = jdoc_new_array(), *list;
	int rc = 0;

	*out = jdoc_new_object();
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		lose(losses, always[i][0], always[i][1]);
	for (size_t i = 0; i < N_KINDS && rc == 0; i++) {
		list = jdoc_new_array();
		rc = settle(read_list(server, &kinds[i], list, err),
		    kinds[i].name, losses, err);
		if (str_eq(kinds[i].name, "sources") && jdoc_len(list) > 0)
			lose(losses, "files of sources (folders)",
			    "an agent's export has their names alone");
		if (str_eq(kinds[i].name, "groups") && jdoc_len(list) > 0)
			lose(losses, "groups of agents",
			    "a bundle is of one agent; the list says who was "
			    "in which");
		jdoc_set(*out, kinds[i].name, list);
	}
	list = jdoc_new_array();
	if (rc == 0)
		rc = settle(read_mcp(server, list, err), "mcp_servers",
		    losses, err);
	jdoc_set(*out, "mcp_servers", list);
	jdoc_set(*out, "losses", losses);
	if (rc != 0) {
		jdoc_free(*out);
		*out = NULL;
	}
	return rc;
}
