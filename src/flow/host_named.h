#ifndef FLOW_HOST_NAMED_H
#define FLOW_HOST_NAMED_H

#include "base/attr.h"

struct conf;
struct err;
struct host;

/*
 * A machine as a command's word names it: `local', JOB#HOST for the section
 * [host HOST] of a job file, or USER@ADDRESS[:PORT], whose key must be in
 * known_hosts.
 */
struct host_named {
	struct host *host;
	struct conf *conf;	/* of a job file, or NULL */
};

/* Connects.  Fails with ERR_USAGE, and as host_open; nothing to close then. */
int host_named_open(const char *word, struct host_named *, struct err *)
    MUST_CHECK;
void host_named_close(struct host_named *);

#endif /* !FLOW_HOST_NAMED_H */
