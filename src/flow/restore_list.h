#ifndef FLOW_RESTORE_LIST_H
#define FLOW_RESTORE_LIST_H

#include <stddef.h>

#include "base/attr.h"
#include "core/restore_conf.h"

struct err;

/*
 * The agents of a backup that have a bundle, in the order of its index; each
 * with its id where it comes from, its name there, its bundle's absolute path
 * and the name of its section.
 */
struct restore_list {
	char *dir;			/* absolute */
	struct restore_conf_agent *agents;	/* texts are owned */
	size_t n;
};

/*
 * Fails with ERR_MISSING and ERR_DATA: no backup there, or none with a bundle.
 */
int restore_list_read(const char *dir, struct restore_list *, struct err *)
    MUST_CHECK;
void restore_list_clear(struct restore_list *);

/* A SHA-256 over the ids and bundles: of what would be restored. */
int restore_list_digest(const struct restore_list *, char **digest,
    struct err *) MUST_CHECK;

#endif /* !FLOW_RESTORE_LIST_H */
