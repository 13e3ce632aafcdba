#ifndef CORE_ACME_REFUSAL_H
#define CORE_ACME_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Why a certificate authority gave no certificate, out of what certbot says
 * and what it logs (2.1.0, seen).  It prints the description of an ACME error
 * (RFC 8555, 6.7) or, when it registers, its detail alone, and never its type
 * or the header Retry-After.  Both are in its log: "HTTP 429" with the header
 * lines, and "acme.messages.Error: urn:ietf:params:acme:error:TYPE".
 */
enum acme_refusal_kind {
	ACME_REFUSAL_OTHER,
	ACME_REFUSAL_RATE_LIMITED,	/* or 429: no more for a while */
	ACME_REFUSAL_BUSY,		/* 503 */
	ACME_REFUSAL_BAD_NONCE,		/* twice in a row: bad luck */
	ACME_REFUSAL_INVALID,		/* a challenge was not met */
	ACME_REFUSAL_LOCKED		/* another certbot runs there */
};

struct acme_refusal {
	enum acme_refusal_kind kind;
	/* Seconds since 1970 before which it wants no more; 0: not said. */
	int64_t retry_unix;
};

/*
 * said  both outputs of certbot, with a NUL at the end
 * log   the end of its log, with a NUL, or ""; only what its last run wrote
 *       is looked at
 */
void acme_refusal_read(const char *said, const char *log, int64_t now_unix,
    struct acme_refusal *);

/*
 * When to ask again after a refusal, the failures'th in a row of its kind, of
 * which the first was at first_unix.  What the authority says goes before
 * anything of ours.  now_unix: at once.
 *
 * A challenge that was not met is our side's fault and can be cured in a
 * minute, but each counts: the public authority takes five an hour and name.
 * So after three within an hour there is a pause until that hour is over.
 */
#define ACME_REFUSAL_PAUSE 3600		/* seconds, where none is told */
#define ACME_REFUSAL_TRIES 3
int64_t acme_refusal_until(const struct acme_refusal *, unsigned int failures,
    int64_t first_unix, int64_t now_unix);

#endif /* !CORE_ACME_REFUSAL_H */
