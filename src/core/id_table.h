#ifndef CORE_ID_TABLE_H
#define CORE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where in a list of one's own each id stands.
 *
 *     struct id_table table = { 0 };
 *
 *     if (!id_table_add(&table, id, n)) ... it was there ...
 *     if (id_table_find(&table, id, &at)) ... list[at] ...
 *     id_table_clear(&table);
 *
 * It is a balanced tree (tsearch(3)) and no hash: ids come from a file or a
 * server, and no choice of them makes it slow.  Ids are copied.
 */
struct id_table {
	void *root;
};

/* False, and nothing is changed: the id is there. */
bool id_table_add(struct id_table *, const char *id, size_t at);
/* False, and *at is left: it is not there.  at may be NULL. */
bool id_table_find(const struct id_table *, const char *id, size_t *at);
void id_table_clear(struct id_table *);

#endif /* !CORE_ID_TABLE_H */
