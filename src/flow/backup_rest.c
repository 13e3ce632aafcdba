#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
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
	const char *query;	/* behind the cursor, or "" */
	const char *keys[6];	/* ended by NULL; one alone: a list of texts */
	const char *skip;	/* members of these types are Letta's own */
};

static const struct kind kinds[] = {
	{ "identities", "identities", "", { "id", "identifier_key", "name",
	    "identity_type", NULL }, NULL },
	{ "tools", "tools", "", { "id", "name", "tool_type", NULL },
	    "letta_" },
	{ "sources", "sources", "", { "name", NULL }, NULL },
	{ "groups", "groups", "", { "id", "manager_type", "agent_ids", NULL },
	    NULL },
	{ "unattached_blocks", "blocks", "&connected_to_agents_count_eq=0",
	    { "id", "label", "name", NULL }, NULL },
	{ "providers", "providers", "", { "name", "provider_type", NULL },
	    NULL },
	{ "users", "admin/users", "", { "id", "name", "organization_id",
	    NULL }, NULL },
	{ "organizations", "admin/orgs", "", { "id", "name", NULL }, NULL },
	{ "sandbox_configs", "sandbox-config", "", { "id", "type", NULL },
	    NULL },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static const struct kind archives = { "unattached_archives", "archives", "",
    { "id", "name", NULL }, NULL };

/* What there may be of a list that no bundle has. */
static const struct {
	const char *name, *what, *reason;
	size_t spare;		/* so many every server has */
} lost[] = {
	{ "sources", "sources (folders)",
	    "an export of 0.16 has those of its agent, one of 0.11.3 their "
	    "names alone: upload their files again", 0 },
	{ "groups", "groups of agents",
	    "a bundle is of one agent; the list says who was in which", 0 },
	{ "mcp_servers", "MCP servers",
	    "add them again, with their addresses and tokens, and see that "
	    "agents have their tools", 0 },
	{ "identities", "identities",
	    "those of an agent come back with it, others do not", 0 },
	{ "users", "users",
	    "agents of the default user's organization are read, and come "
	    "back as the default user's", 1 },
	{ "organizations", "organizations",
	    "agents of the default user's organization are read", 1 },
	{ "sandbox_configs", "sandbox configurations",
	    "a bundle has none; set them and their variables again", 1 },
	{ "unattached_blocks", "blocks that no agent has",
	    "a bundle has those of its agent; the list has their ids", 0 },
	{ "unattached_tools", "tools that no agent has",
	    "a bundle has those of its agent; the list has their names", 0 },
	{ "unattached_archives", "archives that no agent has",
	    "passages are read by their agents; the list has their ids", 0 },
	{ "providers", "model providers of the server's own",
	    "they are entered there again, with their keys; the list has "
	    "their names", 0 },
};

/* Of every server, whatever it has. */
static const char *const always[][2] = {
	{ "values of secrets and tool variables",
	    "no export has them; losses.json of each bundle has the names" },
	{ "tokens of MCP servers and keys of model providers",
	    "they are the server's own and are entered there again" },
	{ "that agents share an archive",
	    "each comes back with one of its own, with all passages" },
	{ "former values of blocks, prompts, traces and batches",
	    "no bundle has them" },
	{ "runs, steps and jobs",
	    "no route takes them; what was said is in the messages" },
	{ "embeddings of passages",
	    "a server makes them anew from the text" },
	{ "projects and templates",
	    "no bundle has them; an agent comes back without its own" },
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

/* Providers of the category "base" are made of the environment. */
static bool
is_own(const struct kind *kind, const struct jdoc *item)
{
	const char *type = jdoc_get_str(item, "tool_type");

	if (jdoc_is(item, "provider_category", "base"))
		return true;
	return kind->skip && type && str_starts(type, kind->skip);
}

/* How far a list was read. */
struct cursor {
	char first[LETTA_ID_SIZE];	/* of all */
	char last[LETTA_ID_SIZE];	/* "": it has ended */
};

/* Whether the page begins the list again: the server knows no cursor. */
static bool
is_again(const struct cursor *at, const struct jdoc *page)
{
	const char *id = jdoc_get_str(jdoc_at(page, 0), "id");

	return id && *at->last && str_eq(id, at->first);
}

static void
move_on(struct cursor *at, const struct jdoc *page)
{
	const char *first = jdoc_get_str(jdoc_at(page, 0), "id");
	const char *last = jdoc_get_str(jdoc_at(page, jdoc_len(page) - 1),
	    "id");

	if (!*at->last)
		(void)snprintf(at->first, sizeof(at->first), "%s",
		    first ? first : "");
	(void)snprintf(at->last, sizeof(at->last), "%s", last ? last : "");
}

/* One page.  An empty one ends a list, however few the one before had. */
static int
read_page(struct server *server, const struct kind *kind,
    struct cursor *at, struct jdoc *out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *page = NULL;
	size_t n;
	int rc;

	letta_path_list(&path, kind->path, at->last, PAGE);
	buf_str(&path, kind->query);
	rc = stop_check(err);
	if (rc == 0)
		rc = server_get_list(server, buf_cstr(&path), kind->name,
		    &page, err);
	n = is_again(at, page) ? 0 : jdoc_len(page);
	for (size_t i = 0; i < n; i++) {
		if (!is_own(kind, jdoc_at(page, i)))
			jdoc_push(out, item_of(kind, jdoc_at(page, i)));
	}
	if (n > 0)
		move_on(at, page);
	else
		*at->last = '\0';
	jdoc_free(page);
	buf_clear(&path);
	return rc;
}

static int
read_list(struct server *server, const struct kind *kind, struct jdoc *out,
    struct err *err)
{
	struct cursor at = { .last = "" };
	int pages = 0, rc;

	do
		rc = read_page(server, kind, &at, out, err);
	while (rc == 0 && *at.last && ++pages < PAGES_MAX);
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

static void
keep_unattached_tools(const struct jdoc *tools, bool (*has)(void *ctx,
    const char *tool), void *ctx, struct jdoc *out)
{
	const struct jdoc *one;
	const char *id, *name;

	for (size_t i = 0; i < jdoc_len(tools); i++) {
		one = jdoc_at(tools, i);
		id = jdoc_get_str(one, "id");
		name = jdoc_get_str(one, "name");
		if (id && !has(ctx, id))
			jdoc_push(out, jdoc_new_str(name ? name : id));
	}
}

/* An agent that has an archive, which the caller frees; NULL: none has. */
static int
find_holder(struct server *server, const struct backup_rest_how *how,
    const char *id, char **out, struct err *err)
{
	const char *known = how->holder ? how->holder(how->holder_ctx, id) :
	    NULL;
	struct jdoc *agents = NULL;
	const char *agent;
	char *path;
	int rc;

	*out = known ? mem_strdup(known) : NULL;
	if (known)
		return 0;
	path = mem_printf("/v1/archives/%s/agents?limit=1", id);
	rc = stop_check(err);
	if (rc == 0)
		rc = server_get_list(server, path, "agents of an archive",
		    &agents, err);
	if (rc == 0 && jdoc_len(agents) > 0) {
		agent = jdoc_get_str(jdoc_at(agents, 0), "id");
		*out = mem_strdup(agent ? agent : "");
	}
	jdoc_free(agents);
	free(path);
	return rc;
}

/* Whether an archive has an agent is asked of each that is not known. */
static int
read_archives(struct server *server, const struct backup_rest_how *how,
    struct jdoc *out, struct jdoc *attached, struct err *err)
{
	struct jdoc *all = jdoc_new_array(), *one;
	const char *id;
	char *agent;
	int rc;

	rc = server->caps.backward ? 0 : read_list(server, &archives, all,
	    err);
	for (size_t i = 0; i < jdoc_len(all) && rc == 0; i++) {
		id = jdoc_get_str(jdoc_at(all, i), "id");
		if (!id || !letta_id_ok(id, "archive-"))
			continue;
		rc = find_holder(server, how, id, &agent, err);
		if (rc == 0 && agent) {
			one = jdoc_new_object();
			jdoc_set_str(one, "id", id);
			jdoc_set_str(one, "agent_id", agent);
			jdoc_push(attached, one);
		} else if (rc == 0)
			jdoc_push(out, jdoc_copy(jdoc_at(all, i)));
		free(agent);
	}
	jdoc_free(all);
	return rc;
}

static void
lose_lists(const struct jdoc *rest, struct jdoc *losses)
{
	char *what;
	size_t n;

	for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
		n = jdoc_len(jdoc_get(rest, lost[i].name));
		if (n <= lost[i].spare)
			continue;
		what = mem_printf("%zu %s", n, lost[i].what);
		lose(losses, what, lost[i].reason);
		free(what);
	}
}

/* Those that want more than one list; each is told when it cannot be had. */
static int
read_others(struct server *server, const struct backup_rest_how *how,
    struct jdoc *rest, struct jdoc *losses, struct err *err)
{
	struct jdoc *list = jdoc_new_array(), *attached = jdoc_new_array();
	int rc;

	rc = settle(read_mcp(server, list, err), "mcp_servers", losses, err);
	jdoc_set(rest, "mcp_servers", list);
	list = jdoc_new_array();
	if (rc == 0)
		rc = settle(read_archives(server, how, list, attached, err),
		    "unattached_archives", losses, err);
	jdoc_set(rest, "unattached_archives", list);
	jdoc_set(rest, "attached_archives", attached);
	return rc;
}

int
backup_rest(struct server *server, const struct backup_rest_how *how,
    struct jdoc **out, struct err *err)
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
		jdoc_set(*out, kinds[i].name, list);
	}
	if (rc == 0)
		rc = read_others(server, how, *out, losses, err);
	list = jdoc_new_array();
	keep_unattached_tools(jdoc_get(*out, "tools"), how->has, how->ctx,
	    list);
	jdoc_set(*out, "unattached_tools", list);
	lose_lists(*out, losses);
	jdoc_set(*out, "losses", losses);
	if (rc != 0) {
		jdoc_free(*out);
		*out = NULL;
	}
	return rc;
}
