#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/diff.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/hash.h"
#include "io/host.h"
#include "io/journal.h"

/* A fact of the journal cannot be unset, so "nothing kept" is a value too. */
#define NOTHING "nothing"
#define ABSENT "absent"
#define TEXT "text:"
#define TEXT_META TEXT "%o:%lld:%lld:"

static char *
fact(const struct host_file *file, const char *word)
{
	return mem_printf("%s.%s", file->key, word);
}

int
host_file_read(struct host_file *file, struct run *run,
    const struct conf_host *on, const char *key, const char *path,
    struct err *err)
{
	*file = (struct host_file){ .on = on, .key = key, .path = path };
	buf_init(&file->now, HOST_FILE_MAX);
	if (run_host(run, on, &file->host, err) != 0)
		return -1;
	if (host_read(file->host, path, &file->now, &file->meta, err) != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
		return 0;
	}
	file->present = true;
	if (buf_check(&file->now, path, err) != 0)
		return -1;
	if (strlen(buf_cstr(&file->now)) != file->now.len)
		return err_set(err, ERR_DATA, "%s:%s: has NUL bytes in it",
		    on->name, path);
	return 0;
}

void
host_file_clear(struct host_file *file)
{
	buf_wipe(&file->now);
}

/* An owner that is left to the system is any. */
static bool
is_owned(const struct fs_meta *now, const struct fs_meta *wanted)
{
	return (wanted->uid == (uid_t)-1 || wanted->uid == now->uid) &&
	    (wanted->gid == (gid_t)-1 || wanted->gid == now->gid);
}

bool
host_file_is(const struct host_file *file, const char *text, size_t len,
    const struct fs_meta *meta)
{
	return file->present && file->now.len == len &&
	    memcmp(buf_cstr(&file->now), text, len) == 0 &&
	    file->meta.mode == meta->mode && is_owned(&file->meta, meta);
}

int
host_file_note(const struct host_file *file, const char *text, size_t len,
    struct plan_note *note, struct err *err)
{
	return diff_unified(file->present ? file->path : "/dev/null",
	    buf_cstr(&file->now), file->now.len, file->path, text, len,
	    &note->diff, err);
}

int
host_file_put(const struct host_file *file, const char *text, size_t len,
    const struct fs_meta *meta, struct err *err)
{
	return host_replace(file->host, file->path, text, len, meta, err);
}

int
host_file_kept(const struct host_file *file, struct run *run,
    const char *word, char **out, struct err *err)
{
	char *key = fact(file, word);
	int rc;

	rc = journal_get(run->journal, key, out, err);
	if (rc == 0 && *out && str_eq(*out, NOTHING)) {
		free(*out);
		*out = NULL;
	} else if (rc == 0 && *out && !host_file_was_absent(*out) &&
	    !str_starts(*out, TEXT)) {
		free(*out);
		*out = NULL;
		rc = err_set(err, ERR_DATA, "journal %s: what it keeps as "
		    "%s is no file", journal_path(run->journal), key);
	}
	free(key);
	return rc;
}

/* What is put in its stead is a file, and a file would come back. */
static int
refuse_link(const struct host_file *file, struct err *err)
{
	struct fs_meta meta;

	if (host_stat(file->host, file->path, &meta, err) != 0)
		return -1;
	if (meta.type != FS_SYMLINK)
		return 0;
	return err_set(err, ERR_DATA, "%s:%s: is a symbolic link, and would "
	    "be replaced by a file; it is as it was.  Move it away, then run "
	    "the same command again", file->on->name, file->path);
}

int
host_file_keep(const struct host_file *file, struct run *run,
    const char *word, struct err *err)
{
	char *key, *kept = NULL, *value;
	int rc;

	rc = host_file_kept(file, run, word, &kept, err);
	if (rc != 0 || kept) {
		free(kept);
		return rc;
	}
	if (refuse_link(file, err) != 0)
		return -1;
	key = fact(file, word);
	value = file->present ? mem_printf(TEXT_META "%s", file->meta.mode,
	    (long long)file->meta.uid, (long long)file->meta.gid,
	    buf_cstr(&file->now)) : mem_strdup(ABSENT);
	rc = journal_put(run->journal, key, value, err);
	free(value);
	free(key);
	return rc;
}

int
host_file_forget(const struct host_file *file, struct run *run,
    const char *word, struct err *err)
{
	char *key, *kept = NULL;
	int rc;

	rc = host_file_kept(file, run, word, &kept, err);
	if (rc != 0 || !kept)
		return rc;
	key = fact(file, word);
	rc = journal_put(run->journal, key, NOTHING, err);
	free(kept);
	free(key);
	return rc;
}

/* The bytes of what was kept, and the rights they had. */
static const char *
kept_text(const char *kept, struct fs_meta *meta)
{
	long long uid = -1, gid = -1;
	unsigned int mode = 0600;
	int at = 0;

	(void)sscanf(kept, TEXT_META "%n", &mode, &uid, &gid, &at);
	*meta = (struct fs_meta){ .mode = mode & 07777, .uid = (uid_t)uid,
	    .gid = (gid_t)gid };
	return kept + at;
}

