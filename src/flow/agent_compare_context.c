#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_compare_context.h"

struct agent_context_entry {
	const char *id;		/* the state's */
	size_t place;		/* in the list, from 1 */
};

static int
by_id(const void *a, const void *b)
{
	const struct agent_context_entry *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int
load(struct agent_context_list *list, const struct conf_agent *agent,
    const char *side, struct journal *journal, struct err *err)
{
	const struct jdoc *ids;
	const char *id;

	if (agent_state_load(agent, side, journal, &list->state, err) != 0)
		return -1;
	ids = jdoc_get(list->state, "message_ids");
	list->entries = mem_zero(jdoc_len(ids) + 1, sizeof(*list->entries));
	for (size_t i = 0; i < jdoc_len(ids); i++) {
		id = jdoc_str(jdoc_at(ids, i));
		if (id)
			list->entries[list->n++] =
			    (struct agent_context_entry){ id, i + 1 };
	}
	qsort(list->entries, list->n, sizeof(*list->entries), by_id);
	return 0;
}

int
agent_context_open(struct agent_context *context,
    const struct conf_agent *agent, struct journal *journal, struct err *err)
{
	*context = (struct agent_context){ 0 };
	if (load(&context->lists[0], agent, "source", journal, err) != 0)
		return -1;
	return load(&context->lists[1], agent, "target", journal, err);
}

void
agent_context_close(struct agent_context *context)
{
	for (size_t i = 0; i < 2; i++) {
		free(context->lists[i].entries);
		jdoc_free(context->lists[i].state);
	}
}

/* The place of an id in a list, from 1; 0 for none. */
static size_t
place_of(const struct agent_context_list *list, const char *id)
{
	struct agent_context_entry key = { .id = id };
	const struct agent_context_entry *found;

	if (!id || list->n == 0)
		return 0;
	found = bsearch(&key, list->entries, list->n, sizeof(key), by_id);
	return found ? found->place : 0;
}

static bool
is_excused(const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role");

	return role && (str_eq(role, "system") || str_eq(role, "tool"));
}

void
agent_context_pair(struct agent_context *context, const struct jdoc *source,
    const char *id, const char *target_id)
{
	size_t here = place_of(&context->lists[0], id);
	size_t there = place_of(&context->lists[1], target_id);

	/* Two rows may have become one: either was in context. */
	if (here == 0)
		here = place_of(&context->lists[0],
		    jdoc_get_str(source, "merged_id"));
	if (here == 0 && there == 0)
		return;
	if (here != 0 && there != 0) {
		context->both++;
		context->disordered += !is_excused(source) &&
		    (here > context->last[0]) != (there > context->last[1]);
		context->last[0] = here;
		context->last[1] = there;
	} else if (is_excused(source)) {
		context->excused++;
	} else {
		context->different++;
	}
}

void
agent_context_judge(const struct agent_context *context, bool used,
    struct verdict *verdict)
{
	static const char name[] = "rows in context";
	uint64_t source = context->lists[0].n, target = context->lists[1].n;
	uint64_t wrong = context->different + context->disordered;

	if (wrong > 0 && used)
		verdict_add(verdict, name, VERDICT_NOT_COMPARED, source,
		    target, "the agent has gone on since, which changes them");
	else if (wrong > 0)
		verdict_add(verdict, name, VERDICT_DIFFERENT, source, target,
		    "%" PRIu64 " in context on one side alone, %" PRIu64
		    " in another order", context->different,
		    context->disordered);
	else if (context->excused > 0)
		verdict_add(verdict, name, VERDICT_SAME, source, target,
		    "%" PRIu64 " on both sides; of system rows and returns of "
		    "tools %" PRIu64 " only on one", context->both,
		    context->excused);
	else
		verdict_add(verdict, name, VERDICT_SAME, source, target,
		    "in order");
}
