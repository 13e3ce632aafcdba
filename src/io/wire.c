#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/wire.h"

#define HEAD_SIZE 5
#define FLUSH_AT (256u * 1024u)	/* libssh2 cuts it: few small packets */
#define IN_SIZE (HEAD_SIZE + WIRE_FRAME_MAX + FLUSH_AT)

void
wire_open(struct wire *w, const struct wire_pipe *pipe)
{
	memset(w, 0, sizeof(*w));
	w->pipe = *pipe;
	w->in = mem_alloc(IN_SIZE);
	/* What crosses it may be a .env file: no copy stays in memory. */
	buf_init_still(&w->out, FLUSH_AT + HEAD_SIZE + WIRE_FRAME_MAX);
}

void
wire_close(struct wire *w)
{
	buf_wipe(&w->out);
	if (w->in)
		secret_wipe(w->in, IN_SIZE);
	free(w->in);
	w->in = NULL;
	w->broken = true;
	if (w->pipe.close)
		w->pipe.close(w->pipe.ctx);
}

static int
broke(struct wire *w)
{
	w->broken = true;
	return -1;
}

static int
refuse_broken(struct err *err)
{
	return err_set(err, ERR_UNREACHABLE,
	    "the connection was given up after an earlier failure");
}

int
wire_flush(struct wire *w, struct err *err)
{
	if (w->broken)
		return refuse_broken(err);
	if (w->out.len == 0)
		return 0;
	if (w->pipe.write(w->pipe.ctx, w->out.data, w->out.len,
	    w->deadline_ms, err) != 0)
		return broke(w);
	secret_wipe(w->out.data, w->out.len);
	buf_truncate(&w->out, 0);
	return 0;
}

static int
send_frame(struct wire *w, enum wire_type type, const void *data, size_t len,
    struct err *err)
{
	if (w->broken)
		return refuse_broken(err);
	wire_put_u32(&w->out, (uint32_t)len);
	wire_put_u8(&w->out, type);
	buf_add(&w->out, data, len);
	return w->out.len >= FLUSH_AT ? wire_flush(w, err) : 0;
}

int
wire_send(struct wire *w, enum wire_type type, const struct buf *payload,
    struct err *err)
{
	if (!payload)
		return send_frame(w, type, "", 0, err);
	if (payload->full || payload->len > WIRE_FRAME_MAX)
		return err_set(err, ERR_DATA,
		    "request or answer is larger than %u bytes",
		    WIRE_FRAME_MAX);
	return send_frame(w, type, buf_cstr(payload), payload->len, err);
}

int
wire_send_data(struct wire *w, const void *data, size_t len, struct err *err)
{
	const char *p = data;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < WIRE_CHUNK ? len : WIRE_CHUNK;
		if (send_frame(w, WIRE_DATA, p, n, err) != 0)
			return -1;
	}
	return 0;
}

/* Read until `need` bytes lie at in_at: 1, 0 at the end of the stream, -1. */
static int
fill(struct wire *w, size_t need, struct err *err)
{
	ptrdiff_t n;

	if (w->in_at > 0 && IN_SIZE - w->in_at < need) {
		memmove(w->in, w->in + w->in_at, w->in_len - w->in_at);
		w->in_len -= w->in_at;
		w->in_at = 0;
	}
	while (w->in_len - w->in_at < need) {
		n = w->pipe.read(w->pipe.ctx, w->in + w->in_len,
		    IN_SIZE - w->in_len, w->deadline_ms, err);
		if (n <= 0)
			return (int)n;
		w->in_len += (size_t)n;
	}
	return 1;
}

int
wire_sync(struct wire *w, struct buf *noise, struct err *err)
{
	const size_t magic_len = strlen(WIRE_MAGIC);
	size_t passed = 0;
	int got;

	if (w->broken)
		return refuse_broken(err);
	for (;;) {
		got = fill(w, magic_len, err);
		if (got < 0)
			return broke(w);
		if (got == 0 || passed > WIRE_NOISE_MAX)
			break;
		if (memcmp(w->in + w->in_at, WIRE_MAGIC, magic_len) == 0) {
			w->in_at += magic_len;
			return 0;
		}
		if (noise->len == noise->max)
			buf_drop(noise, noise->max / 2);
		buf_char(noise, (char)w->in[w->in_at]);
		w->in_at++;
		passed++;
	}

	/* The stream ended: its last bytes tell why. */
	if (got == 0) {
		buf_drop(noise, noise->len > noise->max / 2 ?
		    noise->len - noise->max / 2 : 0);
		buf_add(noise, w->in + w->in_at, w->in_len - w->in_at);
	}
	w->broken = true;
	return err_set(err, ERR_DATA, got == 0 ?
	    "sanctumctl-remote did not start" :
	    "sanctumctl-remote did not begin within 64 KiB of output");
}

