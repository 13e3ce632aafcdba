#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/af_row.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent_changes.h"
#include "io/journal.h"

/* Rows of one transaction. */
#define PAGE 1000

#define BODY_MAX 8192

int
agent_changes_begin(struct agent_changes *changes, struct journal *journal,
    const struct conf_agent *agent, struct err *err)
{
	*changes = (struct agent_changes){
		.journal = journal,
		.scope = mem_printf("changes/%s", agent->name),
	};
	return journal_scope_drop(journal, changes->scope, err);
}

static int
commit(struct agent_changes *changes, struct err *err)
{
	changes->waiting = 0;
	return journal_page_commit(changes->journal, changes->scope, "",
	    false, err);
}

static void
write_body(struct buf *out, const char *merged_id, unsigned int bits)
{
	struct jdoc *body = jdoc_new_object(), *list = jdoc_new_array();

	for (int i = 0; i < AF_CHANGES; i++) {
		if (bits & AF_CHANGE_BIT(i))
			jdoc_push(list, jdoc_new_str(af_change_text(
			    (enum af_change)i)));
	}
	jdoc_set(body, "changes", list);
	if (merged_id)
		jdoc_set_str(body, "with", merged_id);
	jdoc_write(body, out);
	jdoc_free(body);
}

int
agent_changes_add(void *ctx, const char *id, const char *merged_id,
    unsigned int bits, struct err *err)
{
	struct agent_changes *changes = ctx;
	struct buf body = BUF_INIT(BODY_MAX);
	bool added;
	int rc = 0;

	if (changes->waiting == 0)
		rc = journal_page_begin(changes->journal, err);
	if (rc == 0) {
		write_body(&body, merged_id, bits);
		rc = journal_row_add(changes->journal, changes->scope, id,
		    buf_cstr(&body), body.len, &added, err);
		changes->waiting++;
		changes->rows++;
	}
	if (rc == 0 && changes->waiting == PAGE)
		rc = commit(changes, err);
	buf_clear(&body);
	return rc;
}

int
agent_changes_end(struct agent_changes *changes, int rc, struct err *err)
{
	if (changes->waiting > 0 && rc == 0)
		rc = commit(changes, err);
	else if (changes->waiting > 0)
		journal_page_abort(changes->journal);
	free(changes->scope);
	changes->scope = NULL;
	return rc;
}
