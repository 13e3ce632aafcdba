#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_index.h"
#include "flow/backup.h"
#include "io/fs.h"
#include "journal_bed.h"

/* A backup against what a database says of it, without a server. */

#define AGENT(n) "agent-0000000" #n "-0000-4000-8000-000000000000"

static const char *const ids[] = { AGENT(1), AGENT(2), AGENT(3), AGENT(4),
	AGENT(5) };

static void
add(struct backup_index *index, const char *id, const char *rows)
{
	struct backup_entry *entry = backup_index_add(index, id);

	entry->name = mem_strdup("Sage");
	entry->path = mem_printf(BACKUP_AGENTS "%s", id);
	entry->digest = mem_strdup("00");
	entry->print.marks[BACKUP_MARK_ROWS] = rows ? mem_strdup(rows) : NULL;
}

/* The third was read by one who could not ask; the last two have no say. */
static void
write_index(const char *dir)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct buf text = BUF_INIT(BACKUP_INDEX_MAX);
	char *path = mem_printf("%s/" BACKUP_INDEX, dir);
	struct backup_index index = { .ended_at = mem_strdup("now") };
	struct err err = ERR_INIT;

	add(&index, ids[0], "3 x");
	add(&index, ids[1], "12 y");
	add(&index, ids[2], "");
	add(&index, ids[3], "1 z");
	index.entries[3].gone = true;
	(void)backup_index_add(&index, ids[4]);
	backup_index_write(&index, &text);
	OK(fs_replace(path, buf_cstr(&text), text.len, &meta, &err));
	backup_index_clear(&index);
	buf_clear(&text);
	free(path);
}

static int
give(void *ctx, struct buf *out, struct err *err)
{
	if (!ctx)
		return err_set(err, ERR_UNREACHABLE, "nobody answers");
	buf_str(out, ctx);
	return 0;
}

static int
note(void *ctx, const struct backup_change *change, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s %s\n", change->id, change->what);
	return 0;
}

static void
expect(const char *dir, const char *rows, const char *want)
{
	char *copy = mem_strdup(rows);
	const struct backup_census census = { give, copy };
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	OK(backup_rows_changed(dir, &census, note, &out, &err));
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
	free(copy);
}

#define MOVED " rows in the database\n"

static void
test_who_was_written_to(void **state)
{
	const struct journal_bed *bed = *state;
	const struct backup_census none = { give, NULL };
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	write_index(bed->root);
	expect(bed->root, AGENT(1) "\t3\tx\n" AGENT(2) "\t12\ty\n" AGENT(3)
	    "\t1\tz\n", AGENT(3) MOVED);
	/* A count, a digest, one that has no rows any more. */
	expect(bed->root, AGENT(1) "\t4\tx\n" AGENT(2) "\t12\tz\n" AGENT(9)
	    "\t1\tz\n", AGENT(1) MOVED AGENT(2) MOVED AGENT(3) MOVED);
	expect(bed->root, "", AGENT(1) MOVED AGENT(2) MOVED AGENT(3) MOVED);
	FAILS(backup_rows_changed(bed->root, &none, note, &out, &err),
	    ERR_UNREACHABLE, "nobody answers");
	FAILS(backup_rows_changed(bed->dir, &none, note, &out, &err),
	    ERR_MISSING, BACKUP_INDEX);
	buf_clear(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_who_was_written_to),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
