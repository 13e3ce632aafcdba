#ifndef BED_HOSTS_H
#define BED_HOSTS_H

#include <stddef.h>
#include <sys/types.h>

#include "bed_sshd.h"
#include "io/wire_fd.h"

struct err;
struct host;

/*
 * The same operations on four hosts: this machine, a conversation over a
 * socket pair, and conversations with a real sshd by libssh2 and by ssh.
 * What one gives the others must give.  Failures end the test, as in
 * bed_sshd.h.
 */
#define BED_HOSTS 4
#define MIB (1024u * 1024u)

struct bed_hosts {
	struct bed_sshd sshd;
	struct host *hosts[BED_HOSTS];	/* here, pair, far, ssh */
	char *dirs[BED_HOSTS];	/* one for each, below sshd.dir */
	struct wire_fd fd;
	int sock;
	pid_t server;
};

/* HOME is set to the home directory of a login there. */
void bed_hosts_open(struct bed_hosts *);
void bed_hosts_close(struct bed_hosts *);

/* End the test with the failure's text unless rc is 0. */
void bed_hosts_ok(int rc, const struct err *);

/* A name in the directory of host i; the caller frees it. */
char *bed_hosts_in(const struct bed_hosts *, size_t i, const char *name);

/*
 * The failures, one of each host, must say the same, but for the host's name
 * and its directory.
 */
void bed_hosts_same(const struct bed_hosts *, const struct err *errs);

/*
 * The hosts of a test program that has one set of them, up from open_bed to
 * close_bed, which cmocka calls; ok() is bed_hosts_ok().
 */
extern struct bed_hosts bed;

int open_bed(void **state);
int close_bed(void **state);
void ok(int rc, const struct err *);

#endif /* !BED_HOSTS_H */
