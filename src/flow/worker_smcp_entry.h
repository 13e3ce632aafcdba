#ifndef FLOW_WORKER_SMCP_ENTRY_H
#define FLOW_WORKER_SMCP_ENTRY_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_worker;
struct err;
struct jdoc;
struct plan_note;
struct run;
struct server;

/* The MCP server's entry at the two Letta servers. */
struct worker_smcp_entry {
	struct jdoc *from_list;	/* the source's answer */
	char *name;		/* NULL: there is none, and none is wanted */
	const char *token;	/* at the source; lives in from_list */
	char *from_url;		/* NULL: not at the source */
	char *to_url;		/* what it shall be */
	char *to_id;		/* at the target; NULL: not there */
	char *to_has;		/* its URL there now */
};

/*
 * Find it.  to NULL: the target cannot be asked yet.  Fails with ERR_DATA
 * when several entries may be meant, and when the target's version refuses
 * the address that it would get; clear after a failure, too.
 */
int worker_smcp_entry_find(struct run *, const struct conf_worker *,
    struct server *from, struct server *to, struct worker_smcp_entry *,
    struct err *) MUST_CHECK;
void worker_smcp_entry_clear(struct worker_smcp_entry *);

/* Put back what worker_smcp_connect changed. */
int worker_smcp_entry_restore(struct run *, const struct conf_worker *,
    struct server *to, struct plan_note *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_SMCP_ENTRY_H */
