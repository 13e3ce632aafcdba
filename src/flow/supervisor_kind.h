#ifndef FLOW_SUPERVISOR_KIND_H
#define FLOW_SUPERVISOR_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "core/shpath.h"
#include "flow/account.h"
#include "flow/supervisor.h"
#include "io/host.h"

/*
 * For supervisor_*.c: one table for each kind.  Others list directories with
 * supervisor_files, and worker_service.c makes up what is to be installed.
 */

#define SUPERVISOR_TEXT_MAX (256 * 1024)	/* of a crontab, unit, script */

/* What is looked for. */
struct supervisor_look {
	struct host *host;
	char *dir;		/* absolute, normal */
	char *real;		/* the same with symlinks followed */
	struct account own;
	struct supervisors *out;
};

/* Where it is to be, for install and remove. */
struct supervisor_goal {
	struct shpath_move move;
	struct account owner;
	const char *mark;
};

struct supervisor_ops {
	int (*find)(struct supervisor_look *, struct err *);
	int (*disable)(struct host *, const struct supervisor *,
	    const char *mark, struct err *);
	int (*enable)(struct host *, const struct supervisor *,
	    const char *mark, struct err *);
	int (*install)(struct host *, const struct supervisor *,
	    const struct supervisor_goal *, struct err *);
	int (*remove)(struct host *, const struct supervisor *,
	    const struct supervisor_goal *, struct err *);
	int (*start)(struct host *, const struct supervisor *, struct err *);
};

extern const struct supervisor_ops supervisor_cron, supervisor_systemd,
    supervisor_supervisord, supervisor_pm2;

/* Append a copy to the list, zeroed but for kind. */
struct supervisor *supervisor_add(struct supervisors *,
    enum supervisor_kind);

/* Whether an absolute path is at or below what is looked for. */
bool supervisor_is_below(const struct supervisor_look *, const char *path);

/*
 * The tree that a path below dir is in, into *tree unless it is set: its
 * first name there, else dir's own, if that is one of ours.
 */
void supervisor_note_tree(const struct supervisor_look *, const char *path,
    char **tree);

/*
 * Read a shell text and the scripts that it names: whether it starts
 * something below what is looked for, and in which tree.
 */
bool supervisor_starts(struct supervisor_look *, const char *text,
    size_t len, const char *home, const char *cwd, char **tree);

/*
 * What is right in a directory, of a type of find(1) ("f", "l") and with a
 * name that fits, sorted by bytes; none when it is not there.  The caller
 * frees it with supervisor_files_free.
 */
char **supervisor_files(struct host *, const char *dir, const char *type,
    const char *pattern, size_t *n);
/* The same of several at once, for the time of one; dirs ends with NULL. */
char **supervisor_files_of(struct host *, const char *const *dirs,
    const char *type, const char *pattern, size_t *n);
void supervisor_files_free(char **, size_t n);

#endif /* !FLOW_SUPERVISOR_KIND_H */
