#ifndef CORE_AF_RULE_LINK_H
#define CORE_AF_RULE_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/af_ids.h"

struct af_rule_report;
struct err;
struct jdoc;

/* How many references and blocks a file may have; a real one has dozens. */
#define AF_RULE_LINKS_MAX 1000000

/*
 * What names what in a file: ids in tool_ids, block_ids, source_ids and
 * files_agents of an agent, and source_id of a file.  Which of them are there
 * is known at the file's end.
 */
struct af_rule_link {
	uint64_t target;	/* key of the id that is named */
	uint64_t label;		/* of that block, filled in at the end */
	uint64_t agent;		/* of agents; of files for a file's source */
	uint32_t item;
	uint8_t kind;
};

struct af_rule_block {
	uint64_t id, label;
};

struct af_rule_links {
	struct af_rule_link *links;
	size_t n, cap;
	struct af_rule_block *blocks;
	size_t n_blocks, cap_blocks;
};

/* A member of an agent, whatever it is. */
int af_rule_links_member(struct af_rule_links *, const char *key,
    uint64_t agent, const struct jdoc *value, struct err *) MUST_CHECK;

/* An item of a list at the top. */
int af_rule_links_item(struct af_rule_links *, const char *key,
    uint64_t item, const struct jdoc *value, struct err *) MUST_CHECK;

/* All ids of the file are in ids: what names none of them is reported. */
int af_rule_links_end(struct af_rule_links *, const struct af_ids *ids,
    const struct af_rule_report *, struct err *) MUST_CHECK;

void af_rule_links_clear(struct af_rule_links *);

#endif /* !CORE_AF_RULE_LINK_H */
