#ifndef FLOW_BUNDLE_H
#define FLOW_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;

/*
 * A bundle: all of one agent in a directory, which can be checked and
 * imported without the server that it came from.  sanctumctl-bundle(5) is the
 * manual of its files.
 *
 * It is the dump of one side of the journal, scope for scope, and reading it
 * is staging that side again; so whatever works on a staged side (import,
 * comparison) works on a bundle.  A plain agent file (.af) is read and
 * written in the same way, with less in it: no passages, no conversations,
 * no identities.
 *
 *     writing  flow/bundle_write.c, flow/bundle_af.c
 *     reading  flow/bundle_load.c, flow/bundle_af_load.c
 *     looking  flow/bundle_check.c
 */

/* What one side of an agent is kept in, and under which name in a bundle. */
struct bundle_part {
	const char *scope;	/* agent_scope's `what' */
	const char *path;
};
extern const struct bundle_part bundle_parts[];		/* scope NULL ends */

/*
 * The rows of each conversation have a file of their own, by its id:
 * "conversations/ID.jsonl".
 */
#define BUNDLE_CONVERSATIONS "conversations/"

/* Where a side was read from, for the manifest; NULL where not known. */
struct bundle_about {
	const char *server;
	const char *url;	/* without user and password */
	const char *letta;	/* version */
	const char *agent_id;
};

struct bundle_figures {
	uint64_t messages, passages, blocks, identities, conversations;
	uint64_t changes;	/* rows that a conversion would change */
	uint64_t losses;	/* what no export carries: losses.json */
	uint64_t files, bytes;
};

/* Whether a path names a plain agent file: it ends in ".af". */
bool bundle_is_af(const char *path);

/*
 * Write a staged side into a directory that is not there yet, 0700 with files
 * 0600, each synced.  It is made beside its place, as ".NAME.partial-PID",
 * and renamed: so it is there whole or not at all.  What a killed process has
 * left is removed.  Fails with ERR_USAGE when something is there already.
 */
int bundle_write(struct journal *, const struct conf_agent *,
    const char *side, const struct bundle_about *, const char *path,
    struct bundle_figures *, struct err *) MUST_CHECK;

/* The same into a plain agent file, 0600. */
int bundle_write_af(struct journal *, const struct conf_agent *,
    const char *side, const char *path, struct bundle_figures *,
    struct err *) MUST_CHECK;

/*
 * Stage a bundle or an agent file as a side of the agent, from where an
 * earlier call was stopped.  What is staged already, of the same bundle,
 * stays; of another one, or with fresh, it is dropped first.
 *
 * Fails with ERR_MISSING: nothing there; ERR_DATA: it is not what its
 * manifest says, and then nothing of the file that failed is staged.
 */
int bundle_load(const char *path, const struct conf_agent *,
    const char *side, bool fresh, struct journal *, struct err *) MUST_CHECK;

/* What tells it from any other: a SHA-256 as text, which the caller frees. */
int bundle_digest(const char *path, char **digest, struct err *) MUST_CHECK;

/* Of bundle_load, for an agent file. */
int bundle_load_af(const char *path, const struct conf_agent *,
    const char *side, struct journal *, struct err *) MUST_CHECK;

/*
 * Check a bundle: the manifest, every file's sum, each row, and that what
 * they say of each other holds.  found is called for each fault, with the
 * file and what is wrong, both printable; what it returns but 0 ends the
 * check with -1.  A bundle without one has no finding, and figures.
 *
 * Fails, other than through found, when path is no directory or cannot be
 * read.
 */
int bundle_check(const char *path,
    int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, struct bundle_figures *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_BUNDLE_H */
