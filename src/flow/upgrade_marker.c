#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade_marker.h"
#include "flow/upgrade_part.h"
#include "io/host.h"
#include "io/journal.h"

#define DIR "/var/lib/sanctumctl/upgrades"
#define END ".json"
#define TEXT_MAX 16384
#define WORD_MAX 160		/* of a path, in an error */

/* The markers that are there; MARK.json of this job is none of them. */
struct markers {
	char *ours;
	char **paths;
	size_t n;
};

static char *
path_of(const struct upgrade *up)
{
	return mem_printf(DIR "/%s" END, up->run->mark);
}

static int
add_path(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct markers *markers = ctx;
	char *path;

	(void)err;
	/* What was being written when it was killed has a dot before it. */
	if (*entry->path == '.' || !str_ends(entry->path, END))
		return 0;
	path = mem_printf(DIR "/%s", entry->path);
	if (str_eq(path, markers->ours)) {
		free(path);
		return 0;
	}
	markers->paths = mem_grow(markers->paths, markers->n + 1,
	    sizeof(*markers->paths));
	markers->paths[markers->n++] = path;
	return 0;
}

static void
markers_clear(struct markers *markers)
{
	for (size_t i = 0; i < markers->n; i++)
		free(markers->paths[i]);
	free(markers->paths);
	free(markers->ours);
}

static int
markers_find(const struct upgrade *up, struct markers *markers,
    struct err *err)
{
	static const struct tree_rules rules = { 0 };
	struct fs_meta meta;

	*markers = (struct markers){ .ours = path_of(up) };
	if (host_stat(up->host, DIR, &meta, err) != 0)
		return -1;
	if (meta.type != FS_DIR)
		return 0;
	return host_walk(up->host, DIR, &rules, add_path, markers, err);
}

static bool
has_port(const struct jdoc *doc, const char *key, const struct upgrade *up)
{
	const int64_t port = jdoc_int(jdoc_get(doc, key));

	return port != 0 && (port == (int64_t)up->conf->from->port ||
	    port == (int64_t)up->conf->to->port);
}

static bool
is_in_the_way(const struct jdoc *doc, const struct upgrade *up,
    const char *database)
{
	return has_port(doc, "from_port", up) || has_port(doc, "to_port", up) ||
	    (database && jdoc_is(doc, "database", database));
}

/* Written by somebody who may have meant other bytes. */
static void
add_word(struct buf *out, const struct jdoc *doc, const char *key)
{
	const char *text = jdoc_get_str(doc, key);
	size_t len = text ? strlen(text) : 0;

	str_printable(out, text ? text : "", len > WORD_MAX ? WORD_MAX : len);
}

static int
refuse(const struct upgrade *up, const char *path, const struct jdoc *doc,
    struct err *err)
{
	struct buf job = BUF_INIT(1024), file = BUF_INIT(1024);
	struct buf journal = BUF_INIT(1024), since = BUF_INIT(1024);

	add_word(&job, doc, "job");
	add_word(&file, doc, "file");
	add_word(&journal, doc, "journal");
	add_word(&since, doc, "since");
	(void)err_set(err, ERR_STALE, "%s:%s: job %s upgrades this server "
	    "since %s and is not at its end, so what serves may be half "
	    "of it; nothing was changed.  Go on with `sanctumctl letta "
	    "upgrade %s' (its journal: %s; if that is no more, remove this "
	    "file), end it with `sanctumctl complete %s' or take it back "
	    "with `sanctumctl letta rollback %s'; then run this again",
	    host_name(up->host), path, buf_cstr(&job), buf_cstr(&since),
	    buf_cstr(&file), buf_cstr(&journal), buf_cstr(&file),
	    buf_cstr(&file));
	buf_clear(&since);
	buf_clear(&journal);
	buf_clear(&file);
	buf_clear(&job);
	return -1;
}

