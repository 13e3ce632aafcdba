#ifndef IO_HTTP_CHECK_H
#define IO_HTTP_CHECK_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct secret;

/*
 * What http.c asks of the words it is given before a byte is sent.  No
 * network and no libcurl here; used by http.c alone.
 */

/*
 * Whether host, a name or an address (IPv6 with or without brackets), is this
 * machine: 127.0.0.0/8, ::1, "localhost".  No lookup is made; libcurl takes
 * "localhost" for loopback without one (7.77 and later).
 */
bool http_check_loopback(const char *host);

/*
 * A path and query as they may stand in a request line: begins with "/", only
 * visible ASCII, no "#", and no segment that is "." or ".." once unescaped.
 */
int http_check_path(const char *path, struct err *) MUST_CHECK;

/* A name or address without port: nothing that would end its field. */
int http_check_connect_to(const char *address, struct err *) MUST_CHECK;

/* Visible ASCII alone: nothing that would end the header. */
int http_check_token(const struct secret *, struct err *) MUST_CHECK;

#endif /* !IO_HTTP_CHECK_H */
