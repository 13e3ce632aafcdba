#ifndef CORE_LETTA_CODE_H
#define CORE_LETTA_CODE_H

#include <stdbool.h>
#include <stddef.h>

struct letta_caps;

/*
 * What Letta Code, the terminal client, needs of a server, as far as its
 * source says so.  Of what is older or newer than these rows nothing reliable
 * is known, and nothing is said.
 */
struct letta_code_need {
	const char *since;	/* Letta Code, this version and later */
	const char *server;	/* the oldest Letta that will do */
	bool fails;		/* false: it only warns */
	const char *what;	/* happens with an older one */
	const char *fact;	/* where that is from */
};

extern const struct letta_code_need letta_code_needs[];
extern const size_t letta_code_n_needs;

/* The last version whose source these rows were read in. */
#define LETTA_CODE_READ "0.30.29"

bool letta_code_met(const struct letta_code_need *, const struct letta_caps *);

/*
 * The gravest need of this version of Letta Code that the server does not
 * meet; NULL: none is known, or version is none.
 */
const struct letta_code_need *letta_code_unmet(const char *version,
    const struct letta_caps *server);

#endif /* !CORE_LETTA_CODE_H */
