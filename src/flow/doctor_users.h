#ifndef FLOW_DOCTOR_USERS_H
#define FLOW_DOCTOR_USERS_H

#include "base/attr.h"

struct doctor_site;
struct err;
struct host;

/*
 * Whether the server knows the identity and the block of each user that the
 * sanctum.db of the worker at dir names, the first DOCTOR_USERS_MAX of them.
 * Nothing is said where there is no such database, or no token.
 */
#define DOCTOR_USERS_MAX 200

int doctor_users(const struct doctor_site *, struct host *, const char *dir,
    struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_USERS_H */
