#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_pipe.h"
#include "io/wire_data.h"

#define RUN_GRACE_MS 30000

/* Where an unpack stands. */
enum unpack {
	UNPACK_NONE,
	UNPACK_OPEN,
	UNPACK_REFUSED		/* answered by an early ERR */
};

struct host_pipe {
	struct wire wire;
	bool busy;		/* inside a request */
	enum unpack unpack;
	struct host_pipe_hello hello;
	struct host_facts facts;
	char *strings[4];	/* version, machine, hostname, home */
};

static void
set_deadline(struct host_pipe *p, uint64_t extra_ms)
{
	uint64_t now = clock_ms();

	p->wire.deadline_ms = extra_ms > UINT64_MAX / 2 ? 0 :
	    now + HOST_PIPE_ANSWER_MS + extra_ms;
}

static int
ended(struct host_pipe *p, struct err *err)
{
	p->wire.broken = true;
	return err_set(err, ERR_UNREACHABLE,
	    "sanctumctl-remote ended; the connection may be cut");
}

static int
out_of_step(struct host_pipe *p, enum wire_type type, struct err *err)
{
	p->wire.broken = true;
	return err_set(err, ERR_DATA,
	    "sanctumctl-remote sent a frame of type %u out of turn",
	    (unsigned int)type);
}

/* The fields of a frame were not what they must be. */
static int
check(struct host_pipe *p, const struct wire_reader *r, const char *what,
    struct err *err)
{
	if (wire_check(r, what, err) == 0)
		return 0;
	p->wire.broken = true;
	return -1;
}

/*
 * The next frame of an answer: its type for OK, ENTRY and DATA, or -1, with
 * ERR's failure in err.  Any other frame is out of step.
 */
static int
answer(struct host_pipe *p, struct wire_reader *r, struct err *err)
{
	enum wire_type type;
	struct err theirs;
	int got;

	got = wire_recv(&p->wire, &type, r, err);
	if (got < 0)
		return -1;
	if (got == 0)
		return ended(p, err);
	if (type == WIRE_OK || type == WIRE_ENTRY || type == WIRE_DATA)
		return (int)type;
	if (type != WIRE_ERR)
		return out_of_step(p, type, err);
	wire_data_get_err(r, &theirs);
	if (check(p, r, "failure", err) != 0)
		return -1;
	*err = theirs;
	return -1;
}

static int
begin(struct host_pipe *p, enum wire_type type, struct buf *request,
    uint64_t extra_ms, struct err *err)
{
	int rc;

	if (p->busy || p->unpack != UNPACK_NONE) {
		buf_clear(request);
		return err_set(err, ERR_FAILED,
		    "this connection is in the middle of another request");
	}
	set_deadline(p, extra_ms);
	rc = wire_send(&p->wire, type, request, err);
	buf_clear(request);
	return rc;
}

static int
send_blob(struct host_pipe *p, const void *data, size_t len, struct err *err)
{
	if (wire_send_data(&p->wire, data, len, err) != 0)
		return -1;
	return wire_send(&p->wire, WIRE_END, NULL, err);
}

/* Wait for OK alone. */
static int
finish(struct host_pipe *p, struct wire_reader *r, struct err *err)
{
	int type = answer(p, r, err);

	if (type < 0)
		return -1;
	return type == WIRE_OK ? 0 :
	    out_of_step(p, (enum wire_type)type, err);
}

/* A request of fields alone, answered by OK. */
static int
ask(struct host_pipe *p, enum wire_type type, struct buf *request,
    struct wire_reader *r, struct err *err)
{
	if (begin(p, type, request, 0, err) != 0)
		return -1;
	return finish(p, r, err);
}

