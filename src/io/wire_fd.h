#ifndef IO_WIRE_FD_H
#define IO_WIRE_FD_H

#include <stdint.h>

#include "io/wire.h"

/*
 * A struct wire_pipe of two descriptors, which may be one socket.  They are
 * made non-blocking and stay the caller's, as does the struct.  A wait ends
 * with ERR_UNREACHABLE after silence_ms without a byte (0: never), with
 * ERR_INTERRUPTED after a signal.  SIGPIPE must be ignored (base/stop.h).
 */
struct wire_fd {
	int in;
	int out;
	uint64_t silence_ms;
};

/* Fill the struct's pipe. */
void wire_fd_init(struct wire_fd *, int in, int out, uint64_t silence_ms,
    struct wire_pipe *);

#endif /* !IO_WIRE_FD_H */