int
wire_recv(struct wire *w, enum wire_type *type, struct wire_reader *payload,
    struct err *err)
{
	struct wire_reader head;
	uint32_t len;
	int got;

	if (w->broken)
		return refuse_broken(err);
	if (wire_flush(w, err) != 0)
		return -1;
	if (w->in_at == w->in_len) {
		secret_wipe(w->in, w->in_len);
		w->in_at = w->in_len = 0;
	}

	got = fill(w, HEAD_SIZE, err);
	if (got == 0 && w->in_at == w->in_len)
		return 0;
	if (got < 0)
		return broke(w);
	wire_reader_init(&head, w->in + w->in_at, HEAD_SIZE);
	len = wire_get_u32(&head);
	*type = (enum wire_type)wire_get_u8(&head);
	if (got == 1 && len > WIRE_FRAME_MAX) {
		w->broken = true;
		return err_set(err, ERR_DATA, "a frame of %" PRIu32
		    " bytes (at most %u)", len, WIRE_FRAME_MAX);
	}
	if (got == 1)
		got = fill(w, HEAD_SIZE + len, err);
	if (got < 0)
		return broke(w);
	if (got == 0) {
		w->broken = true;
		return err_set(err, ERR_UNREACHABLE,
		    "the connection ended inside a frame");
	}
	wire_reader_init(payload, w->in + w->in_at + HEAD_SIZE, len);
	w->in_at += HEAD_SIZE + len;
	return 1;
}

bool
wire_pending(struct wire *w)
{
	if (w->broken)
		return false;
	return w->in_at < w->in_len || w->pipe.readable(w->pipe.ctx);
}

int
wire_recv_blob(struct wire *w, struct buf *out, struct err *err)
{
	struct wire_reader payload;
	enum wire_type type;
	int got;

	for (;;) {
		got = wire_recv(w, &type, &payload, err);
		if (got < 0)
			return -1;
		if (got == 1 && type == WIRE_END)
			return 0;
		if (got == 0 || type != WIRE_DATA)
			break;
		buf_add(out, payload.data, payload.left);
	}
	w->broken = true;
	if (got == 0)
		return err_set(err, ERR_UNREACHABLE,
		    "the connection ended inside data");
	return err_set(err, ERR_DATA, "frame of type %u inside data",
	    (unsigned int)type);
}

void
wire_put_u8(struct buf *b, unsigned int v)
{
	buf_char(b, (char)v);
}

static void
put_le(struct buf *b, uint64_t v, size_t n_bytes)
{
	unsigned char raw[8];
	size_t i;

	for (i = 0; i < n_bytes; i++)
		raw[i] = (unsigned char)(v >> (8 * i) & 0xff);
	buf_add(b, raw, n_bytes);
}

void
wire_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
wire_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
wire_put_i64(struct buf *b, int64_t v)
{
	put_le(b, (uint64_t)v, 8);
}

void
wire_put_bytes(struct buf *b, const void *data, size_t len)
{
	if (len > WIRE_FRAME_MAX) {
		b->full = true;
		return;
	}
	wire_put_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void
wire_put_str(struct buf *b, const char *s)
{
	wire_put_bytes(b, s, strlen(s));
	buf_char(b, '\0');
}

void
wire_reader_init(struct wire_reader *r, const void *data, size_t len)
{
	r->data = data;
	r->left = len;
	r->bad = false;
}

static const unsigned char *
take(struct wire_reader *r, size_t n)
{
	const unsigned char *p = r->data;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->data += n;
	r->left -= n;
	return p;
}

static uint64_t
get_le(struct wire_reader *r, size_t n_bytes)
{
	const unsigned char *p = take(r, n_bytes);
	uint64_t v = 0;

	while (p && n_bytes > 0)
		v = v << 8 | p[--n_bytes];
	return v;
}

unsigned int
wire_get_u8(struct wire_reader *r)
{
	return (unsigned int)get_le(r, 1);
}

uint32_t
wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t
wire_get_u64(struct wire_reader *r)
{
	return get_le(r, 8);
}

int64_t
wire_get_i64(struct wire_reader *r)
{
	return (int64_t)get_le(r, 8);
}

const void *
wire_get_bytes(struct wire_reader *r, size_t *len)
{
	size_t n = wire_get_u32(r);
	const void *p = take(r, n);

	*len = p ? n : 0;
	return p ? p : "";
}

const char *
wire_get_str(struct wire_reader *r)
{
	size_t len;
	const char *s = wire_get_bytes(r, &len);
	const unsigned char *end = take(r, 1);

	if (r->bad || end[0] != '\0' || memchr(s, '\0', len)) {
		r->bad = true;
		return "";
	}
	return s;
}

int
wire_check(const struct wire_reader *r, const char *what, struct err *err)
{
	if (!r->bad && r->left == 0)
		return 0;
	return err_set(err, ERR_DATA, "%s: malformed", what);
}