static int
get_hello(struct host_pipe *p, struct err *err)
{
	struct wire_reader r;
	enum wire_type type;
	const void *digest;
	size_t len, i;
	int got;

	got = wire_recv(&p->wire, &type, &r, err);
	if (got < 0)
		return -1;
	if (got == 0)
		return ended(p, err);
	if (type != WIRE_HELLO)
		return out_of_step(p, type, err);

	/* What follows the number is the business of that protocol. */
	p->hello.protocol = wire_get_u32(&r);
	if (!r.bad && p->hello.protocol != WIRE_PROTOCOL)
		return err_set(err, ERR_FAILED,
		    "sanctumctl-remote there speaks protocol %" PRIu32
		    ", this program speaks %d: install the same version on "
		    "both", p->hello.protocol, WIRE_PROTOCOL);
	p->strings[0] = mem_strdup(wire_get_str(&r));
	digest = wire_get_bytes(&r, &len);
	if (len == sizeof(p->hello.sha256))
		memcpy(p->hello.sha256, digest, len);
	else
		r.bad = true;
	for (i = 1; i < 3; i++)
		p->strings[i] = mem_strdup(wire_get_str(&r));
	p->facts.uid = wire_get_u32(&r);
	p->facts.gid = wire_get_u32(&r);
	p->strings[3] = mem_strdup(wire_get_str(&r));
	if (p->strings[3][0] != '/')
		r.bad = true;
	p->hello.version = p->strings[0];
	p->facts.machine = p->strings[1];
	p->facts.hostname = p->strings[2];
	p->facts.home = p->strings[3];
	return check(p, &r, "greeting of sanctumctl-remote", err);
}

static void
pipe_close(void *state)
{
	struct host_pipe *p = state;
	size_t i;

	wire_close(&p->wire);
	for (i = 0; i < 4; i++)
		free(p->strings[i]);
	free(p);
}

int
host_pipe_open(const struct wire_pipe *pipe, uint64_t hello_ms,
    struct buf *noise, struct host_pipe **out, struct err *err)
{
	struct host_pipe *p = mem_zero(1, sizeof(*p));

	*out = NULL;
	wire_open(&p->wire, pipe);
	p->wire.deadline_ms = clock_ms() + hello_ms;
	if (wire_sync(&p->wire, noise, err) != 0 || get_hello(p, err) != 0) {
		pipe_close(p);
		return -1;
	}
	*out = p;
	return 0;
}

const struct host_pipe_hello *
host_pipe_hello(const struct host_pipe *p)
{
	return &p->hello;
}

static const struct host_facts *
pipe_facts(const void *state)
{
	const struct host_pipe *p = state;

	return &p->facts;
}

static int
pipe_run(void *state, const struct proc_spec *spec,
    struct proc_result *result, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;
	uint32_t status;
	bool out_full, err_full;

	if (spec->input_len > WIRE_BLOB_MAX)
		return err_set(err, ERR_DATA,
		    "input is larger than %u bytes", WIRE_BLOB_MAX);
	wire_data_put_words(&b, spec->argv);
	wire_data_put_words(&b, spec->env);
	wire_put_u64(&b, spec->timeout_ms);
	wire_put_u64(&b, result->out.max);
	wire_put_u64(&b, result->err_out.max);
	if (begin(p, WIRE_RUN, &b, spec->timeout_ms + RUN_GRACE_MS,
	    err) != 0 ||
	    send_blob(p, spec->input, spec->input_len, err) != 0 ||
	    finish(p, &r, err) != 0)
		return -1;
	status = wire_get_u32(&r);
	out_full = wire_get_u8(&r) != 0;
	err_full = wire_get_u8(&r) != 0;
	if (check(p, &r, "end of a program", err) != 0 ||
	    wire_recv_blob(&p->wire, &result->out, err) != 0 ||
	    wire_recv_blob(&p->wire, &result->err_out, err) != 0)
		return -1;
	result->status = (int)(status & 0xffff);
	result->out.full |= out_full;
	result->err_out.full |= err_full;
	return 0;
}

static int
pipe_stat(void *state, const char *path, struct fs_meta *meta,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (ask(p, WIRE_STAT, &b, &r, err) != 0)
		return -1;
	wire_data_get_meta(&r, meta);
	return check(p, &r, "stat", err);
}

