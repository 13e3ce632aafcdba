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
 * which may hold secrets, and how many new addresses there are then.  By it the
 * edit is taken back.
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

/*
 * Append to out the text with the addresses of the record put back; false, and
 * nothing, when there is none to put back.  Each is found again by its
 * distance from the begin or the end of the text, and where all that stand
 * there are of the edit, by their order: other changes of the text are kept
 * (core/client_url_back.c).
 *
 * *left  new addresses that stay, beside those that stood there before the
 *        edit: which of them are of the edit cannot be told, or somebody has
 *        written more; 1 with a record that cannot be read
 */
bool client_url_revert(const char *text, size_t len, const char *record,
    struct buf *out, size_t *left) MUST_CHECK;

/* For client_url.c: how many new addresses of these places a text has. */
size_t client_url_count_new(const char *text, size_t len,
    const char *places);

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
