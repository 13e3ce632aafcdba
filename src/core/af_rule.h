#ifndef CORE_AF_RULE_H
#define CORE_AF_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * The rules of an agent file, checked without a server.  An import that is
 * refused leaves half an agent behind, and one that is taken may break every
 * later listing; each rule is a case that was sent to Letta 0.16.2 and 0.16.8
 * and seen to do one or the other.
 */
enum af_rule_effect {
	AF_RULE_REFUSED,	/* the import answers 400 or 500 */
	AF_RULE_LISTING,	/* taken; every listing with it fails then */
	AF_RULE_SPOILED		/* taken; something is lost by it */
};

struct af_rule_finding {
	const char *at;		/* JSON pointer, printable */
	const char *what;	/* one line */
	enum af_rule_effect effect;
	bool repaired;		/* core/af.h writes it right */
};

/* A callback that stops the check returns anything but 0. */
struct af_rule_report {
	int (*found)(void *ctx, const struct af_rule_finding *, struct err *);
	void *ctx;
};

/*
 * Every finding of a whole file.  The program itself never holds one: this
 * is the offline oracle with which tests judge what core/af.h writes.  Fails
 * only when the text is not the JSON of an agent file at all
 * (af_shell_agent), or when found fails.
 */
int af_rule_file(const char *text, size_t len, const struct af_rule_report *,
    struct err *) MUST_CHECK;

/* Of one row; at is where it stands ("/agents/0/messages/3"). */
int af_rule_row(const struct jdoc *row, const char *at,
    const struct af_rule_report *, struct err *) MUST_CHECK;

/*
 * The text of a tool's return as servers can list it: a JSON object whose
 * status is absent, "OK" or "Failed".
 */
bool af_rule_return_ok(const char *text, size_t len) MUST_CHECK;

#endif /* !CORE_AF_RULE_H */
