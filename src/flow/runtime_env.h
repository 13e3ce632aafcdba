#ifndef FLOW_RUNTIME_ENV_H
#define FLOW_RUNTIME_ENV_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "io/fs.h"

struct err;
struct host;
struct plan_note;
struct runtime;

/*
 * A file of environment variables on a host that holds secrets, for
 * EnvironmentFile= of systemd, a shell and docker alike.  Its text is never
 * in the journal: what was there before the job stays beside it on the host,
 * 0600 and its owner's, as PATH.sanctumctl-MARK; the journal has its mode.
 *
 *     struct runtime_env env;
 *
 *     runtime_env_read(&env, rt, RUNTIME_ENV, err)
 *     runtime_env_set(&env, "LETTA_USE_UVLOOP", "true", err)
 *     runtime_env_write(&env, rt, "letta", "environment", err)
 *     runtime_env_clear(&env)
 */
struct runtime_env {
	struct host *host;
	const char *path;	/* the caller's */
	bool present;
	struct fs_meta meta;
	struct buf was, now;	/* wiped by clear */
};

/*
 * The settings that keep telemetry off, for the server as for its Python: a
 * list to be expanded by a macro of a key and a value.
 */
#define RUNTIME_ENV_QUIET(X) \
	X("LETTA_DISABLE_TRACING", "true") \
	X("OTEL_SDK_DISABLED", "true") \
	X("DD_TRACE_ENABLED", "false") \
	X("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "false")

/* A file that is not there is empty.  clear it in any case. */
int runtime_env_read(struct runtime_env *, const struct runtime *,
    const char *path, struct err *) MUST_CHECK;
void runtime_env_clear(struct runtime_env *);

/*
 * Set what every server that we bring up is given, then the lines of its [env]
 * section.  In runtime_environment.c.
 */
int runtime_env_common(const struct runtime *, struct runtime_env *,
    struct err *) MUST_CHECK;

/* *set: it gives key, and value has it; the caller wipes value. */
int runtime_env_get(const struct runtime_env *, const char *key,
    struct buf *value, bool *set, struct err *) MUST_CHECK;

/*
 * Other lines stay byte for byte.  ERR_DATA for a value that systemd or sh
 * would read otherwise than it is.
 */
int runtime_env_set(struct runtime_env *, const char *key, const char *value,
    struct err *) MUST_CHECK;

/*
 * KEY as it was before this job's first write: with the value that it had
 * then, or no line of it.  Nothing before that write (word as below).
 */
int runtime_env_revert(struct runtime_env *, const struct runtime *,
    const char *word, const char *key, struct err *) MUST_CHECK;

/* Does the file on the host differ from what was set, or is it too open? */
bool runtime_env_changed(const struct runtime_env *);

/* A probe's diff, with the values masked that are no settings of ours. */
int runtime_env_note(const struct runtime_env *, struct plan_note *,
    struct err *) MUST_CHECK;

/*
 * Replace the file unless it is so, 0600 from its first byte and owned by
 * account (NULL: root), after what was there is kept; the journal's
 * "WORD.before" says what that was.
 */
int runtime_env_write(const struct runtime_env *, const struct runtime *,
    const char *account, const char *word, struct err *) MUST_CHECK;

/* Whether there was such a file before this job's first write. */
int runtime_env_was_there(const struct runtime *, const char *word,
    bool *out, struct err *) MUST_CHECK;

/*
 * Back to what was there before this job.  A file in which somebody has
 * edited lines since stays, root's alone, and *edited is set; what it was
 * before lies beside it.  Of an upgrade what was there before has its name
 * back, since the old server reads it, and the edited one lies beside it as
 * host_file_aside says, which a warning names.  Another value of a secret is
 * no such edit.
 */
int runtime_env_undo(const struct runtime *, const char *path,
    const char *word, bool *edited, struct err *) MUST_CHECK;

#endif /* !FLOW_RUNTIME_ENV_H */
