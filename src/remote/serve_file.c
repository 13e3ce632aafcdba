#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host_local.h"
#include "io/wire_data.h"
#include "remote/serve_part.h"

static const struct host_ops *const ops = &host_local_ops;

int
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

int
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

int
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

int
serve_mkdirs(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	const mode_t mode = wire_get_u32(r) & 07777;

	if (wire_check(r, "mkdirs", err) != 0)
		return -1;
	return ops->mkdirs(s->local, path, mode, err);
}

int
serve_remove(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);

	if (wire_check(r, "remove", err) != 0)
		return -1;
	return ops->remove(s->local, path, err);
}

int
serve_rename(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *from = wire_get_str(r);
	const char *to = wire_get_str(r);
	const int exchange = wire_get_u8(r) != 0;

	if (wire_check(r, "rename", err) != 0)
		return -1;
	return ops->rename(s->local, from, to, exchange, err);
}

int
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
