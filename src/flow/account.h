#ifndef FLOW_ACCOUNT_H
#define FLOW_ACCOUNT_H

#include <sys/types.h>

#include "base/attr.h"

struct err;
struct host;

/* An account of a host, passwd(5). */
struct account {
	char *name;
	char *home;		/* absolute; "/" when none is given */
	uid_t uid;
	gid_t gid;
};

/*
 * By its name or its decimal uid: from /etc/passwd, else as getent(1) knows
 * it.  ERR_MISSING: there is none.  The caller clears it.
 */
int account_find(struct host *, const char *name_or_uid, struct account *,
    struct err *) MUST_CHECK;
int account_by_uid(struct host *, uid_t, struct account *, struct err *)
    MUST_CHECK;
/* The one that we are there. */
int account_own(struct host *, struct account *, struct err *) MUST_CHECK;
/* The one that owns a file or directory; ERR_MISSING: it is not there. */
int account_owner(struct host *, const char *path, struct account *,
    struct err *) MUST_CHECK;
void account_clear(struct account *);

/*
 * A directory as paths are compared: absolute, "~/" being the home that we
 * have there, without `.' and `..'.  The caller frees it.
 */
char *account_dir(struct host *, const char *dir);

#endif /* !FLOW_ACCOUNT_H */
