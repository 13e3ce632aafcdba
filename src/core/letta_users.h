#ifndef CORE_LETTA_USERS_H
#define CORE_LETTA_USERS_H

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * What Broca has made of its users at a Letta server: an identity each, and a
 * block each that is attached for one turn.  Bodies of the requests that make
 * them anew at another server (0.16.2 and 0.16.8, seen; core/letta.h has the
 * rules for paths).
 */

/* The label that Broca gives a user's block (1b368f9). */
#define LETTA_USER_LABEL "human"

/*
 * A page of blocks of this label, oldest first; after NULL or "": the first.
 * A cursor that the server does not know is an error there.
 */
void letta_path_blocks_page(struct buf *, const char *label,
    const char *after, unsigned int limit);

/*
 * Body of the POST that makes a user's block anew: label, value, limit,
 * description, read_only and metadata as at the source, and in the metadata
 *
 *     "sanctumctl_mark"   the job's mark
 *     "sanctumctl_block"  the id at the source
 *
 * by which a later run finds it when the answer was lost.  A block has no key
 * of its own.  They stay there: no server shows metadata to the model, one
 * request more a block would be another place to be killed at, and whoever
 * looks at the block later sees where it came from.
 */
int letta_body_user_block(struct buf *, const struct jdoc *block,
    const char *mark, struct err *) MUST_CHECK;

/* Body of the PATCH that gives it the value that the source has by now. */
void letta_body_user_value(struct buf *, const struct jdoc *block);

/*
 * The id at the source that a listed block of this job was made from; NULL
 * for a block of anybody else.
 */
const char *letta_user_block_source(const struct jdoc *block,
    const char *mark);

#endif /* !CORE_LETTA_USERS_H */
