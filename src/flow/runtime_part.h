#ifndef FLOW_RUNTIME_PART_H
#define FLOW_RUNTIME_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "core/conf.h"
#include "io/fs.h"
#include "io/hash.h"

struct err;
struct host;
struct run;
struct service;
struct step;

/* For runtime_*.c alone: what their steps share. */

#define RUNTIME_ACCOUNT "letta"
#define RUNTIME_OPT "/opt/letta"
#define RUNTIME_HOME "/var/lib/letta"
#define RUNTIME_ETC "/etc/letta"
#define RUNTIME_PG_ENV RUNTIME_ETC "/postgres.env"
#define RUNTIME_COMPOSE RUNTIME_ETC "/compose.yaml"

#define RUNTIME_ASK_MS 60000
#define RUNTIME_INSTALL_MS (UINT64_C(60) * 60 * 1000)

/* One server on its host. */
struct runtime {
	struct run *run;
	const struct conf_letta *letta;
	struct host *host;	/* belongs to the run */
};

int runtime_open(struct runtime *, struct run *, const struct step *,
    struct err *) MUST_CHECK;

/*
 * Facts of the journal, "letta.NAME.WORD".  What is forgotten is "".
 * *out is NULL when there is none; the caller frees it.
 */
int runtime_get(const struct runtime *, const char *word, char **out,
    struct err *) MUST_CHECK;
int runtime_put(const struct runtime *, const char *word, const char *value,
    struct err *) MUST_CHECK;
/* Whether a step of this server was begun, and not taken back. */
int runtime_begun(const struct runtime *, const char *step, bool *out,
    struct err *) MUST_CHECK;

/* A program on the host. */
struct runtime_call {
	const char *what;		/* for the error: "pip install" */
	const char *const *argv;
	const char *const *env;		/* "NAME=value", or NULL */
	const char *account;		/* who runs it; NULL: root */
	const char *input;		/* NULL: empty */
	size_t input_len;
	uint64_t timeout_ms;		/* 0: RUNTIME_ASK_MS */
	bool asks;			/* it changes nothing */
	bool open;			/* what it makes all may read: ours
					 * and uv's cache, which it links */
};

/*
 * Run it and take its stdout (out may be NULL).  Any end but 0 is ERR_FAILED
 * with the last it said; ERR_MISSING: there is no such program.
 */
int runtime_do(struct host *, const struct runtime_call *, struct buf *out,
    struct err *) MUST_CHECK;
/* The first line that it prints; a failure is "". */
void runtime_line(struct host *, const struct runtime_call *, char *out,
    size_t size);

/*
 * An account of the system with a group of its name, without a login, made
 * unless it is there; the journal knows by "WORD.user" whether we made it,
 * and it goes again only then.
 */
int runtime_account_make(const struct runtime *, const char *name,
    const char *home, const char *word, struct err *) MUST_CHECK;
int runtime_account_remove(const struct runtime *, const char *name,
    const char *word, struct err *) MUST_CHECK;

/*
 * A directory with this mode, owned by that account (NULL: root), made unless
 * it is there; "WORD.dir" as above.  It is removed when it is empty, or, with
 * all, with what is in it.
 */
int runtime_dir_make(const struct runtime *, const char *path, mode_t mode,
    const char *account, const char *word, struct err *) MUST_CHECK;
int runtime_dir_remove(const struct runtime *, const char *path,
    const char *word, bool all, struct err *) MUST_CHECK;

/* 32 random bytes as base64url, appended; the caller wipes it. */
int runtime_draw(struct buf *out, struct err *) MUST_CHECK;

/* SHA-256 of two texts, as hex, NUL-ended. */
int runtime_sum(const struct buf *a, const struct buf *b,
    char out[static 2 * HASH_SIZE + 1], struct err *) MUST_CHECK;

/* The directory of the version's virtual environment; the caller frees it. */
char *runtime_venv_dir(const struct runtime *);

/*
 * One request to the server by its host's loopback; password NULL: none is
 * sent.  *status 0: nobody answers.  body bounds the answer; may be NULL.
 */
#define RUNTIME_GUARDED "/v1/agents/?limit=1"	/* 401 for others */
int runtime_ask(const struct runtime *, const char *path,
    const char *password, unsigned int *status, struct buf *body,
    struct err *) MUST_CHECK;

/* The version that answers there, "" when none does; ERR_DATA: no Letta. */
#define RUNTIME_VERSION_SIZE 32
int runtime_version(const struct runtime *,
    char out[static RUNTIME_VERSION_SIZE], struct err *) MUST_CHECK;

/*
 * Wait, ten minutes at most, until the server's version answers there.
 * ERR_STALE: another one does; ERR_FAILED: its service (NULL: that of compose)
 * does not stay up, with its last words; ERR_UNREACHABLE.
 */
int runtime_await(const struct runtime *, struct service *, struct err *)
    MUST_CHECK;

/*
 * Run share/letta/database.py, whose head says what its verbs do, with the
 * Python of this version on the database of this URI.  asks: it changes
 * nothing there.
 */
int runtime_schema_program(const struct runtime *, const char *verb,
    const struct buf *uri, bool asks, struct buf *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_RUNTIME_PART_H */
