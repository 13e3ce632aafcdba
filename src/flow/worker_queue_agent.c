#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/letta.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "io/host.h"
#include "io/journal.h"

/* AGENT_ID of one file; "" when that does not give any. */
static int
id_in(struct host *host, const char *path, struct buf *id, struct err *err)
{
	struct buf text = BUF_INIT(DOTENV_MAX_BYTES);
	enum dotenv_found found = DOTENV_ABSENT;
	int rc;

	rc = host_read(host, path, &text, NULL, err);
	if (rc == 0)
		rc = buf_check(&text, path, err);
	if (rc == 0 && dotenv_get(buf_cstr(&text), text.len, "AGENT_ID", NULL,
	    id, &found, err) != 0)
		rc = err_ctx(err, "%s:%s", host_name(host), path);
	if (rc == 0 && (found != DOTENV_VALUE ||
	    !letta_id_ok(buf_cstr(id), "agent-")))
		rc = err_set(err, ERR_DATA, "%s:%s, which the worker's Broca "
		    "reads, does not give AGENT_ID as agent-<uuid>",
		    host_name(host), path);
	buf_wipe(&text);
	return rc;
}

/* A directory called .env is passed over, as python-dotenv does. */
static int
id_above(struct host *host, const char *from, struct buf *id,
    struct err *err)
{
	char *dir = mem_strdup(from), *path, *slash;
	struct fs_meta meta = { .type = FS_NONE };
	int rc = 0;

	for (;;) {
		path = worker_path(dir, ".env");
		rc = host_stat(host, path, &meta, err);
		if (rc != 0 || meta.type == FS_FILE)
			break;
		free(path);
		path = NULL;
		slash = strrchr(dir, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	if (rc == 0 && path)
		rc = id_in(host, path, id, err);
	else if (rc == 0)
		rc = err_set(err, ERR_DATA, "%s:%s: no .env there or above",
		    host_name(host), from);
	free(path);
	free(dir);
	return rc;
}

static int
read_id(struct run *run, const struct conf_worker *worker, char **id,
    struct err *err)
{
	struct buf found = BUF_INIT(LETTA_ID_SIZE);
	struct host *from;
	char *dir;
	int rc;

	if (run_host(run, worker->from_host, &from, err) != 0)
		return -1;
	dir = str_starts(worker->from_path, "~/") ?
	    mem_printf("%s/%s/broca", host_facts(from)->home,
	    worker->from_path + 2) : worker_path(worker->from_path, "broca");
	rc = id_above(from, dir, &found, err);
	if (rc == 0)
		*id = mem_strdup(buf_cstr(&found));
	buf_clear(&found);
	free(dir);
	return rc;
}

int
worker_queue_agent(struct run *run, const struct conf_worker *worker,
    char **id, struct err *err)
{
	char *key = run_key("worker", worker->name, "source_agent");
	int rc;

	rc = journal_get(run->journal, key, id, err);
	if (rc == 0 && !*id) {
		rc = read_id(run, worker, id, err);
		if (rc == 0)
			rc = journal_put(run->journal, key, *id, err);
	}
	free(key);
	return rc;
}
