#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/journal.h"
#include "journal_bed.h"

int
journal_bed_set_up(void **state)
{
	struct journal_bed *p = mem_zero(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	p->root = mem_printf("%s/test_journal.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(p->root))
		return -1;
	p->dir = mem_printf("%s/jobs", p->root);
	p->path = mem_printf("%s/sage.journal", p->dir);
	*state = p;
	return 0;
}

int
journal_bed_tear_down(void **state)
{
	struct err err = ERR_INIT;
	struct journal_bed *p = *state;
	int rc = fs_remove(p->root, &err);

	free(p->path);
	free(p->dir);
	free(p->root);
	free(p);
	return rc;
}

struct journal *
journal_bed_open(const struct journal_bed *p, bool writer)
{
	struct err err = ERR_INIT;
	struct journal *j = NULL;

	OK(journal_open(p->path, writer, &j, &err));
	return j;
}

void
journal_bed_add(struct journal *j, const char *scope,
    const char *prefix, int from, int n)
{
	struct err err = ERR_INIT;
	char id[32];
	bool added;
	int i;

	for (i = from; i < from + n; i++) {
		(void)snprintf(id, sizeof(id), "%s%d", prefix, i);
		OK(journal_row_add(j, scope, id, id, strlen(id), &added,
		    &err));
		assert_true(added);
	}
}

uint64_t
journal_bed_count(struct journal *j, const char *scope)
{
	struct err err = ERR_INIT;
	uint64_t rows;

	OK(journal_count(j, scope, &rows, &err));
	return rows;
}

void
journal_bed_cursor(struct journal *j, const char *scope, const char *want)
{
	struct err err = ERR_INIT;
	char *cursor, *seen;
	bool ended;

	OK(journal_cursor(j, scope, &cursor, &ended, &err));
	seen = mem_printf("%s%s", cursor ? cursor : "none", ended ? "." : "");
	assert_string_equal(seen, want);
	free(seen);
	free(cursor);
}
