#ifndef IO_OPENSSH_H
#define IO_OPENSSH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct buf;
struct host_spec;
struct ssh_limits;

/*
 * The command line of the system's ssh program, and what it says when it
 * fails.  Pure; OpenSSH 8.5 or later (KnownHostsCommand), seen with 9.2.
 *
 * What the job file says goes before ~/.ssh/config, which has its word on all
 * else: aliases, ProxyJump, keys, algorithms.  Never left to it are: questions
 * (BatchMode), host keys (StrictHostKeyChecking, and no DNS, no exception of
 * localhost, no updates of known_hosts), connections shared with another ssh
 * (whose host key nobody checks again, and which outlive us), forwardings,
 * and what would not run our command.
 *
 * A pinned host key: ssh knows no option for a fingerprint, and its list of
 * known hosts would have to hold the key itself.  So known_hosts files are
 * shut off, and KnownHostsCommand is a shell that is given the fingerprint of
 * the key which the host has shown, and answers with that key when it is the
 * pinned one.  Asking the host for its keys before (ssh-keyscan) was the other
 * way: what came then need not be what comes later, and nothing is gained.
 */
#define OPENSSH_WORDS 80

/* A command line; clear it in any case. */
struct openssh_argv {
	char *words[OPENSSH_WORDS];	/* NULL-ended */
	size_t n;
};

/*
 * command is one of the login shell there.  With tell_key, ssh's stderr has a
 * line of each key that the host shows (openssh_key_told).  Fails with
 * ERR_USAGE when host_key is not a fingerprint or a path cannot be told to
 * ssh.
 */
int openssh_argv(struct openssh_argv *, const struct host_spec *,
    const struct ssh_limits *, bool tell_key, const char *command,
    struct err *) MUST_CHECK;
void openssh_argv_clear(struct openssh_argv *);

/*
 * The key that was told last: the name under which known_hosts has the host,
 * in name (at most size bytes with its NUL), and the key in blob.  False when
 * there is none.
 */
bool openssh_key_told(const char *said, char *name, size_t size,
    struct buf *blob);

/*
 * What it was that made ssh end with 255, by its words: ERR_HOSTKEY,
 * ERR_AUTH, ERR_FAILED (its own configuration, or no algorithm in common), or
 * ERR_UNREACHABLE.
 */
enum err_kind openssh_kind(const char *said);

/*
 * The last three lines, printable, as one: a banner of the host comes before
 * what ssh has to say.
 */
void openssh_last_words(struct buf *out, const char *said);

#endif /* !IO_OPENSSH_H */
