#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/host_local.h"
#include "io/host_openssh.h"
#include "io/host_part.h"
#include "io/host_pipe.h"
#include "io/host_ssh.h"
#include "io/ssh.h"

/* A host that is busy must have the time to answer a question. */
#define SILENCE_MIN_MS 5000

struct host *
host_wrap(const char *name, const struct host_ops *ops, void *state)
{
	struct host *h = mem_zero(1, sizeof(*h));

	h->name = mem_strdup(name);
	h->ops = ops;
	h->state = state;
	return h;
}

int
host_open(const struct host_spec *spec, struct host **out, struct err *err)
{
	struct host_local *local = NULL;
	struct host_pipe *pipe = NULL;
	struct ssh_limits limits = { .silence_ms = spec->silence_ms };
	int rc;

	*out = NULL;
	if (spec->local) {
		if (host_local_open(&local, err) != 0)
			return err_ctx(err, "%s", spec->name);
		*out = host_wrap(spec->name, &host_local_ops, local);
	} else {
		if (limits.silence_ms > 0 && limits.silence_ms < SILENCE_MIN_MS)
			limits.silence_ms = SILENCE_MIN_MS;
		rc = spec->transport == HOST_OPENSSH ?
		    host_openssh_open(spec, &limits, &pipe, err) :
		    host_ssh_open(spec, &limits, &pipe, err);
		if (rc != 0)
			return err_ctx(err, "%s", spec->name);
		*out = host_wrap(spec->name, &host_pipe_ops, pipe);
	}
	return 0;
}

void
host_close(struct host *h)
{
	if (!h)
		return;
	h->ops->close(h->state);
	free(h->name);
	free(h);
}

const char *
host_name(const struct host *h)
{
	return h->name;
}

const struct host_facts *
host_facts(const struct host *h)
{
	return h->ops->facts(h->state);
}

char *
host_full_path(const struct host *h, const char *path, struct err *err)
{
	if (path[0] == '/')
		return mem_strdup(path);
	if (str_eq(path, "~") || str_starts(path, "~/"))
		return mem_printf("%s%s", host_facts(h)->home, path + 1);
	(void)err_set(err, ERR_USAGE,
	    "%s:%s: not an absolute path, nor one below ~/", h->name, path);
	return NULL;
}

int
host_done(const struct host *h, char *full, int rc, struct err *err)
{
	const size_t name_len = strlen(h->name), len = strlen(err->text);

	if (rc != 0 && str_starts(err->text, full) &&
	    name_len + 1 + len < sizeof(err->text)) {
		memmove(err->text + name_len + 1, err->text, len + 1);
		memcpy(err->text, h->name, name_len);
		err->text[name_len] = ':';
	} else if (rc != 0 && strstr(err->text, full)) {
		(void)err_ctx(err, "%s", h->name);
	} else if (rc != 0) {
		(void)err_ctx(err, "%s:%s", h->name, full);
	}
	free(full);
	return rc;
}

int
host_ask(struct host *h, const struct proc_spec *spec,
    struct proc_result *result, struct err *err)
{
	if (h->ops->run(h->state, spec, result, err) != 0)
		return err_ctx(err, "%s: run %s", h->name, spec->argv[0]);
	return 0;
}

int
host_run(struct host *h, const struct proc_spec *spec,
    struct proc_result *result, struct err *err)
{
	if (host_ask(h, spec, result, err) != 0)
		return -1;
	fault_point("host_run");
	return 0;
}

int
host_stat(struct host *h, const char *path, struct fs_meta *meta,
    struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full)
		return -1;
	return host_done(h, full, h->ops->stat(h->state, full, meta, err), err);
}

