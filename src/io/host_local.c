#include "base/base.h"

#include <sys/utsname.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/dial.h"
#include "io/host_local.h"
#include "io/lines.h"

#define CONNECTS_MS 2000

struct host_local {
	struct utsname names;
	char *home;
	struct host_facts facts;
	struct tree_unpack *unpack;	/* between open and finish */
	struct lines lines;
	struct db_pages_patch *patch;	/* likewise */
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
local_patch_abort(void *state)
{
	struct host_local *h = state;

	db_pages_patch_free(h->patch);
	h->patch = NULL;
}

static void
local_close(void *state)
{
	struct host_local *h = state;

	local_unpack_abort(h);
	lines_clear(&h->lines);
	local_patch_abort(h);
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
local_db_sums(void *state, const char *path, const char *sums_path,
    struct db_pages_stats *stats, struct err *err)
{
	(void)state;
	return db_pages_sums(path, sums_path, stats, err);
}

static int
local_db_send(void *state, const char *path, const char *sums_path,
    const unsigned char *base, tree_sink *sink, void *ctx,
    struct db_pages_stats *stats, struct err *err)
{
	(void)state;
	return db_pages_send(path, sums_path, base, sink, ctx, stats, err);
}

static int
local_patch_open(void *state, const char *path, const char *sums_path,
    struct err *err)
{
	struct host_local *h = state;

	if (h->patch)
		return err_set(err, ERR_FAILED,
		    "a database is being patched already");
	return db_pages_patch_open(path, sums_path, &h->patch, err);
}

static int
local_patch_write(void *state, const void *data, size_t len, struct err *err)
{
	struct host_local *h = state;

	return db_pages_patch_write(h->patch, data, len, err);
}

static int
local_patch_finish(void *state, struct db_pages_stats *stats,
    struct err *err)
{
	struct host_local *h = state;
	int rc = db_pages_patch_finish(h->patch, stats, err);

	local_patch_abort(h);
	return rc;
}

static int
local_db_delta(void *state, const char *from, const char *from_sums,
    const char *to, const char *to_sums, struct db_pages_stats *stats,
    struct err *err)
{
	(void)state;
	return db_pages_delta(from, from_sums, to, to_sums, stats, err);
}

static int
local_db_script(void *state, const char *path,
    const struct db_script *script, struct buf *rows, uint64_t *changes,
    struct err *err)
{
	(void)state;
	return db_script_gather(path, script, rows, changes, err);
}

static int
local_processes(void *state, const char *dir, procs_each *each, void *ctx,
    struct err *err)
{
	(void)state;
	return procs_list(dir, each, ctx, err);
}

static int
local_process_env(void *state, pid_t pid, uint64_t start,
    const char *const *names, struct buf *out, struct err *err)
{
	(void)state;
	return procs_env(pid, start, names, out, err);
}

static int
local_signal(void *state, pid_t pid, uint64_t start, int sig, bool *there,
    struct err *err)
{
	(void)state;
	return procs_signal(pid, start, sig, there, err);
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

static int
local_dial(void *state, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *err)
{
	struct host_local *h = state;

	return lines_dial(&h->lines, port, timeout_ms, line, err);
}

static int
local_talk(void *state, unsigned int line, const void *data, size_t len,
    struct err *err)
{
	struct host_local *h = state;

	return lines_send(&h->lines, line, data, len, err);
}

static int
local_hear(void *state, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *err)
{
	struct host_local *h = state;

	return lines_recv(&h->lines, line, wait_ms, out, ended, err);
}

static int
local_hangup(void *state, unsigned int line, struct err *err)
{
	struct host_local *h = state;

	(void)err;
	lines_hangup(&h->lines, line);
	return 0;
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
	.dial = local_dial,
	.talk = local_talk,
	.hear = local_hear,
	.hangup = local_hangup,
	.db_sums = local_db_sums,
	.db_send = local_db_send,
	.patch_open = local_patch_open,
	.patch_write = local_patch_write,
	.patch_finish = local_patch_finish,
	.patch_abort = local_patch_abort,
	.db_delta = local_db_delta,
	.db_script = local_db_script,
	.processes = local_processes,
	.process_env = local_process_env,
	.signal = local_signal,
	.pack = local_pack,
	.unpack_open = local_unpack_open,
	.unpack_write = local_unpack_write,
	.unpack_finish = local_unpack_finish,
	.unpack_abort = local_unpack_abort,
	.copy = local_copy,
};
