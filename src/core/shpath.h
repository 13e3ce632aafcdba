#ifndef CORE_SHPATH_H
#define CORE_SHPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

/*
 * Which paths a shell text names: the command of a cron line, a start
 * script, the words of a unit's ExecStart.  This is not a shell: it knows
 * words, quotes, comments, `cd', plain variables that the text itself sets,
 * $HOME, ~ and $(dirname "$0"), which is how start scripts are written.  A
 * word with anything else in it is passed over.
 *
 *     struct shpath_place place = { .home = "/home/ann" };
 *
 *     shpath_each(text, len, &place, each, &ctx);
 *
 * Any bytes can be read; time is linear in len, but for a text within a word
 * (sh -c '...'), which is read as a text of its own, four levels deep.
 */
enum shpath_role {
	SHPATH_CD,	/* cd PATH */
	SHPATH_RUN,	/* a command, or a word that one may start */
	SHPATH_OUTPUT,	/* > PATH, >> PATH */
	SHPATH_USED	/* a word of tar, rm, grep and the like */
};

struct shpath_place {
	const char *home;	/* absolute; also where the text begins */
	const char *cwd;	/* if it begins elsewhere, or NULL */
	const char *script;	/* absolute path of the text, or NULL */
};

/* path is absolute, without ".", ".." and "//". */
typedef void shpath_fn(void *ctx, enum shpath_role, const char *path);

void shpath_each(const char *text, size_t len, const struct shpath_place *,
    shpath_fn *each, void *ctx);

/*
 * word, relative to the absolute cwd unless it is absolute itself, without
 * ".", ".." and "//".  The caller frees it.
 */
char *shpath_normal(const char *cwd, const char *word);

/* Whether path (as shpath_normal gives it) is dir or lies below it. */
bool shpath_below(const char *path, const char *dir);

/* What moves when a text of one account is taken to another one. */
struct shpath_move {
	const char *from_home, *from_dir;	/* absolute, normal */
	const char *to_home, *to_dir;
};

/*
 * Append the text with every path that is from_dir or below it made one of
 * to_dir.  A path that is written from "~", $HOME, ${HOME} or %h (of a
 * unit) stays as it is when it leads to to_dir from the other home.
 */
void shpath_rewrite(const char *text, size_t len, const struct shpath_move *,
    struct buf *out);

/*
 * Whether every byte of a path stands for itself in a crontab, a unit file
 * and a shell: [A-Za-z0-9._/+@:,=-], and "/" first.
 */
bool shpath_is_plain(const char *path);

#endif /* !CORE_SHPATH_H */
