#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_local.h"
#include "io/wire_data.h"
#include "remote/serve_part.h"

static const struct host_ops *const ops = &host_local_ops;

#define PATHS_MAX (4u * 1024u * 1024u)
#define PROGRESS_STEP (1024u * 1024u)

static int
send_entry(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct serve *s = ctx;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX);
	int rc = -1;

	wire_data_put_entry(&b, entry);
	if (serve_check_cancel(s, err) == 0)
		rc = wire_send(&s->wire, WIRE_ENTRY, &b, err);
	buf_clear(&b);
	return rc;
}

int
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
	exclude = wire_data_get_words(&kept, SERVE_WORDS_MAX);
	top = wire_data_get_words(&kept, SERVE_WORDS_MAX);
	rules.exclude = exclude;
	rules.top = top;
	rules.pass_over = wire_get_str(&kept);
	if (*rules.pass_over == '\0')
		rules.pass_over = NULL;
	rules.hash = wire_get_u8(&kept) != 0;
	rules.xattrs = wire_get_u8(&kept) != 0;
	rules.setuid = wire_get_u8(&kept) != 0;
	rules.hash_since_ns = wire_get_i64(&kept);
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

int
serve_send_data(void *ctx, const void *data, size_t len, struct err *err)
{
	struct serve *s = ctx;

	if (serve_check_cancel(s, err) != 0)
		return -1;
	return wire_send_data(&s->wire, data, len, err);
}

int
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
		rc = ops->pack(s->local, root, paths, n_paths,
		    serve_send_data, s, err);
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

	if (serve_check_cancel(s, err) != 0)
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

int
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

int
serve_receive(struct serve *s, const struct serve_stream *stream, int opened,
    struct err *cause, struct err *err)
{
	enum wire_type type = WIRE_DATA;
	struct wire_reader r;
	int got, rc = opened;

	for (;;) {
		if (rc != 0 && !s->answered) {
			s->answered = true;
			stream->abort(s->local);
			if (serve_send_err(s, cause, err) != 0)
				return -1;
		}
		got = wire_recv(&s->wire, &type, &r, err);
		if (got != 1 || type != WIRE_DATA)
			break;
		if (rc == 0)
			rc = stream->write(s->local, r.data, r.left, cause);
	}
	if (got == 1 && type == WIRE_END && rc == 0)
		return stream->finish(s, err);
	stream->abort(s->local);
	if (got == 1 && type == WIRE_CANCEL)
		return err_set(err, ERR_FAILED, "cancelled");
	if (got == 1 && type == WIRE_END)
		return -1;
	s->wire.broken = true;
	return got < 0 ? -1 : err_set(err, ERR_UNREACHABLE,
	    "the stream was cut");
}

static int
finish_unpack(struct serve *s, struct err *err)
{
	struct tree_stats stats;

	if (ops->unpack_finish(s->local, &stats, err) != 0)
		return -1;
	wire_data_put_stats(&s->reply, &stats);
	return 0;
}

int
serve_unpack(struct serve *s, struct wire_reader *r, struct err *err)
{
	const struct serve_stream stream = { .write = ops->unpack_write,
		.abort = ops->unpack_abort, .finish = finish_unpack };
	const char *root = wire_get_str(r);
	struct tree_owner owner;
	struct err cause = ERR_INIT;
	int rc;

	wire_data_get_owner(r, &owner);
	rc = wire_check(r, "unpack", &cause);
	if (rc == 0)
		rc = ops->unpack_open(s->local, root, &owner, &cause);
	wire_data_free_owner(&owner);
	return serve_receive(s, &stream, rc, &cause, err);
}
