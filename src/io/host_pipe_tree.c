#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/host_pipe.h"
#include "io/host_pipe_part.h"
#include "io/wire_data.h"

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
	if (host_pipe_check(p, r, "entry of a tree", err) != 0)
		return -1;
	return walk->each(walk->ctx, &entry, err);
}

int
host_pipe_walk(void *state, const char *root, const struct tree_rules *rules,
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
	wire_put_i64(&b, rules ? rules->hash_since_ns : 0);
	if (host_pipe_begin(p, WIRE_WALK, &b, 0, err) != 0 ||
	    host_pipe_stream(p, WIRE_ENTRY, take_entry, &walk, &r, err) != 0)
		return -1;
	return host_pipe_check(p, &r, "end of a walk", err);
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
	if (host_pipe_begin(p, type, request, 0, err) != 0)
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

int
host_pipe_take_data(struct host_pipe *p, tree_sink *sink, void *ctx,
    struct wire_reader *r, struct err *err)
{
	struct pack pack = { .sink = sink, .ctx = ctx };

	return host_pipe_stream(p, WIRE_DATA, take_data, &pack, r, err);
}

int
host_pipe_pack(void *state, const char *root, const char *const *paths,
    size_t n_paths, tree_sink *sink, void *ctx, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, root);
	if (begin_paths(p, WIRE_PACK, &b, paths, n_paths, err) != 0 ||
	    host_pipe_take_data(p, sink, ctx, &r, err) != 0)
		return -1;
	return host_pipe_check(p, &r, "end of a tree", err);
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
	if (host_pipe_check(p, r, "progress of a copy", err) != 0)
		return -1;
	return copy->at(copy->ctx, bytes, err);
}

int
host_pipe_copy(void *state, const char *from_root, const char *const *paths,
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
	    host_pipe_stream(p, WIRE_ENTRY, take_progress, &copy, &r, err) != 0)
		return -1;
	wire_data_get_stats(&r, stats);
	return host_pipe_check(p, &r, "end of a copy", err);
}

int
host_pipe_unpack_open(void *state, const char *root,
    const struct tree_owner *owner, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);

	wire_put_str(&b, root);
	wire_data_put_owner(&b, owner);
	if (host_pipe_begin(p, WIRE_UNPACK, &b, 0, err) != 0)
		return -1;
	p->unpack = UNPACK_OPEN;
	return 0;
}

int
host_pipe_unpack_write(void *state, const void *data, size_t len,
    struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;
	int type;

	host_pipe_deadline(p, 0);
	if (wire_pending(&p->wire)) {
		type = host_pipe_answer(p, &r, err);
		if (type >= 0)
			return host_pipe_out_of_step(p, (enum wire_type)type,
			    err);
		p->unpack = UNPACK_REFUSED;
		return -1;
	}
	return wire_send_data(&p->wire, data, len, err);
}

void
host_pipe_unpack_abort(void *state)
{
	struct host_pipe *p = state;
	struct err ignored = ERR_INIT;
	struct wire_reader r;

	host_pipe_deadline(p, 0);
	if (p->unpack != UNPACK_NONE && !p->wire.broken &&
	    wire_send(&p->wire, WIRE_CANCEL, NULL, &ignored) == 0 &&
	    p->unpack == UNPACK_OPEN)
		(void)host_pipe_finish(p, &r, &ignored);
	p->unpack = UNPACK_NONE;
}

int
host_pipe_unpack_end(struct host_pipe *p, struct wire_reader *r,
    struct err *err)
{
	if (p->unpack != UNPACK_OPEN)
		return err_set(err, ERR_FAILED, "nothing is being sent");
	p->unpack = UNPACK_NONE;
	host_pipe_deadline(p, 0);
	if (wire_send(&p->wire, WIRE_END, NULL, err) != 0)
		return -1;
	return host_pipe_finish(p, r, err);
}

int
host_pipe_unpack_finish(void *state, struct tree_stats *stats,
    struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;

	if (host_pipe_unpack_end(p, &r, err) != 0)
		return -1;
	wire_data_get_stats(&r, stats);
	return host_pipe_check(p, &r, "end of a tree", err);
}
