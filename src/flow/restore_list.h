#ifndef FLOW_RESTORE_LIST_H
#define FLOW_RESTORE_LIST_H

#include <stddef.h>

#include "base/attr.h"
#include "core/backup_index.h"
#include "core/restore_conf.h"

struct err;

/*
 * The agents of a backup, in the order of its index: those that have a bundle,
 * each with its absolute path and the name of its section.  One that was
 * deleted at the server, and whose bundle stays, is not among them.
 */
struct restore_list {
	char *dir;			/* absolute */
	struct backup_index index;	/* owns ids and names */
	struct restore_conf_agent *agents;
	size_t n;
};

/*
 * Fails with ERR_MISSING and ERR_DATA: no backup there, or none with a bundle.
 */
int restore_list_read(const char *dir, struct restore_list *, struct err *)
    MUST_CHECK;
void restore_list_clear(struct restore_list *);

/* Why a bundle is not of the agent as it was in the end; NULL: it is. */
const char *restore_list_stale(const struct backup_entry *);

/* Beside the file of a nested job: ids that may stay behind. */
#define RESTORE_LEAVE "leave"
/* And, by restore_list_digest, what a job that is named by us restores. */
#define RESTORE_DIGEST "digest"

/* A SHA-256 over the ids and bundles: of what would be restored. */
int restore_list_digest(const struct restore_list *, char **digest,
    struct err *) MUST_CHECK;

#endif /* !FLOW_RESTORE_LIST_H */
