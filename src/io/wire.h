#ifndef IO_WIRE_H
#define IO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * Frames between sanctumctl and sanctumctl-remote.
 *
 *     frame   = length (u32) type (u8) payload
 *     length  = bytes of payload, at most WIRE_FRAME_MAX
 *     u32 u64 i64 are little-endian; bytes = u32 count, then the bytes;
 *     str = bytes with a NUL behind them that is not counted
 *
 * A struct wire is one end.  It sends through and reads from a struct
 * wire_pipe: an SSH channel, or a pair of descriptors.  What is sent is
 * gathered until 256 KiB are there, wire_flush is called, or wire_recv has to
 * wait.
 *
 * A failure of the pipe, or a frame that is not one, makes the wire `broken`:
 * no further frame can be told from noise, so every later call fails.
 */
#define WIRE_PROTOCOL 3
#define WIRE_FRAME_MAX (1024u * 1024u)
#define WIRE_CHUNK (128u * 1024u)	/* bytes of one DATA frame */
#define WIRE_BLOB_MAX (64u * 1024u * 1024u)

/*
 * What sanctumctl-remote writes before its first frame.  A login shell may
 * have printed before (a banner in .bashrc); the reader looks for this.
 */
#define WIRE_MAGIC "\nsanctumctl-remote wire\n"
#define WIRE_NOISE_MAX (64u * 1024u)

enum wire_type {
	WIRE_HELLO = 1,
	/* answers */
	WIRE_OK,
	WIRE_ERR,
	WIRE_ENTRY,
	/* both ways */
	WIRE_DATA,
	WIRE_END,
	WIRE_CANCEL,
	/* requests */
	WIRE_RUN = 32,
	WIRE_STAT,
	WIRE_READ,
	WIRE_REPLACE,
	WIRE_MKDIRS,
	WIRE_REMOVE,
	WIRE_RENAME,
	WIRE_FREE_BYTES,
	WIRE_SNAPSHOT,
	WIRE_DB_CHECK,
	WIRE_WALK,
	WIRE_PACK,
	WIRE_UNPACK,
	WIRE_COPY,
	WIRE_CONNECTS,
	WIRE_DB_SCRIPT,
	WIRE_DB_SUMS,
	WIRE_DB_SEND,
	WIRE_DB_PATCH,
	WIRE_DB_DELTA,
	WIRE_PROCESSES,
	WIRE_PROCESS_ENV,
	WIRE_SIGNAL,
	WIRE_DIAL,
	WIRE_TALK,
	WIRE_HEAR,
	WIRE_HANGUP
};

/* How bytes come and go.  deadline_ms as clock_ms tells it; 0: none. */
struct wire_pipe {
	void *ctx;
	/* Waits for at least one byte; 0 is the end of the stream. */
	ptrdiff_t (*read)(void *ctx, void *data, size_t size,
	    uint64_t deadline_ms, struct err *);
	/* All of it. */
	int (*write)(void *ctx, const void *data, size_t len,
	    uint64_t deadline_ms, struct err *);
	/* Whether read would return at once. */
	bool (*readable)(void *ctx);
	/* Free ctx with what it holds; NULL when its owner does. */
	void (*close)(void *ctx);
};

struct wire {
	struct wire_pipe pipe;
	struct buf out;
	unsigned char *in;	/* allocated by wire_open */
	size_t in_at;		/* next byte to look at */
	size_t in_len;		/* bytes in `in` */
	uint64_t deadline_ms;	/* for reads and writes; set by the owner */
	bool broken;
};

/* Takes the pipe; wire_close closes it. */
void wire_open(struct wire *, const struct wire_pipe *);
void wire_close(struct wire *);

/*
 * Pass over everything up to and with WIRE_MAGIC; the last bytes of what was
 * passed over are added to noise, which bounds them.  Fails with ERR_DATA
 * after WIRE_NOISE_MAX bytes or at the end of the stream.
 */
int wire_sync(struct wire *, struct buf *noise, struct err *) MUST_CHECK;

/* Send one frame.  payload may be NULL; one that is `full` is ERR_DATA. */
int wire_send(struct wire *, enum wire_type, const struct buf *payload,
    struct err *) MUST_CHECK;

/* Send len bytes as DATA frames. */
int wire_send_data(struct wire *, const void *data, size_t len,
    struct err *) MUST_CHECK;
int wire_flush(struct wire *, struct err *) MUST_CHECK;

/* What is left of a payload.  bad is sticky; a bad reader gives 0 and "". */
struct wire_reader {
	const unsigned char *data;
	size_t left;
	bool bad;
};

/*
 * The next frame: 1, or 0 when the stream ended between two frames, or -1.
 * The payload lives until the next wire_recv.
 */
int wire_recv(struct wire *, enum wire_type *, struct wire_reader *payload,
    struct err *) MUST_CHECK;

/* Whether bytes of a frame are there, so that wire_recv need not wait long. */
bool wire_pending(struct wire *);

/*
 * Gather DATA frames up to END into out.  What exceeds out's maximum is
 * dropped and out is `full` then: the stream stays in step.
 */
int wire_recv_blob(struct wire *, struct buf *out, struct err *) MUST_CHECK;

/* Fields. */
void wire_put_u8(struct buf *, unsigned int);
void wire_put_u32(struct buf *, uint32_t);
void wire_put_u64(struct buf *, uint64_t);
void wire_put_i64(struct buf *, int64_t);
void wire_put_bytes(struct buf *, const void *, size_t len);
void wire_put_str(struct buf *, const char *);

void wire_reader_init(struct wire_reader *, const void *data, size_t len);
unsigned int wire_get_u8(struct wire_reader *);
uint32_t wire_get_u32(struct wire_reader *);
uint64_t wire_get_u64(struct wire_reader *);
int64_t wire_get_i64(struct wire_reader *);
/* Points into the payload. */
const void *wire_get_bytes(struct wire_reader *, size_t *len);
/* Never NULL, no NUL inside, lives as long as the payload. */
const char *wire_get_str(struct wire_reader *);

/* ERR_DATA "WHAT: malformed" when bad or when bytes are left over. */
int wire_check(const struct wire_reader *, const char *what, struct err *)
    MUST_CHECK;

#endif /* !IO_WIRE_H */
