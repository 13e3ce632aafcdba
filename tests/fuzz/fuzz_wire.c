#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/hash.h"
#include "io/host_pipe.h"
#include "io/wire_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A far side that says the input, whatever it is asked. */
struct said {
	const uint8_t *data;
	size_t size;
	size_t at;
};

static ptrdiff_t
said_read(void *ctx, void *data, size_t size, uint64_t deadline_ms,
    struct err *err)
{
	struct said *s = ctx;
	size_t n = s->size - s->at < size ? s->size - s->at : size;

	(void)deadline_ms;
	(void)err;
	/* In small pieces, so that frames are cut everywhere. */
	if (n > 7)
		n = 7;
	memcpy(data, s->data + s->at, n);
	s->at += n;
	return (ptrdiff_t)n;
}

static int
said_write(void *ctx, const void *data, size_t len, uint64_t deadline_ms,
    struct err *err)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)deadline_ms;
	(void)err;
	return 0;
}

static bool
said_readable(void *ctx)
{
	const struct said *s = ctx;

	return s->at < s->size;
}

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* What a caller of walk may rely on. */
static int
check_entry(void *ctx, const struct tree_entry *e, struct err *err)
{
	size_t *n = ctx;

	must(e->path[0] != '/' && !strstr(e->path, "//"));
	must(strcmp(e->path, "..") != 0 && strncmp(e->path, "../", 3) != 0);
	must((e->type == 'l') == (e->link != NULL));
	return ++*n > 3 ? err_set(err, ERR_FAILED, "enough") : 0;
}

static int
sink(void *ctx, const void *data, size_t len, struct err *err)
{
	size_t *n = ctx;

	must(data != NULL || len == 0);
	*n += len;
	return *n > 100 ? err_set(err, ERR_FAILED, "enough") : 0;
}

static int
at(void *ctx, uint64_t bytes, struct err *err)
{
	(void)ctx;
	(void)bytes;
	(void)err;
	return 0;
}

/* A caller reads argv up to a NUL behind it. */
static int
check_process(void *ctx, const struct procs_info *info, struct err *err)
{
	size_t *n = ctx;

	must(info->pid > 0 && info->argv[info->argv_len] == '\0');
	return ++*n > 3 ? err_set(err, ERR_FAILED, "enough") : 0;
}

static int
check_row(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	size_t *len = ctx;

	(void)err;
	must(statement == 0);
	for (size_t i = 0; i < n; i++)
		*len += columns[i] ? strlen(columns[i]) : 0;
	return 0;
}

/* Of databases and processes. */
static void
ask_more(struct host_pipe *p)
{
	const struct host_ops *ops = &host_pipe_ops;
	const char *const names[] = { "A", NULL };
	const struct db_statement one = { .sql = "SELECT 1" };
	const struct db_script script = { .statements = &one,
		.n_statements = 1 };
	const unsigned char base[HASH_SIZE] = { 0 };
	struct buf out = BUF_INIT(4096);
	struct db_pages_stats pages;
	struct err err = ERR_INIT;
	uint64_t changes;
	size_t n = 0;
	bool there;

	(void)ops->processes(p, NULL, check_process, &n, &err);
	(void)ops->process_env(p, 1, 1, names, &out, &err);
	(void)ops->signal(p, 1, 1, 0, &there, &err);
	buf_clear(&out);
	if (ops->db_script(p, "/a", &script, &out, &changes, &err) == 0 &&
	    db_script_give(&out, &script, check_row, &n, &err) != 0)
		must(err.kind == ERR_DATA);
	(void)ops->db_sums(p, "/a", "/b", &pages, &err);
	n = 0;
	(void)ops->db_send(p, "/a", NULL, base, sink, &n, &pages, &err);
	if (ops->patch_open(p, "/a", NULL, &err) == 0) {
		if (ops->patch_write(p, "abc", 3, &err) == 0)
			(void)ops->patch_finish(p, &pages, &err);
		else
			ops->patch_abort(p);
	}
	(void)ops->db_delta(p, "/a", "/b", "/c", "/d", &pages, &err);
	buf_clear(&out);
}

