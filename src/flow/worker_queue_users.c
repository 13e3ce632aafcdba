#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_memory.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker_queue_back.h"
#include "flow/worker_source.h"
#include "flow/worker_users.h"
#include "io/journal.h"

#define BODY_MAX (4 * 1024 * 1024)
#define PAGE_BLOCKS 100

/* In the metadata of a block that was brought back: the id it had. */
#define BACK_KEY "sanctumctl_back"

/* One thing on its way from the target's server to the source's. */
struct coming {
	struct run *run;
	const struct conf_worker *worker;
	struct server *from, *to;
	const char *id;
	char *kind;		/* of the journal: the target's id -> here */
};

/*
 * What is known of it: it came with the worker (flow/worker_users.h has the
 * map), or was brought back before.  *out "" when its making was begun.
 */
static int
known(const struct coming *coming, char **out, struct err *err)
{
	int rc;

	rc = worker_users_old(coming->run, coming->worker, coming->id, out,
	    err);
	if (rc == 0 && !*out)
		rc = journal_id_get(coming->run->journal, coming->kind,
		    coming->id, out, err);
	return rc;
}

/* POST, and the id of what that made. */
static int
make(const struct coming *coming, const char *path, const char *body,
    char **out, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *made = NULL;
	const char *id;
	int rc;

	rc = server_send(coming->to, "POST", path, body, &answer, err);
	if (rc == 0) {
		made = jdoc_parse(buf_cstr(&answer), answer.len, err);
		id = jdoc_get_str(made, "id");
		if (id)
			*out = mem_strdup(id);
		else
			rc = made ? err_set(err, ERR_DATA, "%s: POST %s: no "
			    "id in the answer", coming->to->name, path) : -1;
	}
	jdoc_free(made);
	buf_clear(&answer);
	return rc;
}

/* An identity has a key, by which it is found. */
static int
identity_there(const struct coming *coming, const struct jdoc *identity,
    char **out, struct err *err)
{
	const char *key = jdoc_get_str(identity, "identifier_key");
	struct jdoc *found;

	if (!key)
		return err_set(err, ERR_DATA, "identity: no identifier_key");
	if (server_get_identity(coming->to, key, &found, err) != 0)
		return -1;
	if (found)
		*out = mem_strdup(jdoc_get_str(found, "id"));
	jdoc_free(found);
	return 0;
}

static int
bring_identity(const struct coming *coming, const struct jdoc *identity,
    bool begun, char **out, struct err *err)
{
	struct buf body = BUF_INIT(BODY_MAX);
	int rc;

	(void)begun;
	rc = identity_there(coming, identity, out, err);
	if (rc == 0 && !*out) {
		rc = letta_identity_row(identity, &body, err);
		if (rc == 0)
			rc = make(coming, LETTA_PATH_IDENTITIES,
			    buf_cstr(&body), out, err);
	}
	buf_clear(&body);
	return rc;
}

/* A block has no key: one whose making was begun is looked for by its mark. */
static int
block_there(const struct coming *coming, char **out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list = NULL;
	char after[LETTA_ID_SIZE] = "";
	const struct jdoc *one;
	const char *id;
	size_t n = 1;
	int rc = 0;

	while (rc == 0 && n > 0 && !*out) {
		buf_truncate(&path, 0);
		letta_path_list(&path, "blocks", after, PAGE_BLOCKS);
		rc = server_get_list(coming->to, buf_cstr(&path), "blocks",
		    &list, err);
		n = rc == 0 ? jdoc_len(list) : 0;
		for (size_t i = 0; i < n && !*out; i++) {
			one = jdoc_at(list, i);
			id = jdoc_get_str(one, "id");
			if (id && jdoc_is(jdoc_get(one, "metadata"), BACK_KEY,
			    coming->id))
				*out = mem_strdup(id);
			else if (id && i == n - 1 && str_eq(after, id))
				n = 0;
			else if (id)
				(void)snprintf(after, sizeof(after), "%s", id);
		}
		jdoc_free(list);
		list = NULL;
	}
	buf_clear(&path);
	return rc;
}

