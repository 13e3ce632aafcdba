#ifndef IO_SSH_H
#define IO_SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * One SSH connection and the commands that run on it.  ssh.c alone sees
 * libssh2 and drives it non-blocking: every wait is a poll(2) that ends at a
 * deadline, at a signal (ERR_INTERRUPTED), or when the peer has sent nothing
 * for silence_ms although it was asked (keepalive).
 *
 *     ssh_open(&spec, &ssh, err)       connect, judge the host key, log in
 *     ssh_exec(ssh, command, &ch, err)
 *     ssh_write / ssh_read ...
 *     ssh_channel_close(ch);
 *     ssh_close(ssh);
 *
 * Limits of libssh2 1.10 (seen against OpenSSH 9.2): no RSA host or user key,
 * no certificate, no FIDO key, no ProxyJump, no ~/.ssh/config.
 */
struct ssh;
struct ssh_channel;

/* 0 stands for the default. */
struct ssh_limits {
	uint64_t connect_ms;	/* TCP, all addresses together: 10 s */
	uint64_t login_ms;	/* key exchange and login: 30 s */
	uint64_t silence_ms;	/* 60 s */
};

struct ssh_spec {
	const char *address;		/* name or IP */
	unsigned int port;
	const char *user;		/* NULL: the user who runs us */
	const char *host_key;		/* "SHA256:..."; NULL: known_hosts */
	const char *identity_file;	/* NULL: agent, then ~/.ssh/id_* */
	const char *known_hosts_file;	/* NULL: ~/.ssh/known_hosts and
					   /etc/ssh/ssh_known_hosts */
	struct ssh_limits limits;
};

/*
 * Fails with
 *   ERR_UNREACHABLE  no address, no connection, no SSH, cut, silent
 *   ERR_HOSTKEY      unknown, changed, revoked, or certified only; nothing
 *                    was sent to the host after its key was seen
 *   ERR_AUTH         no key was taken; lists which were tried
 *   ERR_FAILED       no algorithm in common (an RSA-only host)
 *   ERR_USAGE        host_key is not a fingerprint
 */
int ssh_open(const struct ssh_spec *, struct ssh **out, struct err *)
    MUST_CHECK;
void ssh_close(struct ssh *);

/*
 * Run a command line, which the login shell there parses: quote each word of
 * it with ssh_quote.  Its stderr is dropped: redirect it where it is wanted.
 */
int ssh_exec(struct ssh *, const char *command, struct ssh_channel **out,
    struct err *) MUST_CHECK;
void ssh_channel_close(struct ssh_channel *);

/*
 * At least one byte of the command's stdout, at most size; 0 at its end.
 * deadline_ms as clock_ms; 0: only silence ends the wait.
 */
ptrdiff_t ssh_read(struct ssh_channel *, void *data, size_t size,
    uint64_t deadline_ms, struct err *) MUST_CHECK;

/*
 * All of data to the command's stdin.  Fails with ERR_UNREACHABLE when the
 * command ended without reading it (libssh2 1.10 alone would wait for ever).
 */
int ssh_write(struct ssh_channel *, const void *data, size_t len,
    uint64_t deadline_ms, struct err *) MUST_CHECK;

/* Whether ssh_read would return at once. */
bool ssh_readable(struct ssh_channel *);

/*
 * Run a command to its end: input to its stdin, its stdout appended to out
 * (what does not fit, and what is over 256 KiB while input is sent, is
 * dropped), its exit code in status (128 for one that a signal ended).  A
 * command that ends without reading its input is a success here: status
 * tells.  ERR_UNREACHABLE when it has not ended after timeout_ms.
 */
int ssh_call(struct ssh *, const char *command, const void *input,
    size_t len, uint64_t timeout_ms, struct buf *out, int *status,
    struct err *) MUST_CHECK;

/*
 * Append a word so that a POSIX shell, whatever the word holds, reads it as
 * that one word: in single quotes, a quote as '\''.
 */
void ssh_quote(struct buf *, const char *word);

#endif /* !IO_SSH_H */
