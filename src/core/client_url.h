#ifndef CORE_CLIENT_URL_H
#define CORE_CLIENT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Addresses of a server in the files of its clients, and others in their
 * place: what a shell, nginx, docker compose or a .env file says.
 *
 *     struct client_urls urls = { .n = 0 };
 *
 *     client_urls_add(&urls, "127.0.0.1:8284", "127.0.0.1:8283");
 *     client_url_edit(text, len, &urls, &out, &record)
 *     client_urls_clear(&urls);
 *
 * An address is HOST:PORT, which stands within URLs as well, or a base URL.
 * It counts where it is a whole one: not 82840, not the end of a longer path
 * or name, not ADDRESS:PORT:PORT, by which docker publishes a port.  All else
 * of a text stays byte for byte.
 *
 * The record of an edit says where it was made, and nothing else of the text,
 * which may hold secrets.  By it the edit is taken back.
 */
#define CLIENT_URLS_MAX 16
#define CLIENT_URL_TEXT_MAX (256 * 1024)	/* bytes of a client's file */
#define CLIENT_URL_RECORD_MAX (64 * 1024)

struct client_url {
	char *from;
	char *to;
};

struct client_urls {
	struct client_url list[CLIENT_URLS_MAX];
	size_t n;
};

/*
 * Both are copied.  to NULL: it is only looked for.  Two that are equal, and
 * more than there is room for, are left out.
 */
void client_urls_add(struct client_urls *, const char *from, const char *to);
void client_urls_clear(struct client_urls *);

struct client_url_place {
	size_t at;		/* of its first byte */
	size_t line;		/* from 1 */
	const struct client_url *url;
};

/*
 * The next address that begins at *at or behind; *at moves behind it.  False
 * at the end.
 */
bool client_url_next(const char *text, size_t len,
    const struct client_urls *, size_t *at, struct client_url_place *);

/* Whether a file of this name is one of KEY=value lines: .env, letta.env. */
bool client_url_is_env(const char *path);

/*
 * Append to out the text with every address replaced, and to record where;
 * returns their number.  Both are empty before.
 */
size_t client_url_edit(const char *text, size_t len,
    const struct client_urls *, struct buf *out, struct buf *record);

/*
 * The same of a .env file: in the values of its assignments alone, so that no
 * old line in a comment comes to life.  *n is the number.
 *
 * path  for messages
 *
 * Fails with ERR_DATA, "PATH:LINE: why", for what core/dotenv.h cannot edit
 * safely, and when a key would not read back as its old value with the new
 * address: it is put together out of other keys.
 */
int client_url_edit_env(const char *text, size_t len, const char *path,
    const struct client_urls *, struct buf *out, struct buf *record,
    size_t *n, struct err *) MUST_CHECK;

/* What a text is, by a record of an edit of it. */
enum client_url_state {
	CLIENT_URL_BEFORE,	/* not edited yet, or taken back */
	CLIENT_URL_AFTER,	/* as it was left */
	CLIENT_URL_OTHER	/* somebody has moved what was edited */
};

enum client_url_state client_url_state(const char *text, size_t len,
    const char *record);

/*
 * Append to out the text without the edit; false, and nothing, when it is not
 * CLIENT_URL_AFTER.  Another edit that moves nothing is kept.
 */
bool client_url_revert(const char *text, size_t len, const char *record,
    struct buf *out) MUST_CHECK;

/*
 * The edit as a diff without lines around it (core/client_url_show.c): of a
 * line only the address is shown with the key that it is the value of, all
 * else is "***", since there are keys and passwords in such lines.
 *
 * text  before the edit
 */
void client_url_show(const char *path, const char *text, size_t len,
    const char *record, struct buf *out);

/* For client_url_show.c: the next place of a record; false at the end. */
struct client_url_edited {
	size_t at;		/* in the text before */
	char from[256], to[256];
};

bool client_url_edited(const char **record, struct client_url_edited *);

#endif /* !CORE_CLIENT_URL_H */
