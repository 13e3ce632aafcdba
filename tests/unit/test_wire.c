#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/stop.h"
#include "io/db.h"
#include "io/fs.h"
#include "io/tree.h"
#include "io/wire_data.h"
#include "io/wire_fd.h"

/* Two wires, end to end. */
struct ends {
	int fds[2];
	struct wire_fd fd[2];
	struct wire wire[2];
};

static int
set_up(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	struct wire_pipe pipe;
	int i;

	assert_non_null(e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e->fds), 0);
	for (i = 0; i < 2; i++) {
		wire_fd_init(&e->fd[i], e->fds[i], e->fds[i], 50, &pipe);
		wire_open(&e->wire[i], &pipe);
	}
	*state = e;
	return 0;
}

static int
tear_down(void **state)
{
	struct ends *e = *state;
	int i;

	for (i = 0; i < 2; i++) {
		wire_close(&e->wire[i]);
		(void)close(e->fds[i]);
	}
	free(e);
	return 0;
}

/* Raw bytes as the peer might send them. */
static void
put_raw(struct ends *e, const void *data, size_t len)
{
	assert_int_equal(write(e->fds[0], data, len), (ssize_t)len);
}

static void
test_fields(void **state)
{
	struct buf b = BUF_INIT(1024);
	struct wire_reader r;
	struct err err = ERR_INIT;
	const char *raw;
	size_t len;

	(void)state;
	wire_put_u8(&b, 200);
	wire_put_u32(&b, 0xfedcba98);
	wire_put_u64(&b, UINT64_MAX - 1);
	wire_put_i64(&b, INT64_MIN);
	wire_put_str(&b, "");
	wire_put_str(&b, "a b");
	wire_put_bytes(&b, "\0x", 2);

	wire_reader_init(&r, b.data, b.len);
	assert_int_equal(wire_get_u8(&r), 200);
	assert_int_equal(wire_get_u32(&r), 0xfedcba98);
	assert_true(wire_get_u64(&r) == UINT64_MAX - 1);
	assert_true(wire_get_i64(&r) == INT64_MIN);
	assert_string_equal(wire_get_str(&r), "");
	assert_string_equal(wire_get_str(&r), "a b");
	raw = wire_get_bytes(&r, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(raw, "\0x", 2);
	assert_int_equal(wire_check(&r, "all", &err), 0);

	/* One more is not there, and stays so. */
	assert_int_equal(wire_get_u8(&r), 0);
	assert_true(r.bad);
	assert_string_equal(wire_get_str(&r), "");
	assert_int_equal(wire_check(&r, "all", &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	buf_clear(&b);
}

/* The order of bytes is part of the protocol. */
static void
test_layout(void **state)
{
	struct buf b = BUF_INIT(64);

	(void)state;
	wire_put_u32(&b, 1);
	wire_put_str(&b, "ab");
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "\1\0\0\0\2\0\0\0ab", 11);
	buf_clear(&b);
}

static void
test_bad_strings(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {
		{ "\2\0\0\0ab", 6 },		/* no NUL */
		{ "\2\0\0\0abc", 7 },		/* another byte there */
		{ "\2\0\0\0a\0\0", 7 },		/* a NUL inside */
		{ "\377\377\377\377ab", 7 },	/* longer than the frame */
		{ "\1\0", 2 },
		{ "", 0 },
	};
	struct wire_reader r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire_reader_init(&r, bad[i].data, bad[i].len);
		assert_string_equal(wire_get_str(&r), "");
		assert_true(r.bad);
	}
}

static void
test_frames(void **state)
{
	struct ends *e = *state;
	struct buf b = BUF_INIT(64), got = BUF_INIT(3 * WIRE_CHUNK);
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;
	char data[3000];

	memset(data, 'x', sizeof(data));
	assert_false(wire_pending(&e->wire[1]));
	wire_put_u32(&b, 7);
	assert_int_equal(wire_send(&e->wire[0], WIRE_STAT, &b, &err), 0);
	assert_int_equal(wire_send_data(&e->wire[0], data, sizeof(data),
	    &err), 0);
	assert_int_equal(wire_send(&e->wire[0], WIRE_END, NULL, &err), 0);
	assert_int_equal(wire_flush(&e->wire[0], &err), 0);

	assert_true(wire_pending(&e->wire[1]));
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), 1);
	assert_int_equal(type, WIRE_STAT);
	assert_int_equal(wire_get_u32(&r), 7);
	assert_int_equal(wire_recv_blob(&e->wire[1], &got, &err), 0);
	assert_int_equal(got.len, sizeof(data));
	assert_memory_equal(got.data, data, sizeof(data));

	(void)shutdown(e->fds[0], SHUT_WR);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), 0);
	assert_false(e->wire[1].broken);
	buf_clear(&b);
	buf_clear(&got);
}

