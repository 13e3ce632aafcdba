#ifndef IO_HOST_H
#define IO_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "io/db.h"
#include "io/db_pages.h"
#include "io/db_script.h"
#include "io/fs.h"
#include "io/proc.h"
#include "io/procs.h"
#include "io/tree.h"

struct buf;
struct err;

/*
 * A machine where files live and programs run: this one, or one reached over
 * SSH.  A caller never knows which.  Behind it is one table of functions
 * (host_local.c calls io/fs, io/tree, io/db, io/proc; host_ssh.c has the same
 * functions called by sanctumctl-remote on the far side, over one channel;
 * remote/ and io/wire.h describe what crosses it).
 *
 * A path is absolute, or begins with "~/" for the home directory of the user
 * that we are there.  Each failure names the host: "old:/srv/.env: ...".
 * A deadline passes for every call; a host that has gone silent is
 * ERR_UNREACHABLE after silence_ms without a byte, though it was asked.
 */
struct host;

enum host_transport {
	HOST_LIBSSH2,		/* io/host_ssh.h */
	HOST_OPENSSH		/* io/host_openssh.h */
};

struct host_spec {
	const char *name;		/* for messages */
	bool local;
	enum host_transport transport;
	uint64_t silence_ms;		/* 0: 60 s; never below 5 s */
	const char *address;
	unsigned int port;
	const char *user;		/* NULL: the user who runs us */
	const char *host_key;		/* "SHA256:..."; NULL: known_hosts */
	const char *identity_file;	/* NULL: agent, then ~/.ssh/id_* */
	const char *known_hosts_file;	/* NULL: ~/.ssh/known_hosts, then
					 * /etc/ssh/ssh_known_hosts */
};

/* What the machine is; strings live as long as the host. */
struct host_facts {
	const char *machine;	/* uname -m */
	const char *hostname;
	const char *home;
	uid_t uid;
	gid_t gid;
};

/*
 * Connect, check the host key before anything else is sent, log in, find or
 * push sanctumctl-remote.  Fails with ERR_UNREACHABLE, ERR_HOSTKEY (unknown,
 * changed, revoked; the message has the fingerprint seen and the file:line
 * that disagrees), ERR_AUTH (no key accepted; lists which were tried),
 * ERR_FAILED (another architecture: names both, and the package to install).
 */
int host_open(const struct host_spec *, struct host **out, struct err *)
    MUST_CHECK;
void host_close(struct host *);

const char *host_name(const struct host *);
const struct host_facts *host_facts(const struct host *);

/* As io/proc.h; argv[0] is looked up in the PATH of the login there. */
int host_run(struct host *, const struct proc_spec *, struct proc_result *,
    struct err *) MUST_CHECK;

/* The same for a program that only looks: no fault point is passed. */
int host_ask(struct host *, const struct proc_spec *, struct proc_result *,
    struct err *) MUST_CHECK;

/* As the functions of io/fs.h. */
int host_stat(struct host *, const char *path, struct fs_meta *,
    struct err *) MUST_CHECK;
/* n at once (at most HOST_STATS_MAX), for the time of one: metas[i] each. */
#define HOST_STATS_MAX 16
int host_stat_all(struct host *, const char *const *paths, size_t n,
    struct fs_meta *metas, struct err *) MUST_CHECK;
int host_read(struct host *, const char *path, struct buf *out,
    struct fs_meta *meta, struct err *) MUST_CHECK;
int host_replace(struct host *, const char *path, const void *data,
    size_t len, const struct fs_meta *meta, struct err *) MUST_CHECK;
int host_mkdirs(struct host *, const char *path, mode_t mode, struct err *)
    MUST_CHECK;
int host_remove(struct host *, const char *path, struct err *) MUST_CHECK;
int host_rename(struct host *, const char *from, const char *to,
    int exchange, struct err *) MUST_CHECK;
int host_free_bytes(struct host *, const char *path, uint64_t *out,
    struct err *) MUST_CHECK;

/* As io/db.h; both paths are on this host. */
int host_snapshot(struct host *, const char *source, const char *target,
    struct db_report *, struct err *) MUST_CHECK;
