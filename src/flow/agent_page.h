#ifndef FLOW_AGENT_PAGE_H
#define FLOW_AGENT_PAGE_H

#include <stdint.h>

#include "base/attr.h"

struct err;
struct journal;
struct server;

/*
 * One listing of an agent, page by page into one scope of the journal.
 *
 * A page and the cursor behind it are one transaction: a kill costs one page.
 * Nothing but an empty page ends a listing: servers give fewer rows than they
 * were asked for, or more.  What is made of other habits (some of hosted
 * servers, some of broken ones):
 *
 *     a page comes again        its rows are there; nothing happens
 *     it comes again and again  the listing ends with an error, unless all it
 *                               holds is the row of the cursor: then the
 *                               server counts that in, and this is the end
 *     two rows have one id      the second becomes "ID~2", and is counted
 *     a page is too large, or   asked for again with fewer rows, down to one;
 *     fails with 400 or 500     what then fails is the row, which err places
 *     there is no end           AGENT_PAGE_ROWS_MAX rows, then an error, and
 *                               all of them are dropped
 *
 * A server before 0.16.2 can only be listed backwards (core/letta.h).  Then
 * the pages come before one another, and a listing that was ended is begun
 * anew when the server has a row since that the journal has not.
 */
#define AGENT_PAGE_ROWS_MAX 2000000

enum agent_page_what {
	AGENT_PAGE_MESSAGES,		/* core/turn.h has the rows */
	AGENT_PAGE_CONVERSATIONS,	/* {"id":...,"summary":...} */
	AGENT_PAGE_PASSAGES		/* core/letta_answer.h */
};

struct agent_listing {
	enum agent_page_what what;
	struct server *server;
	struct journal *journal;
	const char *id;			/* of the agent */
	const char *scope;
	const char *agent_type;		/* messages: of the source */
	const char *conversation;	/* messages: its id; NULL: the agent's
					 * own history */
	unsigned int limit;		/* rows of a page; 0: of its kind */
};

struct agent_listing_info {
	uint64_t rows;		/* the scope has now */
	uint64_t doubled;	/* ids that stood for two rows, just now */
};

/*
 * Read on from where the journal's cursor stands, to the end.  An ended
 * listing is asked for once more: rows may have been added since.
 */
int agent_page_all(const struct agent_listing *, struct agent_listing_info *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_PAGE_H */
