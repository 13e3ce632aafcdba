#ifndef CORE_AF_RULE_H
#define CORE_AF_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct af_part;
struct err;
struct jdoc;

/*
 * The rules of an agent file, checked without a server.  An import that is
 * refused leaves half an agent behind, and one that is taken may break every
 * later listing; each rule is a case that was sent to Letta 0.16.2 and 0.16.8
 * and seen to do one or the other (af_rule_table.c has them all in a table).
 *
 * A file of any length is checked part by part, as core/af_reader.h cuts it:
 *
 *     struct af_rule_report report = { .found = print, .ctx = me };
 *     struct af_rule *rule = af_rule_new(&report);
 *     struct af_reader *r = af_reader_new(&(struct af_reader_each){
 *         .part = af_rule_part, .ctx = rule });
 *
 *     ... af_reader_feed ..., af_reader_end
 *     af_rule_end(rule, err);
 *     af_rule_free(rule);
 *
 * Findings come in the order of the file, except those that only the rest of
 * it can tell (an id in context that no row has), which come at the end of
 * their agent or of the file.  What is held: the part at hand; 8 bytes an id,
 * in a table that is at least three eighths full (so 22 at most); 8 bytes an
 * id in context and as much for its table; 16 bytes a tool call, of those in
 * context alone when the list of these comes before the rows, as it does in
 * every export.
 */

/* Ordered: a larger one is worse. */
enum af_rule_effect {
	AF_RULE_FINE,		/* never reported */
	AF_RULE_NOTICE,		/* worth knowing; nothing fails by it */
	AF_RULE_SPOILED,	/* taken; something is lost by it */
	AF_RULE_LISTING,	/* taken; every listing with it fails then */
	AF_RULE_REFUSED		/* the import answers 400 or 500 */
};

/* "refused by the import", ... */
const char *af_rule_effect_text(enum af_rule_effect);
/* A word of the same: "refused", "listing", "spoiled", "notice". */
const char *af_rule_effect_word(enum af_rule_effect);

/* The servers whose rules are known, as bits. */
#define AF_RULE_0_16_2 1u
#define AF_RULE_0_16_8 2u
#define AF_RULE_BOTH (AF_RULE_0_16_2 | AF_RULE_0_16_8)

/*
 * The bits for a version's words: a version between the two has to meet the
 * rules of both.  Fails with ERR_USAGE for any other.
 */
int af_rule_target(const char *version, unsigned int *targets, struct err *)
    MUST_CHECK;

/* Lives until the callback returns. */
struct af_rule_finding {
	const char *rule;	/* short stable name: "content-null" */
	const char *at;		/* JSON pointer, printable */
	const char *what;	/* one line */
	enum af_rule_effect effect;	/* the worst on the servers below */
	unsigned int targets;	/* bits of the servers that it concerns */
	bool repaired;		/* our import (core/af.h) puts it right */
};

struct af_rule_report {
	/* Anything but 0 stops the check: -1 with err filled. */
	int (*found)(void *ctx, const struct af_rule_finding *, struct err *);
	void *ctx;
	unsigned int targets;	/* 0: AF_RULE_BOTH */
};

struct af_rule;

/* report is copied. */
struct af_rule *af_rule_new(const struct af_rule_report *) MUST_CHECK;
void af_rule_free(struct af_rule *);

/*
 * The next part; ctx is the struct af_rule, so that this is the callback of
 * an af_reader.  Fails with ERR_DATA for a part that core/jdoc.h cannot read
 * (pointer and offset in front) and for more than AF_RULE_IDS_MAX ids.
 */
int af_rule_part(void *ctx, const struct af_part *, struct err *) MUST_CHECK;

/* The file is whole (af_reader_end): what only now can be said. */
int af_rule_end(struct af_rule *, struct err *) MUST_CHECK;

#define AF_RULE_IDS_MAX 10000000

/*
 * A whole file in memory: the oracle with which tests judge what core/af.h
 * writes.  Fails as af_reader_feed, af_reader_end and the functions above.
 */
int af_rule_file(const char *text, size_t len, const struct af_rule_report *,
    struct err *) MUST_CHECK;

/*
 * Of one row, its id left aside; at is where it stands
 * ("/agents/0/messages/3").
 */
int af_rule_row(const struct jdoc *row, const char *at,
    const struct af_rule_report *, struct err *) MUST_CHECK;

/*
 * The text of a tool's return as servers can list it: a JSON object whose
 * status is absent, "OK" or "Failed".  Servers read some texts that are not
 * quite JSON (single quotes, NaN, a raw line break); they count as bad here.
 */
bool af_rule_return_ok(const char *text, size_t len) MUST_CHECK;

/*
 * Whether every known server takes this as an agent's name: letters and
 * digits of any language, blank, "-", "_", "'".  Combining marks, punctuation
 * and symbols make it answer 500.  Of letters beyond ASCII the common blocks
 * are known here; what is not known to be refused passes.
 */
bool af_rule_name_ok(const char *name) MUST_CHECK;

#endif /* !CORE_AF_RULE_H */