/* What exceeds the reader's bound is dropped; the stream stays in step. */
static void
test_blob_bound(void **state)
{
	struct ends *e = *state;
	struct buf got = BUF_INIT(10);
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;

	assert_int_equal(wire_send_data(&e->wire[0], "0123456789a", 11,
	    &err), 0);
	assert_int_equal(wire_send(&e->wire[0], WIRE_END, NULL, &err), 0);
	assert_int_equal(wire_send(&e->wire[0], WIRE_OK, NULL, &err), 0);
	assert_int_equal(wire_flush(&e->wire[0], &err), 0);
	assert_int_equal(wire_recv_blob(&e->wire[1], &got, &err), 0);
	assert_true(got.full);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), 1);
	assert_int_equal(type, WIRE_OK);
	buf_clear(&got);
}

static void
test_frame_too_long(void **state)
{
	struct ends *e = *state;
	struct buf b = BUF_INIT(WIRE_FRAME_MAX + 1);
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;

	/* Ours is refused before it is sent: the wire stays usable. */
	while (b.len < WIRE_FRAME_MAX + 1)
		buf_char(&b, 'x');
	assert_int_equal(wire_send(&e->wire[0], WIRE_OK, &b, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_int_equal(wire_send(&e->wire[0], WIRE_OK, NULL, &err), 0);
	assert_int_equal(wire_flush(&e->wire[0], &err), 0);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), 1);

	/* Theirs cannot be passed over. */
	put_raw(e, "\1\0\20\0\2", 5);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_true(e->wire[1].broken);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	buf_clear(&b);
}

static void
test_cut_frame(void **state)
{
	struct ends *e = *state;
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;

	put_raw(e, "\4\0\0\0\2ab", 7);
	(void)shutdown(e->fds[0], SHUT_WR);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_true(e->wire[1].broken);
}

static void
test_silence(void **state)
{
	struct ends *e = *state;
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;

	put_raw(e, "\4\0", 2);
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_true(err.transient);
}

static void
test_sync(void **state)
{
	static const char before[] = "Welcome!\n\nsanctumctl-remote wir";
	struct ends *e = *state;
	struct buf noise = BUF_INIT(64);
	struct wire_reader r;
	struct err err = ERR_INIT;
	enum wire_type type;

	put_raw(e, before, strlen(before));
	put_raw(e, WIRE_MAGIC, strlen(WIRE_MAGIC));
	put_raw(e, "\0\0\0\0\2", 5);
	assert_int_equal(wire_sync(&e->wire[1], &noise, &err), 0);
	assert_non_null(strstr(buf_cstr(&noise), "Welcome!"));
	assert_int_equal(wire_recv(&e->wire[1], &type, &r, &err), 1);
	assert_int_equal(type, WIRE_OK);
	buf_clear(&noise);
}

static void
test_sync_ended(void **state)
{
	struct ends *e = *state;
	struct buf noise = BUF_INIT(64);
	struct err err = ERR_INIT;

	put_raw(e, "sh: not found\n", 14);
	(void)shutdown(e->fds[0], SHUT_WR);
	assert_int_equal(wire_sync(&e->wire[1], &noise, &err), -1);
	assert_non_null(strstr(buf_cstr(&noise), "sh: not found"));
	buf_clear(&noise);
}

static void
test_sync_bound(void **state)
{
	static char noise_data[WIRE_NOISE_MAX + 200];
	struct ends *e = *state;
	struct buf noise = BUF_INIT(64);
	struct err err = ERR_INIT;

	memset(noise_data, '.', sizeof(noise_data));
	put_raw(e, noise_data, sizeof(noise_data));
	assert_int_equal(wire_sync(&e->wire[1], &noise, &err), -1);
	assert_non_null(strstr(err.text, "64 KiB"));
	buf_clear(&noise);
}

