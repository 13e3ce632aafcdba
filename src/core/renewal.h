#ifndef CORE_RENEWAL_H
#define CORE_RENEWAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * /etc/letsencrypt/renewal/NAME.conf, by which certbot renews a lineage
 * (2.1.0, seen): "key = value" lines for its four files, a section
 * [renewalparams], and in it [[webroot_map]], which needs ConfigObj to be
 * read whole.  A lineage that goes to another host is given a new file of
 * few keys, made from the three that must stay.
 */
#define RENEWAL_VALUE_MAX 256

struct renewal {
	char account[RENEWAL_VALUE_MAX];	/* directory of its key */
	char server[RENEWAL_VALUE_MAX];		/* ACME directory */
	char key_type[RENEWAL_VALUE_MAX];	/* "ecdsa", "rsa" or "" */
	/* The rest for those who look; "" where it is not given. */
	char authenticator[RENEWAL_VALUE_MAX];
	char renew_hook[RENEWAL_VALUE_MAX];
};

/* ERR_DATA: no account or server, or one that is no plain word. */
int renewal_read(const char *text, struct renewal *, struct err *)
    MUST_CHECK;

/* The file of lineage name, renewed by webroot for the names given. */
void renewal_render(const struct renewal *, const char *name,
    const char *webroot, const char *const *domains, size_t n_domains,
    struct buf *out);

/*
 * Where certbot keeps an account of a server, below accounts/: "host/path".
 * The caller frees it; NULL when the URL has no such place, or one that
 * leaves the directory.
 */
char *renewal_account_dir(const struct renewal *);

#endif /* !CORE_RENEWAL_H */
