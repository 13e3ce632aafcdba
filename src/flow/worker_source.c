#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/letta.h"
#include "flow/run.h"
#include "flow/worker_source.h"
#include "io/host.h"
#include "io/journal.h"

#define VALUE_MAX 4096

bool
worker_same_server(const struct conf_worker *worker)
{
	char *from, *to;
	bool same;

	if (worker->from_server == worker->server)
		return true;
	from = run_server_url(worker->from_server);
	to = run_server_url(worker->server);
	same = str_eq(from, to);
	free(from);
	free(to);
	return same;
}

static int
get_from(struct host *host, const char *path, const char *key,
    struct buf *value, bool *found, struct err *err)
{
	struct buf text;
	enum dotenv_found state = DOTENV_ABSENT;
	int rc;

	buf_init_still(&text, DOTENV_MAX_BYTES);
	rc = host_read(host, path, &text, NULL, err);
	if (rc == 0)
		rc = buf_check(&text, path, err);
	if (rc == 0)
		rc = dotenv_get(text.data, text.len, key, NULL, value,
		    &state, err);
	else if (err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	*found = state == DOTENV_VALUE;
	buf_wipe(&text);
	return rc == 0 ? 0 : err_ctx(err, "%s:%s", host_name(host), path);
}

/*
 * The .env that a program in dir reads: the nearest, upwards.  A directory of
 * that name is passed over, as python-dotenv does.  *path NULL: there is none.
 */
static int
find_env(struct host *host, const char *from, char **path, struct err *err)
{
	char *dir = conf_expand_home(from, host_facts(host)->home), *slash;
	struct fs_meta meta = { .type = FS_NONE };
	int rc;

	for (;;) {
		*path = mem_printf("%s/.env", dir);
		rc = host_stat(host, *path, &meta, err);
		if (rc != 0 || meta.type == FS_FILE)
			break;
		free(*path);
		*path = NULL;
		slash = strrchr(dir, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	if (rc != 0)
		free(*path);
	free(dir);
	return rc;
}

int
worker_env_value(struct host *host, const char *dir, const char *tree,
    const char *key, struct buf *value, bool *found, struct err *err)
{
	char *tree_dir = mem_printf("%s/%s", dir, tree), *path = NULL;
	int rc;

	*found = false;
	rc = find_env(host, tree_dir, &path, err);
	if (rc == 0 && path) {
		rc = get_from(host, path, key, value, found, err);
		free(path);
	}
	free(tree_dir);
	return rc;
}

int
worker_source_env(struct run *run, const struct conf_worker *worker,
    const char *tree, const char *key, struct buf *value, bool *found,
    struct err *err)
{
	struct host *from;

	*found = false;
	if (run_host(run, worker->from_host, &from, err) != 0)
		return -1;
	return worker_env_value(from, worker->from_path, tree, key, value,
	    found, err);
}

/* What .env says is an agent's id, or it says nothing to us. */
static int
agent_of_env(struct run *run, const struct conf_worker *worker,
    const char *key, char **id, struct err *err)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	bool found;
	int rc;

	rc = worker_source_env(run, worker, "broca", "AGENT_ID", &value,
	    &found, err);
	if (rc == 0 && !found)
		rc = worker_source_env(run, worker, "smcp", "LETTA_AGENT_ID",
		    &value, &found, err);
	if (rc == 0 && found && letta_id_ok(buf_cstr(&value), "agent-")) {
		rc = journal_put(run->journal, key, buf_cstr(&value), err);
		if (rc == 0)
			*id = mem_strdup(buf_cstr(&value));
	}
	buf_clear(&value);
	return rc;
}

int
worker_source_agent(struct run *run, const struct conf_worker *worker,
    char **id, struct err *err)
{
	char *key = run_key("worker", worker->name, "source-agent");
	int rc;

	rc = journal_get(run->journal, key, id, err);
	if (rc == 0 && !*id)
		rc = agent_of_env(run, worker, key, id, err);
	if (rc == 0 && !*id && worker->agent && worker->agent->from_id)
		*id = mem_strdup(worker->agent->from_id);
	free(key);
	return rc;
}
