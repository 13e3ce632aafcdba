#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "flow/agent.h"
#include "flow/agent_archives.h"
#include "flow/agent_staged.h"
#include "flow/run.h"
#include "flow/server.h"

bool
agent_archives_is_ours(const struct jdoc *archive, const struct jdoc *made,
    const char *temporary)
{
	const char *id = jdoc_get_str(archive, "id");
	const char *name = jdoc_get_str(archive, "name");

	if (id && agent_staged_list_has(made, id))
		return true;
	return name && letta_archive_is_auto(name, temporary);
}

int
agent_archives_made(struct run *run, const struct conf_agent *agent,
    struct jdoc **out, struct err *err)
{
	char *key = run_key("agent", agent->name, "archives-made");
	int rc = agent_staged_list(run->journal, key, out, err);

	free(key);
	return rc;
}

int
agent_archives_note(struct run *run, const struct conf_agent *agent,
    struct server *to, const char *id, bool *others, struct err *err)
{
	char *key = run_key("agent", agent->name, "archives-made");
	char *name = agent_temporary_name(run, agent);
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *made = NULL, *found = NULL;
	const struct jdoc *one;
	int rc;

	*others = false;
	letta_path_archives(&path, id);
	rc = agent_archives_made(run, agent, &made, err);
	if (rc == 0)
		rc = server_get_doc(to, buf_cstr(&path), "archives", &found,
		    err);
	for (size_t i = 0; i < jdoc_len(found) && rc == 0; i++) {
		one = jdoc_at(found, i);
		if (!agent_archives_is_ours(one, made, name))
			*others = true;
		else if (jdoc_get_str(one, "id"))
			rc = agent_staged_list_add(run->journal, key, made,
			    jdoc_get_str(one, "id"), err);
	}
	jdoc_free(found);
	jdoc_free(made);
	buf_clear(&path);
	free(name);
	free(key);
	return rc;
}
