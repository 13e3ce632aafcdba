#ifndef FLOW_HOST_WORD_H
#define FLOW_HOST_WORD_H

#include "base/attr.h"

struct conf;
struct err;
struct host;

/*
 * A path on a machine as the words of a command name it, without a job being
 * run: PATH on this machine, or JOB#HOST:PATH below the section [host HOST]
 * of a job file, with its key, user and port.
 *
 *     struct host_word at;
 *
 *     if (host_word_open(word, &at, err) != 0) ...
 *     host_read(at.host, at.path, ...)
 *     host_word_close(&at);
 *
 * A word with a "#" that has a ":" behind it is of the second form; a local
 * path with both is written with "./" or "/" in front, since a job file's
 * name is looked for only in what stands before the last "#".
 */
struct host_word {
	char *where;		/* "old:/srv/.env" or the path: for messages */
	char *path;		/* absolute, or "~/..." on a host */
	struct host *host;
	struct conf *conf;	/* of a job file, or NULL */
};

/*
 * Connects.  Fails with ERR_USAGE (no such job file or section, a relative
 * path on a host), and as host_open.  Nothing to close then.
 */
int host_word_open(const char *word, struct host_word *, struct err *)
    MUST_CHECK;
void host_word_close(struct host_word *);

#endif /* !FLOW_HOST_WORD_H */
