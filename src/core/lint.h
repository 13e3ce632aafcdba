#ifndef CORE_LINT_H
#define CORE_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/af_rule.h"

struct err;

/*
 * Judge an agent file of any size: core/af_reader.h cuts it, core/af_rule.h
 * finds, and here it is counted.
 *
 *     struct lint *lint = lint_new(&(struct lint_watch){
 *         .found = print, .ctx = me, .targets = targets });
 *
 *     lint_feed(lint, data, len, err)         for each piece
 *     lint_end(lint, err)
 *     lint_result(lint)
 *     lint_free(lint)
 */
struct lint_watch {
	/*
	 * A finding, in order; nth is how many of its rule came before, so
	 * that the caller can show a few of each and count the others.
	 */
	int (*found)(void *ctx, const struct af_rule_finding *, uint64_t nth,
	    struct err *);
	void *ctx;
	unsigned int targets;		/* of core/af_rule.h; 0: both */
};

#define LINT_KINDS_MAX 128

/* All findings of one rule. */
struct lint_kind {
	const char *rule;
	enum af_rule_effect effect;	/* the worst of them */
	uint64_t found, repaired;
};

struct lint_result {
	uint64_t agents, messages;
	uint64_t found;			/* notices not counted */
	uint64_t repaired;		/* of these */
	uint64_t notices;
	size_t n_kinds;			/* in the order of their first */
	struct lint_kind kinds[LINT_KINDS_MAX];
};

struct lint;

struct lint *lint_new(const struct lint_watch *) MUST_CHECK;
void lint_free(struct lint *);

/*
 * Fail with ERR_DATA when the bytes are no agent file that can be read to its
 * end (core/af_reader.h, core/jdoc.h), and with what found failed with.
 * What was found until then was told.
 */
int lint_feed(struct lint *, const char *data, size_t len, struct err *)
    MUST_CHECK;
int lint_end(struct lint *, struct err *) MUST_CHECK;

/* Lives as long as lint. */
const struct lint_result *lint_result(const struct lint *);

#endif /* !CORE_LINT_H */
