#ifndef FLOW_EDGE_HAND_H
#define FLOW_EDGE_HAND_H

#include "base/attr.h"

struct conf;
struct conf_edge;
struct err;
struct run;
struct verdict;

/*
 * The edge by hand.
 *
 * Render: both phases of its file, SITE.http.conf and SITE.tls.conf, into a
 * directory of this machine, which is made.  No host is asked, so they are as
 * for one with IPv6 and no other sites.  each is told of every file.
 */
int edge_hand_render(const struct conf *, const struct conf_edge *,
    const char *dir, void (*each)(void *ctx, const char *path,
    const char *generation), void *ctx, struct err *) MUST_CHECK;

/*
 * Test: `nginx -t' on the host of its whole configuration with the rendering
 * in the place of the live file, which is not touched; then whether the live
 * one is that rendering, and what a client gets from each name and port
 * (edge_verify).  Without a certificate the first phase is tested.
 *
 * Two files beside nginx.conf are written for it and removed again; a killed
 * test leaves them, where no include of nginx finds them, for the next one.
 */
int edge_hand_test(struct run *, const struct conf_edge *, struct verdict *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_HAND_H */
