#ifndef IO_HOST_PIPE_H
#define IO_HOST_PIPE_H

#include <stdint.h>

#include "base/attr.h"
#include "io/host_ops.h"
#include "io/wire.h"

struct buf;
struct err;

/*
 * Our end of the conversation with sanctumctl-remote (remote/serve.h is the
 * other), over any pipe.
 *
 * It writes WIRE_MAGIC and
 *
 *   HELLO    protocol u32, version str, sha256 bytes (of its own file),
 *            machine str, hostname str, uid u32, gid u32, home str
 *
 * and then answers one request at a time:
 *
 *   request           fields                               answer
 *   RUN     argv words, env words, timeout u64,
 *           out and err maxima u64; blob (stdin)   OK status, full x2; 2 blobs
 *   STAT    path                                   OK meta
 *   READ    path, maximum u64                      OK meta; blob
 *   REPLACE path, meta; blob                       OK
 *   MKDIRS  path, mode u32                         OK
 *   REMOVE  path                                   OK
 *   RENAME  from, to, exchange u8                  OK
 *   FREE_BYTES  path                               OK u64
 *   SNAPSHOT    source, target                     OK report
 *   DB_CHECK    path                               OK report
 *   WALK    root, exclude words, top words,
 *           hash u8                                ENTRY..., OK
 *   PACK    root; blob (paths)                     DATA..., OK
 *   UNPACK  root, uid, gid; DATA..., END           OK stats
 *   COPY    from, to, uid, gid; blob (paths)       ENTRY (u64)..., OK stats
 *   CONNECTS    address, port u32                  OK u8
 *   DIAL    port u32, timeout u64                  OK u32 (line)
 *   TALK    line u32; blob                         OK
 *   HEAR    line u32, wait u64                     OK ended u8; blob
 *   HANGUP  line u32                               OK
 *   DB_SCRIPT   path; blob (db_script_put)         OK u64 each; blob (rows)
 *   DB_SUMS     path, sums path or ""              OK pages
 *   DB_SEND     path, sums path or "", 32 bytes    DATA..., OK pages
 *   DB_PATCH    path, sums path or "";
 *           DATA..., END                           OK pages
 *   DB_DELTA    from, its sums, to, its sums       OK pages
 *   PROCESSES   dir or ""                          ENTRY (process)..., OK
 *   PROCESS_ENV pid u32, start u64, names words    OK; blob
 *   SIGNAL      pid u32, start u64, signal u32     OK u8
 *
 * words = u32 count, then str each.  blob = DATA..., END.  A blob of paths is
 * the paths, each with its NUL.  Any answer may be ERR (kind u8, transient
 * u8, text str) instead, also after ENTRY or DATA frames; one OK or ERR ends
 * every request.
 *
 * CANCEL from us during WALK, PACK, COPY, DB_SEND or PROCESSES asks for an
 * early end: ERR, or OK when it was done already; where no request is open
 * CANCEL means nothing.  In UNPACK and DB_PATCH it stands for END and nothing
 * is kept to be finished.  There ERR may come before our END: it is the
 * answer, and what we send after it, up to END or CANCEL, is dropped.
 *
 * The answer to a request begins within HOST_PIPE_ANSWER_MS, and so comes
 * each further frame; for RUN its own time limit is added.
 */
#define HOST_PIPE_ANSWER_MS (15u * 60u * 1000u)

struct host_pipe;

/* What HELLO said; strings live as long as the host_pipe. */
struct host_pipe_hello {
	uint32_t protocol;
	const char *version;
	unsigned char sha256[32];
};

/*
 * Find the magic and HELLO within hello_ms.  Takes the pipe and closes it,
 * also on failure.  noise is given what came before the magic.  Fails with
 * ERR_FAILED when the protocol is another one.
 */
int host_pipe_open(const struct wire_pipe *, uint64_t hello_ms,
    struct buf *noise, struct host_pipe **out, struct err *) MUST_CHECK;
const struct host_pipe_hello *host_pipe_hello(const struct host_pipe *);

extern const struct host_ops host_pipe_ops;

#endif /* !IO_HOST_PIPE_H */
