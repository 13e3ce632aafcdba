#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/postgres.h"
#include "flow/postgres_inventory.h"
#include "flow/upgrade_losses.h"

#define TEXT_MAX 65536

/*
 * Of what postgres_things counts; its words, and what comes of it.  spare:
 * what every server makes for itself.
 */
static const struct {
	const char *table, *what, *becomes;
	uint64_t spare;
} kinds[] = {
	{ "users", "users", "do not come back: each agent becomes the default "
	    "user's", 1 },
	{ "organizations", "organizations", "do not come back", 1 },
	{ "providers", "model providers", "do not come back: enter them "
	    "again, with their keys", 0 },
	{ "mcp_server", "MCP servers", "do not come back: add them again, "
	    "with their tokens, and see that agents have their tools", 0 },
	{ "mcp_oauth", "sessions of MCP servers", "do not come back: log in "
	    "again", 0 },
	{ "sources", "folders (sources)", "come back from 0.16 alone, and "
	    "with an agent that has them: upload their files again", 0 },
	{ "files", "files of folders", "as their folders", 0 },
	{ "source_passages", "passages of files", "as their folders", 0 },
	{ "groups", "groups of agents", "do not come back: groups in "
	    "index.json says who was in which", 0 },
	{ "identities", "identities", "come back with each agent that has "
	    "them; others do not", 0 },
	{ "tools", "tools of your own", "come back with each agent that has "
	    "them; others do not", 0 },
	{ "block-unattached", "blocks that no agent has", "do not come back",
	    0 },
	{ "archives-unattached", "archives that no agent has", "do not come "
	    "back", 0 },
	{ "archives-shared", "archives that several agents share", "come back "
	    "as one of its own for each agent, with all passages", 0 },
	{ "agent_environment_variables", "secrets and variables of agents",
	    "come back by name, without a value: losses.json of each bundle "
	    "names them", 0 },
	{ "sandbox_configs", "sandbox configurations", "do not come back", 1 },
	{ "sandbox_environment_variables", "variables of sandboxes", "do not "
	    "come back: set them again", 0 },
	{ "prompts", "prompts", "do not come back", 0 },
	{ "block_history", "former values of blocks", "do not come back", 0 },
	{ "jobs", "jobs", "do not come back", 0 },
	{ "runs", "runs", "do not come back", 0 },
	{ "steps", "steps of runs", "do not come back", 0 },
	{ "llm_batch_job", "batches of a model", "do not come back: what "
	    "they have not answered yet is lost", 0 },
	{ "provider_traces", "traces of models", "do not come back", 0 },
};

/* One that is in no row above would be a mistake of ours: told all the same. */
static void
put_line(const char *table, const char *count, struct buf *out)
{
	uint64_t n = 0;

	if (!str_u64(count, UINT64_MAX, &n))
		n = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!str_eq(kinds[i].table, table))
			continue;
		if (n > kinds[i].spare)
			buf_printf(out, "    %" PRIu64 " %s: %s\n", n,
			    kinds[i].what, kinds[i].becomes);
		return;
	}
	buf_printf(out, "    %" PRIu64 " %s: do not come back\n", n, table);
}

int
upgrade_losses(struct postgres *pg, struct buf *out, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *rest, *line, *table;
	int rc = postgres_things(pg, &text, err);

	rest = text.data;
	while (rc == 0 && rest && (line = strsep(&rest, "\n")) != NULL) {
		table = strsep(&line, "\t");
		if (line)
			put_line(table, line, out);
	}
	buf_clear(&text);
	return rc;
}