int
host_stat_all(struct host *h, const char *const *paths, size_t n,
    struct fs_meta *metas, struct err *err)
{
	char *full[HOST_STATS_MAX] = { NULL };
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		full[i] = host_full_path(h, paths[i], err);
		rc = full[i] ? 0 : -1;
	}
	if (rc == 0 && h->ops->stat_all(h->state, (const char *const *)full,
	    n, metas, err) != 0)
		rc = err_ctx(err, "%s", h->name);
	for (size_t i = 0; i < n; i++)
		free(full[i]);
	return rc;
}

int
host_read(struct host *h, const char *path, struct buf *out,
    struct fs_meta *meta, struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full)
		return -1;
	return host_done(h, full, h->ops->read(h->state, full, out, meta, err),
	    err);
}

int
host_replace(struct host *h, const char *path, const void *data, size_t len,
    const struct fs_meta *meta, struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full || host_done(h, full, h->ops->replace(h->state, full, data,
	    len, meta, err), err) != 0)
		return -1;
	fault_point("host_replace");
	return 0;
}

int
host_mkdirs(struct host *h, const char *path, mode_t mode, struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full || host_done(h, full, h->ops->mkdirs(h->state, full, mode,
	    err), err) != 0)
		return -1;
	fault_point("host_mkdirs");
	return 0;
}

int
host_remove(struct host *h, const char *path, struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full || host_done(h, full, h->ops->remove(h->state, full, err),
	    err) != 0)
		return -1;
	fault_point("host_remove");
	return 0;
}

int
host_rename(struct host *h, const char *from, const char *to, int exchange,
    struct err *err)
{
	char *full_from = host_full_path(h, from, err);
	char *full_to = full_from ? host_full_path(h, to, err) : NULL;
	int rc = -1;

	if (full_to)
		rc = host_done(h, full_from, h->ops->rename(h->state, full_from,
		    full_to, exchange, err), err);
	else
		free(full_from);
	free(full_to);
	if (rc == 0)
		fault_point("host_rename");
	return rc;
}

int
host_free_bytes(struct host *h, const char *path, uint64_t *out,
    struct err *err)
{
	char *full = host_full_path(h, path, err);

	if (!full)
		return -1;
	return host_done(h, full, h->ops->free_bytes(h->state, full, out, err),
	    err);
}

int
host_processes(struct host *h, const char *dir, procs_each *each, void *ctx,
    struct err *err)
{
	char *full = dir ? host_full_path(h, dir, err) : NULL;
	int rc;

	if (dir && !full)
		return -1;
	rc = h->ops->processes(h->state, full, each, ctx, err);
	free(full);
	return rc == 0 ? 0 : err_ctx(err, "%s: list processes", h->name);
}

int
host_process_env(struct host *h, pid_t pid, uint64_t start,
    const char *const *names, struct buf *out, struct err *err)
{
	if (h->ops->process_env(h->state, pid, start, names, out, err) != 0)
		return err_ctx(err, "%s", h->name);
	return 0;
}

int
host_signal(struct host *h, pid_t pid, uint64_t start, int sig, bool *there,
    struct err *err)
{
	if (h->ops->signal(h->state, pid, start, sig, there, err) != 0)
		return err_ctx(err, "%s", h->name);
	if (sig != 0)
		fault_point("host_signal");
	return 0;
}

int
host_walk(struct host *h, const char *root, const struct tree_rules *rules,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *err)
{
	char *full = host_full_path(h, root, err);

	if (!full)
		return -1;
	return host_done(h, full, h->ops->walk(h->state, full, rules, each, ctx,
	    err), err);
}

/*
 * A tree on its way through this machine.  What the target said is kept
 * apart: it is the cause, while the source only stopped because of it.
 */
struct relay {
	struct host *to;
	void (*at)(uint64_t bytes);
	uint64_t sent;
	bool target_failed;
	struct err target_err;
};

static int
relay_sink(void *ctx, const void *data, size_t len, struct err *err)
{
	struct relay *r = ctx;

	if (r->to->ops->unpack_write(r->to->state, data, len, err) != 0) {
		r->target_failed = true;
		r->target_err = *err;
		return -1;
	}
	r->sent += len;
	if (r->at)
		r->at(r->sent);
	return 0;
}

