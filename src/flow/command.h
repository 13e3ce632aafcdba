#ifndef FLOW_COMMAND_H
#define FLOW_COMMAND_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct host;

/*
 * A program on a host, as most of them are run: a minute at most, and no
 * environment of its own.  Whoever wants another has a struct proc_spec
 * (io/proc.h).
 */
#define COMMAND_MS 60000
#define COMMAND_TEXT_MAX (256 * 1024)	/* of what it says */

/*
 * Run it, and append its stdout and stderr (each may be NULL).  *status: its
 * exit code; 127 when there is no such program, which is no failure here.
 */
int command_run(struct host *, const char *const *argv, const char *input,
    size_t input_len, int *status, struct buf *out, struct buf *err_out,
    struct err *) MUST_CHECK;

/* The same of one that changes nothing (host_ask), without input. */
int command_ask(struct host *, const char *const *argv, int *status,
    struct buf *out, struct err *) MUST_CHECK;

/*
 * The same as command_run, and any other end than 0 is ERR_FAILED with the
 * first that it says on stderr, or else on stdout; ERR_MISSING: there is no
 * such program.
 */
int command_must(struct host *, const char *const *argv, const char *input,
    size_t input_len, struct err *) MUST_CHECK;

/*
 * Append the end of what a program said, at most max bytes of it, as one
 * printable line; user and password of a URI in it are masked.
 */
void command_said(struct buf *out, const struct buf *said, size_t max);

#endif /* !FLOW_COMMAND_H */
