#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/host_local.h"
#include "io/wire.h"
#include "remote/serve_part.h"

static const struct host_ops *const ops = &host_local_ops;

int
serve_dial(struct serve *s, struct wire_reader *r, struct err *err)
{
	const uint32_t port = wire_get_u32(r);
	const uint64_t timeout_ms = wire_get_u64(r);
	unsigned int line;

	if (wire_check(r, "dial", err) != 0 ||
	    ops->dial(s->local, port, timeout_ms, &line, err) != 0)
		return -1;
	wire_put_u32(&s->reply, line);
	return 0;
}

/* What is said may be a request with a key in it. */
int
serve_talk(struct serve *s, struct wire_reader *r, struct err *err)
{
	const uint32_t line = wire_get_u32(r);
	struct buf data = BUF_INIT(WIRE_BLOB_MAX);
	int rc = wire_check(r, "talk", err);

	if (wire_recv_blob(&s->wire, &data, err) != 0)
		rc = -1;
	if (rc == 0)
		rc = buf_check(&data, "talk", err);
	if (rc == 0)
		rc = ops->talk(s->local, line, buf_cstr(&data), data.len,
		    err);
	buf_wipe(&data);
	return rc;
}

int
serve_hear(struct serve *s, struct wire_reader *r, struct err *err)
{
	const uint32_t line = wire_get_u32(r);
	const uint64_t wait_ms = wire_get_u64(r);
	bool ended;

	if (wire_check(r, "hear", err) != 0)
		return -1;
	buf_init(&s->blobs[0], WIRE_BLOB_MAX);
	if (ops->hear(s->local, line, wait_ms, &s->blobs[0], &ended,
	    err) != 0)
		return -1;
	s->n_blobs = 1;
	wire_put_u8(&s->reply, ended);
	return 0;
}

int
serve_hangup(struct serve *s, struct wire_reader *r, struct err *err)
{
	const uint32_t line = wire_get_u32(r);

	if (wire_check(r, "hangup", err) != 0)
		return -1;
	return ops->hangup(s->local, line, err);
}