int
host_file_restore(const struct host_file *file, const char *kept,
    struct err *err)
{
	struct fs_meta meta;
	const char *text;

	if (host_file_was_absent(kept))
		return host_remove(file->host, file->path, err);
	text = kept_text(kept, &meta);
	return host_file_put(file, text, strlen(text), &meta, err);
}

bool
host_file_was_absent(const char *kept)
{
	return str_eq(kept, ABSENT);
}

bool
host_file_holds(const struct host_file *file, const char *kept)
{
	struct fs_meta meta;
	const char *text;

	if (host_file_was_absent(kept))
		return !file->present;
	text = kept_text(kept, &meta);
	return host_file_is(file, text, strlen(text), &meta);
}

/*
 * The digests of what this job wrote, by which an edit of somebody else shows,
 * the last first: the one before it while it is not known whether the last has
 * come to be written.
 */
static int
get_ours(const struct host_file *file, struct run *run, char **out,
    struct err *err)
{
	char *key = fact(file, "ours");
	int rc = journal_get(run->journal, key, out, err);

	free(key);
	return rc;
}

static int
is_ours(const struct host_file *file, struct run *run,
    char hex[static 2 * HASH_SIZE + 1], bool *out, struct err *err)
{
	char *ours = NULL;
	int rc;

	rc = get_ours(file, run, &ours, err);
	if (rc == 0)
		rc = hash_hex(buf_cstr(&file->now), file->now.len, hex, err);
	*out = rc == 0 && ours && str_has_word(ours, hex);
	free(ours);
	return rc;
}

int
host_file_is_ours(const struct host_file *file, struct run *run, bool *out,
    struct err *err)
{
	char hex[2 * HASH_SIZE + 1];

	return is_ours(file, run, hex, out, err);
}

int
host_file_note_ours(const struct host_file *file, struct run *run,
    const char *text, size_t len, struct err *err)
{
	char now[2 * HASH_SIZE + 1] = "", hex[2 * HASH_SIZE + 1] = "";
	char *key, *all;
	bool ours = false;
	int rc;

	rc = is_ours(file, run, now, &ours, err);
	if (rc == 0)
		rc = hash_hex(text, len, hex, err);
	if (rc != 0)
		return -1;
	key = fact(file, "ours");
	all = mem_printf("%s%s%s", hex, ours ? " " : "", ours ? now : "");
	rc = journal_put(run->journal, key, all, err);
	free(all);
	free(key);
	return rc;
}

int
host_file_set(const struct host_file *file, struct run *run,
    const char *text, size_t len, const struct fs_meta *meta,
    struct err *err)
{
	if (host_file_keep(file, run, "before", err) != 0 ||
	    host_file_note_ours(file, run, text, len, err) != 0)
		return -1;
	if (host_file_is(file, text, len, meta))
		return 0;
	return host_file_put(file, text, len, meta, err);
}

int
host_file_undo(const struct host_file *file, struct run *run, bool *edited,
    struct err *err)
{
	char *before = NULL;
	bool ours = false;
	int rc;

	*edited = false;
	rc = host_file_kept(file, run, "before", &before, err);
	if (rc != 0 || !before)
		return rc;
	rc = host_file_is_ours(file, run, &ours, err);
	if (rc == 0 && !host_file_holds(file, before)) {
		*edited = file->present && !ours;
		if (!*edited)
			rc = host_file_restore(file, before, err);
	}
	if (rc == 0)
		rc = host_file_forget(file, run, "before", err);
	free(before);
	return rc;
}

int
host_file_aside(struct host *host, const char *path, char **out,
    struct err *err)
{
	char *aside = mem_printf("%s" HOST_FILE_ASIDE, path);
	struct fs_meta meta;

	*out = NULL;
	if (host_stat(host, aside, &meta, err) != 0) {
		free(aside);
		return -1;
	}
	if (meta.type != FS_NONE) {
		free(aside);
		aside = mem_printf("%s" HOST_FILE_ASIDE "-%" PRId64, path,
		    clock_epoch_ms());
	}
	*out = aside;
	return 0;
}

/* Said before it is done: a run after a kill would not find it edited. */
static int
move_aside(struct host_file *file, char **aside, struct err *err)
{
	if (host_file_aside(file->host, file->path, aside, err) != 0)
		return -1;
	log_warn("%s:%s: somebody has edited this file: it is kept as %s",
	    file->on->name, file->path, *aside);
	if (host_rename(file->host, file->path, *aside, 0, err) != 0)
		return -1;
	file->present = false;
	return 0;
}

int
host_file_undo_aside(struct host_file *file, struct run *run, char **aside,
    struct err *err)
{
	char *before = NULL;
	bool ours, edited;
	int rc;

	*aside = NULL;
	rc = host_file_kept(file, run, "before", &before, err);
	if (rc != 0 || !before)
		return rc;
	rc = host_file_is_ours(file, run, &ours, err);
	if (rc == 0 && file->present && !ours &&
	    !host_file_holds(file, before))
		rc = move_aside(file, aside, err);
	if (rc == 0)
		rc = host_file_undo(file, run, &edited, err);
	free(before);
	return rc;
}
