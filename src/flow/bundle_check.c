#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/bundle.h"
#include "flow/bundle_dir.h"

/* A check on its way through a bundle. */
struct check {
	const struct bundle_dir *dir;
	int (*found)(void *ctx, const char *file, const char *what,
	    struct err *);
	void *ctx;
	const char *file;	/* at hand */
	const char **context;	/* ids in context, sorted; in state */
	bool *seen;		/* of them, in messages.jsonl */
	size_t n_context;
	struct jdoc *state;
};

/* Ids, names and what a parser quotes are of the bundle: anybody's bytes. */
static int
report(struct check *c, const char *file, const char *what, struct err *err)
{
	return shown_finding(c->found, c->ctx, file, what, err);
}

/* What is wrong with the data is a finding; all else ends the check. */
static int
settle(struct check *c, const char *file, int rc, struct err *err)
{
	struct err own;

	if (rc == 0 || err->kind != ERR_DATA)
		return rc;
	own = *err;
	err_clear(err);
	return report(c, file, own.text, err);
}

static int
stray(void *ctx, const char *name, struct err *err)
{
	return report(ctx, name, "not in the manifest: an import refuses the "
	    "bundle until it is taken out", err);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
take_row(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct check *c = ctx;
	const char **at;

	(void)body;
	(void)len;
	(void)err;
	if (!str_eq(c->file, "messages.jsonl") || c->n_context == 0)
		return 0;
	at = bsearch(&id, c->context, c->n_context, sizeof(*c->context),
	    by_text);
	if (at)
		c->seen[at - c->context] = true;
	return 0;
}

/* Parse one of the JSON files. */
static int
read_doc(struct check *c, const char *path, struct jdoc **doc,
    struct err *err)
{
	const struct bundle_file *file = bundle_manifest_find(
	    &c->dir->manifest, path);
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	int rc;

	*doc = NULL;
	if (!file)
		return report(c, path, "the manifest has no such file", err);
	rc = bundle_dir_read(c->dir, file, &text, err);
	if (rc == 0) {
		*doc = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = *doc ? 0 : -1;
	}
	buf_clear(&text);
	return settle(c, path, rc, err);
}

/* Sorted, each once: an id that is there twice is told once, if at all. */
static void
sort_context(struct check *c)
{
	size_t n = 0;

	qsort(c->context, c->n_context, sizeof(*c->context), by_text);
	for (size_t i = 0; i < c->n_context; i++) {
		if (n == 0 || !str_eq(c->context[i], c->context[n - 1]))
			c->context[n++] = c->context[i];
	}
	c->n_context = n;
}

/* The ids in context, to be looked for among the messages. */
static int
read_state(struct check *c, struct err *err)
{
	const struct jdoc *ids;
	const char *id;

	if (read_doc(c, "state.json", &c->state, err) != 0)
		return -1;
	ids = jdoc_get(c->state, "message_ids");
	if (jdoc_len(ids) > AF_CONTEXT_MAX)
		return report(c, "state.json", "/message_ids: more than a "
		    "server holds in context", err);
	c->context = mem_zero(jdoc_len(ids) + 1, sizeof(*c->context));
	c->seen = mem_zero(jdoc_len(ids) + 1, sizeof(*c->seen));
	for (size_t i = 0; i < jdoc_len(ids); i++) {
		id = jdoc_str(jdoc_at(ids, i));
		if (id)
			c->context[c->n_context++] = id;
	}
	sort_context(c);
	return 0;
}

static int
check_shell(struct check *c, struct bundle_figures *figures, struct err *err)
{
	struct buf text = BUF_INIT((size_t)AF_SHELL_MAX * 2);
	struct af_shell shell;
	struct jdoc *doc;
	int rc;

	rc = read_doc(c, "shell.json", &doc, err);
	if (!doc)
		return rc;
	jdoc_write(doc, &text);
	rc = af_shell_read(buf_cstr(&text), text.len, &shell, err);
	if (rc == 0) {
		if (!bundle_manifest_find(&c->dir->manifest, "blocks.jsonl"))
			figures->blocks = shell.n_blocks;
		af_shell_clear(&shell);
	}
	jdoc_free(doc);
	buf_clear(&text);
	return settle(c, "shell.json", rc, err);
}

static int
count_losses(struct check *c, struct bundle_figures *figures,
    struct err *err)
{
	struct jdoc *doc;
	int rc;

	if (!bundle_manifest_find(&c->dir->manifest, "losses.json"))
		return 0;
	rc = read_doc(c, "losses.json", &doc, err);
	figures->losses = jdoc_len(jdoc_get(doc, "losses"));
	jdoc_free(doc);
	return rc;
}

static int
check_file(struct check *c, const struct bundle_file *file, struct err *err)
{
	int rc;

	c->file = file->path;
	progress_begin(file->path, "rows", file->rows);
	if (str_ends(file->path, ".jsonl"))
		rc = bundle_dir_rows(c->dir, file, 0, take_row, c, err);
	else
		rc = bundle_dir_sum(c->dir, file, err);
	progress_end();
	return settle(c, file->path, rc, err);
}

static uint64_t
rows_of(const struct bundle_dir *dir, const char *path)
{
	const struct bundle_file *file = bundle_manifest_find(&dir->manifest,
	    path);

	return file ? file->rows : 0;
}

static void
count(const struct bundle_dir *dir, struct bundle_figures *figures)
{
	figures->messages = rows_of(dir, "messages.jsonl");
	figures->passages = rows_of(dir, "archival.jsonl");
	figures->blocks = rows_of(dir, "blocks.jsonl");
	figures->identities = rows_of(dir, "identities.jsonl");
	figures->conversations = rows_of(dir, "conversations.jsonl");
	figures->changes = rows_of(dir, "originals/changes.jsonl");
	figures->files = dir->manifest.n_files;
	for (size_t i = 0; i < dir->manifest.n_files; i++)
		figures->bytes += dir->manifest.files[i].size_bytes;
}

/* Ids in context that no message has, each told once. */
static int
check_context(struct check *c, struct err *err)
{
	char *what;
	int rc = 0;

	for (size_t i = 0; i < c->n_context && rc == 0; i++) {
		if (c->seen[i])
			continue;
		what = mem_printf("/message_ids: messages.jsonl has no row %s"
		    ": an import leaves it out of context", c->context[i]);
		rc = report(c, "state.json", what, err);
		free(what);
	}
	return rc;
}

static int
check_all(struct check *c, struct bundle_figures *figures, struct err *err)
{
	const struct bundle_manifest *m = &c->dir->manifest;

	if (bundle_dir_strays(c->dir, stray, c, err) != 0 ||
	    read_state(c, err) != 0 || check_shell(c, figures, err) != 0 ||
	    count_losses(c, figures, err) != 0)
		return -1;
	if (!bundle_manifest_find(m, "messages.jsonl") &&
	    report(c, "messages.jsonl", "the manifest has no such file",
	    err) != 0)
		return -1;
	for (size_t i = 0; i < m->n_files; i++) {
		if (!str_eq(m->files[i].path, "shell.json") &&
		    !str_eq(m->files[i].path, "state.json") &&
		    !str_eq(m->files[i].path, "losses.json") &&
		    check_file(c, &m->files[i], err) != 0)
			return -1;
	}
	return check_context(c, err);
}

int
bundle_check(const char *path,
    int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, struct bundle_figures *figures,
    struct err *err)
{
	struct check c = { .found = found, .ctx = ctx };
	struct bundle_dir dir;
	int rc;

	*figures = (struct bundle_figures){ 0 };
	if (bundle_dir_open(path, &dir, err) != 0)
		return settle(&c, BUNDLE_MANIFEST, -1, err);
	c.dir = &dir;
	count(&dir, figures);
	rc = check_all(&c, figures, err);
	free(c.context);
	free(c.seen);
	jdoc_free(c.state);
	bundle_dir_close(&dir);
	return rc;
}