/*
 * The other end answers one request after the other: all go out before the
 * first answer is waited for, and all answers are taken, the failed ones too.
 */
static int
pipe_stat_all(void *state, const char *const *paths, size_t n,
    struct fs_meta *metas, struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;
	struct err other = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct buf b = BUF_INIT(WIRE_FRAME_MAX);

		wire_put_str(&b, paths[i]);
		if (begin(p, WIRE_STAT, &b, 0, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < n && !p->wire.broken; i++) {
		if (finish(p, &r, rc == 0 ? err : &other) != 0) {
			rc = -1;
			continue;
		}
		wire_data_get_meta(&r, &metas[i]);
		if (check(p, &r, "stat", rc == 0 ? err : &other) != 0)
			rc = -1;
	}
	return rc;
}

static int
pipe_read(void *state, const char *path, struct buf *out,
    struct fs_meta *meta, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;
	struct fs_meta got;

	wire_put_str(&b, path);
	wire_put_u64(&b, out->max - out->len);
	if (ask(p, WIRE_READ, &b, &r, err) != 0)
		return -1;
	wire_data_get_meta(&r, &got);
	if (check(p, &r, "read", err) != 0 ||
	    wire_recv_blob(&p->wire, out, err) != 0)
		return -1;
	if (meta)
		*meta = got;
	return 0;
}

static int
pipe_replace(void *state, const char *path, const void *data, size_t len,
    const struct fs_meta *meta, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	if (len > WIRE_BLOB_MAX)
		return err_set(err, ERR_DATA,
		    "%zu bytes are too many for one file to replace", len);
	wire_put_str(&b, path);
	wire_data_put_meta(&b, meta);
	if (begin(p, WIRE_REPLACE, &b, 0, err) != 0 ||
	    send_blob(p, data, len, err) != 0)
		return -1;
	return finish(p, &r, err);
}

static int
pipe_mkdirs(void *state, const char *path, mode_t mode, struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	wire_put_u32(&b, mode);
	return ask(state, WIRE_MKDIRS, &b, &r, err);
}

static int
pipe_remove(void *state, const char *path, struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	return ask(state, WIRE_REMOVE, &b, &r, err);
}

static int
pipe_rename(void *state, const char *from, const char *to, int exchange,
    struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, from);
	wire_put_str(&b, to);
	wire_put_u8(&b, exchange != 0);
	return ask(state, WIRE_RENAME, &b, &r, err);
}

static int
pipe_free_bytes(void *state, const char *path, uint64_t *out,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (ask(p, WIRE_FREE_BYTES, &b, &r, err) != 0)
		return -1;
	*out = wire_get_u64(&r);
	return check(p, &r, "free bytes", err);
}

static int
pipe_snapshot(void *state, const char *source, const char *target,
    struct db_report *report, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, source);
	wire_put_str(&b, target);
	if (ask(p, WIRE_SNAPSHOT, &b, &r, err) != 0)
		return -1;
	wire_data_get_report(&r, report);
	return check(p, &r, "snapshot", err);
}

static int
pipe_db_check(void *state, const char *path, struct db_report *report,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (ask(p, WIRE_DB_CHECK, &b, &r, err) != 0)
		return -1;
	wire_data_get_report(&r, report);
	return check(p, &r, "database check", err);
}

static int
pipe_connects(void *state, const char *address, unsigned int port, bool *out,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, address);
	wire_put_u32(&b, port);
	if (ask(p, WIRE_CONNECTS, &b, &r, err) != 0)
		return -1;
	*out = wire_get_u8(&r) != 0;
	return check(p, &r, "connects", err);
}

/*
 * A callback of ours failed inside an answer that goes on: ask for its end
 * and pass over what is still under way.  err keeps what the callback said.
 */
static int
cancel(struct host_pipe *p)
{
	struct err ignored = ERR_INIT;
	struct wire_reader r;
	int type;

	set_deadline(p, 0);
	if (wire_send(&p->wire, WIRE_CANCEL, NULL, &ignored) != 0)
		return -1;
	do {
		type = answer(p, &r, &ignored);
	} while (type == WIRE_ENTRY || type == WIRE_DATA);
	return -1;
}

