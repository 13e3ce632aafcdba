#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "io/hash.h"
#include "io/host_local.h"
#include "io/wire_data.h"
#include "remote/serve.h"
#include "remote/serve_part.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

int
serve_check_cancel(struct serve *s, struct err *err)
{
	struct wire_reader r;
	enum wire_type type;
	int got;

	if (!wire_pending(&s->wire))
		return 0;
	got = wire_recv(&s->wire, &type, &r, err);
	if (got < 0)
		return -1;
	if (got == 1 && type == WIRE_CANCEL)
		return err_set(err, ERR_FAILED, "cancelled");
	s->wire.broken = true;
	return err_set(err, ERR_UNREACHABLE, got == 0 ?
	    "the other end is gone" : "a request inside another one");
}

int
serve_send_err(struct serve *s, const struct err *cause, struct err *err)
{
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	int rc;

	wire_data_put_err(&b, cause);
	rc = wire_send(&s->wire, WIRE_ERR, &b, err);
	if (rc == 0)
		rc = wire_flush(&s->wire, err);
	buf_clear(&b);
	return rc;
}

static serve_handler *
find(enum wire_type type)
{
	static const struct {
		enum wire_type type;
		serve_handler *run;
	} handlers[] = {
		{ WIRE_RUN, serve_run_program },
		{ WIRE_STAT, serve_stat },
		{ WIRE_READ, serve_read },
		{ WIRE_REPLACE, serve_replace },
		{ WIRE_MKDIRS, serve_mkdirs },
		{ WIRE_REMOVE, serve_remove },
		{ WIRE_RENAME, serve_rename },
		{ WIRE_FREE_BYTES, serve_free_bytes },
		{ WIRE_SNAPSHOT, serve_snapshot },
		{ WIRE_DB_CHECK, serve_db_check },
		{ WIRE_WALK, serve_walk },
		{ WIRE_PACK, serve_pack },
		{ WIRE_UNPACK, serve_unpack },
		{ WIRE_COPY, serve_copy },
		{ WIRE_CONNECTS, serve_connects },
		{ WIRE_DIAL, serve_dial },
		{ WIRE_TALK, serve_talk },
		{ WIRE_HEAR, serve_hear },
		{ WIRE_HANGUP, serve_hangup },
		{ WIRE_DB_SCRIPT, serve_db_script },
		{ WIRE_DB_SUMS, serve_db_sums },
		{ WIRE_DB_SEND, serve_db_send },
		{ WIRE_DB_PATCH, serve_db_patch },
		{ WIRE_DB_DELTA, serve_db_delta },
		{ WIRE_PROCESSES, serve_processes },
		{ WIRE_PROCESS_ENV, serve_process_env },
		{ WIRE_SIGNAL, serve_signal },
	};
	size_t i;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == type)
			return handlers[i].run;
	return NULL;
}

static int
send_ok(struct serve *s, struct err *err)
{
	size_t i;

	if (wire_send(&s->wire, WIRE_OK, &s->reply, err) != 0)
		return -1;
	for (i = 0; i < s->n_blobs; i++) {
		if (wire_send_data(&s->wire, buf_cstr(&s->blobs[i]),
		    s->blobs[i].len, err) != 0 ||
		    wire_send(&s->wire, WIRE_END, NULL, err) != 0)
			return -1;
	}
	return wire_flush(&s->wire, err);
}

static int
answer(struct serve *s, serve_handler *run, struct wire_reader *r,
    struct err *err)
{
	struct err cause = ERR_INIT;
	int rc;

	s->answered = false;
	s->n_blobs = 0;
	rc = run(s, r, &cause);
	if (s->wire.broken) {
		*err = cause;
		rc = -1;
	} else if (rc == 0) {
		rc = send_ok(s, err);
	} else {
		rc = s->answered ? 0 : serve_send_err(s, &cause, err);
	}
	buf_truncate(&s->reply, 0);
	buf_wipe(&s->blobs[0]);
	buf_wipe(&s->blobs[1]);
	return rc;
}

static int
send_hello(struct serve *s, struct err *err)
{
	const struct host_facts *facts = host_local_ops.facts(s->local);
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	unsigned char digest[HASH_SIZE];
	int rc = -1;

	if (hash_file("/proc/self/exe", digest, err) != 0)
		goto out;
	wire_put_u32(&b, WIRE_PROTOCOL);
	wire_put_str(&b, PACKAGE_VERSION);
	wire_put_bytes(&b, digest, sizeof(digest));
	wire_put_str(&b, facts->machine);
	wire_put_str(&b, facts->hostname);
	wire_put_u32(&b, facts->uid);
	wire_put_u32(&b, facts->gid);
	wire_put_str(&b, facts->home);
	if (s->wire.pipe.write(s->wire.pipe.ctx, WIRE_MAGIC,
	    strlen(WIRE_MAGIC), 0, err) != 0 ||
	    wire_send(&s->wire, WIRE_HELLO, &b, err) != 0)
		goto out;
	rc = wire_flush(&s->wire, err);
out:
	buf_clear(&b);
	return rc;
}

int
serve_run(const struct wire_pipe *pipe, struct err *err)
{
	struct serve s = { .local = NULL };
	struct wire_reader r;
	enum wire_type type;
	serve_handler *run;
	int got, rc;

	wire_open(&s.wire, pipe);
	buf_init(&s.reply, WIRE_FRAME_MAX);
	rc = host_local_open(&s.local, err);
	if (rc == 0)
		rc = send_hello(&s, err);
	while (rc == 0) {
		got = wire_recv(&s.wire, &type, &r, err);
		if (got <= 0) {
			rc = got;
			break;
		}
		run = find(type);
		if (run)
			rc = answer(&s, run, &r, err);
		else if (type != WIRE_CANCEL)
			rc = err_set(err, ERR_DATA,
			    "a frame of type %u is no request",
			    (unsigned int)type);
	}
	if (s.local)
		host_local_ops.close(s.local);
	buf_clear(&s.reply);
	wire_close(&s.wire);
	return rc;
}
