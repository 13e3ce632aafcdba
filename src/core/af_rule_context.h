#ifndef CORE_AF_RULE_CONTEXT_H
#define CORE_AF_RULE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/af_ids.h"

struct af_rule_place;
struct jdoc;

/* A tool's call that another row answers, by the keys of both rows. */
struct af_rule_pair {
	uint64_t call, answer;	/* 0: none seen */
};

/* The last calls that wait for their answer; an older one is forgotten. */
#define AF_RULE_WAITING 256

/*
 * Which rows of one agent are in context: the rules of
 * in_context_message_ids, whatever comes first in the file, it or the rows.
 *
 *     per agent: af_rule_context_ids, af_rule_context_row of each row,
 *     af_rule_context_end, af_rule_context_clear
 */
struct af_rule_context {
	uint64_t *list;		/* the ids in context, in order */
	size_t n;
	struct af_ids set;	/* the same */
	bool known;		/* the list was seen */
	bool has_system;	/* some row is of role system */
	struct af_rule_pair *pairs;
	size_t n_pairs, cap_pairs;
	struct {
		uint64_t id, row;	/* of the call, of its row */
	} waiting[AF_RULE_WAITING];
	size_t next;		/* in waiting, around and around */
};

/* The parsed list. */
void af_rule_context_ids(struct af_rule_context *, const struct jdoc *list);

/* A row with the key of its id. */
void af_rule_context_row(struct af_rule_context *, uint64_t key,
    const struct jdoc *row);

/* All rows are in ids; the place is that of the list. */
int af_rule_context_end(const struct af_rule_context *,
    const struct af_ids *ids, const struct af_rule_place *) MUST_CHECK;

void af_rule_context_clear(struct af_rule_context *);

#endif /* !CORE_AF_RULE_CONTEXT_H */
