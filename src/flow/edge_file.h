#ifndef FLOW_EDGE_FILE_H
#define FLOW_EDGE_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

struct conf_edge;
struct err;
struct host;
struct run;

/*
 * The one nginx file of an edge, /etc/nginx/conf.d/sanctumctl-SITE.conf, as
 * it is on the host now, and what the journal keeps of it:
 *
 *     before    what it held before this job: cancel brings that back
 *     former    what it held before a rendering that is not proven to serve
 *               yet: a failure brings that back
 *
 *     struct edge_file file;
 *
 *     if (edge_file_read(&file, run, edge, err) == 0 &&
 *         edge_file_keep(&file, run, "former", err) == 0 &&
 *         edge_file_put(&file, text, len, err) == 0) ...
 *     edge_file_clear(&file);
 *
 * A file that is not there is kept as such, apart from an empty one.
 */
struct edge_file {
	const struct conf_edge *edge;
	struct host *host;	/* belongs to the run */
	char *path;		/* on the host */
	bool present;
	struct buf now;
};

#define EDGE_FILE_MAX (256 * 1024)

/* clear it in any case.  ERR_DATA: too large, or with NUL bytes. */
int edge_file_read(struct edge_file *, struct run *, const struct conf_edge *,
    struct err *) MUST_CHECK;
void edge_file_clear(struct edge_file *);

/* Replace the file on the host; what the struct holds stays. */
int edge_file_put(const struct edge_file *, const char *text, size_t len,
    struct err *) MUST_CHECK;

/* Have the journal keep what the file holds, unless it keeps one already. */
int edge_file_keep(const struct edge_file *, struct run *, const char *word,
    struct err *) MUST_CHECK;
int edge_file_forget(const struct edge_file *, struct run *, const char *word,
    struct err *) MUST_CHECK;

/* What the journal keeps, for edge_file_restore; NULL: nothing. */
int edge_file_kept(const struct edge_file *, struct run *, const char *word,
    char **out, struct err *) MUST_CHECK;

/* Put that back, or remove the file when there was none. */
int edge_file_restore(const struct edge_file *, const char *kept,
    struct err *) MUST_CHECK;

/* Whether it says that there was no file. */
bool edge_file_was_absent(const char *kept);

/* Whether the file is that, as far as the struct knows. */
bool edge_file_holds(const struct edge_file *, const char *kept);

#endif /* !FLOW_EDGE_FILE_H */
