#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_rule_link.h"
#include "core/af_rule_table.h"
#include "core/jdoc.h"

/* What names other parts: lists of ids, or of objects with one. */
static const struct kind {
	const char *key;
	const char *member;
} kinds[] = {
	{ "block_ids", NULL },
	{ "tool_ids", NULL },
	{ "source_ids", NULL },
	{ "files_agents", "file_id" },
	{ "files_agents", "source_id" }
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define KIND_BLOCK 0
#define KIND_FILE KINDS	/* source_id of a file */

/* Make room for one more of size bytes each. */
static int
make_room(void **list, size_t n, size_t *cap, size_t size, struct err *err)
{
	if (n == AF_RULE_LINKS_MAX)
		return err_set(err, ERR_DATA, "agent file: more than %d "
		    "references or blocks", AF_RULE_LINKS_MAX);
	if (n == *cap) {
		*cap = *cap > 0 ? 2 * *cap : 32;
		*list = mem_grow(*list, *cap, size);
	}
	return 0;
}

static int
add_link(struct af_rule_links *l, size_t kind, uint64_t agent, size_t item,
    const char *id, struct err *err)
{
	void *list = l->links;

	if (!id)			/* reported as such */
		return 0;
	if (make_room(&list, l->n, &l->cap, sizeof(*l->links), err) != 0)
		return -1;
	l->links = list;
	l->links[l->n++] = (struct af_rule_link){
		.target = af_ids_key(id), .agent = agent,
		.item = (uint32_t)item, .kind = (uint8_t)kind,
	};
	return 0;
}

int
af_rule_links_member(struct af_rule_links *l, const char *key,
    uint64_t agent, const struct jdoc *value, struct err *err)
{
	const struct jdoc *item;
	const char *id;

	for (size_t k = 0; k < KINDS; k++) {
		if (!str_eq(kinds[k].key, key))
			continue;
		for (size_t i = 0; i < jdoc_len(value); i++) {
			item = jdoc_at(value, i);
			id = kinds[k].member ?
			    jdoc_get_str(item, kinds[k].member) :
			    jdoc_str(item);
			if (add_link(l, k, agent, i, id, err) != 0)
				return -1;
		}
	}
	return 0;
}

int
af_rule_links_item(struct af_rule_links *l, const char *key, uint64_t item,
    const struct jdoc *value, struct err *err)
{
	const char *label = jdoc_get_str(value, "label");
	const char *id = jdoc_get_str(value, "id");
	void *list = l->blocks;

	if (str_eq(key, "files"))
		return add_link(l, KIND_FILE, item, 0,
		    jdoc_get_str(value, "source_id"), err);
	if (!str_eq(key, "blocks") || !label || !id)
		return 0;
	if (make_room(&list, l->n_blocks, &l->cap_blocks,
	    sizeof(*l->blocks), err) != 0)
		return -1;
	l->blocks = list;
	l->blocks[l->n_blocks++] = (struct af_rule_block){
		af_ids_key(id), af_ids_key(label)
	};
	return 0;
}

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
by_id(const void *a, const void *b)
{
	const struct af_rule_block *x = a, *y = b;

	return compare(x->id, y->id);
}

/* Links to blocks of one label beside each other, by agent and in order. */
static int
by_label(const void *a, const void *b)
{
	const struct af_rule_link *x = a, *y = b;
	int order = compare(x->agent, y->agent);

	if (order == 0)
		order = compare(x->kind, y->kind);
	if (order == 0)
		order = compare(x->label, y->label);
	return order != 0 ? order : compare(x->item, y->item);
}

static int
say(const struct af_rule_link *link, enum af_rule_id rule,
    const struct af_rule_report *report, struct err *err)
{
	struct af_rule_place place = {
		.at = "", .report = report, .err = err,
	};
	const char *member;

	if (link->kind == KIND_FILE)
		return af_rule_say_at(&place, rule, "/files/%" PRIu64
		    "/source_id", link->agent);
	member = kinds[link->kind].member;
	return af_rule_say_at(&place, rule, "/agents/%" PRIu64 "/%s/%" PRIu32
	    "%s%s", link->agent, kinds[link->kind].key, link->item,
	    member ? "/" : "", member ? member : "");
}

static void
find_labels(struct af_rule_links *l)
{
	const struct af_rule_block *block;
	struct af_rule_block key = { 0 };

	if (l->n_blocks == 0)
		return;
	qsort(l->blocks, l->n_blocks, sizeof(*l->blocks), by_id);
	for (size_t i = 0; i < l->n; i++) {
		if (l->links[i].kind != KIND_BLOCK)
			continue;
		key.id = l->links[i].target;
		block = bsearch(&key, l->blocks, l->n_blocks,
		    sizeof(*l->blocks), by_id);
		l->links[i].label = block ? block->label : 0;
	}
}

/* Whether this link attaches a second block of the label before it. */
static bool
is_second(const struct af_rule_link *link, const struct af_rule_link *before)
{
	return link->kind == KIND_BLOCK && before->kind == KIND_BLOCK &&
	    link->agent == before->agent && link->label != 0 &&
	    link->label == before->label && link->target != before->target;
}

int
af_rule_links_end(struct af_rule_links *l, const struct af_ids *ids,
    const struct af_rule_report *report, struct err *err)
{
	find_labels(l);
	if (l->n > 0)
		qsort(l->links, l->n, sizeof(*l->links), by_label);
	for (size_t i = 0; i < l->n; i++) {
		if (!af_ids_find(ids, l->links[i].target, NULL) &&
		    say(&l->links[i], RULE_REFERENCE, report, err) != 0)
			return -1;
		if (i > 0 && is_second(&l->links[i], &l->links[i - 1]) &&
		    say(&l->links[i], RULE_BLOCK_TWICE, report, err) != 0)
			return -1;
	}
	return 0;
}

void
af_rule_links_clear(struct af_rule_links *l)
{
	free(l->links);
	free(l->blocks);
	*l = (struct af_rule_links){ 0 };
}
