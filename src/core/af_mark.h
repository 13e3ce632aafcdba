#ifndef CORE_AF_MARK_H
#define CORE_AF_MARK_H

#include "base/attr.h"

struct buf;
struct jdoc;

/*
 * What an agent on its way carries of ours, beside its own metadata:
 *
 *     {"colour":"green",
 *      "sanctumctl":{"mark":"0123456789ab","name":"Sage",
 *                    "from":"cloud agent-10418b8d-..."}}
 *
 * It is in the agent file, so it is there from the instant in which the
 * server makes the agent; the temporary name alone could be anybody's.  When
 * the agent gets its name the entry goes.  Where that name is not the one it
 * had, because a server refuses it, a second key keeps the old one for good:
 *
 *     {"colour":"green","sanctumctl_original_name":"AI/ML Expert"}
 */
#define AF_MARK_KEY "sanctumctl"
#define AF_MARK_NAME_KEY "sanctumctl_original_name"

struct af_mark {
	const char *mark;		/* of the job */
	const char *name;		/* the agent's at its source */
	const char *from;		/* where it comes from, for a reader */
};

/*
 * Metadata with the mark put in; metadata may be NULL or no object.  The
 * caller owns what is returned, here and below.
 */
struct jdoc *af_mark_put(const struct jdoc *metadata, const struct af_mark *);

/* The mark in an agent's metadata, or NULL. */
const char *af_mark_of(const struct jdoc *metadata);

/*
 * Metadata as it stays: without the mark, and with the original name when
 * that is not NULL.  An earlier move's original name is kept otherwise.
 */
struct jdoc *af_mark_final(const struct jdoc *metadata,
    const char *original_name);

/* Metadata without any key of ours: what a comparison may look at. */
struct jdoc *af_mark_own(const struct jdoc *metadata);

/*
 * Append the name nearest to this one that a server takes in a file
 * (af_rule_name_ok).  What it refuses becomes "-", once for a run of it, and
 * none at either end: "AI/ML Expert" is "AI-ML Expert"; a name of which
 * nothing is left is "agent".  A name that may pass comes out as it is.
 */
void af_mark_name(const char *name, struct buf *out);

#endif /* !CORE_AF_MARK_H */