static int
relay_at(void *ctx, uint64_t bytes, struct err *err)
{
	struct relay *r = ctx;

	(void)err;
	if (r->at)
		r->at(bytes);
	return 0;
}

static int
copy_across(struct host *from, const char *from_root,
    const char *const *paths, size_t n_paths, struct host *to,
    const char *to_root, const struct tree_owner *owner,
    void (*at)(uint64_t bytes), struct tree_stats *stats, struct err *err)
{
	struct relay relay = { .to = to, .at = at };

	if (to->ops->unpack_open(to->state, to_root, owner, err) != 0)
		return host_done(to, mem_strdup(to_root), -1, err);
	if (from->ops->pack(from->state, from_root, paths, n_paths,
	    relay_sink, &relay, err) != 0) {
		to->ops->unpack_abort(to->state);
		if (!relay.target_failed)
			return host_done(from, mem_strdup(from_root), -1, err);
		*err = relay.target_err;
		return host_done(to, mem_strdup(to_root), -1, err);
	}
	if (to->ops->unpack_finish(to->state, stats, err) != 0)
		return host_done(to, mem_strdup(to_root), -1, err);
	return 0;
}

int
host_copy(struct host *from, const char *from_root,
    const char *const *paths, size_t n_paths, struct host *to,
    const char *to_root, uid_t uid, gid_t gid, void (*at)(uint64_t bytes),
    struct tree_stats *stats, struct err *err)
{
	const struct tree_owner owner = { .uid = uid, .gid = gid };

	return host_copy_owned(from, from_root, paths, n_paths, to, to_root,
	    &owner, at, stats, err);
}

int
host_copy_owned(struct host *from, const char *from_root,
    const char *const *paths, size_t n_paths, struct host *to,
    const char *to_root, const struct tree_owner *owner,
    void (*at)(uint64_t bytes), struct tree_stats *stats, struct err *err)
{
	struct relay relay = { .to = to, .at = at };
	char *full_from = host_full_path(from, from_root, err);
	char *full_to = full_from ? host_full_path(to, to_root, err) : NULL;
	int rc = -1;

	if (full_to && from == to)
		rc = host_done(from, mem_strdup(full_from),
		    from->ops->copy(from->state, full_from, paths, n_paths,
		    full_to, owner, relay_at, &relay, stats, err), err);
	else if (full_to)
		rc = copy_across(from, full_from, paths, n_paths, to,
		    full_to, owner, at, stats, err);
	free(full_to);
	free(full_from);
	if (rc == 0)
		fault_point("host_copy");
	return rc;
}

int
host_connects(struct host *h, const char *address, unsigned int port,
    bool *out, struct err *err)
{
	if (h->ops->connects(h->state, address, port, out, err) != 0)
		return err_ctx(err, "%s: connect to %s port %u", h->name,
		    address, port);
	return 0;
}

int
host_dial(struct host *h, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *err)
{
	if (h->ops->dial(h->state, port, timeout_ms, line, err) != 0)
		return err_ctx(err, "%s: connect to its loopback, port %u",
		    h->name, port);
	return 0;
}

int
host_talk(struct host *h, unsigned int line, const void *data, size_t len,
    struct err *err)
{
	if (h->ops->talk(h->state, line, data, len, err) != 0)
		return err_ctx(err, "%s", h->name);
	return 0;
}

int
host_hear(struct host *h, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *err)
{
	if (h->ops->hear(h->state, line, wait_ms, out, ended, err) != 0)
		return err_ctx(err, "%s", h->name);
	return 0;
}

int
host_hangup(struct host *h, unsigned int line, struct err *err)
{
	if (h->ops->hangup(h->state, line, err) != 0)
		return err_ctx(err, "%s", h->name);
	return 0;
}
