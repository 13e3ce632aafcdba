#include "base/base.h"

#include "base/mem.h"
#include "base/str.h"
#include "core/af_rule_context.h"
#include "core/af_rule_table.h"
#include "core/jdoc.h"

void
af_rule_context_ids(struct af_rule_context *c, const struct jdoc *list)
{
	const char *id;

	c->known = true;
	c->list = mem_grow(c->list, jdoc_len(list) + 1, sizeof(*c->list));
	for (size_t i = 0; i < jdoc_len(list); i++) {
		id = jdoc_str(jdoc_at(list, i));
		if (!id)		/* reported as such */
			continue;
		c->list[c->n] = af_ids_key(id);
		(void)af_ids_add(&c->set, c->list[c->n++], 0);
	}
}

static bool
in_context(const struct af_rule_context *c, uint64_t row)
{
	return row != 0 && af_ids_find(&c->set, row, NULL);
}

static void
add_pair(struct af_rule_context *c, uint64_t call, uint64_t answer)
{
	if (c->known && !in_context(c, call) && !in_context(c, answer))
		return;
	if (c->n_pairs == c->cap_pairs) {
		c->cap_pairs = c->cap_pairs > 0 ? 2 * c->cap_pairs : 64;
		c->pairs = mem_grow(c->pairs, c->cap_pairs,
		    sizeof(*c->pairs));
	}
	c->pairs[c->n_pairs++] = (struct af_rule_pair){ call, answer };
}

static void
add_call(struct af_rule_context *c, uint64_t id, uint64_t row)
{
	size_t i = c->next++ % AF_RULE_WAITING;

	if (c->waiting[i].row != 0)
		add_pair(c, c->waiting[i].row, 0);
	c->waiting[i].id = id;
	c->waiting[i].row = row;
}

static void
add_answer(struct af_rule_context *c, const char *id, uint64_t row)
{
	uint64_t key = af_ids_key(id), call = 0;

	for (size_t i = 0; i < AF_RULE_WAITING; i++) {
		if (c->waiting[i].row != 0 && c->waiting[i].id == key) {
			call = c->waiting[i].row;
			c->waiting[i].row = 0;
		}
	}
	add_pair(c, call, row);
}

void
af_rule_context_row(struct af_rule_context *c, uint64_t key,
    const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role"), *id;
	const struct jdoc *list;

	if (!role)
		return;
	c->has_system = c->has_system || str_eq(role, "system");
	if (str_eq(role, "assistant") || str_eq(role, "approval")) {
		list = jdoc_get(row, "tool_calls");
		for (size_t i = 0; i < jdoc_len(list); i++) {
			id = jdoc_get_str(jdoc_at(list, i), "id");
			if (id)
				add_call(c, af_ids_key(id), key);
		}
	}
	if (!str_eq(role, "tool"))
		return;
	list = jdoc_get(row, "tool_returns");
	for (size_t i = 0; i < jdoc_len(list); i++) {
		id = jdoc_get_str(jdoc_at(list, i), "tool_call_id");
		if (id)
			add_answer(c, id, key);
	}
	id = jdoc_get_str(row, "tool_call_id");
	if (jdoc_len(list) == 0 && id)
		add_answer(c, id, key);
}

/* What is cut off: one notice a row, at its place in the list. */
static int
check_pair(const struct af_rule_context *c, const struct af_rule_pair *pair,
    const struct af_rule_place *place)
{
	bool call = in_context(c, pair->call);
	bool answer = in_context(c, pair->answer);
	uint64_t row = call ? pair->call : pair->answer;
	size_t i;

	if (call == answer)
		return 0;
	for (i = 0; i < c->n && c->list[i] != row; i++)
		;
	return af_rule_say_at(place, call ? RULE_CONTEXT_CALL :
	    RULE_CONTEXT_RETURN, "/%zu", i);
}

static int
check_pairs(const struct af_rule_context *c,
    const struct af_rule_place *place)
{
	struct af_rule_pair open = { 0 };

	for (size_t i = 0; i < c->n_pairs; i++) {
		if (check_pair(c, &c->pairs[i], place) != 0)
			return -1;
	}
	for (size_t i = 0; i < AF_RULE_WAITING; i++) {
		open.call = c->waiting[i].row;
		if (check_pair(c, &open, place) != 0)
			return -1;
	}
	return 0;
}

int
af_rule_context_end(const struct af_rule_context *c,
    const struct af_ids *ids, const struct af_rule_place *place)
{
	unsigned int flags;

	if (c->n == 0)
		return af_rule_say_unless(place, RULE_CONTEXT_EMPTY,
		    !c->has_system);
	for (size_t i = 0; i < c->n; i++) {
		if (!af_ids_find(ids, c->list[i], NULL) &&
		    af_rule_say_at(place, RULE_CONTEXT_UNKNOWN, "/%zu",
		    i) != 0)
			return -1;
	}
	if (af_ids_find(ids, c->list[0], &flags) &&
	    !(flags & AF_IDS_SYSTEM) && af_rule_say_unless(place,
	    RULE_CONTEXT_FIRST, !c->has_system) != 0)
		return -1;
	return check_pairs(c, place);
}

void
af_rule_context_clear(struct af_rule_context *c)
{
	free(c->list);
	free(c->pairs);
	af_ids_clear(&c->set);
	*c = (struct af_rule_context){ 0 };
}
