#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/db_pages.h"
#include "io/db_script.h"
#include "io/host_pipe.h"
#include "io/host_pipe_part.h"
#include "io/wire_data.h"

int
host_pipe_snapshot(void *state, const char *source, const char *target,
    struct db_report *report, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, source);
	wire_put_str(&b, target);
	if (host_pipe_ask(p, WIRE_SNAPSHOT, &b, &r, err) != 0)
		return -1;
	wire_data_get_report(&r, report);
	return host_pipe_check(p, &r, "snapshot", err);
}

int
host_pipe_db_check(void *state, const char *path, struct db_report *report,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	if (host_pipe_ask(p, WIRE_DB_CHECK, &b, &r, err) != 0)
		return -1;
	wire_data_get_report(&r, report);
	return host_pipe_check(p, &r, "database check", err);
}

int
host_pipe_db_script(void *state, const char *path,
    const struct db_script *script, struct buf *rows, uint64_t *changes,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX), text = BUF_INIT(WIRE_BLOB_MAX);
	struct wire_reader r;
	int rc;

	wire_put_str(&b, path);
	db_script_put(&text, script);
	rc = buf_check(&text, "script", err);
	if (rc == 0)
		rc = host_pipe_begin(p, WIRE_DB_SCRIPT, &b, script->wait_ms,
		    err);
	if (rc == 0)
		rc = host_pipe_send_blob(p, buf_cstr(&text), text.len, err);
	buf_clear(&b);
	buf_wipe(&text);
	if (rc != 0 || host_pipe_finish(p, &r, err) != 0)
		return -1;
	for (size_t i = 0; i < script->n_statements; i++) {
		const uint64_t n = wire_get_u64(&r);

		if (changes)
			changes[i] = n;
	}
	if (host_pipe_check(p, &r, "script", err) != 0 ||
	    wire_recv_blob(&p->wire, rows, err) != 0)
		return -1;
	return buf_check(rows, "result", err);
}

int
host_pipe_db_sums(void *state, const char *path, const char *sums_path,
    struct db_pages_stats *stats, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	wire_put_str(&b, sums_path ? sums_path : "");
	if (host_pipe_ask(p, WIRE_DB_SUMS, &b, &r, err) != 0)
		return -1;
	wire_data_get_pages(&r, stats);
	return host_pipe_check(p, &r, "sums of pages", err);
}

int
host_pipe_db_send(void *state, const char *path, const char *sums_path,
    const unsigned char *base, tree_sink *sink, void *ctx,
    struct db_pages_stats *stats, struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, path);
	wire_put_str(&b, sums_path ? sums_path : "");
	buf_add(&b, base, HASH_SIZE);
	if (host_pipe_begin(p, WIRE_DB_SEND, &b, 0, err) != 0 ||
	    host_pipe_take_data(p, sink, ctx, &r, err) != 0)
		return -1;
	wire_data_get_pages(&r, stats);
	return host_pipe_check(p, &r, "end of pages", err);
}

int
host_pipe_patch_open(void *state, const char *path, const char *sums_path,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);

	wire_put_str(&b, path);
	wire_put_str(&b, sums_path ? sums_path : "");
	if (host_pipe_begin(p, WIRE_DB_PATCH, &b, 0, err) != 0)
		return -1;
	p->unpack = UNPACK_OPEN;
	/* It may read the copy while the other end reads the source. */
	return wire_flush(&p->wire, err);
}

int
host_pipe_patch_finish(void *state, struct db_pages_stats *stats,
    struct err *err)
{
	struct host_pipe *p = state;
	struct wire_reader r;

	if (host_pipe_unpack_end(p, &r, err) != 0)
		return -1;
	wire_data_get_pages(&r, stats);
	return host_pipe_check(p, &r, "end of pages", err);
}

int
host_pipe_db_delta(void *state, const char *from, const char *from_sums,
    const char *to, const char *to_sums, struct db_pages_stats *stats,
    struct err *err)
{
	struct host_pipe *p = state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	struct wire_reader r;

	wire_put_str(&b, from);
	wire_put_str(&b, from_sums);
	wire_put_str(&b, to);
	wire_put_str(&b, to_sums);
	if (host_pipe_ask(p, WIRE_DB_DELTA, &b, &r, err) != 0)
		return -1;
	wire_data_get_pages(&r, stats);
	return host_pipe_check(p, &r, "changed pages", err);
}
