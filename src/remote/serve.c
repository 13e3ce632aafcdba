#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/hash.h"
#include "io/host_local.h"
#include "io/wire.h"
#include "io/wire_data.h"
#include "remote/serve.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

#define WORDS_MAX 4096
#define PATHS_MAX (4u * 1024u * 1024u)
#define PROGRESS_STEP (1024u * 1024u)

/* One end of a pipe, and the machine that it is about. */
struct serve {
	struct wire wire;
	struct host_local *local;
	struct buf reply;	/* fields of OK */
	struct buf blobs[2];	/* what follows OK */
	size_t n_blobs;
	bool answered;		/* ERR was sent early */
	uint64_t told;		/* bytes of the last progress */
};

/*
 * A request: its fields are in r.  0: OK goes out, with reply and blobs; -1:
 * ERR does, unless it was sent already.
 */
typedef int handler(struct serve *, struct wire_reader *r, struct err *);

static const struct host_ops *const ops = &host_local_ops;

static int
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
	argv = wire_data_get_words(&kept, WORDS_MAX);
	env = wire_data_get_words(&kept, WORDS_MAX);
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

static int
serve_stat(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	struct fs_meta meta;

	if (wire_check(r, "stat", err) != 0 ||
	    ops->stat(s->local, path, &meta, err) != 0)
		return -1;
	wire_data_put_meta(&s->reply, &meta);
	return 0;
}

static int
serve_read(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	const uint64_t max = wire_get_u64(r);
	struct fs_meta meta;

	if (wire_check(r, "read", err) != 0)
		return -1;
	buf_init(&s->blobs[0], max < WIRE_BLOB_MAX ? max : WIRE_BLOB_MAX);
	if (ops->read(s->local, path, &s->blobs[0], &meta, err) != 0)
		return -1;
	s->n_blobs = 1;
	wire_data_put_meta(&s->reply, &meta);
	return 0;
}

static int
serve_replace(struct serve *s, struct wire_reader *r, struct err *err)
{
	struct buf data = BUF_INIT(WIRE_BLOB_MAX);
	char *path = mem_strdup(wire_get_str(r));
	struct wire_reader fields;
	struct fs_meta meta;
	int rc = -1;

	wire_data_get_meta(r, &meta);
	fields = *r;
	if (wire_recv_blob(&s->wire, &data, err) == 0 &&
	    wire_check(&fields, "replace", err) == 0 &&
	    buf_check(&data, path, err) == 0)
		rc = ops->replace(s->local, path, buf_cstr(&data), data.len,
		    &meta, err);
	buf_wipe(&data);
	free(path);
	return rc;
}

static int
serve_mkdirs(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	const mode_t mode = wire_get_u32(r) & 07777;

	if (wire_check(r, "mkdirs", err) != 0)
		return -1;
	return ops->mkdirs(s->local, path, mode, err);
}

static int
serve_remove(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);

	if (wire_check(r, "remove", err) != 0)
		return -1;
	return ops->remove(s->local, path, err);
}

static int
serve_rename(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *from = wire_get_str(r);
	const char *to = wire_get_str(r);
	const int exchange = wire_get_u8(r) != 0;

	if (wire_check(r, "rename", err) != 0)
		return -1;
	return ops->rename(s->local, from, to, exchange, err);
}

static int
serve_free_bytes(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	uint64_t bytes = 0;

	if (wire_check(r, "free bytes", err) != 0 ||
	    ops->free_bytes(s->local, path, &bytes, err) != 0)
		return -1;
	wire_put_u64(&s->reply, bytes);
	return 0;
}

static int
serve_snapshot(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *source = wire_get_str(r);
	const char *target = wire_get_str(r);
	struct db_report report;

	if (wire_check(r, "snapshot", err) != 0 ||
	    ops->snapshot(s->local, source, target, &report, err) != 0)
		return -1;
	wire_data_put_report(&s->reply, &report);
	return 0;
}

