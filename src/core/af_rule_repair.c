#include "base/base.h"

#include "base/err.h"
#include "core/af_row.h"
#include "core/af_rule_part.h"
#include "core/af_rule_repair.h"
#include "core/af_rule_table.h"
#include "core/jdoc.h"

static bool
is_any(const bool *broken)
{
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (broken[i])
			return true;
	}
	return false;
}

int
af_rule_repair(struct af_convert *convert, struct jdoc *row,
    unsigned int changes, const struct af_rule_place *place)
{
	bool broken[RULE_COUNT] = { false }, left[RULE_COUNT] = { false };
	struct af_rule_place at = *place;
	struct af_row fixed = { .id = "", .doc = row, .changes = changes };
	struct err ignored = ERR_INIT;
	struct jdoc *original = NULL;
	bool stops;
	int rc;

	at.broken = broken;
	if (af_rule_message(row, &at) != 0)
		return -1;
	if (is_any(broken))
		original = jdoc_copy(row);
	stops = af_row_convert(convert, &fixed, &ignored) != 0;
	if (!original)
		return stops ? af_rule_say(place, RULE_ROW_CALL) : 0;
	at.broken = left;
	rc = af_rule_message(row, &at);
	at.broken = NULL;
	at.left = stops ? broken : left;
	if (rc == 0)
		rc = af_rule_message(original, &at);
	jdoc_free(original);
	return rc;
}
