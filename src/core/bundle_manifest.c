#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/bundle_manifest.h"
#include "core/jdoc.h"
#include "core/shown.h"

#define NAME_CHARACTERS							\
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* The texts of a manifest and where they stand in the file. */
struct text {
	const char *group, *key;
	size_t offset;
};

#define TEXT(group, key, member)					\
	{ group, key, offsetof(struct bundle_manifest, member) }

static const struct text texts[] = {
	TEXT(NULL, "program", program),
	TEXT(NULL, "made_at", made_at),
	TEXT("from", "server", server),
	TEXT("from", "url", url),
	TEXT("from", "letta", letta),
	TEXT("agent", "id", agent_id),
	TEXT("agent", "name", agent_name),
	TEXT("agent", "agent_type", agent_type),
};

#define N_TEXTS (sizeof(texts) / sizeof(*texts))

static char **
text_of(struct bundle_manifest *m, const struct text *text)
{
	return (char **)(void *)((char *)m + text->offset);
}

bool
bundle_path_ok(const char *path)
{
	const char *at = path;
	size_t len, parts = 0;

	if (strlen(path) >= BUNDLE_PATH_MAX || str_eq(path, BUNDLE_MANIFEST))
		return false;
	for (;;) {
		len = strspn(at, NAME_CHARACTERS);
		if (len == 0 || *at == '.' || ++parts > 2)
			return false;
		at += len;
		if (*at == '\0')
			return true;
		if (*at++ != '/')
			return false;
	}
}

struct bundle_file *
bundle_manifest_add(struct bundle_manifest *m, const char *path)
{
	struct bundle_file *file;

	m->files = mem_grow(m->files, m->n_files + 1, sizeof(*m->files));
	file = &m->files[m->n_files++];
	*file = (struct bundle_file){ 0 };
	(void)snprintf(file->path, sizeof(file->path), "%s", path);
	return file;
}

const struct bundle_file *
bundle_manifest_find(const struct bundle_manifest *m, const char *path)
{
	for (size_t i = 0; i < m->n_files; i++) {
		if (str_eq(m->files[i].path, path))
			return &m->files[i];
	}
	return NULL;
}

static struct jdoc *
files_doc(const struct bundle_manifest *m)
{
	struct jdoc *files = jdoc_new_array(), *one;

	for (size_t i = 0; i < m->n_files; i++) {
		one = jdoc_new_object();
		jdoc_set_str(one, "path", m->files[i].path);
		jdoc_set_str(one, "sha256", m->files[i].sha256);
		jdoc_set(one, "size",
		    jdoc_new_int((int64_t)m->files[i].size_bytes));
		jdoc_set(one, "rows",
		    jdoc_new_int((int64_t)m->files[i].rows));
		jdoc_push(files, one);
	}
	return files;
}

void
bundle_manifest_write(const struct bundle_manifest *m, struct buf *out)
{
	struct bundle_manifest *editable = (struct bundle_manifest *)m;
	struct jdoc *doc = jdoc_new_object(), *in;
	const char *value;

	jdoc_set(doc, "format", jdoc_new_int(BUNDLE_FORMAT));
	jdoc_set(doc, "from", jdoc_new_object());
	jdoc_set(doc, "agent", jdoc_new_object());
	for (size_t i = 0; i < N_TEXTS; i++) {
		in = texts[i].group ? jdoc_edit(doc, texts[i].group) : doc;
		value = *text_of(editable, &texts[i]);
		if (value)
			jdoc_set_str(in, texts[i].key, value);
	}
	jdoc_set(doc, "files", files_doc(m));
	jdoc_write(doc, out);
	buf_char(out, '\n');
	jdoc_free(doc);
}

static bool
is_sha256(const char *text)
{
	return text && strlen(text) == 64 &&
	    strspn(text, "0123456789abcdef") == 64;
}

