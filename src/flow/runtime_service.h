#ifndef FLOW_RUNTIME_SERVICE_H
#define FLOW_RUNTIME_SERVICE_H

#include <stdbool.h>

#include "base/attr.h"
#include "core/template.h"
#include "flow/service.h"
#include "io/hash.h"

struct err;
struct runtime;

/*
 * The service that runs the server (flow/service.h), with what its spec
 * points to.  For runtime_*.c, and the rehearsal's (flow/upgrade_scratch.c);
 * close it in any case.
 *
 * stamped: with the digest of its list and environment, which are there by
 * then; false for one that is only asked or taken down.
 */
struct runtime_service {
	struct service *service;
	struct service_spec spec;
	struct template_value values[4];
	char port[16], stamp[2 * HASH_SIZE + 1];
	char *dir, *program, *key;
};

int runtime_service_open(const struct runtime *, struct runtime_service *,
    bool stamped, struct err *) MUST_CHECK;

/*
 * What every such service has, into the spec: all but its key, name and
 * directory.  s is zeroed but for the port; environment is borrowed.
 */
void runtime_service_fill(const struct runtime *, struct runtime_service *s,
    const char *environment);
void runtime_service_close(struct runtime_service *);

#endif /* !FLOW_RUNTIME_SERVICE_H */
