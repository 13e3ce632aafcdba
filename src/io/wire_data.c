#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/db.h"
#include "io/db_pages.h"
#include "io/fs.h"
#include "io/procs.h"
#include "io/tree.h"
#include "io/wire_data.h"

void
wire_data_put_meta(struct buf *b, const struct fs_meta *meta)
{
	wire_put_u8(b, meta->type);
	wire_put_u32(b, meta->mode);
	wire_put_u32(b, meta->uid);
	wire_put_u32(b, meta->gid);
	wire_put_u64(b, meta->size_bytes);
	wire_put_i64(b, meta->mtime_ns);
}

void
wire_data_get_meta(struct wire_reader *r, struct fs_meta *meta)
{
	unsigned int type = wire_get_u8(r);

	memset(meta, 0, sizeof(*meta));
	if (type > FS_OTHER)
		r->bad = true;
	else
		meta->type = (enum fs_type)type;
	meta->mode = wire_get_u32(r) & 07777;
	meta->uid = wire_get_u32(r);
	meta->gid = wire_get_u32(r);
	meta->size_bytes = wire_get_u64(r);
	meta->mtime_ns = wire_get_i64(r);
}

void
wire_data_put_report(struct buf *b, const struct db_report *report)
{
	size_t i;

	wire_put_u64(b, report->size_bytes);
	wire_put_str(b, report->journal_mode);
	wire_put_u32(b, (uint32_t)report->n_tables);
	for (i = 0; i < report->n_tables; i++) {
		wire_put_str(b, report->tables[i].name);
		wire_put_u64(b, report->tables[i].rows);
	}
}

static void
get_text(struct wire_reader *r, char *out, size_t size)
{
	const char *s = wire_get_str(r);

	if (strlen(s) >= size) {
		r->bad = true;
		s = "";
	}
	memcpy(out, s, strlen(s) + 1);
}

void
wire_data_get_report(struct wire_reader *r, struct db_report *report)
{
	size_t i, n;

	memset(report, 0, sizeof(*report));
	report->size_bytes = wire_get_u64(r);
	get_text(r, report->journal_mode, sizeof(report->journal_mode));
	n = wire_get_u32(r);
	if (n > DB_TABLES_MAX) {
		r->bad = true;
		return;
	}
	for (i = 0; i < n; i++) {
		get_text(r, report->tables[i].name,
		    sizeof(report->tables[i].name));
		report->tables[i].rows = wire_get_u64(r);
	}
	report->n_tables = n;
}

void
wire_data_put_entry(struct buf *b, const struct tree_entry *e)
{
	wire_put_str(b, e->path);
	wire_put_u8(b, (unsigned char)e->type);
	wire_put_u32(b, e->mode);
	wire_put_u32(b, e->uid);
	wire_put_u32(b, e->gid);
	wire_put_u64(b, e->size_bytes);
	wire_put_u64(b, e->disk_bytes);
	wire_put_i64(b, e->mtime_ns);
	wire_put_u8(b, e->link != NULL);
	wire_put_str(b, e->link ? e->link : "");
	wire_put_u8(b, e->hashed);
	if (e->hashed)
		buf_add(b, e->hash, sizeof(e->hash));
	buf_add(b, e->xattrs, sizeof(e->xattrs));
	wire_put_str(b, e->left_xattrs ? e->left_xattrs : "");
}

