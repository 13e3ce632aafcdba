#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/manifest.h"
#include "io/host.h"
#include "io/journal.h"

/* Entries of one transaction: few enough that a kill costs little. */
#define PAGE_ENTRIES 1000

struct staging {
	struct journal *journal;
	const char *scope;
	struct manifest_totals *totals;
	size_t page;		/* entries since the last commit */
};

static void
count_entry(struct manifest_totals *totals, const struct tree_entry *entry)
{
	totals->entries++;
	if (entry->type == 'f') {
		totals->files++;
		totals->bytes += entry->size_bytes;
	}
}

static void
write_line(struct buf *line, const struct tree_entry *entry)
{
	char hash[2 * TREE_HASH_SIZE + 1] = "-";
	bool dir = entry->type == 'd';

	if (entry->hashed)
		str_hex(entry->hash, TREE_HASH_SIZE, hash);
	buf_printf(line, "%c %04o %" PRIu64 " %" PRId64 " %s", entry->type,
	    (unsigned int)entry->mode, dir ? 0 : entry->size_bytes,
	    dir || entry->type == 'l' ? 0 : entry->mtime_ns, hash);
	if (entry->link)
		buf_printf(line, " %s", entry->link);
}

static int
stage_entry(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct staging *s = ctx;
	struct buf line = BUF_INIT(2 * TREE_PATH_MAX);
	bool added;
	int rc;

	write_line(&line, entry);
	rc = buf_check(&line, entry->path, err);
	if (rc == 0)
		rc = journal_row_add(s->journal, s->scope, entry->path,
		    line.data, line.len, &added, err);
	buf_clear(&line);
	if (rc != 0)
		return -1;
	count_entry(s->totals, entry);
	if (++s->page < PAGE_ENTRIES)
		return 0;
	s->page = 0;
	if (journal_page_commit(s->journal, s->scope, entry->path, false,
	    err) != 0)
		return -1;
	return journal_page_begin(s->journal, err);
}

int
manifest_stage(struct journal *journal, const char *scope, struct host *host,
    const char *root, const struct tree_rules *rules, bool may_miss,
    struct manifest_totals *totals, struct err *err)
{
	struct staging s = {
		.journal = journal, .scope = scope, .totals = totals
	};

	*totals = (struct manifest_totals){ 0 };
	if (journal_scope_drop(journal, scope, err) != 0 ||
	    journal_page_begin(journal, err) != 0)
		return -1;
	if (host_walk(host, root, rules, stage_entry, &s, err) != 0) {
		if (!may_miss || err->kind != ERR_MISSING) {
			journal_page_abort(journal);
			return -1;
		}
		err_clear(err);
	}
	return journal_page_commit(journal, scope, "", true, err);
}

static int
count_each(void *ctx, const struct tree_entry *entry, struct err *err)
{
	(void)err;
	count_entry(ctx, entry);
	return 0;
}

int
manifest_count(struct host *host, const char *root,
    const struct tree_rules *rules, struct manifest_totals *totals,
    struct err *err)
{
	*totals = (struct manifest_totals){ 0 };
	return host_walk(host, root, rules, count_each, totals, err);
}

/*
 * The order of tree_walk: by component, a directory before what is in it.
 * That is the order of bytes with "/" below every other.
 */
static int
path_order(const char *a, const char *b)
{
	int x, y;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	x = *a == '\0' ? -1 : *a == '/' ? 0 : (unsigned char)*a;
	y = *b == '\0' ? -1 : *b == '/' ? 0 : (unsigned char)*b;
	return x - y;
}

int
manifest_compare(struct journal *journal, const char *first_scope,
    const char *second_scope,
    int (*each)(void *ctx, const char *path, enum manifest_change,
    struct err *), void *ctx, struct err *err)
{
	struct journal_rows *first = NULL, *second = NULL;
	struct journal_row a, b;
	int has_a, has_b, order, rc = -1;

	if (journal_rows_open(journal, first_scope, false, &first, err) != 0 ||
	    journal_rows_open(journal, second_scope, false, &second,
	    err) != 0)
		goto out;
	has_a = journal_rows_next(first, &a, err);
	has_b = journal_rows_next(second, &b, err);
	while (has_a > 0 || has_b > 0) {
		if (has_a < 0 || has_b < 0)
			goto out;
		order = !has_a ? 1 : !has_b ? -1 : path_order(a.id, b.id);
		if (order < 0) {
			if (each(ctx, a.id, MANIFEST_ADDED, err) != 0)
				goto out;
		} else if (order > 0) {
			if (each(ctx, b.id, MANIFEST_REMOVED, err) != 0)
				goto out;
		} else if (a.body_len != b.body_len ||
		    memcmp(a.body, b.body, a.body_len) != 0) {
			if (each(ctx, a.id, MANIFEST_CHANGED, err) != 0)
				goto out;
		}
		if (order <= 0)
			has_a = journal_rows_next(first, &a, err);
		if (order >= 0)
			has_b = journal_rows_next(second, &b, err);
	}
	rc = has_a < 0 || has_b < 0 ? -1 : 0;
out:
	journal_rows_close(first);
	journal_rows_close(second);
	return rc;
}