static int
read_file(const struct jdoc *one, struct bundle_manifest *m, struct err *err)
{
	const char *path = jdoc_get_str(one, "path");
	const char *sha256 = jdoc_get_str(one, "sha256");
	const struct jdoc *size = jdoc_get(one, "size");
	const struct jdoc *rows = jdoc_get(one, "rows");
	struct buf shown = BUF_INIT(1024);
	struct bundle_file *file;
	int rc = 0;

	if (path)
		shown_text(&shown, path, strlen(path), 80);
	if (!path || !bundle_path_ok(path))
		rc = err_set(err, ERR_DATA, "not the path of a file in a "
		    "bundle: %s", buf_cstr(&shown));
	else if (!is_sha256(sha256) || jdoc_type(size) != JDOC_NUMBER ||
	    jdoc_type(rows) != JDOC_NUMBER || jdoc_int(size) < 0 ||
	    jdoc_int(rows) < 0)
		rc = err_set(err, ERR_DATA, "%s: without size, rows and "
		    "sha256", path);
	else {
		file = bundle_manifest_add(m, path);
		memcpy(file->sha256, sha256, sizeof(file->sha256));
		file->size_bytes = (uint64_t)jdoc_int(size);
		file->rows = (uint64_t)jdoc_int(rows);
	}
	buf_clear(&shown);
	return rc;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp((*(const struct bundle_file *const *)a)->path,
	    (*(const struct bundle_file *const *)b)->path);
}

static int
check_twice(const struct bundle_manifest *m, struct err *err)
{
	const struct bundle_file **sorted = mem_zero(m->n_files + 1,
	    sizeof(*sorted));
	int rc = 0;

	for (size_t i = 0; i < m->n_files; i++)
		sorted[i] = &m->files[i];
	qsort(sorted, m->n_files, sizeof(*sorted), by_path);
	for (size_t i = 1; i < m->n_files && rc == 0; i++) {
		if (str_eq(sorted[i - 1]->path, sorted[i]->path))
			rc = err_set(err, ERR_DATA, "%s is named twice",
			    sorted[i]->path);
	}
	free(sorted);
	return rc;
}

static int
read_doc(const struct jdoc *doc, struct bundle_manifest *m, struct err *err)
{
	const struct jdoc *files = jdoc_get(doc, "files"), *in;
	const char *value;

	if (jdoc_type(jdoc_get(doc, "format")) != JDOC_NUMBER)
		return err_set(err, ERR_DATA, "not the manifest of a bundle");
	if (jdoc_int(jdoc_get(doc, "format")) != BUNDLE_FORMAT)
		return err_set(err, ERR_DATA, "format %" PRId64 " and not %d: "
		    "a later sanctumctl made it, and can read it",
		    jdoc_int(jdoc_get(doc, "format")), BUNDLE_FORMAT);
	if (jdoc_type(files) != JDOC_ARRAY ||
	    jdoc_len(files) > BUNDLE_FILES_MAX)
		return err_set(err, ERR_DATA, "files is not a list of up to "
		    "%d", BUNDLE_FILES_MAX);
	for (size_t i = 0; i < N_TEXTS; i++) {
		in = texts[i].group ? jdoc_get(doc, texts[i].group) : doc;
		value = jdoc_get_str(in, texts[i].key);
		*text_of(m, &texts[i]) = value ? mem_strdup(value) : NULL;
	}
	for (size_t i = 0; i < jdoc_len(files); i++) {
		if (read_file(jdoc_at(files, i), m, err) != 0)
			return -1;
	}
	return check_twice(m, err);
}

int
bundle_manifest_read(const char *text, size_t len, struct bundle_manifest *m,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	int rc = doc ? 0 : -1;

	*m = (struct bundle_manifest){ 0 };
	if (rc == 0)
		rc = read_doc(doc, m, err);
	if (rc != 0) {
		bundle_manifest_clear(m);
		(void)err_ctx(err, BUNDLE_MANIFEST);
	}
	jdoc_free(doc);
	return rc;
}

void
bundle_manifest_clear(struct bundle_manifest *m)
{
	for (size_t i = 0; i < N_TEXTS; i++)
		free(*text_of(m, &texts[i]));
	free(m->files);
	*m = (struct bundle_manifest){ 0 };
}