/* Below a root: no "/" in front, no empty part, no "." and no "..". */
static bool
is_below(const char *path)
{
	const char *part = path;
	size_t len;

	if (strlen(path) >= TREE_PATH_MAX)
		return false;
	while (*part) {
		len = strcspn(part, "/");
		if (len == 0 || (len == 1 && part[0] == '.') ||
		    (len == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += len;
		if (*part == '/' && *++part == '\0')
			return false;
	}
	return true;
}

void
wire_data_get_entry(struct wire_reader *r, struct tree_entry *e)
{
	bool has_link;
	size_t i;

	memset(e, 0, sizeof(*e));
	e->path = wire_get_str(r);
	e->type = (char)wire_get_u8(r);
	e->mode = wire_get_u32(r) & 07777;
	e->uid = wire_get_u32(r);
	e->gid = wire_get_u32(r);
	e->size_bytes = wire_get_u64(r);
	e->disk_bytes = wire_get_u64(r);
	e->mtime_ns = wire_get_i64(r);
	has_link = wire_get_u8(r) != 0;
	e->link = wire_get_str(r);
	e->hashed = wire_get_u8(r) != 0;
	for (i = 0; e->hashed && i < sizeof(e->hash); i++)
		e->hash[i] = (unsigned char)wire_get_u8(r);
	for (i = 0; i < sizeof(e->xattrs); i++)
		e->xattrs[i] = (unsigned char)wire_get_u8(r);
	e->left_xattrs = wire_get_str(r);
	if (*e->left_xattrs == '\0')
		e->left_xattrs = NULL;

	if (!is_below(e->path) ||
	    has_link != (e->type == 'l' || e->type == 'h') ||
	    (e->type == 'h' && !is_below(e->link)) ||
	    (e->type != 'f' && e->type != 'd' && !has_link))
		r->bad = true;
	if (!has_link)
		e->link = NULL;
}

void
wire_data_put_process(struct buf *b, const struct procs_info *info)
{
	wire_put_u32(b, (uint32_t)info->pid);
	wire_put_u32(b, (uint32_t)info->ppid);
	wire_put_u64(b, info->start);
	wire_put_u32(b, info->uid);
	wire_put_u8(b, (unsigned char)info->state);
	wire_put_str(b, info->exe);
	wire_put_str(b, info->cwd);
	wire_put_bytes(b, info->argv, info->argv_len);
	wire_put_u8(b, '\0');
	wire_put_u8(b, info->why);
}

void
wire_data_get_process(struct wire_reader *r, struct procs_info *info)
{
	memset(info, 0, sizeof(*info));
	info->pid = (pid_t)wire_get_u32(r);
	info->ppid = (pid_t)wire_get_u32(r);
	info->start = wire_get_u64(r);
	info->uid = wire_get_u32(r);
	info->state = (char)wire_get_u8(r);
	info->exe = wire_get_str(r);
	info->cwd = wire_get_str(r);
	info->argv = wire_get_bytes(r, &info->argv_len);
	/* A reader of argv may go on to a NUL. */
	if (wire_get_u8(r) != 0 || info->pid <= 0)
		r->bad = true;
	info->why = wire_get_u8(r);
}

void
wire_data_put_pages(struct buf *b, const struct db_pages_stats *stats)
{
	wire_put_u64(b, stats->size_bytes);
	wire_put_u64(b, stats->pages);
	wire_put_u64(b, stats->changed);
	wire_put_u64(b, stats->wire_bytes);
	buf_add(b, stats->sum, sizeof(stats->sum));
}

void
wire_data_get_pages(struct wire_reader *r, struct db_pages_stats *stats)
{
	stats->size_bytes = wire_get_u64(r);
	stats->pages = wire_get_u64(r);
	stats->changed = wire_get_u64(r);
	stats->wire_bytes = wire_get_u64(r);
	for (size_t i = 0; i < sizeof(stats->sum); i++)
		stats->sum[i] = (unsigned char)wire_get_u8(r);
}

void
wire_data_put_stats(struct buf *b, const struct tree_stats *stats)
{
	wire_put_u64(b, stats->entries);
	wire_put_u64(b, stats->bytes);
	wire_put_u64(b, stats->lost_xattrs);
}

void
wire_data_get_stats(struct wire_reader *r, struct tree_stats *stats)
{
	stats->entries = wire_get_u64(r);
	stats->bytes = wire_get_u64(r);
	stats->lost_xattrs = wire_get_u64(r);
}

static void
put_ids(struct buf *b, const struct tree_id *ids, size_t n)
{
	wire_put_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_u32(b, ids[i].from);
		wire_put_u32(b, ids[i].to);
	}
}

static const struct tree_id *
get_ids(struct wire_reader *r, size_t *n)
{
	struct tree_id *ids;

	*n = wire_get_u32(r);
	if (*n > TREE_IDS_MAX || *n > r->left / 8) {
		r->bad = true;
		*n = 0;
	}
	ids = mem_zero(*n + 1, sizeof(*ids));
	for (size_t i = 0; i < *n; i++) {
		ids[i].from = wire_get_u32(r);
		ids[i].to = wire_get_u32(r);
	}
	return ids;
}

void
wire_data_put_owner(struct buf *b, const struct tree_owner *owner)
{
	wire_put_u32(b, owner->uid);
	wire_put_u32(b, owner->gid);
	wire_put_u8(b, owner->setuid);
	put_ids(b, owner->users, owner->n_users);
	put_ids(b, owner->groups, owner->n_groups);
}

void
wire_data_get_owner(struct wire_reader *r, struct tree_owner *owner)
{
	memset(owner, 0, sizeof(*owner));
	owner->uid = wire_get_u32(r);
	owner->gid = wire_get_u32(r);
	owner->setuid = wire_get_u8(r) != 0;
	owner->users = get_ids(r, &owner->n_users);
	owner->groups = get_ids(r, &owner->n_groups);
}

void
wire_data_free_owner(struct tree_owner *owner)
{
	free((void *)owner->users);
	free((void *)owner->groups);
	memset(owner, 0, sizeof(*owner));
}

void
wire_data_put_err(struct buf *b, const struct err *err)
{
	wire_put_u8(b, err->kind);
	wire_put_u8(b, err->transient);
	wire_put_str(b, err->text);
}

void
wire_data_get_err(struct wire_reader *r, struct err *err)
{
	struct buf text = BUF_INIT(8 * ERR_TEXT_MAX);
	enum err_kind kind = ERR_FAILED;
	const char *raw;
	unsigned int got;
	bool transient;

	got = wire_get_u8(r);
	if (got == ERR_DATA || got == ERR_MISSING || got == ERR_USAGE ||
	    got == ERR_PARTIAL || got == ERR_STALE || got == ERR_AGAIN)
		kind = (enum err_kind)got;
	transient = wire_get_u8(r) != 0;
	raw = wire_get_str(r);
	str_printable(&text, raw, strnlen(raw, ERR_TEXT_MAX));
	(void)err_set(err, kind, "%s", buf_cstr(&text));
	err->transient = transient;
	buf_clear(&text);
}

void
wire_data_put_words(struct buf *b, const char *const *words)
{
	uint32_t n = 0;

	while (words && words[n])
		n++;
	wire_put_u32(b, n);
	for (uint32_t i = 0; i < n; i++)
		wire_put_str(b, words[i]);
}

const char **
wire_data_get_words(struct wire_reader *r, uint32_t max)
{
	uint32_t i, n = wire_get_u32(r);
	const char **words;

	/* A string takes five bytes at least. */
	if (n > max || n > r->left / 5) {
		r->bad = true;
		n = 0;
	}
	words = mem_zero((size_t)n + 1, sizeof(*words));
	for (i = 0; i < n; i++)
		words[i] = wire_get_str(r);
	return words;
}
