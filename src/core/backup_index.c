#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/backup_index.h"
#include "core/backup_index_part.h"
#include "core/backup_print.h"
#include "core/jdoc.h"

#define OF(type, member) { #member, offsetof(struct type, member) }

const struct backup_member backup_index_texts[] = {
	OF(backup_index, program), OF(backup_index, begun_at),
	OF(backup_index, ended_at), OF(backup_index, server),
	OF(backup_index, url), OF(backup_index, letta),
	OF(backup_index, refused), { NULL, 0 }
};

const struct backup_member backup_entry_texts[] = {
	OF(backup_entry, id), OF(backup_entry, name), OF(backup_entry, path),
	OF(backup_entry, digest), OF(backup_entry, read_at),
	OF(backup_entry, changed_during), OF(backup_entry, failed),
	{ NULL, 0 }
};

const struct backup_member backup_entry_counts[] = {
	OF(backup_entry, messages), OF(backup_entry, passages),
	OF(backup_entry, blocks), OF(backup_entry, tools),
	OF(backup_entry, conversations), OF(backup_entry, identities),
	OF(backup_entry, losses), { NULL, 0 }
};

char **
backup_text_at(const void *object, const struct backup_member *m)
{
	return (char **)(void *)((char *)(uintptr_t)object + m->offset);
}

uint64_t *
backup_count_at(const void *object, const struct backup_member *m)
{
	return (uint64_t *)(void *)((char *)(uintptr_t)object + m->offset);
}

static void
clear_texts(void *object, const struct backup_member *m)
{
	for (; m->key; m++)
		free(*backup_text_at(object, m));
}

void
backup_entry_clear(struct backup_entry *entry)
{
	clear_texts(entry, backup_entry_texts);
	backup_print_clear(&entry->print);
	*entry = (struct backup_entry){ 0 };
}

static void
clear_shared(struct backup_shared *shared)
{
	for (size_t i = 0; i < shared->n_agents; i++)
		free(shared->agents[i]);
	free(shared->agents);
	free(shared->block);
}

void
backup_index_clear(struct backup_index *index)
{
	clear_texts(index, backup_index_texts);
	for (size_t i = 0; i < index->n_entries; i++)
		backup_entry_clear(&index->entries[i]);
	for (size_t i = 0; i < index->n_shared; i++)
		clear_shared(&index->shared[i]);
	free(index->entries);
	free(index->shared);
	jdoc_free(index->rest);
	id_table_clear(&index->by_id);
	*index = (struct backup_index){ 0 };
}

const struct backup_entry *
backup_index_find(const struct backup_index *index, const char *id)
{
	size_t at;

	return id_table_find(&index->by_id, id, &at) ? &index->entries[at] :
	    NULL;
}

/* Doubled each time that it is full. */
static void
make_room(struct backup_index *index)
{
	const size_t n = index->n_entries;

	if ((n & (n - 1)) == 0)
		index->entries = mem_grow(index->entries, n ? 2 * n : 1,
		    sizeof(*index->entries));
}

struct backup_entry *
backup_index_add(struct backup_index *index, const char *id)
{
	char *own = mem_strdup(id);
	struct backup_entry *entry;
	size_t at;

	if (id_table_find(&index->by_id, own, &at)) {
		entry = &index->entries[at];
		backup_entry_clear(entry);
	} else {
		(void)id_table_add(&index->by_id, own, index->n_entries);
		make_room(index);
		entry = &index->entries[index->n_entries++];
		*entry = (struct backup_entry){ 0 };
	}
	entry->id = own;
	return entry;
}

void
backup_index_keep(struct backup_index *index,
    bool (*keep)(const struct backup_entry *))
{
	size_t kept = 0;

	id_table_clear(&index->by_id);
	for (size_t i = 0; i < index->n_entries; i++) {
		if (!keep(&index->entries[i])) {
			backup_entry_clear(&index->entries[i]);
			continue;
		}
		(void)id_table_add(&index->by_id, index->entries[i].id, kept);
		index->entries[kept++] = index->entries[i];
	}
	index->n_entries = kept;
}

static void
put_texts(struct jdoc *doc, const void *object, const struct backup_member *m)
{
	for (; m->key; m++) {
		if (*backup_text_at(object, m))
			jdoc_set_str(doc, m->key, *backup_text_at(object, m));
	}
}

static struct jdoc *
print_doc(const struct backup_print *print)
{
	struct jdoc *doc = jdoc_new_object();

	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		if (print->marks[i])
			jdoc_set_str(doc, backup_mark_key((enum backup_mark)i),
			    print->marks[i]);
	}
	return doc;
}

static struct jdoc *
entry_doc(const struct backup_entry *entry)
{
	struct jdoc *doc = jdoc_new_object();
	const struct backup_member *m;

	put_texts(doc, entry, backup_entry_texts);
	for (m = backup_entry_counts; m->key && entry->path; m++)
		jdoc_set(doc, m->key,
		    jdoc_new_int((int64_t)*backup_count_at(entry, m)));
	if (entry->gone)
		jdoc_set(doc, "gone", jdoc_new_bool(true));
	jdoc_set(doc, "fingerprint", print_doc(&entry->print));
	return doc;
}

static struct jdoc *
shared_doc(const struct backup_shared *shared)
{
	struct jdoc *doc = jdoc_new_object(), *agents = jdoc_new_array();

	for (size_t i = 0; i < shared->n_agents; i++)
		jdoc_push(agents, jdoc_new_str(shared->agents[i]));
	jdoc_set_str(doc, "block", shared->block);
	jdoc_set(doc, "agents", agents);
	return doc;
}

void
backup_index_write(const struct backup_index *index, struct buf *out)
{
	struct jdoc *doc = jdoc_new_object(), *list = jdoc_new_array();
	struct jdoc_member member = { 0 };

	jdoc_set(doc, "format", jdoc_new_int(BACKUP_FORMAT));
	put_texts(doc, index, backup_index_texts);
	for (size_t i = 0; i < index->n_entries; i++)
		jdoc_push(list, entry_doc(&index->entries[i]));
	jdoc_set(doc, "agents", list);
	list = jdoc_new_array();
	for (size_t i = 0; i < index->n_shared; i++)
		jdoc_push(list, shared_doc(&index->shared[i]));
	jdoc_set(doc, "shared_blocks", list);
	while (jdoc_next(index->rest, &member)) {
		if (!jdoc_has(doc, member.key))
			jdoc_set(doc, member.key, jdoc_copy(member.value));
	}
	jdoc_write(doc, out);
	buf_char(out, '\n');
	jdoc_free(doc);
}
