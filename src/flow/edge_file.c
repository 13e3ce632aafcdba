#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge_file.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

/* A fact of the journal cannot be unset, so "nothing kept" is a value too. */
#define NOTHING "nothing"
#define ABSENT "absent"
#define TEXT "text:"

int
edge_file_read(struct edge_file *file, struct run *run,
    const struct conf_edge *edge, struct err *err)
{
	*file = (struct edge_file){ .edge = edge };
	buf_init(&file->now, EDGE_FILE_MAX);
	file->path = mem_printf("/etc/nginx/conf.d/sanctumctl-%s.conf",
	    edge->site);
	if (run_host(run, edge->host, &file->host, err) != 0)
		return -1;
	if (host_read(file->host, file->path, &file->now, NULL, err) != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
		return 0;
	}
	file->present = true;
	if (buf_check(&file->now, file->path, err) != 0)
		return -1;
	if (strlen(buf_cstr(&file->now)) != file->now.len)
		return err_set(err, ERR_DATA, "%s:%s: has NUL bytes in it",
		    edge->host->name, file->path);
	return 0;
}

void
edge_file_clear(struct edge_file *file)
{
	free(file->path);
	buf_clear(&file->now);
}

int
edge_file_put(const struct edge_file *file, const char *text, size_t len,
    struct err *err)
{
	static const struct fs_meta meta = { .mode = 0644 };

	return host_replace(file->host, file->path, text, len, &meta, err);
}

int
edge_file_kept(const struct edge_file *file, struct run *run,
    const char *word, char **out, struct err *err)
{
	char *key = run_key("edge", file->edge->host->name, word);
	int rc;

	rc = journal_get(run->journal, key, out, err);
	if (rc == 0 && *out && str_eq(*out, NOTHING)) {
		free(*out);
		*out = NULL;
	} else if (rc == 0 && *out && !edge_file_was_absent(*out) &&
	    !str_starts(*out, TEXT)) {
		free(*out);
		*out = NULL;
		rc = err_set(err, ERR_DATA, "journal %s: what it keeps as "
		    "%s is no file", journal_path(run->journal), key);
	}
	free(key);
	return rc;
}

int
edge_file_keep(const struct edge_file *file, struct run *run,
    const char *word, struct err *err)
{
	char *key, *kept = NULL, *value;
	int rc;

	rc = edge_file_kept(file, run, word, &kept, err);
	if (rc != 0 || kept) {
		free(kept);
		return rc;
	}
	key = run_key("edge", file->edge->host->name, word);
	value = file->present ? mem_printf(TEXT "%s", buf_cstr(&file->now)) :
	    mem_strdup(ABSENT);
	rc = journal_put(run->journal, key, value, err);
	free(value);
	free(key);
	return rc;
}

int
edge_file_forget(const struct edge_file *file, struct run *run,
    const char *word, struct err *err)
{
	char *key, *kept = NULL;
	int rc;

	rc = edge_file_kept(file, run, word, &kept, err);
	if (rc != 0 || !kept)
		return rc;
	key = run_key("edge", file->edge->host->name, word);
	rc = journal_put(run->journal, key, NOTHING, err);
	free(kept);
	free(key);
	return rc;
}

int
edge_file_restore(const struct edge_file *file, const char *kept,
    struct err *err)
{
	if (edge_file_was_absent(kept))
		return host_remove(file->host, file->path, err);
	kept += strlen(TEXT);
	return edge_file_put(file, kept, strlen(kept), err);
}

bool
edge_file_was_absent(const char *kept)
{
	return str_eq(kept, ABSENT);
}

bool
edge_file_holds(const struct edge_file *file, const char *kept)
{
	if (edge_file_was_absent(kept))
		return !file->present;
	return file->present && str_eq(kept + strlen(TEXT),
	    buf_cstr(&file->now));
}