/* Every request once; the answers are what the input happens to hold. */
static void
ask_all(struct host_pipe *p)
{
	const struct host_ops *ops = &host_pipe_ops;
	const char *const words[] = { "a", NULL };
	const struct proc_spec spec = { .argv = words, .input = "" };
	const struct tree_rules rules = { .hash = true };
	const struct tree_owner owner = { .uid = 0 };
	struct buf out = BUF_INIT(4096);
	struct proc_result result;
	struct db_report report;
	struct tree_stats stats;
	struct fs_meta meta;
	struct err err = ERR_INIT;
	uint64_t bytes;
	size_t n = 0;
	bool taken;

	(void)ops->stat(p, "/a", &meta, &err);
	if (ops->db_check(p, "/a", &report, &err) == 0)
		must(report.n_tables <= DB_TABLES_MAX);
	(void)ops->walk(p, "/a", &rules, check_entry, &n, &err);
	proc_result_init(&result, 100);
	if (ops->run(p, &spec, &result, &err) == 0)
		must(result.out.len <= 100);
	proc_result_clear(&result);
	(void)ops->read(p, "/a", &out, &meta, &err);
	n = 0;
	(void)ops->pack(p, "/a", words, 1, sink, &n, &err);
	if (ops->unpack_open(p, "/a", &owner, &err) == 0) {
		if (ops->unpack_write(p, "abc", 3, &err) == 0)
			(void)ops->unpack_finish(p, &stats, &err);
		else
			ops->unpack_abort(p);
	}
	(void)ops->copy(p, "/a", words, 1, "/b", &owner, at, NULL, &stats,
	    &err);
	(void)ops->free_bytes(p, "/a", &bytes, &err);
	(void)ops->connects(p, "127.0.0.1", 1, &taken, &err);
	buf_clear(&out);
	ask_more(p);
}

/* Rows and statements of a script, as either end gets them. */
static void
read_script(const uint8_t *data, size_t size)
{
	const struct db_statement one = { .sql = "SELECT 1" };
	const struct db_script asked = { .statements = &one,
		.n_statements = 1 };
	struct buf b = BUF_INIT(size);
	struct db_script script;
	struct err err = ERR_INIT;
	size_t n = 0;

	buf_add(&b, data, size);
	if (db_script_give(&b, &asked, check_row, &n, &err) != 0)
		must(err.kind == ERR_DATA);
	if (db_script_get(&b, &script, &err) == 0)
		db_script_free(&script);
	buf_clear(&b);
}

/* The input as fields, where each kind of value is looked for. */
static void
read_fields(const uint8_t *data, size_t size)
{
	struct db_report report;
	struct tree_entry entry;
	struct procs_info process;
	struct fs_meta meta;
	struct wire_reader r;
	struct err err = ERR_INIT;
	const char **words;

	wire_reader_init(&r, data, size);
	wire_data_get_meta(&r, &meta);
	wire_reader_init(&r, data, size);
	wire_data_get_report(&r, &report);
	wire_reader_init(&r, data, size);
	wire_data_get_entry(&r, &entry);
	wire_reader_init(&r, data, size);
	wire_data_get_err(&r, &err);
	must(err.kind != ERR_NONE && err.kind != ERR_INTERRUPTED);
	wire_reader_init(&r, data, size);
	wire_data_get_process(&r, &process);
	wire_reader_init(&r, data, size);
	words = wire_data_get_words(&r, 4096);
	free(words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct said said = { .data = data, .size = size };
	const struct wire_pipe pipe = {
		.ctx = &said, .read = said_read, .write = said_write,
		.readable = said_readable,
	};
	struct buf noise = BUF_INIT(256);
	struct host_pipe *p = NULL;
	struct err err = ERR_INIT;

	read_fields(data, size);
	read_script(data, size);
	if (host_pipe_open(&pipe, 1000, &noise, &p, &err) == 0) {
		ask_all(p);
		host_pipe_ops.close(p);
	}
	buf_clear(&noise);
	return 0;
}
