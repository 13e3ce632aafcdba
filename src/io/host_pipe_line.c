#include "base/base.h"

#include "base/buf.h"
#include "io/host_pipe_part.h"
#include "io/wire.h"

int
host_pipe_dial(void *state, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, port);
	wire_put_u64(&b, timeout_ms);
	if (host_pipe_ask(p, WIRE_DIAL, &b, &r, err) != 0)
		return -1;
	*line = wire_get_u32(&r);
	return host_pipe_check(p, &r, "dial", err);
}

int
host_pipe_talk(void *state, unsigned int line, const void *data, size_t len,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, line);
	if (host_pipe_begin(p, WIRE_TALK, &b, 0, err) != 0 ||
	    host_pipe_send_blob(p, data, len, err) != 0)
		return -1;
	return host_pipe_finish(p, &r, err);
}

int
host_pipe_hear(void *state, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, line);
	wire_put_u64(&b, wait_ms);
	if (host_pipe_ask(p, WIRE_HEAR, &b, &r, err) != 0)
		return -1;
	*ended = wire_get_u8(&r) != 0;
	if (host_pipe_check(p, &r, "hear", err) != 0)
		return -1;
	return wire_recv_blob(&p->wire, out, err);
}

int
host_pipe_hangup(void *state, unsigned int line, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, line);
	return host_pipe_ask(p, WIRE_HANGUP, &b, &r, err);
}