static int
make_block(const struct coming *coming, const struct jdoc *block, char **out,
    struct err *err)
{
	static const char *const keys[] = { "label", "value", "limit",
		"description", "read_only" };
	struct jdoc *new = jdoc_new_object(), *metadata;
	struct buf body = BUF_INIT(BODY_MAX);
	int rc;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (jdoc_type(jdoc_get(block, keys[i])) != JDOC_NULL)
			jdoc_set(new, keys[i], jdoc_copy(jdoc_get(block,
			    keys[i])));
	}
	metadata = jdoc_type(jdoc_get(block, "metadata")) == JDOC_OBJECT ?
	    jdoc_copy(jdoc_get(block, "metadata")) : jdoc_new_object();
	jdoc_set_str(metadata, BACK_KEY, coming->id);
	jdoc_set(new, "metadata", metadata);
	jdoc_write(new, &body);
	rc = buf_check(&body, "block", err);
	if (rc == 0)
		rc = make(coming, LETTA_PATH_BLOCKS, buf_cstr(&body), out,
		    err);
	jdoc_free(new);
	buf_clear(&body);
	return rc;
}

static int
bring_block(const struct coming *coming, const struct jdoc *block,
    bool begun, char **out, struct err *err)
{
	int rc = 0;

	if (begun)
		rc = block_there(coming, out, err);
	if (rc == 0 && !*out)
		rc = make_block(coming, block, out, err);
	return rc;
}

struct way {
	const char *word;
	void (*path)(struct buf *, const char *id);
	int (*bring)(const struct coming *, const struct jdoc *, bool begun,
	    char **out, struct err *);
};

static const struct way identity_way = {
	"identity", letta_path_identity, bring_identity
};
static const struct way block_way = {
	"block", letta_path_block, bring_block
};

/* Begun in the journal, made, known. */
static int
bring(struct coming *coming, const struct way *way, bool begun, char **out,
    struct err *err)
{
	struct journal *journal = coming->run->journal;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *there = NULL;
	int rc;

	way->path(&path, coming->id);
	rc = buf_check(&path, "path", err);
	if (rc == 0)
		rc = run_server(coming->run, coming->worker->server,
		    &coming->from, err);
	if (rc == 0)
		rc = run_server(coming->run, coming->worker->from_server,
		    &coming->to, err);
	if (rc == 0)
		rc = server_get_doc(coming->from, buf_cstr(&path), way->word,
		    &there, err);
	if (rc == 0 && !begun)
		rc = journal_id_put(journal, coming->kind, coming->id, "",
		    err);
	if (rc == 0)
		rc = way->bring(coming, there, begun, out, err);
	if (rc == 0)
		rc = journal_id_put(journal, coming->kind, coming->id, *out,
		    err);
	jdoc_free(there);
	buf_clear(&path);
	return rc;
}

static int
come_back(struct run *run, const struct conf_worker *worker,
    const struct way *way, const char *id, char **out, struct err *err)
{
	struct coming coming = { .run = run, .worker = worker, .id = id };
	char *what = mem_printf("%s-back", way->word);
	bool begun, one = worker_same_server(worker);
	int rc;

	*out = NULL;
	coming.kind = run_key("worker", worker->name, what);
	rc = one ? 0 : known(&coming, out, err);
	if (one)
		*out = mem_strdup(id);
	begun = rc == 0 && *out && !**out;
	if (begun) {
		free(*out);
		*out = NULL;
	}
	if (rc == 0 && !*out)
		rc = bring(&coming, way, begun, out, err);
	free(coming.kind);
	free(what);
	return rc == 0 ? 0 : err_ctx(err, "bring back %s %s", way->word, id);
}

int
worker_queue_identity_back(struct run *run, const struct conf_worker *worker,
    const char *id, char **out, struct err *err)
{
	return come_back(run, worker, &identity_way, id, out, err);
}

int
worker_queue_block_back(struct run *run, const struct conf_worker *worker,
    const char *id, char **out, struct err *err)
{
	return come_back(run, worker, &block_way, id, out, err);
}
