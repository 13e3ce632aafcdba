#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/lint.h"

struct lint {
	struct lint_watch watch;
	struct af_reader *reader;
	struct af_rule *rule;
	struct lint_result result;
};

/* The kind of a rule, made when it is the first; NULL: no room (a bug). */
static struct lint_kind *
kind_of(struct lint_result *result, const char *rule)
{
	struct lint_kind *kind = result->kinds;
	size_t i;

	for (i = 0; i < result->n_kinds; i++, kind++) {
		if (str_eq(kind->rule, rule))
			return kind;
	}
	if (result->n_kinds == LINT_KINDS_MAX)
		return NULL;
	result->n_kinds++;
	kind->rule = rule;
	return kind;
}

static int
found(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	struct lint *lint = ctx;
	struct lint_kind *kind = kind_of(&lint->result, finding->rule);
	uint64_t nth = kind ? kind->found : 0;

	if (kind) {
		kind->found++;
		kind->repaired += finding->repaired;
		if (finding->effect > kind->effect)
			kind->effect = finding->effect;
	}
	if (finding->effect == AF_RULE_NOTICE)
		lint->result.notices++;
	else {
		lint->result.found++;
		lint->result.repaired += finding->repaired;
	}
	return lint->watch.found(lint->watch.ctx, finding, nth, err);
}

static int
see_part(void *ctx, const struct af_part *part, struct err *err)
{
	struct lint *lint = ctx;

	if (part->place == AF_PLACE_ROW)
		lint->result.messages++;
	if (part->place == AF_PLACE_ITEM && part->event == AF_PART_BEGIN)
		lint->result.agents++;
	return af_rule_part(lint->rule, part, err);
}

struct lint *
lint_new(const struct lint_watch *watch)
{
	struct lint *lint = mem_zero(1, sizeof(*lint));
	struct af_rule_report report = {
		.found = found, .ctx = lint, .targets = watch->targets,
	};
	struct af_reader_each each = { .part = see_part, .ctx = lint };

	lint->watch = *watch;
	lint->rule = af_rule_new(&report);
	lint->reader = af_reader_new(&each);
	return lint;
}

void
lint_free(struct lint *lint)
{
	if (!lint)
		return;
	af_reader_free(lint->reader);
	af_rule_free(lint->rule);
	free(lint);
}

int
lint_feed(struct lint *lint, const char *data, size_t len, struct err *err)
{
	return af_reader_feed(lint->reader, data, len, err);
}

int
lint_end(struct lint *lint, struct err *err)
{
	if (af_reader_end(lint->reader, err) != 0)
		return -1;
	return af_rule_end(lint->rule, err);
}

const struct lint_result *
lint_result(const struct lint *lint)
{
	return &lint->result;
}
