#ifndef REMOTE_SERVE_PART_H
#define REMOTE_SERVE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "io/wire.h"

struct err;
struct host_local;

/* What the files of serve share. */

#define SERVE_WORDS_MAX 4096

/* One end of a pipe, and the machine that it is about. */
struct serve {
	struct wire wire;
	struct host_local *local;
	struct buf reply;	/* fields of OK */
	struct buf blobs[2];	/* what follows OK */
	size_t n_blobs;
	bool answered;		/* ERR was sent early */
	uint64_t told;		/* bytes of the last progress */
};

/*
 * A request: its fields are in r.  0: OK goes out, with reply and blobs; -1:
 * ERR does, unless it was sent already.
 */
typedef int serve_handler(struct serve *, struct wire_reader *r,
    struct err *);

/* During a long answer: fail when the other end has asked for its end. */
int serve_check_cancel(struct serve *, struct err *) MUST_CHECK;

int serve_send_err(struct serve *, const struct err *cause, struct err *)
    MUST_CHECK;

/* A tree_sink whose ctx is the serve: DATA frames, unless cancelled. */
int serve_send_data(void *ctx, const void *data, size_t len, struct err *)
    MUST_CHECK;

/* Something that is built from DATA frames up to END. */
struct serve_stream {
	int (*write)(void *state, const void *data, size_t len, struct err *);
	void (*abort)(void *state);
	/* At END: finish, and put what OK says. */
	int (*finish)(struct serve *, struct err *);
};

/*
 * Receive one; opened is what opening it gave, and cause why not.  The first
 * failure is sent at once, so that the other end stops soon; what is still
 * under way is read and dropped, or both ends would wait to write.
 */
int serve_receive(struct serve *, const struct serve_stream *, int opened,
    struct err *cause, struct err *) MUST_CHECK;

/* serve_file.c */
serve_handler serve_stat, serve_read, serve_replace, serve_mkdirs,
    serve_remove, serve_rename, serve_free_bytes;
/* serve_tree.c */
serve_handler serve_walk, serve_pack, serve_unpack, serve_copy;
/* serve_db.c */
serve_handler serve_snapshot, serve_db_check, serve_db_script, serve_db_sums,
    serve_db_send, serve_db_patch, serve_db_delta;
/* serve_proc.c */
serve_handler serve_run_program, serve_connects, serve_processes,
    serve_process_env, serve_signal;
/* serve_line.c */
serve_handler serve_dial, serve_talk, serve_hear, serve_hangup;

#endif /* !REMOTE_SERVE_PART_H */
