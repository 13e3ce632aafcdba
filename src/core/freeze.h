#ifndef CORE_FREEZE_H
#define CORE_FREEZE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * What a Python virtual environment has installed, as `pip freeze' (23.0,
 * seen) prints it, sorted into what can be installed elsewhere and what
 * cannot:
 *
 *     httpx==0.27.0                          kept
 *     x @ https://host/x-1.0.whl             kept
 *     x @ git+https://user:token@host/x      left: it holds a secret
 *     x @ file:///srv/x                      left: a path of that machine
 *     -e git+ssh://... or -e /srv/x          left: editable
 *
 * kept gets a line each; left gets names, joined by ", ", without URLs.
 */
struct freeze_count {
	size_t kept, left;
};

void freeze_sort(const char *text, struct buf *kept, struct buf *left,
    struct freeze_count *);

/*
 * "httpx-0.27.0.dist-info" as "httpx==0.27.0" and a line end; false when it is
 * no such name.
 */
bool freeze_dist_info(const char *name, struct buf *out);

/* "3.11.2" from the text of a pyvenv.cfg; false when it does not say. */
bool freeze_version(const char *cfg, char *out, size_t size);

#endif /* !CORE_FREEZE_H */
