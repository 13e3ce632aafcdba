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
	const struct manifest_owners *owners;
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
		totals->disk_bytes += entry->disk_bytes;
	}
	if (!entry->left_xattrs)
		return;
	if (totals->left_xattrs++ == 0)
		(void)snprintf(totals->left_example,
		    sizeof(totals->left_example), "%.120s: %.60s",
		    *entry->path ? entry->path : "(itself)",
		    entry->left_xattrs);
}

static void
write_owner(struct buf *line, const struct tree_entry *entry,
    const struct manifest_owners *owners)
{
	uid_t uid = entry->uid;
	gid_t gid = entry->gid;

	if (owners && owners->map) {
		uid = tree_owner_user(owners->map, uid);
		gid = tree_owner_group(owners->map, gid);
	}
	if (owners && owners->compare)
		buf_printf(line, " %" PRIu32 ":%" PRIu32, uid, gid);
	else
		buf_str(line, " -");
}

static void
write_line(struct buf *line, const struct tree_entry *entry,
    const struct manifest_owners *owners)
{
	static const unsigned char none[TREE_XATTRS_SUM];
	char hash[2 * TREE_HASH_SIZE + 1] = "-";
	char xattrs[2 * TREE_XATTRS_SUM + 1] = "-";
	bool dir = entry->type == 'd';

	if (entry->hashed)
		str_hex(entry->hash, TREE_HASH_SIZE, hash);
	if (memcmp(entry->xattrs, none, sizeof(none)) != 0)
		str_hex(entry->xattrs, TREE_XATTRS_SUM, xattrs);
	buf_printf(line, "%c %04o", entry->type, (unsigned int)entry->mode);
	write_owner(line, entry, owners);
	buf_printf(line, " %" PRIu64 " %" PRId64 " %s %s",
	    dir ? 0 : entry->size_bytes, dir ? 0 : entry->mtime_ns, hash,
	    xattrs);
	if (entry->link)
		buf_printf(line, " %s", entry->link);
}

static int
stage_entry(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct staging *s = ctx;
	struct buf line = BUF_INIT(3 * TREE_PATH_MAX);
	bool added;
	int rc;

	write_line(&line, entry, s->owners);
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
	return manifest_stage_owned(journal, scope, host, root, rules, NULL,
	    may_miss, totals, err);
}

int
manifest_stage_owned(struct journal *journal, const char *scope,
    struct host *host, const char *root, const struct tree_rules *rules,
    const struct manifest_owners *owners, bool may_miss,
    struct manifest_totals *totals, struct err *err)
{
	struct staging s = {
		.journal = journal, .scope = scope, .totals = totals,
		.owners = owners,
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

/* Past the next n words of a line. */
static const char *
skip_words(const char *at, size_t n)
{
	for (; at && n > 0; n--) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at;
}

/* The row lives as long as the journal's. */
static struct manifest_row
row_of(const struct journal_row *row)
{
	const char *size = skip_words(row->body, 3);

	return (struct manifest_row) {
		.path = row->id,
		.type = row->body[0],
		.size_bytes = size ? strtoull(size, NULL, 10) : 0,
		.link = row->body[0] == 'l' || row->body[0] == 'h' ?
		    skip_words(size, 4) : NULL,
	};
}

/* The callback of manifest_compare behind that of manifest_compare_rows. */
struct plain {
	int (*each)(void *ctx, const char *path, enum manifest_change,
	    struct err *);
	void *ctx;
};

static int
each_plain(void *ctx, const struct manifest_row *row,
    enum manifest_change change, struct err *err)
{
	const struct plain *plain = ctx;

	return plain->each(plain->ctx, row->path, change, err);
}

int
manifest_compare(struct journal *journal, const char *first_scope,
    const char *second_scope,
    int (*each)(void *ctx, const char *path, enum manifest_change,
    struct err *), void *ctx, struct err *err)
{
	struct plain plain = { .each = each, .ctx = ctx };

	return manifest_compare_rows(journal, first_scope, second_scope,
	    each_plain, &plain, err);
}

int
manifest_dirs(struct journal *journal, const char *scope,
    int (*each)(void *ctx, const struct manifest_row *, struct err *),
    void *ctx, struct err *err)
{
	struct journal_rows *rows = NULL;
	struct manifest_row dir;
	struct journal_row row;
	int rc;

	if (journal_rows_open(journal, scope, false, &rows, err) != 0)
		return -1;
	rc = journal_rows_next(rows, &row, err);
	while (rc > 0) {
		dir = row_of(&row);
		if (dir.type == 'd' && each(ctx, &dir, err) != 0)
			rc = -1;
		else
			rc = journal_rows_next(rows, &row, err);
	}
	journal_rows_close(rows);
	return rc;
}

int
manifest_compare_rows(struct journal *journal, const char *first_scope,
    const char *second_scope,
    int (*each)(void *ctx, const struct manifest_row *, enum manifest_change,
    struct err *), void *ctx, struct err *err)
{
	struct manifest_row row;
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
			row = row_of(&a);
			if (each(ctx, &row, MANIFEST_ADDED, err) != 0)
				goto out;
		} else if (order > 0) {
			row = row_of(&b);
			if (each(ctx, &row, MANIFEST_REMOVED, err) != 0)
				goto out;
		} else if (a.body_len != b.body_len ||
		    memcmp(a.body, b.body, a.body_len) != 0) {
			row = row_of(&a);
			if (each(ctx, &row, MANIFEST_CHANGED, err) != 0)
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
