#ifndef CORE_NGINX_TREE_H
#define CORE_NGINX_TREE_H

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
 *     struct nginx_tree *dump;
 *
 *     nginx_tree_read(text, len, &dump, err)
 *     for (i = nginx_tree_next(dump, root, -1, "server"); i >= 0; ...)
 *     nginx_tree_free(dump);
 *
 * A directive is a number; those of included files stand where `include' was.
 */
struct nginx_tree;

#define NGINX_TREE_ROOT (-1)	/* around all files */
#define NGINX_TREE_WORDS 64	/* of a directive; more are dropped */

/*
 * ERR_DATA: no file in it, a block without end, or more of it than people
 * write: 20,000 directives, 16 blocks and includes in each other.
 */
int nginx_tree_read(const char *text, size_t len, struct nginx_tree **out,
    struct err *) MUST_CHECK;
void nginx_tree_free(struct nginx_tree *);

/* How many directives there are: 0 to n - 1, a block before its content. */
int nginx_tree_n(const struct nginx_tree *);

/*
 * The next directive of this name (NULL: any) right inside block, after the
 * one given (-1: the first); -1 at the end.
 */
int nginx_tree_next(const struct nginx_tree *, int block, int after,
    const char *name);

/* Its words, the name first; NULL behind the last. */
const char *const *nginx_tree_words(const struct nginx_tree *, int at);
size_t nginx_tree_n_words(const struct nginx_tree *, int at);
/* The block around it; NGINX_TREE_ROOT for one of a file's top. */
int nginx_tree_parent(const struct nginx_tree *, int at);
/* "/etc/nginx/nginx.conf" and its line. */
const char *nginx_tree_file(const struct nginx_tree *, int at);
size_t nginx_tree_line(const struct nginx_tree *, int at);

/*
 * The first argument of a directive that blocks inherit, as it holds in
 * block: its own, else that of the blocks around it; NULL: nowhere.
 */
const char *nginx_tree_value(const struct nginx_tree *, int block,
    const char *name);

#endif /* !CORE_NGINX_TREE_H */