/* What each frame of a long answer is given to. */
typedef int take(struct host_pipe *, enum wire_type, struct wire_reader *,
    void *ctx, struct err *);

/* Frames to take until OK, whose fields are left in r. */
static int
stream(struct host_pipe *p, enum wire_type each, take *give, void *ctx,
    struct wire_reader *r, struct err *err)
{
	int rc = 0, type;

	p->busy = true;
	for (;;) {
		set_deadline(p, 0);
		type = answer(p, r, err);
		if (type < 0 || type == WIRE_OK)
			break;
		if (type != (int)each) {
			rc = out_of_step(p, (enum wire_type)type, err);
			break;
		}
		rc = give(p, each, r, ctx, err);
		if (rc != 0) {
			if (!p->wire.broken)
				rc = cancel(p);
			break;
		}
	}
	p->busy = false;
	return type < 0 ? -1 : rc;
}

struct walk {
	int (*each)(void *ctx, const struct tree_entry *, struct err *);
	void *ctx;
};

static int
take_entry(struct host_pipe *p, enum wire_type type, struct wire_reader *r,
    void *ctx, struct err *err)
{
	const struct walk *walk = ctx;
	struct tree_entry entry;

	(void)type;
	wire_data_get_entry(r, &entry);
	if (check(p, r, "entry of a tree", err) != 0)
		return -1;
	return walk->each(walk->ctx, &entry, err);
}

static int
pipe_walk(void *state, const char *root, const struct tree_rules *rules,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct walk walk = { .each = each, .ctx = ctx };
	struct wire_reader r;

	wire_put_str(&b, root);
	wire_data_put_words(&b, rules ? rules->exclude : NULL);
	wire_data_put_words(&b, rules ? rules->top : NULL);
	wire_put_str(&b, rules && rules->pass_over ? rules->pass_over : "");
	wire_put_u8(&b, rules && rules->hash);
	wire_put_u8(&b, rules && rules->xattrs);
	wire_put_u8(&b, rules && rules->setuid);
	if (begin(p, WIRE_WALK, &b, 0, err) != 0 ||
	    stream(p, WIRE_ENTRY, take_entry, &walk, &r, err) != 0)
		return -1;
	return check(p, &r, "end of a walk", err);
}

/* Begin a request that names entries of a tree. */
static int
begin_paths(struct host_pipe *p, enum wire_type type, struct buf *request,
    const char *const *paths, size_t n_paths, struct err *err)
{
	size_t i, total = 0;

	for (i = 0; i < n_paths; i++)
		total += strlen(paths[i]) + 1;
	if (total > WIRE_BLOB_MAX) {
		buf_clear(request);
		return err_set(err, ERR_DATA, "the names of %zu entries are "
		    "too long for one request", n_paths);
	}
	if (begin(p, type, request, 0, err) != 0)
		return -1;
	for (i = 0; i < n_paths; i++)
		if (wire_send_data(&p->wire, paths[i], strlen(paths[i]) + 1,
		    err) != 0)
			return -1;
	return wire_send(&p->wire, WIRE_END, NULL, err);
}

struct pack {
	tree_sink *sink;
	void *ctx;
};

static int
take_data(struct host_pipe *p, enum wire_type type, struct wire_reader *r,
    void *ctx, struct err *err)
{
	const struct pack *pack = ctx;

	(void)p;
	(void)type;
	return pack->sink(pack->ctx, r->data, r->left, err);
}

static int
pipe_pack(void *state, const char *root, const char *const *paths,
    size_t n_paths, tree_sink *sink, void *ctx, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct pack pack = { .sink = sink, .ctx = ctx };
	struct wire_reader r;

	wire_put_str(&b, root);
	if (begin_paths(p, WIRE_PACK, &b, paths, n_paths, err) != 0 ||
	    stream(p, WIRE_DATA, take_data, &pack, &r, err) != 0)
		return -1;
	return check(p, &r, "end of a tree", err);
}

