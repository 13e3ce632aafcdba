#ifndef CORE_AF_RULE_TYPE_H
#define CORE_AF_RULE_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct jdoc;

/*
 * Questions about the type of a member, as the servers' schema asks them.
 * "Or null" is also true of a member that is missing.
 */
bool af_rule_is_text_or_null(const struct jdoc *);
bool af_rule_is_object_or_null(const struct jdoc *);
/* A list of texts, or null. */
bool af_rule_is_texts_or_null(const struct jdoc *);
/* An object whose values are all texts, or null. */
bool af_rule_is_text_map_or_null(const struct jdoc *);

/* Whether one of names, which NULL ends, is the text of value. */
bool af_rule_is_one_of(const struct jdoc *value, const char *const *names);

/* Whether value is an object whose type is this. */
bool af_rule_is_a(const struct jdoc *value, const char *type);

/* Whether content is a list of exactly one text part. */
bool af_rule_is_one_text(const struct jdoc *content);

/*
 * Whether value is kind, "-" and what Python reads as a whole number, in
 * ASCII: "message-0", and as well "message-+1_000 " (seen).
 */
bool af_rule_is_id(const struct jdoc *value, const char *kind);

/*
 * What pydantic takes for a date: ISO 8601 with or without a time, or a
 * number of seconds or milliseconds, also as text (0.16.2 and 0.16.8, seen).
 */
enum af_rule_date {
	AF_RULE_DATE_GOOD,
	AF_RULE_DATE_FAR,	/* outside 1900-2999 (core/stamp.h) */
	AF_RULE_DATE_EDGE,	/* the first or the last there is */
	AF_RULE_DATE_NULL,
	AF_RULE_DATE_BAD
};

enum af_rule_date af_rule_date(const struct jdoc *);

#endif /* !CORE_AF_RULE_TYPE_H */
