#ifndef IO_HOST_PIPE_PART_H
#define IO_HOST_PIPE_PART_H

#include "io/host_pipe.h"

/*
 * What the files of host_pipe share: how a request is sent and its answer
 * awaited.  A function of host_pipe_ops is either one host_pipe_ask, or a
 * host_pipe_begin, what follows the fields, and a host_pipe_finish or
 * host_pipe_stream.
 */

/* Where a stream to the other end stands: an unpack or a patch. */
enum unpack {
	UNPACK_NONE,
	UNPACK_OPEN,
	UNPACK_REFUSED		/* answered by an early ERR */
};

struct host_pipe {
	struct wire wire;
	bool busy;		/* inside a request */
	enum unpack unpack;
	struct host_pipe_hello hello;
	struct host_facts facts;
	char *strings[4];	/* version, machine, hostname, home */
};

/* HOST_PIPE_ANSWER_MS from now, and extra_ms. */
void host_pipe_deadline(struct host_pipe *, uint64_t extra_ms);

/* A frame that must not be there: the conversation is given up. */
int host_pipe_out_of_step(struct host_pipe *, enum wire_type, struct err *);

/* As wire_check; fields that are not what they must be break the wire. */
int host_pipe_check(struct host_pipe *, const struct wire_reader *,
    const char *what, struct err *) MUST_CHECK;

/*
 * The next frame of an answer: its type for OK, ENTRY and DATA, or -1, with
 * ERR's failure in err.  Any other frame is out of step.
 */
int host_pipe_answer(struct host_pipe *, struct wire_reader *, struct err *)
    MUST_CHECK;

/* Send a request, whose fields are taken; its answer may last extra_ms. */
int host_pipe_begin(struct host_pipe *, enum wire_type, struct buf *request,
    uint64_t extra_ms, struct err *) MUST_CHECK;
int host_pipe_send_blob(struct host_pipe *, const void *data, size_t len,
    struct err *) MUST_CHECK;

/* Wait for OK alone. */
int host_pipe_finish(struct host_pipe *, struct wire_reader *, struct err *);

/* A request of fields alone, answered by OK. */
int host_pipe_ask(struct host_pipe *, enum wire_type, struct buf *request,
    struct wire_reader *, struct err *) MUST_CHECK;

/* What each frame of a long answer is given to. */
typedef int host_pipe_take(struct host_pipe *, enum wire_type,
    struct wire_reader *, void *ctx, struct err *);

/* Frames to take until OK, whose fields are left in r. */
int host_pipe_stream(struct host_pipe *, enum wire_type each,
    host_pipe_take *, void *ctx, struct wire_reader *r, struct err *)
    MUST_CHECK;

/* Give each DATA frame until OK, whose fields are left in r, to sink. */
int host_pipe_take_data(struct host_pipe *, tree_sink *sink, void *ctx,
    struct wire_reader *r, struct err *) MUST_CHECK;

/* End what host_pipe_unpack_write sent, and wait for OK. */
int host_pipe_unpack_end(struct host_pipe *, struct wire_reader *,
    struct err *) MUST_CHECK;

/* The functions of host_pipe_ops that have a file of their own. */

/* host_pipe_tree.c */
int host_pipe_walk(void *state, const char *root, const struct tree_rules *,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *);
int host_pipe_pack(void *state, const char *root, const char *const *paths,
    size_t n_paths, tree_sink *, void *ctx, struct err *);
int host_pipe_copy(void *state, const char *from_root,
    const char *const *paths, size_t n_paths, const char *to_root,
    const struct tree_owner *, int (*at)(void *ctx, uint64_t bytes,
    struct err *), void *ctx, struct tree_stats *, struct err *);
int host_pipe_unpack_open(void *state, const char *root,
    const struct tree_owner *, struct err *);
int host_pipe_unpack_write(void *state, const void *data, size_t len,
    struct err *);
void host_pipe_unpack_abort(void *state);
int host_pipe_unpack_finish(void *state, struct tree_stats *, struct err *);

/* host_pipe_db.c */
int host_pipe_snapshot(void *state, const char *source, const char *target,
    struct db_report *, struct err *);
int host_pipe_db_check(void *state, const char *path, struct db_report *,
    struct err *);
int host_pipe_db_sums(void *state, const char *path, const char *sums_path,
    struct db_pages_stats *, struct err *);
int host_pipe_db_send(void *state, const char *path, const char *sums_path,
    const unsigned char *base, tree_sink *sink, void *ctx,
    struct db_pages_stats *, struct err *);
int host_pipe_patch_open(void *state, const char *path, const char *sums_path,
    struct err *);
int host_pipe_patch_finish(void *state, struct db_pages_stats *,
    struct err *);
int host_pipe_db_delta(void *state, const char *from, const char *from_sums,
    const char *to, const char *to_sums, struct db_pages_stats *,
    struct err *);
int host_pipe_db_script(void *state, const char *path,
    const struct db_script *, struct buf *rows, uint64_t *changes,
    struct err *);

/* host_pipe_proc.c */
int host_pipe_run(void *state, const struct proc_spec *, struct proc_result *,
    struct err *);
int host_pipe_connects(void *state, const char *address, unsigned int port,
    bool *out, struct err *);
int host_pipe_processes(void *state, const char *dir, procs_each *,
    void *ctx, struct err *);
int host_pipe_process_env(void *state, pid_t pid, uint64_t start,
    const char *const *names, struct buf *out, struct err *);
int host_pipe_signal(void *state, pid_t pid, uint64_t start, int sig,
    bool *there, struct err *);

/* host_pipe_line.c */
int host_pipe_dial(void *state, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *);
int host_pipe_talk(void *state, unsigned int line, const void *data,
    size_t len, struct err *);
int host_pipe_hear(void *state, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *);
int host_pipe_hangup(void *state, unsigned int line, struct err *);

#endif /* !IO_HOST_PIPE_PART_H */