int host_db_check(struct host *, const char *path, struct db_report *,
    struct err *) MUST_CHECK;

/*
 * As io/db_pages.h: the sums of a database at rest, kept there at sums_path,
 * whose directory is made (0700).  Ask for those of both copies before the
 * freeze, so that in it each end reads no more than it must.
 */
int host_db_sums(struct host *, const char *path, const char *sums_path,
    struct db_pages_stats *, struct err *) MUST_CHECK;

/*
 * Make to_db, a copy of from_db of some earlier time, its copy of now: what
 * has changed is read under from_db's write lock and patched in place.  The
 * pages go through this machine's memory and never its disk; between two
 * files of one host nothing leaves it.
 *
 * from_sums are the sums of the snapshot that to_db was made of, to_sums
 * those of to_db.  Either may be missing or of another file: then to_db is
 * read first, and its sums (1/256 of it) cross the wire.  So a call that was
 * killed at any point is met by the same call.  to_db is neither the old nor
 * the new database until it returns 0; both ends have the same sum of the
 * whole file then, and to_sums is gone.
 *
 * The copy is the live file byte for byte, in its journal mode (db_snapshot's
 * is never in WAL mode).  Fails as db_pages_send and db_pages_patch_open do.
 */
int host_db_delta(struct host *from, const char *from_db,
    const char *from_sums, struct host *to, const char *to_db,
    const char *to_sums, struct db_pages_stats *, struct err *) MUST_CHECK;

/* As io/db_script.h. */
int host_db_script(struct host *, const char *path, const struct db_script *,
    db_row *each, void *ctx, uint64_t *changes, struct err *) MUST_CHECK;

/*
 * As io/procs.h: procs_list, procs_env, procs_signal.  each must not call
 * this host again.  Our own process there, sanctumctl-remote, is not listed.
 */
int host_processes(struct host *, const char *dir, procs_each *, void *ctx,
    struct err *) MUST_CHECK;
int host_process_env(struct host *, pid_t, uint64_t start,
    const char *const *names, struct buf *out, struct err *) MUST_CHECK;
int host_signal(struct host *, pid_t, uint64_t start, int sig, bool *there,
    struct err *) MUST_CHECK;

/*
 * As io/tree.h.  each must not call this host again while a walk of it is
 * under way: over SSH both would share one channel (ERR_FAILED).
 */
int host_walk(struct host *, const char *root, const struct tree_rules *,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/*
 * Send the named entries of from:from_root into to:to_root as one stream,
 * between two hosts through this machine's memory and never its disk; when
 * both are the same host nothing leaves it.  at, when not NULL, is called
 * with the bytes sent so far.
 */
int host_copy(struct host *from, const char *from_root,
    const char *const *paths, size_t n_paths, struct host *to,
    const char *to_root, uid_t uid, gid_t gid,
    void (*at)(uint64_t bytes), struct tree_stats *, struct err *)
    MUST_CHECK;

/* The same, where more is to be said of owners than one for all. */
int host_copy_owned(struct host *from, const char *from_root,
    const char *const *paths, size_t n_paths, struct host *to,
    const char *to_root, const struct tree_owner *,
    void (*at)(uint64_t bytes), struct tree_stats *, struct err *)
    MUST_CHECK;

/*
 * Whether a TCP connection from that host to address:port (an IP address of
 * its own, usually its loopback) is taken up within two seconds.
 */
int host_connects(struct host *, const char *address, unsigned int port,
    bool *out, struct err *) MUST_CHECK;

/*
 * As io/lines.h: up to four TCP connections from that host to its own
 * loopback, kept until they are hung up or the host is closed.  Over SSH a
 * refusal is ERR_FAILED; host_connects tells that nobody listens.
 */
int host_dial(struct host *, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *) MUST_CHECK;
int host_talk(struct host *, unsigned int line, const void *data, size_t len,
    struct err *) MUST_CHECK;
int host_hear(struct host *, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *) MUST_CHECK;
int host_hangup(struct host *, unsigned int line, struct err *) MUST_CHECK;

#endif /* !IO_HOST_H */