static int
serve_db_check(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	struct db_report report;

	if (wire_check(r, "database check", err) != 0 ||
	    ops->db_check(s->local, path, &report, err) != 0)
		return -1;
	wire_data_put_report(&s->reply, &report);
	return 0;
}

static int
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

/* During a long answer: fail when the other end has asked for its end. */
static int
check_cancel(struct serve *s, struct err *err)
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

static int
send_entry(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct serve *s = ctx;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	int rc = -1;

	wire_data_put_entry(&b, entry);
	if (check_cancel(s, err) == 0)
		rc = wire_send(&s->wire, WIRE_ENTRY, &b, err);
	buf_clear(&b);
	return rc;
}

static int
serve_walk(struct serve *s, struct wire_reader *r, struct err *err)
{
	/* The fields outlive what check_cancel receives. */
	struct buf fields = BUF_INIT(WIRE_FRAME_MAX);
	struct tree_rules rules = { .hash = false };
	struct wire_reader kept;
	const char *root, **exclude, **top;
	int rc = -1;

	buf_add(&fields, r->data, r->left);
	wire_reader_init(&kept, buf_cstr(&fields), fields.len);
	root = wire_get_str(&kept);
	exclude = wire_data_get_words(&kept, WORDS_MAX);
	top = wire_data_get_words(&kept, WORDS_MAX);
	rules.exclude = exclude;
	rules.top = top;
	rules.pass_over = wire_get_str(&kept);
	if (*rules.pass_over == '\0')
		rules.pass_over = NULL;
	rules.hash = wire_get_u8(&kept) != 0;
	rules.xattrs = wire_get_u8(&kept) != 0;
	rules.setuid = wire_get_u8(&kept) != 0;
	if (wire_check(&kept, "walk", err) == 0)
		rc = ops->walk(s->local, root, &rules, send_entry, s, err);
	free(top);
	free(exclude);
	buf_clear(&fields);
	return rc;
}

/* A blob of paths, as an array into it; the caller frees both. */
static const char **
get_paths(struct serve *s, struct buf *blob, size_t *n_paths,
    struct err *err)
{
	const char **paths;
	size_t at, n = 0;

	buf_init(blob, WIRE_BLOB_MAX);
	if (wire_recv_blob(&s->wire, blob, err) != 0 ||
	    buf_check(blob, "list of paths", err) != 0)
		return NULL;
	for (at = 0; at < blob->len; at++)
		n += blob->data[at] == '\0';
	if (n > PATHS_MAX || (blob->len > 0 &&
	    blob->data[blob->len - 1] != '\0')) {
		(void)err_set(err, ERR_DATA, "list of paths: malformed");
		return NULL;
	}
	paths = mem_zero(n + 1, sizeof(*paths));
	*n_paths = n;
	for (at = 0, n = 0; at < blob->len; n++) {
		paths[n] = blob->data + at;
		at += strlen(paths[n]) + 1;
	}
	return paths;
}

static int
send_data(void *ctx, const void *data, size_t len, struct err *err)
{
	struct serve *s = ctx;

	if (check_cancel(s, err) != 0)
		return -1;
	return wire_send_data(&s->wire, data, len, err);
}

static int
serve_pack(struct serve *s, struct wire_reader *r, struct err *err)
{
	char *root = mem_strdup(wire_get_str(r));
	const struct wire_reader fields = *r;
	struct buf blob = BUF_INIT(0);
	size_t n_paths = 0;
	const char **paths;
	int rc = -1;

	paths = get_paths(s, &blob, &n_paths, err);
	if (paths && wire_check(&fields, "pack", err) == 0)
		rc = ops->pack(s->local, root, paths, n_paths, send_data, s,
		    err);
	free(paths);
	buf_clear(&blob);
	free(root);
	return rc;
}