/* One that has gone meanwhile is none. */
static int
check_one(const struct upgrade *up, const char *path, const char *database,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct jdoc *doc = NULL;
	int rc = host_read(up->host, path, &text, NULL, err);

	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	} else if (rc == 0) {
		doc = jdoc_parse(buf_cstr(&text), text.len, err);
		if (!doc)
			rc = err_ctx(err, "%s:%s: says that a server is being "
			    "upgraded, and cannot be read; if no upgrade is "
			    "under way there, remove it", host_name(up->host),
			    path);
		else if (is_in_the_way(doc, up, database))
			rc = refuse(up, path, doc, err);
	}
	jdoc_free(doc);
	buf_clear(&text);
	return rc;
}

/* Hosts have a name of each job's own, and it stands before the rest. */
static const char *
place_of(const struct upgrade *up, const struct postgres *pg)
{
	return pg ? postgres_where(pg) + strlen(host_name(up->host)) + 1 :
	    NULL;
}

int
upgrade_marker_check(const struct upgrade *up, const struct postgres *pg,
    struct err *err)
{
	const char *database = place_of(up, pg);
	struct markers markers;
	int rc = markers_find(up, &markers, err);

	for (size_t i = 0; rc == 0 && i < markers.n; i++)
		rc = check_one(up, markers.paths[i], database, err);
	markers_clear(&markers);
	return rc;
}

/* Whoever reads it may stand elsewhere. */
static void
set_file(struct jdoc *doc, const struct upgrade *up)
{
	char *whole = realpath(up->run->conf->path, NULL);

	jdoc_set_str(doc, "file", whole ? whole : up->run->conf->path);
	free(whole);
}

static void
write_text(const struct upgrade *up, const struct postgres *pg,
    struct buf *out)
{
	struct jdoc *doc = jdoc_new_object();
	char now[CLOCK_TEXT_SIZE];

	clock_utc(now);
	jdoc_set_str(doc, "job", up->run->conf->name);
	set_file(doc, up);
	jdoc_set_str(doc, "journal", journal_path(up->run->journal));
	jdoc_set(doc, "from_port", jdoc_new_int(up->conf->from->port));
	jdoc_set(doc, "to_port", jdoc_new_int(up->conf->to->port));
	jdoc_set_str(doc, "database", place_of(up, pg));
	jdoc_set_str(doc, "since", now);
	jdoc_write(doc, out);
	buf_char(out, '\n');
	jdoc_free(doc);
}

static int
put(const struct upgrade *up, const char *path, const struct postgres *pg,
    struct err *err)
{
	static const struct fs_meta meta = { .mode = 0600, .uid = 0,
	    .gid = 0 };
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err first;
	int rc;

	write_text(up, pg, &text);
	rc = host_mkdirs(up->host, DIR, 0700, err);
	if (rc == 0)
		rc = host_replace(up->host, path, text.data, text.len, &meta,
		    err);
	buf_clear(&text);
	/* The other one may have looked when we did. */
	if (rc == 0 && upgrade_marker_check(up, pg, err) != 0) {
		first = *err;
		if (host_remove(up->host, path, err) == 0)
			*err = first;
		rc = -1;
	}
	return rc;
}

int
upgrade_marker_put(const struct upgrade *up, const struct postgres *pg,
    struct err *err)
{
	char *path = path_of(up);
	struct fs_meta meta;
	int rc;

	rc = host_stat(up->host, path, &meta, err);
	/* Ours is there since then. */
	if (rc == 0 && meta.type != FS_FILE)
		rc = upgrade_marker_check(up, pg, err);
	if (rc == 0 && meta.type != FS_FILE)
		rc = put(up, path, pg, err);
	free(path);
	return rc;
}

int
upgrade_marker_remove(const struct upgrade *up, struct err *err)
{
	char *path = path_of(up);
	int rc = host_remove(up->host, path, err);

	free(path);
	return rc;
}
