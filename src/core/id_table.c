#include "base/base.h"

#include <search.h>

#include "base/mem.h"
#include "core/id_table.h"

struct place {
	const char *id;		/* first: what is looked for has no more */
	size_t at;
	char own[];
};

static int
by_id(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->id, y->id);
}

bool
id_table_add(struct id_table *table, const char *id, size_t at)
{
	size_t size = strlen(id) + 1;
	struct place *place;

	if (id_table_find(table, id, NULL))
		return false;
	place = mem_alloc(sizeof(*place) + size);
	memcpy(place->own, id, size);
	place->id = place->own;
	place->at = at;
	if (!tsearch(place, &table->root, by_id))
		abort();	/* out of memory, as in base/mem.h */
	return true;
}

bool
id_table_find(const struct id_table *table, const char *id, size_t *at)
{
	const struct place wanted = { .id = id };
	struct place *const *found;

	found = tfind(&wanted, &table->root, by_id);
	if (found && at)
		*at = (*found)->at;
	return found != NULL;
}

void
id_table_clear(struct id_table *table)
{
	tdestroy(table->root, free);
	table->root = NULL;
}
