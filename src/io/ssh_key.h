#ifndef IO_SSH_KEY_H
#define IO_SSH_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * What can be told of a private key file without its passphrase: the
 * format of OpenSSH (PROTOCOL.key of its sources, "openssh-key-v1") carries
 * the cipher's name and the public key in the clear.
 */
struct ssh_key {
	char type[64];		/* "ssh-ed25519", or "?" */
	bool encrypted;
	struct buf blob;	/* public key; empty when it is not told */
};

/*
 * Look at the text of a key file.  Fails with ERR_DATA when it is neither
 * openssh-key-v1 nor PEM.  The caller clears key->blob.
 */
int ssh_key_look(const char *text, size_t len, struct ssh_key *,
    struct err *) MUST_CHECK;

/* Whether libssh2 1.10 can log in with a key of the type (no RSA, no FIDO). */
bool ssh_key_is_usable(const char *type);

#endif /* !IO_SSH_KEY_H */
