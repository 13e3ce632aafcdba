#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/attr.h"

/*
 * One failure, told once.
 *
 * The caller owns a struct err and passes it as the last argument.  A
 * function that fails fills it and returns -1 (or NULL); a function that
 * succeeds leaves it alone.  The place that fails says what was asked and
 * what came back; each caller above prepends only what the callee could not
 * know:
 *
 *     move worker sage: read .env: old:/srv/sage/.env: permission denied
 *
 * Only cli/show.c prints an error, for main, once.  Nothing here allocates.
 * A secret cannot get in: struct secret has no format.
 *
 *     struct err err = ERR_INIT;
 *
 *     if (fs_read(path, MAX, &text, &err) != 0)
 *             return err_ctx(&err, "read job file");
 */

/*
 * Who must act.  Each kind is one exit code of the program (err_exit), as
 * sanctumctl(8) lists them.
 */
enum err_kind {
	ERR_NONE = 0,
	ERR_FAILED,		/* 1   this machine or a peer could not */
	ERR_DATA,		/* 1   what was read is not what it should be */
	ERR_MISSING,		/* 1   no such file, agent, row */
	ERR_USAGE,		/* 2   words of the user or the job file */
	ERR_PARTIAL,		/* 3   some done, the rest listed */
	ERR_UNREACHABLE,	/* 10  no answer from a host or server */
	ERR_LOCKED,		/* 11  somebody else holds the journal */
	ERR_AUTH,		/* 12  key or token refused */
	ERR_HOSTKEY,		/* 13  host key unknown, changed or revoked */
	ERR_VERDICT,		/* 14  compared, and not the same */
	ERR_STALE,		/* 15  the world moved since the plan */
	ERR_AGAIN,		/* 75  the same command may work later */
	ERR_INTERRUPTED		/* 130 SIGINT, SIGTERM */
};

#define ERR_TEXT_MAX 1024

struct err {
	enum err_kind kind;
	bool transient;			/* the same call may work later */
	char text[ERR_TEXT_MAX];	/* outermost context first */
};

#define ERR_INIT { .kind = ERR_NONE }

/* Fill err with our own words.  Returns -1, for `return err_set(...)`. */
int err_set(struct err *, enum err_kind, const char *fmt, ...) PRINTF(3, 4);
int err_vset(struct err *, enum err_kind, const char *fmt, va_list)
    PRINTF(3, 0);

/* The same, followed by ": " and the text of errno as it is at the call. */
int err_sys(struct err *, enum err_kind, const char *fmt, ...) PRINTF(3, 4);

/*
 * Prepend "context: ".  When the text would not fit, context is dropped from
 * its end and the cause is kept whole.  Returns -1.
 */
int err_ctx(struct err *, const char *fmt, ...) PRINTF(2, 3);

/* Mark err as one that the same call may not meet again.  Returns -1. */
int err_transient(struct err *);

/* Forget a failure that the caller has dealt with. */
void err_clear(struct err *);

/* The exit code of sanctumctl(8) for this failure. */
int err_exit(const struct err *);

/* The kind's stable word in --json output: "unreachable", "auth", ... */
const char *err_word(enum err_kind);

#endif /* !BASE_ERR_H */
