#ifndef CORE_NGINX_DUMP_H
#define CORE_NGINX_DUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * nginx's own view of its configuration, out of what `nginx -T' prints: each
 * file after a line "# configuration file PATH:".  There is no library that
 * reads it; nginx has found it well-formed before it prints it, so that this
 * need not judge, only cut words as nginx does (1.22.1, ngx_conf_file.c).
 *
 *     struct nginx_dump *dump;
 *
 *     nginx_dump_read(text, len, &dump, err)
 *     for (i = nginx_dump_next(dump, root, -1, "server"); i >= 0; ...)
 *     nginx_dump_free(dump);
 *
 * A directive is a number; those of included files stand where `include' was.
 */
struct nginx_dump;

#define NGINX_DUMP_ROOT (-1)	/* around all files */
#define NGINX_DUMP_WORDS 64	/* of a directive; more are dropped */

/* ERR_DATA: no file in it, or a block without end. */
int nginx_dump_read(const char *text, size_t len, struct nginx_dump **out,
    struct err *) MUST_CHECK;
void nginx_dump_free(struct nginx_dump *);

/* How many directives there are: 0 to n - 1, a block before its content. */
int nginx_dump_n(const struct nginx_dump *);

/*
 * The next directive of this name (NULL: any) right inside block, after the
 * one given (-1: the first); -1 at the end.
 */
int nginx_dump_next(const struct nginx_dump *, int block, int after,
    const char *name);

/* Its words, the name first; NULL behind the last. */
const char *const *nginx_dump_words(const struct nginx_dump *, int at);
size_t nginx_dump_n_words(const struct nginx_dump *, int at);
/* The block around it; NGINX_DUMP_ROOT for one of a file's top. */
int nginx_dump_parent(const struct nginx_dump *, int at);
/* "/etc/nginx/nginx.conf" and its line. */
const char *nginx_dump_file(const struct nginx_dump *, int at);
size_t nginx_dump_line(const struct nginx_dump *, int at);

/*
 * The first argument of a directive that blocks inherit, as it holds in
 * block: its own, else that of the blocks around it; NULL: nowhere.
 */
const char *nginx_dump_value(const struct nginx_dump *, int block,
    const char *name);

#endif /* !CORE_NGINX_DUMP_H */