struct copy {
	int (*at)(void *ctx, uint64_t bytes, struct err *);
	void *ctx;
};

static int
take_progress(struct host_pipe *p, enum wire_type type,
    struct wire_reader *r, void *ctx, struct err *err)
{
	const struct copy *copy = ctx;
	uint64_t bytes = wire_get_u64(r);

	(void)type;
	if (check(p, r, "progress of a copy", err) != 0)
		return -1;
	return copy->at(copy->ctx, bytes, err);
}

static int
pipe_copy(void *state, const char *from_root, const char *const *paths,
    size_t n_paths, const char *to_root, const struct tree_owner *owner,
    int (*at)(void *ctx, uint64_t bytes, struct err *), void *ctx,
    struct tree_stats *stats, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct copy copy = { .at = at, .ctx = ctx };
	struct wire_reader r;

	wire_put_str(&b, from_root);
	wire_put_str(&b, to_root);
	wire_data_put_owner(&b, owner);
	if (begin_paths(p, WIRE_COPY, &b, paths, n_paths, err) != 0 ||
	    stream(p, WIRE_ENTRY, take_progress, &copy, &r, err) != 0)
		return -1;
	wire_data_get_stats(&r, stats);
	return check(p, &r, "end of a copy", err);
}

static int
pipe_unpack_open(void *state, const char *root,
    const struct tree_owner *owner, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);

	wire_put_str(&b, root);
	wire_data_put_owner(&b, owner);
	if (begin(p, WIRE_UNPACK, &b, 0, err) != 0)
		return -1;
	p->unpack = UNPACK_OPEN;
	return 0;
}

static int
pipe_unpack_write(void *state, const void *data, size_t len, struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;
	int type;

	set_deadline(p, 0);
	if (wire_pending(&p->wire)) {
		type = answer(p, &r, err);
		if (type >= 0)
			return out_of_step(p, (enum wire_type)type, err);
		p->unpack = UNPACK_REFUSED;
		return -1;
	}
	return wire_send_data(&p->wire, data, len, err);
}

static void
pipe_unpack_abort(void *state)
{
	struct host_pipe *p = state;
	struct err ignored = ERR_INIT;
	struct wire_reader r;

	set_deadline(p, 0);
	if (p->unpack != UNPACK_NONE && !p->wire.broken &&
	    wire_send(&p->wire, WIRE_CANCEL, NULL, &ignored) == 0 &&
	    p->unpack == UNPACK_OPEN)
		(void)finish(p, &r, &ignored);
	p->unpack = UNPACK_NONE;
}

static int
pipe_unpack_finish(void *state, struct tree_stats *stats, struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;

	if (p->unpack != UNPACK_OPEN)
		return err_set(err, ERR_FAILED, "no tree is being unpacked");
	p->unpack = UNPACK_NONE;
	set_deadline(p, 0);
	if (wire_send(&p->wire, WIRE_END, NULL, err) != 0 ||
	    finish(p, &r, err) != 0)
		return -1;
	wire_data_get_stats(&r, stats);
	return check(p, &r, "end of a tree", err);
}

const struct host_ops host_pipe_ops = {
	.close = pipe_close,
	.facts = pipe_facts,
	.run = pipe_run,
	.stat = pipe_stat,
	.stat_all = pipe_stat_all,
	.read = pipe_read,
	.replace = pipe_replace,
	.mkdirs = pipe_mkdirs,
	.remove = pipe_remove,
	.rename = pipe_rename,
	.free_bytes = pipe_free_bytes,
	.snapshot = pipe_snapshot,
	.db_check = pipe_db_check,
	.walk = pipe_walk,
	.connects = pipe_connects,
	.pack = pipe_pack,
	.unpack_open = pipe_unpack_open,
	.unpack_write = pipe_unpack_write,
	.unpack_finish = pipe_unpack_finish,
	.unpack_abort = pipe_unpack_abort,
	.copy = pipe_copy,
};