/* Every struct comes out as it went in. */
static void
test_structs(void **state)
{
	const struct fs_meta meta = { .type = FS_DIR, .mode = 0751,
		.uid = 1000, .gid = (gid_t)-1, .size_bytes = 1,
		.mtime_ns = -5 };
	const struct db_report report = { .size_bytes = 9,
		.journal_mode = "wal", .n_tables = 1,
		.tables = { { .name = "messages", .rows = 340 } } };
	struct tree_entry entry = { .path = "a/b", .type = 'l',
		.mode = 0777, .link = "c", .mtime_ns = 4 };
	struct err sent = ERR_INIT, err = ERR_INIT;
	struct buf b = BUF_INIT(4096);
	struct db_report report_got;
	struct tree_entry entry_got;
	struct fs_meta meta_got;
	struct wire_reader r;

	(void)state;
	(void)err_set(&sent, ERR_STALE, "a\033b");
	wire_data_put_meta(&b, &meta);
	wire_data_put_report(&b, &report);
	wire_data_put_entry(&b, &entry);
	wire_data_put_err(&b, &sent);
	wire_reader_init(&r, b.data, b.len);
	wire_data_get_meta(&r, &meta_got);
	wire_data_get_report(&r, &report_got);
	wire_data_get_entry(&r, &entry_got);
	wire_data_get_err(&r, &err);
	assert_false(r.bad);
	assert_int_equal(r.left, 0);

	assert_int_equal(meta_got.type, FS_DIR);
	assert_int_equal(meta_got.mode, 0751);
	assert_int_equal(meta_got.uid, 1000);
	assert_int_equal(meta_got.gid, (gid_t)-1);
	assert_true(meta_got.mtime_ns == -5);
	assert_string_equal(report_got.tables[0].name, "messages");
	assert_int_equal(report_got.tables[0].rows, 340);
	assert_string_equal(report_got.journal_mode, "wal");
	assert_string_equal(entry_got.path, "a/b");
	assert_string_equal(entry_got.link, "c");
	assert_int_equal(err.kind, ERR_STALE);
	assert_string_equal(err.text, "a\\x1bb");
	buf_clear(&b);
}

/* A far side does not choose what our exit code says of keys. */
static void
test_foreign_kind(void **state)
{
	static const unsigned int kinds[] = {
		ERR_NONE, ERR_AUTH, ERR_HOSTKEY, ERR_INTERRUPTED, 200
	};
	struct err err = ERR_INIT;
	struct wire_reader r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf b = BUF_INIT(64);

		wire_put_u8(&b, kinds[i]);
		wire_put_u8(&b, 0);
		wire_put_str(&b, "x");
		wire_reader_init(&r, b.data, b.len);
		wire_data_get_err(&r, &err);
		assert_int_equal(err.kind, ERR_FAILED);
		buf_clear(&b);
	}
}

static void
test_hostile_paths(void **state)
{
	static const char *const paths[] = {
		"/etc/passwd", "..", "a/../b", "a/..", "a//b", "a/", ".",
		"./a"
	};
	struct tree_entry entry = { .type = 'f' };
	struct tree_entry got;
	struct wire_reader r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct buf b = BUF_INIT(256);

		entry.path = paths[i];
		wire_data_put_entry(&b, &entry);
		wire_reader_init(&r, b.data, b.len);
		wire_data_get_entry(&r, &got);
		assert_true(r.bad);
		buf_clear(&b);
	}
}

static void
test_words(void **state)
{
	const char *const words[] = { "a", "", "c d", NULL };
	struct buf b = BUF_INIT(256);
	struct wire_reader r;
	const char **got;

	(void)state;
	wire_data_put_words(&b, words);
	wire_reader_init(&r, b.data, b.len);
	got = wire_data_get_words(&r, 3);
	assert_false(r.bad);
	assert_string_equal(got[2], "c d");
	assert_null(got[3]);
	free(got);

	wire_reader_init(&r, b.data, b.len);
	got = wire_data_get_words(&r, 2);
	assert_true(r.bad);
	assert_null(got[0]);
	free(got);

	/* A count alone must not make us ask for memory. */
	wire_reader_init(&r, "\377\377\377\377", 4);
	got = wire_data_get_words(&r, UINT32_MAX);
	assert_true(r.bad);
	free(got);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bad_strings),
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_foreign_kind),
		cmocka_unit_test(test_hostile_paths),
		cmocka_unit_test(test_words),
#define WITH_ENDS(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		WITH_ENDS(test_frames),
		WITH_ENDS(test_blob_bound),
		WITH_ENDS(test_frame_too_long),
		WITH_ENDS(test_cut_frame),
		WITH_ENDS(test_silence),
		WITH_ENDS(test_sync),
		WITH_ENDS(test_sync_ended),
		WITH_ENDS(test_sync_bound),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
