#include "base/base.h"

#include "base/err.h"
#include "base/progress.h"
#include "base/str.h"
#include "flow/bundle_stage.h"
#include "io/journal.h"

/* Rows, or bytes, that one transaction takes. */
#define PAGE_ROWS 1000
#define PAGE_BYTES ((size_t)8 * 1024 * 1024)

int
bundle_stage_resume(struct bundle_stage *s, bool *ended, struct err *err)
{
	char *cursor = NULL;
	int rc;

	rc = journal_cursor(s->journal, s->scope, &cursor, ended, err);
	if (rc == 0 && cursor && !str_u64(cursor, UINT64_MAX, &s->rows))
		rc = err_set(err, ERR_DATA, "%s: the cursor of %s is no "
		    "number", journal_path(s->journal), s->scope);
	free(cursor);
	return rc;
}

static int
begin(struct bundle_stage *s, struct err *err)
{
	if (!s->in_page && journal_page_begin(s->journal, err) != 0)
		return -1;
	s->in_page = true;
	return 0;
}

static int
commit(struct bundle_stage *s, bool ended, struct err *err)
{
	char cursor[32];

	(void)snprintf(cursor, sizeof(cursor), "%" PRIu64, s->rows);
	s->in_page = false;
	s->page_rows = s->page_bytes = 0;
	progress_at(s->rows);
	return journal_page_commit(s->journal, s->scope, cursor, ended, err);
}

int
bundle_stage_row(struct bundle_stage *s, const char *id, const char *body,
    size_t len, bool *added, struct err *err)
{
	if (begin(s, err) != 0 || journal_row_add(s->journal, s->scope, id,
	    body, len, added, err) != 0)
		return -1;
	if (!*added)
		return 0;
	s->rows++;
	s->page_rows++;
	s->page_bytes += len;
	if (s->page_rows < PAGE_ROWS && s->page_bytes < PAGE_BYTES)
		return 0;
	return commit(s, false, err);
}

int
bundle_stage_end(struct bundle_stage *s, struct err *err)
{
	return begin(s, err) == 0 ? commit(s, true, err) : -1;
}

void
bundle_stage_abort(struct bundle_stage *s)
{
	if (s->in_page)
		journal_page_abort(s->journal);
	s->in_page = false;
}
