#ifndef BED_SSHD_H
#define BED_SSHD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "io/host.h"

/*
 * A private sshd on a free port of 127.0.0.1, with keys, a home directory
 * and a known_hosts file of its own below one new directory.  Any failure of
 * these functions ends the test (cmocka's assertions): a machine without sshd
 * fails, it does not skip.
 */
struct bed_sshd {
	char *dir;
	char *home;		/* of a login: dir/home */
	char *key;		/* private key that is let in */
	char *known_hosts;	/* has the host's ed25519 key */
	unsigned int port;
	enum host_transport transport;	/* of the specs; set it at will */
	pid_t pid;
};

/*
 * With an ed25519 and an ecdsa host key, or with one of RSA in the place of
 * both.  PATH of a login begins with dir/bin.
 */
void bed_sshd_start(struct bed_sshd *, bool rsa);
void bed_sshd_stop(struct bed_sshd *);

/* A spec that gets in; strings are the bed's. */
void bed_sshd_spec(const struct bed_sshd *, struct host_spec *);

/* Kill what serves connections now; the listener stays. */
void bed_sshd_kill_sessions(const struct bed_sshd *);

/* How many processes serve connections now. */
size_t bed_sshd_sessions(const struct bed_sshd *);

/* Make a key pair: type is "ed25519", "ecdsa" or "rsa". */
void bed_sshd_keygen(const char *type, const char *passphrase,
    const char *path);

/* A whole file: write it, or read it into memory that the caller frees. */
void bed_sshd_write(const char *path, const char *text, mode_t mode);
char *bed_sshd_read(const char *path);

#endif /* !BED_SSHD_H */
