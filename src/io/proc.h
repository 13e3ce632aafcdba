#ifndef IO_PROC_H
#define IO_PROC_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * Run a program of this machine: argv as given, never a shell, in a process
 * group of its own, with stdin from memory and stdout and stderr captured up
 * to the maximum of their buffers (what is over is read and dropped, and the
 * buffer says `full`).
 *
 * The program gets default signal dispositions and no descriptor but 0, 1
 * and 2.  A file without "#!" and binary header is not handed to sh, and
 * empty or relative parts of PATH are passed over.
 *
 * When the deadline passes, or a signal stops us (base/stop.h), the whole
 * group gets SIGTERM and, two seconds later, SIGKILL.
 *
 * A program may leave another one behind that holds its stdout or stderr (a
 * daemon): half a second after the first one's end we take what came and go,
 * and the other one lives on.  A program that reads only part of its input
 * is no failure.
 */
struct proc_spec {
	const char *const *argv;	/* NULL-ended; argv[0] by PATH */
	const char *const *env;		/* "NAME=value" over ours, or NULL */
	const char *input;		/* stdin; NULL: empty */
	size_t input_len;
	uint64_t timeout_ms;		/* from the start to its end */
};

struct proc_result {
	int status;		/* exit code; 128 + signal when killed by one */
	struct buf out;		/* maximum set by the caller */
	struct buf err_out;
};

/*
 * A program that ran is a success whatever its exit code.  Fails with
 * ERR_MISSING when argv[0] is not found, ERR_FAILED (transient) when the
 * deadline passed, ERR_INTERRUPTED.  Messages name argv[0] alone.  What was
 * captured before a failure is in the result; its owner calls
 * proc_result_clear in any case.
 */
int proc_run(const struct proc_spec *, struct proc_result *, struct err *)
    MUST_CHECK;

void proc_result_init(struct proc_result *, size_t max_bytes);
void proc_result_clear(struct proc_result *);

#endif /* !IO_PROC_H */
