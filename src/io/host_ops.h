#ifndef IO_HOST_OPS_H
#define IO_HOST_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "io/host.h"

struct wire_pipe;

/*
 * The table behind struct host.  Two things fill it: host_local (this
 * machine) and host_pipe (a conversation with sanctumctl-remote over any
 * struct wire_pipe); host_ssh and host_openssh make such a pipe.
 *
 * Paths are absolute; io/host.c has expanded "~/".  Errors do not name the
 * host; io/host.c does.  One call at a time: a callback of walk or pack must
 * not call the same state again.
 */
struct host_ops {
	void (*close)(void *state);
	const struct host_facts *(*facts)(const void *state);

	int (*run)(void *state, const struct proc_spec *,
	    struct proc_result *, struct err *);
	int (*stat)(void *state, const char *path, struct fs_meta *,
	    struct err *);
	/* n of them, for the price of one wait. */
	int (*stat_all)(void *state, const char *const *paths, size_t n,
	    struct fs_meta *metas, struct err *);
	int (*read)(void *state, const char *path, struct buf *out,
	    struct fs_meta *meta, struct err *);
	int (*replace)(void *state, const char *path, const void *data,
	    size_t len, const struct fs_meta *meta, struct err *);
	int (*mkdirs)(void *state, const char *path, mode_t mode,
	    struct err *);
	int (*remove)(void *state, const char *path, struct err *);
	int (*rename)(void *state, const char *from, const char *to,
	    int exchange, struct err *);
	int (*free_bytes)(void *state, const char *path, uint64_t *out,
	    struct err *);
	int (*snapshot)(void *state, const char *source, const char *target,
	    struct db_report *, struct err *);
	int (*db_check)(void *state, const char *path, struct db_report *,
	    struct err *);
	int (*walk)(void *state, const char *root, const struct tree_rules *,
	    int (*each)(void *ctx, const struct tree_entry *, struct err *),
	    void *ctx, struct err *);
	int (*connects)(void *state, const char *address, unsigned int port,
	    bool *out, struct err *);
	int (*dial)(void *state, unsigned int port, uint64_t timeout_ms,
	    unsigned int *line, struct err *);
	int (*talk)(void *state, unsigned int line, const void *data,
	    size_t len, struct err *);
	int (*hear)(void *state, unsigned int line, uint64_t wait_ms,
	    struct buf *out, bool *ended, struct err *);
	int (*hangup)(void *state, unsigned int line, struct err *);
	int (*db_sums)(void *state, const char *path, const char *sums_path,
	    struct db_pages_stats *, struct err *);
	/* Both ends of io/db_pages.h's stream; sums_path may be NULL. */
	int (*db_send)(void *state, const char *path, const char *sums_path,
	    const unsigned char *base, tree_sink *sink, void *ctx,
	    struct db_pages_stats *, struct err *);
	/* As the four of unpack. */
	int (*patch_open)(void *state, const char *path,
	    const char *sums_path, struct err *);
	int (*patch_write)(void *state, const void *data, size_t len,
	    struct err *);
	int (*patch_finish)(void *state, struct db_pages_stats *,
	    struct err *);
	void (*patch_abort)(void *state);
	int (*db_delta)(void *state, const char *from, const char *from_sums,
	    const char *to, const char *to_sums, struct db_pages_stats *,
	    struct err *);
	/* rows as db_script_gather fills them. */
	int (*db_script)(void *state, const char *path,
	    const struct db_script *, struct buf *rows, uint64_t *changes,
	    struct err *);
	int (*processes)(void *state, const char *dir, procs_each *,
	    void *ctx, struct err *);
	int (*process_env)(void *state, pid_t pid, uint64_t start,
	    const char *const *names, struct buf *out, struct err *);
	int (*signal)(void *state, pid_t pid, uint64_t start, int sig,
	    bool *there, struct err *);

	/* Send a tree.  A failure of sink ends it and is what err tells. */
	int (*pack)(void *state, const char *root, const char *const *paths,
	    size_t n_paths, tree_sink *sink, void *ctx, struct err *);
	/*
	 * Build a tree: open, then write as often as needed, then finish; or
	 * abort at any point after open succeeded, also after a failure.
	 */
	int (*unpack_open)(void *state, const char *root,
	    const struct tree_owner *, struct err *);
	int (*unpack_write)(void *state, const void *data, size_t len,
	    struct err *);
	int (*unpack_finish)(void *state, struct tree_stats *, struct err *);
	void (*unpack_abort)(void *state);
	/* Both on that machine, nothing crosses the wire but `at`. */
	int (*copy)(void *state, const char *from_root,
	    const char *const *paths, size_t n_paths, const char *to_root,
	    const struct tree_owner *, int (*at)(void *ctx, uint64_t bytes,
	    struct err *), void *ctx, struct tree_stats *, struct err *);
};

/*
 * A host from a state of one of the tables: takes both, host_close closes
 * them.  Never fails.
 */
struct host *host_wrap(const char *name, const struct host_ops *,
    void *state);

#endif /* !IO_HOST_OPS_H */
