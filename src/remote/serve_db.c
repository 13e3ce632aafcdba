#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/db_pages.h"
#include "io/db_script.h"
#include "io/host_local.h"
#include "io/wire_data.h"
#include "remote/serve_part.h"

static const struct host_ops *const ops = &host_local_ops;

int
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

int
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

int
serve_db_script(struct serve *s, struct wire_reader *r, struct err *err)
{
	char *path = mem_strdup(wire_get_str(r));
	const struct wire_reader fields = *r;
	struct buf text = BUF_INIT(WIRE_BLOB_MAX);
	struct db_script script = { .write = false };
	uint64_t *changes = NULL;
	int rc = -1;

	buf_init(&s->blobs[0], WIRE_BLOB_MAX);
	if (wire_recv_blob(&s->wire, &text, err) != 0 ||
	    wire_check(&fields, "script", err) != 0 ||
	    buf_check(&text, "script", err) != 0 ||
	    db_script_get(&text, &script, err) != 0)
		goto out;
	changes = mem_zero(script.n_statements + 1, sizeof(*changes));
	rc = ops->db_script(s->local, path, &script, &s->blobs[0],
	    changes, err);
	for (size_t i = 0; rc == 0 && i < script.n_statements; i++)
		wire_put_u64(&s->reply, changes[i]);
	s->n_blobs = 1;
out:
	free(changes);
	db_script_free(&script);
	buf_wipe(&text);
	free(path);
	return rc;
}

static const char *
path_or_null(const char *path)
{
	return path[0] != '\0' ? path : NULL;
}

int
serve_db_sums(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *path = wire_get_str(r);
	const char *sums = wire_get_str(r);
	struct db_pages_stats stats;

	if (wire_check(r, "sums of pages", err) != 0 ||
	    ops->db_sums(s->local, path, path_or_null(sums), &stats,
	    err) != 0)
		return -1;
	wire_data_put_pages(&s->reply, &stats);
	return 0;
}

int
serve_db_send(struct serve *s, struct wire_reader *r, struct err *err)
{
	/* They outlive what serve_check_cancel receives. */
	char *path = mem_strdup(wire_get_str(r));
	char *sums = mem_strdup(wire_get_str(r));
	unsigned char base[HASH_SIZE];
	struct db_pages_stats stats;
	int rc = -1;

	for (size_t i = 0; i < sizeof(base); i++)
		base[i] = (unsigned char)wire_get_u8(r);
	if (wire_check(r, "changed pages", err) == 0)
		rc = ops->db_send(s->local, path, path_or_null(sums), base,
		    serve_send_data, s, &stats, err);
	if (rc == 0)
		wire_data_put_pages(&s->reply, &stats);
	free(sums);
	free(path);
	return rc;
}

static int
finish_patch(struct serve *s, struct err *err)
{
	struct db_pages_stats stats;

	if (ops->patch_finish(s->local, &stats, err) != 0)
		return -1;
	wire_data_put_pages(&s->reply, &stats);
	return 0;
}

int
serve_db_patch(struct serve *s, struct wire_reader *r, struct err *err)
{
	const struct serve_stream stream = { .write = ops->patch_write,
		.abort = ops->patch_abort, .finish = finish_patch };
	const char *path = wire_get_str(r);
	const char *sums = wire_get_str(r);
	struct err cause = ERR_INIT;
	int rc;

	rc = wire_check(r, "patch", &cause);
	if (rc == 0)
		rc = ops->patch_open(s->local, path, path_or_null(sums),
		    &cause);
	return serve_receive(s, &stream, rc, &cause, err);
}

int
serve_db_delta(struct serve *s, struct wire_reader *r, struct err *err)
{
	const char *from = wire_get_str(r);
	const char *from_sums = wire_get_str(r);
	const char *to = wire_get_str(r);
	const char *to_sums = wire_get_str(r);
	struct db_pages_stats stats;

	if (wire_check(r, "changed pages", err) != 0 ||
	    ops->db_delta(s->local, from, from_sums, to, to_sums, &stats,
	    err) != 0)
		return -1;
	wire_data_put_pages(&s->reply, &stats);
	return 0;
}
