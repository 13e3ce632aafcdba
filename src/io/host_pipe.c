#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_pipe.h"
#include "io/host_pipe_part.h"
#include "io/wire_data.h"

void
host_pipe_deadline(struct host_pipe *p, uint64_t extra_ms)
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

int
host_pipe_out_of_step(struct host_pipe *p, enum wire_type type, struct err *err)
{
	p->wire.broken = true;
	return err_set(err, ERR_DATA,
	    "sanctumctl-remote sent a frame of type %u out of turn",
	    (unsigned int)type);
}

int
host_pipe_check(struct host_pipe *p, const struct wire_reader *r,
    const char *what, struct err *err)
{
	if (wire_check(r, what, err) == 0)
		return 0;
	p->wire.broken = true;
	return -1;
}

int
host_pipe_answer(struct host_pipe *p, struct wire_reader *r, struct err *err)
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
		return host_pipe_out_of_step(p, type, err);
	wire_data_get_err(r, &theirs);
	if (host_pipe_check(p, r, "failure", err) != 0)
		return -1;
	*err = theirs;
	return -1;
}

int
host_pipe_begin(struct host_pipe *p, enum wire_type type, struct buf *request,
    uint64_t extra_ms, struct err *err)
{
	int rc;

	if (p->busy || p->unpack != UNPACK_NONE) {
		buf_clear(request);
		return err_set(err, ERR_FAILED,
		    "this connection is in the middle of another request");
	}
	host_pipe_deadline(p, extra_ms);
	rc = wire_send(&p->wire, type, request, err);
	buf_clear(request);
	return rc;
}

int
host_pipe_send_blob(struct host_pipe *p, const void *data, size_t len,
    struct err *err)
{
	if (wire_send_data(&p->wire, data, len, err) != 0)
		return -1;
	return wire_send(&p->wire, WIRE_END, NULL, err);
}

int
host_pipe_finish(struct host_pipe *p, struct wire_reader *r, struct err *err)
{
	int type = host_pipe_answer(p, r, err);

	if (type < 0)
		return -1;
	return type == WIRE_OK ? 0 :
	    host_pipe_out_of_step(p, (enum wire_type)type, err);
}

int
host_pipe_ask(struct host_pipe *p, enum wire_type type, struct buf *request,
    struct wire_reader *r, struct err *err)
{
	if (host_pipe_begin(p, type, request, 0, err) != 0)
		return -1;
	return host_pipe_finish(p, r, err);
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

	host_pipe_deadline(p, 0);
	if (wire_send(&p->wire, WIRE_CANCEL, NULL, &ignored) != 0)
		return -1;
	do {
		type = host_pipe_answer(p, &r, &ignored);
	} while (type == WIRE_ENTRY || type == WIRE_DATA);
	return -1;
}

int
host_pipe_stream(struct host_pipe *p, enum wire_type each,
    host_pipe_take *give, void *ctx, struct wire_reader *r, struct err *err)
{
	int rc = 0, type;

	p->busy = true;
	for (;;) {
		host_pipe_deadline(p, 0);
		type = host_pipe_answer(p, r, err);
		if (type < 0 || type == WIRE_OK)
			break;
		if (type != (int)each) {
			rc = host_pipe_out_of_step(p, (enum wire_type)type,
			    err);
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
		return host_pipe_out_of_step(p, type, err);

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
	return host_pipe_check(p, &r, "greeting of sanctumctl-remote", err);
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
pipe_stat(void *state, const char *path, struct fs_meta *meta,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (host_pipe_ask(p, WIRE_STAT, &b, &r, err) != 0)
		return -1;
	wire_data_get_meta(&r, meta);
	return host_pipe_check(p, &r, "stat", err);
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
		if (host_pipe_begin(p, WIRE_STAT, &b, 0, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < n && !p->wire.broken; i++) {
		if (host_pipe_finish(p, &r, rc == 0 ? err : &other) != 0) {
			rc = -1;
			continue;
		}
		wire_data_get_meta(&r, &metas[i]);
		if (host_pipe_check(p, &r, "stat", rc == 0 ? err : &other) != 0)
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
	if (host_pipe_ask(p, WIRE_READ, &b, &r, err) != 0)
		return -1;
	wire_data_get_meta(&r, &got);
	if (host_pipe_check(p, &r, "read", err) != 0 ||
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
	if (host_pipe_begin(p, WIRE_REPLACE, &b, 0, err) != 0 ||
	    host_pipe_send_blob(p, data, len, err) != 0)
		return -1;
	return host_pipe_finish(p, &r, err);
}

static int
pipe_mkdirs(void *state, const char *path, mode_t mode, struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	wire_put_u32(&b, mode);
	return host_pipe_ask(state, WIRE_MKDIRS, &b, &r, err);
}

static int
pipe_remove(void *state, const char *path, struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	return host_pipe_ask(state, WIRE_REMOVE, &b, &r, err);
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
	return host_pipe_ask(state, WIRE_RENAME, &b, &r, err);
}

static int
pipe_free_bytes(void *state, const char *path, uint64_t *out,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (host_pipe_ask(p, WIRE_FREE_BYTES, &b, &r, err) != 0)
		return -1;
	*out = wire_get_u64(&r);
	return host_pipe_check(p, &r, "free bytes", err);
}

const struct host_ops host_pipe_ops = {
	.close = pipe_close,
	.facts = pipe_facts,
	.run = host_pipe_run,
	.stat = pipe_stat,
	.stat_all = pipe_stat_all,
	.read = pipe_read,
	.replace = pipe_replace,
	.mkdirs = pipe_mkdirs,
	.remove = pipe_remove,
	.rename = pipe_rename,
	.free_bytes = pipe_free_bytes,
	.snapshot = host_pipe_snapshot,
	.db_check = host_pipe_db_check,
	.walk = host_pipe_walk,
	.connects = host_pipe_connects,
	.dial = host_pipe_dial,
	.talk = host_pipe_talk,
	.hear = host_pipe_hear,
	.hangup = host_pipe_hangup,
	.db_sums = host_pipe_db_sums,
	.db_send = host_pipe_db_send,
	.patch_open = host_pipe_patch_open,
	.patch_write = host_pipe_unpack_write,
	.patch_finish = host_pipe_patch_finish,
	.patch_abort = host_pipe_unpack_abort,
	.db_delta = host_pipe_db_delta,
	.db_script = host_pipe_db_script,
	.processes = host_pipe_processes,
	.process_env = host_pipe_process_env,
	.signal = host_pipe_signal,
	.pack = host_pipe_pack,
	.unpack_open = host_pipe_unpack_open,
	.unpack_write = host_pipe_unpack_write,
	.unpack_finish = host_pipe_unpack_finish,
	.unpack_abort = host_pipe_unpack_abort,
	.copy = host_pipe_copy,
};
