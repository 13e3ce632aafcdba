#ifndef CORE_FETCH_H
#define CORE_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

/*
 * What a browser makes of an answer to a page of another origin: the CORS
 * checks of the Fetch standard (4.8 CORS-preflight fetch, 4.9 CORS check),
 * on header lines as io/http.h keeps them, "Name: value\n" each.
 *
 * They are done as for a request with credentials, which is the stricter:
 * what passes so passes without, but for an answer that allows credentials
 * to nobody.  Hence `credentials' says which was asked.
 */
struct fetch_ask {
	const char *origin;		/* "https://app.letta.com" */
	const char *method;
	const char *const *headers;	/* lower case, sorted; NULL-ended */
	bool credentials;
};

/*
 * How often a header is there, and its values as one list ("a, b") appended
 * to value, which may be NULL.
 */
size_t fetch_header(const char *head, const char *name, struct buf *value);

/* Whether a word is an element of a list as in Vary; case does not count. */
bool fetch_list_has(const char *list, const char *word);

/*
 * Whether the page may see the answer.  false: why says what the browser
 * would complain of, printable.
 */
bool fetch_response_passes(const struct fetch_ask *, const char *head,
    struct buf *why);

/* Whether the request itself would be made, after this preflight. */
bool fetch_preflight_passes(const struct fetch_ask *, long status,
    const char *head, struct buf *why);

/* "*" with "Access-Control-Allow-Credentials: true". */
bool fetch_wildcard_credentials(const char *head);

#endif /* !CORE_FETCH_H */
