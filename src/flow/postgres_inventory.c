#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "flow/postgres.h"
#include "flow/postgres_inventory.h"

#define OUT "inventory of the database"
#define FLAT(text) "translate(coalesce(" text ", '-'), E'\\t\\n\\r', '   ')"

/* A column that this version does not have is NULL in JSON. */
#define COLUMN(row, name) "to_jsonb(" row ")->>'" name "'"
#define THERE(row) "coalesce(" COLUMN(row, "is_deleted") ", 'false') = 'false'"

static const char owners_sql[] =
    "SELECT format($$SELECT a.id, " FLAT("a.name") ", " FLAT(COLUMN("a",
    "_created_by_id")) " || %s, " FLAT(COLUMN("a", "organization_id")) ", "
    "(SELECT count(*) FROM public.messages m WHERE m.agent_id = a.id) FROM "
    "public.agents a WHERE " THERE("a") " ORDER BY a.id COLLATE \"C\"$$, "
    "CASE WHEN to_regclass('public.users') IS NULL THEN '''''' ELSE "
    "$$coalesce((SELECT ' (' || " FLAT("u.name") " || ')' FROM public.users u "
    "WHERE u.id = " COLUMN("a", "_created_by_id") "), '')$$ END) \\gexec\n";

int
postgres_owners(struct postgres *pg, struct buf *out, struct err *err)
{
	if (postgres_ask(pg, NULL, owners_sql, out, err) != 0)
		return -1;
	return buf_check(out, OUT, err);
}

/* Tables of 0.11.3 to 0.16.8, each with what of it does not count. */
#define TABLES \
    "('users', ''), ('organizations', ''), " \
    "('providers', $$coalesce(" COLUMN("t", "provider_category") ", '') " \
    "<> 'base'$$), " \
    "('sources', ''), ('files', ''), ('source_passages', ''), " \
    "('groups', ''), ('mcp_server', ''), ('mcp_oauth', ''), " \
    "('identities', ''), ('prompts', ''), " \
    "('tools', $$" COLUMN("t", "tool_type") " NOT LIKE 'letta_%%'$$), " \
    "('sandbox_configs', ''), ('sandbox_environment_variables', ''), " \
    "('agent_environment_variables', ''), ('block_history', ''), " \
    "('jobs', ''), ('runs', ''), ('steps', ''), ('llm_batch_job', ''), " \
    "('provider_traces', '')"

#define COUNT(what, from) "SELECT $$SELECT '" what "', count(*) FROM " from \
    " HAVING count(*) > 0$$ WHERE to_regclass('public."

static const char things_sql[] =
    "SELECT format('SELECT %L, count(*) FROM public.%I t WHERE " /* of each */
    "coalesce(to_jsonb(t)->>''is_deleted'', ''false'') = ''false''%s "
    "HAVING count(*) > 0', v.name, v.name, CASE v.counts WHEN '' THEN '' "
    "ELSE ' AND ' || v.counts END) FROM (VALUES " TABLES ") v(name, counts) "
    "WHERE to_regclass('public.' || v.name) IS NOT NULL \\gexec\n"
    COUNT("block-unattached", "public.block t WHERE " THERE("t") " AND NOT "
    "EXISTS (SELECT FROM public.blocks_agents l WHERE l.block_id = t.id)")
    "blocks_agents') IS NOT NULL AND to_regclass('public.block') IS NOT "
    "NULL \\gexec\n"
    COUNT("archives-unattached", "public.archives t WHERE " THERE("t") " AND "
    "NOT EXISTS (SELECT FROM public.archives_agents l WHERE "
    "l.archive_id = t.id)")
    "archives_agents') IS NOT NULL \\gexec\n"
    COUNT("archives-shared", "(SELECT FROM public.archives_agents l GROUP BY "
    "l.archive_id HAVING count(*) > 1) shared")
    "archives_agents') IS NOT NULL \\gexec\n";

int
postgres_things(struct postgres *pg, struct buf *out, struct err *err)
{
	if (postgres_ask(pg, NULL, things_sql, out, err) != 0)
		return -1;
	return buf_check(out, OUT, err);
}
