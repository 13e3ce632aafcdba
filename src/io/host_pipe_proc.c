#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/host_pipe.h"
#include "io/host_pipe_part.h"
#include "io/procs.h"
#include "io/wire_data.h"

#define RUN_GRACE_MS 30000
#define PROCESSES_MAX (4u * 1024u * 1024u)	/* Linux' PID_MAX_LIMIT */

int
host_pipe_run(void *state, const struct proc_spec *spec,
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
	if (host_pipe_begin(p, WIRE_RUN, &b, spec->timeout_ms + RUN_GRACE_MS,
	    err) != 0 ||
	    host_pipe_send_blob(p, spec->input, spec->input_len, err) != 0 ||
	    host_pipe_finish(p, &r, err) != 0)
		return -1;
	status = wire_get_u32(&r);
	out_full = wire_get_u8(&r) != 0;
	err_full = wire_get_u8(&r) != 0;
	if (host_pipe_check(p, &r, "end of a program", err) != 0 ||
	    wire_recv_blob(&p->wire, &result->out, err) != 0 ||
	    wire_recv_blob(&p->wire, &result->err_out, err) != 0)
		return -1;
	result->status = (int)(status & 0xffff);
	result->out.full |= out_full;
	result->err_out.full |= err_full;
	return 0;
}

int
host_pipe_connects(void *state, const char *address, unsigned int port,
    bool *out, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, address);
	wire_put_u32(&b, port);
	if (host_pipe_ask(p, WIRE_CONNECTS, &b, &r, err) != 0)
		return -1;
	*out = wire_get_u8(&r) != 0;
	return host_pipe_check(p, &r, "connects", err);
}

struct list {
	procs_each *each;
	void *ctx;
	uint32_t n;
};

static int
take_process(struct host_pipe *p, enum wire_type type, struct wire_reader *r,
    void *ctx, struct err *err)
{
	struct list *list = ctx;
	struct procs_info info;

	(void)type;
	wire_data_get_process(r, &info);
	/* A list without end would take all our memory. */
	if (++list->n > PROCESSES_MAX)
		r->bad = true;
	if (host_pipe_check(p, r, "process", err) != 0)
		return -1;
	return list->each(list->ctx, &info, err);
}

int
host_pipe_processes(void *state, const char *dir, procs_each *each,
    void *ctx, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct list list = { .each = each, .ctx = ctx };
	struct wire_reader r;

	wire_put_str(&b, dir ? dir : "");
	if (host_pipe_begin(p, WIRE_PROCESSES, &b, 0, err) != 0 ||
	    host_pipe_stream(p, WIRE_ENTRY, take_process, &list, &r,
	    err) != 0)
		return -1;
	return host_pipe_check(p, &r, "end of the processes", err);
}

int
host_pipe_process_env(void *state, pid_t pid, uint64_t start,
    const char *const *names, struct buf *out, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, (uint32_t)pid);
	wire_put_u64(&b, start);
	wire_data_put_words(&b, names);
	if (host_pipe_ask(p, WIRE_PROCESS_ENV, &b, &r, err) != 0 ||
	    host_pipe_check(p, &r, "environment", err) != 0 ||
	    wire_recv_blob(&p->wire, out, err) != 0)
		return -1;
	return buf_check(out, "environment", err);
}

int
host_pipe_signal(void *state, pid_t pid, uint64_t start, int sig,
    bool *there, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_u32(&b, (uint32_t)pid);
	wire_put_u64(&b, start);
	wire_put_u32(&b, (uint32_t)sig);
	if (host_pipe_ask(p, WIRE_SIGNAL, &b, &r, err) != 0)
		return -1;
	*there = wire_get_u8(&r) != 0;
	return host_pipe_check(p, &r, "signal", err);
}
