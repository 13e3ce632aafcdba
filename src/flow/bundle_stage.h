#ifndef FLOW_BUNDLE_STAGE_H
#define FLOW_BUNDLE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct journal;

/*
 * Rows of a file on their way into one scope of the journal, in transactions
 * of some size, with the number of rows staged so far as the cursor: so a
 * kill costs one page, and a later run skips what is there.
 *
 *     struct bundle_stage s = { .journal = j, .scope = scope };
 *
 *     bundle_stage_resume(&s, &ended, err)       s.rows to be skipped
 *     bundle_stage_row(&s, id, body, len, &added, err)
 *     bundle_stage_end(&s, err)
 *
 * and, after a failure of any of them, bundle_stage_abort.
 */
struct bundle_stage {
	struct journal *journal;
	const char *scope;
	uint64_t rows;		/* staged, those of earlier runs too */
	size_t page_rows, page_bytes;
	bool in_page;
};

/* Where an earlier run stopped; *ended: it has come to the end. */
int bundle_stage_resume(struct bundle_stage *, bool *ended, struct err *)
    MUST_CHECK;
/* *added is false when the scope has a row of this id: nothing was done. */
int bundle_stage_row(struct bundle_stage *, const char *id, const char *body,
    size_t len, bool *added, struct err *) MUST_CHECK;
int bundle_stage_end(struct bundle_stage *, struct err *) MUST_CHECK;
void bundle_stage_abort(struct bundle_stage *);

#endif /* !FLOW_BUNDLE_STAGE_H */
