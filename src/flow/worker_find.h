#ifndef FLOW_WORKER_FIND_H
#define FLOW_WORKER_FIND_H

#include <stddef.h>

#include "base/attr.h"
#include "flow/supervisor.h"
#include "flow/worker_identity.h"
#include "flow/worker_live.h"

struct err;
struct host;

/*
 * The workers of a host, by what their directories hold and not by name:
 *
 *     Broca        main.py beside runtime/core/queue.py; or a link main.py to
 *                  one of these: then .env is looked for from the link on
 *     SMCP         smcp.py beside plugins
 *     Otto bridge  plugins/NAME/plugin.py with otto in NAME, run/otto_bridge
 *
 * Below /home, /opt, /srv, /root and our home, WORKER_FIND_DEPTH names deep;
 * environments, caches, .git and what a move left staged are not entered.
 *
 * find(1) does the looking: tree_walk (io/tree.h) ends at an absolute symlink
 * or a socket, and a home has both.
 */
#define WORKER_FIND_DEPTH 8
#define WORKER_FIND_MAX 256	/* trees of a host */

enum worker_program { WORKER_BROCA, WORKER_SMCP, WORKER_OTTO };

struct worker_trap {
	const char *id;			/* of core/doctor.h */
	char *text;			/* a line, for people */
};

struct worker_found {
	enum worker_program program;
	char *dir;			/* absolute */
	char *real;			/* with symlinks followed: code root */
	struct worker_identity who;	/* of the first process, else as if
					 * it were started */
	struct worker_live *lives;	/* borrowed strings of finds->lives */
	size_t n_lives;
	struct supervisors supervisors;
	struct worker_trap *traps;
	size_t n_traps;
};

struct worker_finds {
	struct worker_found *list;
	size_t n;
	struct worker_lives lives;
};

/* "broca", "smcp", "otto". */
const char *worker_program_word(enum worker_program);

/*
 * A failure leaves *out empty.  The list is sorted by directory.  What a
 * peer's text says is not yet printable.
 */
int worker_find(struct host *, struct worker_finds *out, struct err *)
    MUST_CHECK;
void worker_finds_clear(struct worker_finds *);

/* Only the directories, for those who look for something else in them. */
int worker_find_dirs(struct host *, struct worker_finds *out, struct err *)
    MUST_CHECK;

/* What is laid out so that a move, or a start, goes wrong: fill traps. */
int worker_find_traps(struct host *, struct worker_finds *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_FIND_H */
