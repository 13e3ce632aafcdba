#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_local.h"
#include "io/procs.h"
#include "io/wire_data.h"
#include "remote/serve_part.h"

static const struct host_ops *const ops = &host_local_ops;

int
serve_run_program(struct serve *s, struct wire_reader *r, struct err *err)
{
	struct buf input = BUF_INIT(WIRE_BLOB_MAX), fields;
	struct proc_spec spec = { .input = "" };
	struct proc_result result = { .status = -1 };
	const char **argv = NULL, **env = NULL;
	struct wire_reader kept;
	uint64_t max;
	int rc = -1;

	/* The fields outlive the blob behind them. */
	buf_init(&fields, WIRE_FRAME_MAX);
	buf_add(&fields, r->data, r->left);
	wire_reader_init(&kept, buf_cstr(&fields), fields.len);
	argv = wire_data_get_words(&kept, SERVE_WORDS_MAX);
	env = wire_data_get_words(&kept, SERVE_WORDS_MAX);
	spec.timeout_ms = wire_get_u64(&kept);
	max = wire_get_u64(&kept);
	buf_init(&result.out, max < WIRE_BLOB_MAX ? max : WIRE_BLOB_MAX);
	max = wire_get_u64(&kept);
	buf_init(&result.err_out, max < WIRE_BLOB_MAX ? max : WIRE_BLOB_MAX);

	if (wire_recv_blob(&s->wire, &input, err) != 0 ||
	    wire_check(&kept, "run", err) != 0 ||
	    buf_check(&input, "input", err) != 0)
		goto out;
	if (!argv[0]) {
		(void)err_set(err, ERR_USAGE, "no program to run");
		goto out;
	}
	spec.argv = argv;
	spec.env = env;
	spec.input = buf_cstr(&input);
	spec.input_len = input.len;
	rc = ops->run(s->local, &spec, &result, err);
	if (rc != 0)
		goto out;
	wire_put_u32(&s->reply, (uint32_t)result.status);
	wire_put_u8(&s->reply, result.out.full);
	wire_put_u8(&s->reply, result.err_out.full);
	s->blobs[0] = result.out;
	s->blobs[1] = result.err_out;
	s->n_blobs = 2;
	proc_result_init(&result, 0);
out:
	proc_result_clear(&result);
	free(env);
	free(argv);
	buf_wipe(&input);
	buf_clear(&fields);
	return rc;
}

int
serve_connects(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *address = wire_get_str(r);
	const uint32_t port = wire_get_u32(r);
	bool taken = false;

	if (wire_check(r, "connects", err) != 0 ||
	    ops->connects(s->local, address, port, &taken, err) != 0)
		return -1;
	wire_put_u8(&s->reply, taken);
	return 0;
}

static int
send_process(void *ctx, const struct procs_info *info, struct err *err)
{
	struct serve *s = ctx;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	int rc = -1;

	wire_data_put_process(&b, info);
	if (serve_check_cancel(s, err) == 0)
		rc = wire_send(&s->wire, WIRE_ENTRY, &b, err);
	buf_clear(&b);
	return rc;
}

int
serve_processes(struct serve *s, struct wire_reader *r, struct err *err)
{
	/* It outlives what serve_check_cancel receives. */
	char *dir = mem_strdup(wire_get_str(r));
	int rc = -1;

	if (wire_check(r, "processes", err) == 0)
		rc = ops->processes(s->local,
		    dir[0] != '\0' ? dir : NULL, send_process, s, err);
	free(dir);
	return rc;
}

int
serve_process_env(struct serve *s, struct wire_reader *r, struct err *err)
{
	const pid_t pid = (pid_t)wire_get_u32(r);
	const uint64_t start = wire_get_u64(r);
	const char **names = wire_data_get_words(r, SERVE_WORDS_MAX);
	int rc = -1;

	buf_init(&s->blobs[0], WIRE_BLOB_MAX);
	if (wire_check(r, "process environment", err) == 0)
		rc = ops->process_env(s->local, pid, start, names,
		    &s->blobs[0], err);
	if (rc == 0)
		s->n_blobs = 1;
	free(names);
	return rc;
}

int
serve_signal(struct serve *s, struct wire_reader *r, struct err *err)
{
	const pid_t pid = (pid_t)wire_get_u32(r);
	const uint64_t start = wire_get_u64(r);
	const uint32_t sig = wire_get_u32(r);
	bool there = false;

	if (wire_check(r, "signal", err) != 0 ||
	    ops->signal(s->local, pid, start,
	    (int)(sig & 0xff), &there, err) != 0)
		return -1;
	wire_put_u8(&s->reply, there);
	return 0;
}
