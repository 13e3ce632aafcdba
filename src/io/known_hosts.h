#ifndef IO_KNOWN_HOSTS_H
#define IO_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * What OpenSSH's known_hosts files say of one host; a reader of our own,
 * because libssh2 1.10 takes "@revoked" and "@cert-authority" lines for plain
 * ones and matches no wildcard (seen).  The format is that of sshd(8), "SSH
 * KNOWN HOSTS FILE FORMAT".  Pure: texts in, answer out.
 *
 *     struct known_hosts kh;
 *
 *     known_hosts_init(&kh, "db.example.org", 22);
 *     known_hosts_add(&kh, "~/.ssh/known_hosts", text, len);   (each file)
 *     known_hosts_has(&kh, "ssh-ed25519")   (choose key types by it)
 *     known_hosts_check(&kh, blob, blob_len, &answer);
 *     known_hosts_clear(&kh);
 *
 * A host is looked up as "name", or as "[name]:port" when the port is not 22,
 * in lower case.  Lines may hold comma lists, "*" and "?", "!" for a name
 * that the line is not about, or one hashed name.  Lines that are not of the
 * format are passed over, as OpenSSH does; lines over 64 KiB too.
 */
#define KNOWN_HOSTS_FINGERPRINT 64	/* "SHA256:" + 43 digits + NUL */
#define KNOWN_HOSTS_WHERE 300		/* "file:line" */

enum known_hosts_mark {
	KNOWN_HOSTS_KEY,
	KNOWN_HOSTS_REVOKED,
	KNOWN_HOSTS_AUTHORITY
};

/* A line that is about the host. */
struct known_hosts_line {
	enum known_hosts_mark mark;
	char *where;
	char *type;		/* "ssh-ed25519" */
	struct buf blob;	/* the public key as it crosses the wire */
};

struct known_hosts {
	char *name;		/* what lines are compared with */
	struct known_hosts_line *lines;
	size_t n_lines;
};

enum known_hosts_verdict {
	KNOWN_HOSTS_MATCH,
	/* Known with another key of the type: changed, or an attack. */
	KNOWN_HOSTS_MISMATCH,
	/* Nothing about this host and this type of key. */
	KNOWN_HOSTS_UNKNOWN,
	/* This very key is marked "@revoked" for this host. */
	KNOWN_HOSTS_IS_REVOKED,
	/* Only "@cert-authority": a plain key proves nothing. */
	KNOWN_HOSTS_CERTIFICATE
};

struct known_hosts_answer {
	enum known_hosts_verdict verdict;
	char where[KNOWN_HOSTS_WHERE];	/* the line that says so; "" if none */
	char type[64];			/* of the key asked about */
	char seen[KNOWN_HOSTS_FINGERPRINT];	/* of the key asked about */
	char known[KNOWN_HOSTS_FINGERPRINT];	/* of that line's, or "" */
	/* When UNKNOWN: a type that is known instead, with its line, or "". */
	char other_type[64];
	char other_where[KNOWN_HOSTS_WHERE];
};

void known_hosts_init(struct known_hosts *, const char *host,
    unsigned int port);
void known_hosts_add(struct known_hosts *, const char *file,
    const char *text, size_t len);
void known_hosts_clear(struct known_hosts *);

/* Whether a plain line of this type is about the host. */
bool known_hosts_has(const struct known_hosts *, const char *type);

void known_hosts_check(const struct known_hosts *, const void *blob,
    size_t blob_len, struct known_hosts_answer *);

/* "SHA256:..." of a public key, as ssh-keygen -l prints it. */
void known_hosts_fingerprint(const void *blob, size_t blob_len,
    char out[static KNOWN_HOSTS_FINGERPRINT]);

/*
 * The type that a public key names itself ("ssh-ed25519"), printable; "?"
 * when it is not a key.
 */
void known_hosts_key_type(const void *blob, size_t blob_len, char *out,
    size_t size);

#endif /* !IO_KNOWN_HOSTS_H */
