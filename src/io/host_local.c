#include "base/base.h"

#include <sys/utsname.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/dial.h"
#include "io/host_local.h"

#define CONNECTS_MS 2000

struct host_local {
	struct utsname names;
	char *home;
	struct host_facts facts;
	struct tree_unpack *unpack;	/* between open and finish */
};

int
host_local_open(struct host_local **out, struct err *err)
{
	const char *home = getenv("HOME");
	struct host_local *h;

	*out = NULL;
	if (!home || home[0] != '/')
		return err_set(err, ERR_FAILED,
		    "HOME is not set to an absolute path");
	h = mem_zero(1, sizeof(*h));
	if (uname(&h->names) != 0) {
		free(h);
		return err_sys(err, ERR_FAILED, "uname");
	}
	h->home = mem_strdup(home);
	h->facts.machine = h->names.machine;
	h->facts.hostname = h->names.nodename;
	h->facts.home = h->home;
	h->facts.uid = getuid();
	h->facts.gid = getgid();
	*out = h;
	return 0;
}

static void
local_unpack_abort(void *state)
{
	struct host_local *h = state;

	tree_unpack_free(h->unpack);
	h->unpack = NULL;
}

static void
local_close(void *state)
{
	struct host_local *h = state;

	local_unpack_abort(h);
	free(h->home);
	free(h);
}

static const struct host_facts *
local_facts(const void *state)
{
	const struct host_local *h = state;

	return &h->facts;
}

static int
local_run(void *state, const struct proc_spec *spec,
    struct proc_result *result, struct err *err)
{
	(void)state;
	return proc_run(spec, result, err);
}

static int
local_stat(void *state, const char *path, struct fs_meta *meta,
    struct err *err)
{
	(void)state;
	return fs_stat(path, meta, err);
}

static int
local_stat_all(void *state, const char *const *paths, size_t n,
    struct fs_meta *metas, struct err *err)
{
	(void)state;
	for (size_t i = 0; i < n; i++)
		if (fs_stat(paths[i], &metas[i], err) != 0)
			return -1;
	return 0;
}

static int
local_read(void *state, const char *path, struct buf *out,
    struct fs_meta *meta, struct err *err)
{
	(void)state;
	return fs_read(path, out, meta, err);
}

static int
local_replace(void *state, const char *path, const void *data, size_t len,
    const struct fs_meta *meta, struct err *err)
{
	(void)state;
	return fs_replace(path, data, len, meta, err);
}

static int
local_mkdirs(void *state, const char *path, mode_t mode, struct err *err)
{
	(void)state;
	return fs_mkdirs(path, mode, err);
}

static int
local_remove(void *state, const char *path, struct err *err)
{
	(void)state;
	return fs_remove(path, err);
}

static int
local_rename(void *state, const char *from, const char *to, int exchange,
    struct err *err)
{
	(void)state;
	return fs_rename(from, to, exchange, err);
}

static int
local_free_bytes(void *state, const char *path, uint64_t *out,
    struct err *err)
{
	(void)state;
	return fs_free_bytes(path, out, err);
}

static int
local_snapshot(void *state, const char *source, const char *target,
    struct db_report *report, struct err *err)
{
	(void)state;
	return db_snapshot(source, target, report, err);
}

static int
local_db_check(void *state, const char *path, struct db_report *report,
    struct err *err)
{
	(void)state;
	return db_check(path, report, err);
}

static int
local_walk(void *state, const char *root, const struct tree_rules *rules,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *err)
{
	(void)state;
	return tree_walk(root, rules, each, ctx, err);
}

static int
local_connects(void *state, const char *address, unsigned int port,
    bool *out, struct err *err)
{
	(void)state;
	return dial_probe(address, port, CONNECTS_MS, out, err);
}

static int
local_pack(void *state, const char *root, const char *const *paths,
    size_t n_paths, tree_sink *sink, void *ctx, struct err *err)
{
	(void)state;
	return tree_pack(root, paths, n_paths, sink, ctx, err);
}

static int
local_unpack_open(void *state, const char *root,
    const struct tree_owner *owner, struct err *err)
{
	struct host_local *h = state;

	if (h->unpack)
		return err_set(err, ERR_FAILED,
		    "a tree is being unpacked already");
	return tree_unpack_open(root, owner, &h->unpack, err);
}

static int
local_unpack_write(void *state, const void *data, size_t len,
    struct err *err)
{
	struct host_local *h = state;

	return tree_unpack_write(h->unpack, data, len, err);
}

static int
local_unpack_finish(void *state, struct tree_stats *stats, struct err *err)
{
	struct host_local *h = state;
	int rc = tree_unpack_finish(h->unpack, stats, err);

	local_unpack_abort(h);
	return rc;
}

/* A tree that goes from one place of this machine to another. */
struct relay {
	struct tree_unpack *to;
	int (*at)(void *ctx, uint64_t bytes, struct err *);
	void *ctx;
	uint64_t sent;
};

static int
relay_sink(void *ctx, const void *data, size_t len, struct err *err)
{
	struct relay *r = ctx;

	if (tree_unpack_write(r->to, data, len, err) != 0)
		return -1;
	r->sent += len;
	return r->at(r->ctx, r->sent, err);
}

static int
local_copy(void *state, const char *from_root, const char *const *paths,
    size_t n_paths, const char *to_root, const struct tree_owner *owner,
    int (*at)(void *ctx, uint64_t bytes, struct err *), void *ctx,
    struct tree_stats *stats, struct err *err)
{
	struct relay relay = { .at = at, .ctx = ctx };
	int rc;

	(void)state;
	if (tree_unpack_open(to_root, owner, &relay.to, err) != 0)
		return -1;
	rc = tree_pack(from_root, paths, n_paths, relay_sink, &relay, err);
	if (rc == 0)
		rc = tree_unpack_finish(relay.to, stats, err);
	tree_unpack_free(relay.to);
	return rc;
}

const struct host_ops host_local_ops = {
	.close = local_close,
	.facts = local_facts,
	.run = local_run,
	.stat = local_stat,
	.stat_all = local_stat_all,
	.read = local_read,
	.replace = local_replace,
	.mkdirs = local_mkdirs,
	.remove = local_remove,
	.rename = local_rename,
	.free_bytes = local_free_bytes,
	.snapshot = local_snapshot,
	.db_check = local_db_check,
	.walk = local_walk,
	.connects = local_connects,
	.pack = local_pack,
	.unpack_open = local_unpack_open,
	.unpack_write = local_unpack_write,
	.unpack_finish = local_unpack_finish,
	.unpack_abort = local_unpack_abort,
	.copy = local_copy,
};
