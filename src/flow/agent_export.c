#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_hand.h"
#include "flow/agent_order.h"
#include "flow/bundle.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/fs.h"
#include "io/journal.h"

static const struct conf_agent the_agent = { .name = "agent" };

/* Whatever cannot work is said before a long history is read. */
static int
check_words(const char *id, const char *path, struct err *err)
{
	struct fs_meta meta;

	if (!letta_id_ok(id, "agent-"))
		return err_set(err, ERR_USAGE, "%s is not the id of an agent "
		    "(agent-UUID); `sanctumctl agent list' shows them", id);
	if (fs_stat(path, &meta, err) != 0)
		return -1;
	if (meta.type != FS_NONE)
		return err_set(err, ERR_USAGE, "%s: something is there "
		    "already; give another name, or move it away", path);
	return 0;
}

/* What an agent file has no place for. */
static int
warn_of_rest(struct journal *journal, struct err *err)
{
	static const char *const scopes[] = { "passages", "conversations" };
	static const char *const words[] = { "archival passages",
	    "conversations beside its own history" };
	uint64_t rows;
	char *scope;
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++) {
		scope = agent_scope("source", &the_agent, scopes[i]);
		rc = journal_count(journal, scope, &rows, err);
		if (rc == 0 && rows > 0)
			log_warn("an agent file has no place for its %" PRIu64
			    " %s; export to a directory to keep them", rows,
			    words[i]);
		free(scope);
	}
	return rc;
}

static int
write_out(const struct endpoint *at, const struct server *server,
    const char *id, struct journal *journal, const char *path,
    struct bundle_figures *figures, struct err *err)
{
	struct bundle_about about = {
		.server = at->name,
		.url = at->url,
		.letta = server->caps.version,
		.agent_id = id,
	};

	if (!bundle_is_af(path))
		return bundle_write(journal, &the_agent, "source", &about,
		    path, figures, err);
	if (warn_of_rest(journal, err) != 0)
		return -1;
	return bundle_write_af(journal, &the_agent, "source", path, figures,
	    err);
}

static int
read_and_write(const struct endpoint *at, const char *id, const char *path,
    const char *journal_file, struct bundle_figures *figures,
    struct err *err)
{
	struct journal *journal = NULL;
	struct server *server = NULL;
	int rc;

	rc = endpoint_open(at, &server, err);
	if (rc == 0)
		rc = journal_open(journal_file, true, &journal, err);
	if (rc == 0)
		rc = agent_read_side(server, id, &the_agent, "source", false,
		    journal, err);
	if (rc == 0)
		rc = write_out(at, server, id, journal, path, figures, err);
	journal_close(journal);
	server_close(server);
	return rc;
}

int
agent_export(const char *word, const char *id, const char *path,
    const char *state_dir, struct bundle_figures *figures, struct err *err)
{
	char *name = NULL, *file = NULL, *dir = NULL;
	struct err second = ERR_INIT;
	struct endpoint at;
	int rc;

	if (check_words(id, path, err) != 0 ||
	    endpoint_find(word, &at, err) != 0)
		return -1;
	rc = agent_order_name("export", (const char *const[]){ at.url, id,
	    NULL }, &name, err);
	if (rc == 0)
		rc = endpoint_fetch(&at, 1, err);
	if (rc == 0) {
		file = run_state_path(state_dir, name, "journal.db");
		rc = read_and_write(&at, id, path, file, figures, err);
	}
	/* What was read is in the bundle now, and would only grow old. */
	if (file && (rc == 0 || err->kind == ERR_MISSING)) {
		dir = mem_strndup(file, strlen(file) - strlen("/journal.db"));
		if (fs_remove(dir, rc == 0 ? err : &second) != 0)
			rc = -1;
	}
	endpoint_clear(&at);
	free(dir);
	free(file);
	free(name);
	return rc;
}