static int
send_progress(void *ctx, uint64_t bytes, struct err *err)
{
	struct serve *s = ctx;
	struct buf b = BUF_INIT(8);
	int rc;

	if (check_cancel(s, err) != 0)
		return -1;
	if (bytes - s->told < PROGRESS_STEP)
		return 0;
	s->told = bytes;
	wire_put_u64(&b, bytes);
	rc = wire_send(&s->wire, WIRE_ENTRY, &b, err);
	if (rc == 0)
		rc = wire_flush(&s->wire, err);
	buf_clear(&b);
	return rc;
}

static int
serve_copy(struct serve *s, struct wire_reader *r, struct err *err)
{
	char *from = mem_strdup(wire_get_str(r));
	char *to = mem_strdup(wire_get_str(r));
	struct wire_reader fields;
	struct buf blob = BUF_INIT(0);
	struct tree_owner owner;
	struct tree_stats stats;
	size_t n_paths = 0;
	const char **paths;
	int rc = -1;

	wire_data_get_owner(r, &owner);
	fields = *r;
	s->told = 0;
	paths = get_paths(s, &blob, &n_paths, err);
	if (paths && wire_check(&fields, "copy", err) == 0)
		rc = ops->copy(s->local, from, paths, n_paths, to, &owner,
		    send_progress, s, &stats, err);
	if (rc == 0)
		wire_data_put_stats(&s->reply, &stats);
	wire_data_free_owner(&owner);
	free(paths);
	buf_clear(&blob);
	free(to);
	free(from);
	return rc;
}

static int
send_err(struct serve *s, const struct err *cause, struct err *err)
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

/*
 * The first failure is sent at once, so that the other end stops soon; what
 * is still under way is read and dropped, or both ends would wait to write.
 */
static int
serve_unpack(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *root = wire_get_str(r);
	enum wire_type type = WIRE_DATA;
	struct tree_owner owner;
	struct tree_stats stats;
	struct err cause = ERR_INIT;
	int got, rc;

	wire_data_get_owner(r, &owner);
	rc = wire_check(r, "unpack", &cause);
	if (rc == 0)
		rc = ops->unpack_open(s->local, root, &owner, &cause);
	wire_data_free_owner(&owner);
	for (;;) {
		if (rc != 0 && !s->answered) {
			s->answered = true;
			ops->unpack_abort(s->local);
			if (send_err(s, &cause, err) != 0)
				return -1;
		}
		got = wire_recv(&s->wire, &type, r, err);
		if (got != 1 || type != WIRE_DATA)
			break;
		if (rc == 0)
			rc = ops->unpack_write(s->local, r->data, r->left,
			    &cause);
	}
	if (got == 1 && type == WIRE_END && rc == 0) {
		rc = ops->unpack_finish(s->local, &stats, err);
		if (rc == 0)
			wire_data_put_stats(&s->reply, &stats);
		return rc;
	}
	ops->unpack_abort(s->local);
	if (got == 1 && type == WIRE_CANCEL)
		return err_set(err, ERR_FAILED, "cancelled");
	if (got == 1 && type == WIRE_END)
		return -1;
	s->wire.broken = true;
	return got < 0 ? -1 : err_set(err, ERR_UNREACHABLE,
	    "the stream of a tree was cut");
}

static handler *
find(enum wire_type type)
{
	static const struct {
		enum wire_type type;
		handler *run;
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
answer(struct serve *s, handler *run, struct wire_reader *r, struct err *err)
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
		rc = s->answered ? 0 : send_err(s, &cause, err);
	}
	buf_truncate(&s->reply, 0);
	buf_wipe(&s->blobs[0]);
	buf_wipe(&s->blobs[1]);
	return rc;
}

static int
send_hello(struct serve *s, struct err *err)
{
	const struct host_facts *facts = ops->facts(s->local);
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
	handler *run;
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
		ops->close(s.local);
	buf_clear(&s.reply);
	wire_close(&s.wire);
	return rc;
}
