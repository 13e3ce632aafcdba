#ifndef CORE_COMPOSE_EDIT_H
#define CORE_COMPOSE_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Another image for one service of a compose file that somebody else has
 * written: the bytes of that one value are replaced, all others stay.  libyaml
 * says where it stands (this file alone sees it), so indentation, quotes,
 * comments, flow style and CRLF are its business.
 *
 *     struct compose_edit at = { 0 };
 *     char *raw;
 *
 *     if (compose_edit_find(where, text, len, "letta", &at, err) == 0) {
 *             raw = compose_edit_raw(&at, "letta/letta:0.16.2");
 *             compose_edit_replace(where, text, len, "letta", raw, &out, err)
 *     }
 *     compose_edit_clear(&at);
 *
 * "letta/letta:${VERSION:-latest}" is found as it is written.  Replaced, it
 * is a literal: the variable, in .env or wherever it is set, does not choose
 * the version any more until the former value stands there again.
 */
struct compose_edit {
	size_t from, end;	/* bytes of the value, with its quotes */
	size_t line;		/* from 1 */
	char quote;		/* ' or ", or NUL */
	bool alone;		/* nothing but its key before it on its line */
	char *raw;		/* those bytes */
	char *image;		/* what they say */
};

#define COMPOSE_EDIT_MAX (256 * 1024)

/*
 * where  "host:path", for messages
 *
 * ERR_MISSING: no such service.  ERR_DATA with "where:line" and a reason: not
 * YAML (a tab among them), more than 200 levels deep, more than one document,
 * a key twice, no `image' of its own, built here (`build'), an image in more
 * than one line, with control characters or with an anchor, tag or alias, and
 * a service that others take theirs from (alias, `extends'), as theirs would
 * change, too.  clear it in any case.
 */
int compose_edit_find(const char *where, const char *text, size_t len,
    const char *service, struct compose_edit *, struct err *) MUST_CHECK;
void compose_edit_clear(struct compose_edit *);

/* image as it stands in the quotes of what was found; the caller frees it. */
char *compose_edit_raw(const struct compose_edit *, const char *image);

/*
 * Append the text with raw in place of the value; what comes out is read
 * again and must say so.  Fails as compose_edit_find does, and with ERR_DATA
 * when raw is no scalar of one line.
 */
int compose_edit_replace(const char *where, const char *text, size_t len,
    const char *service, const char *raw, struct buf *out, struct err *)
    MUST_CHECK;

/*
 * The repository of IMAGE, without its tag and digest, and a tag:
 * "registry:5000/letta:0.11.3@sha256:0..." and "0.16.2" give
 * "registry:5000/letta:0.16.2".  The caller frees it.
 */
char *compose_edit_tagged(const char *image, const char *tag);

#endif /* !CORE_COMPOSE_EDIT_H */
