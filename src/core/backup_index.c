#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_index.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/shown.h"

/* Members of a struct by the key that they have in the file. */
struct member {
	const char *key;
	size_t offset;
};

#define OF(type, member) { #member, offsetof(struct type, member) }

static const struct member index_texts[] = {
	OF(backup_index, program), OF(backup_index, begun_at),
	OF(backup_index, ended_at), OF(backup_index, server),
	OF(backup_index, url), OF(backup_index, letta),
	OF(backup_index, refused), { NULL, 0 }
};

static const struct member entry_texts[] = {
	OF(backup_entry, id), OF(backup_entry, name), OF(backup_entry, path),
	OF(backup_entry, digest), OF(backup_entry, read_at),
	OF(backup_entry, changed_during), OF(backup_entry, failed),
	{ NULL, 0 }
};

static const struct member entry_counts[] = {
	OF(backup_entry, messages), OF(backup_entry, passages),
	OF(backup_entry, blocks), OF(backup_entry, tools),
	OF(backup_entry, conversations), OF(backup_entry, identities),
	OF(backup_entry, losses), { NULL, 0 }
};

static char **
text_at(const void *object, const struct member *m)
{
	return (char **)(void *)((char *)(uintptr_t)object + m->offset);
}

static uint64_t *
count_at(const void *object, const struct member *m)
{
	return (uint64_t *)(void *)((char *)(uintptr_t)object + m->offset);
}

static void
clear_texts(void *object, const struct member *m)
{
	for (; m->key; m++)
		free(*text_at(object, m));
}

void
backup_entry_clear(struct backup_entry *entry)
{
	clear_texts(entry, entry_texts);
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
	clear_texts(index, index_texts);
	for (size_t i = 0; i < index->n_entries; i++)
		backup_entry_clear(&index->entries[i]);
	for (size_t i = 0; i < index->n_shared; i++)
		clear_shared(&index->shared[i]);
	free(index->entries);
	free(index->shared);
	jdoc_free(index->rest);
	*index = (struct backup_index){ 0 };
}

const struct backup_entry *
backup_index_find(const struct backup_index *index, const char *id)
{
	for (size_t i = 0; i < index->n_entries; i++) {
		if (str_eq(index->entries[i].id, id))
			return &index->entries[i];
	}
	return NULL;
}

struct backup_entry *
backup_index_add(struct backup_index *index, const char *id)
{
	const struct backup_entry *found = backup_index_find(index, id);
	char *own = mem_strdup(id);
	struct backup_entry *entry;

	if (found) {
		entry = &index->entries[found - index->entries];
		backup_entry_clear(entry);
	} else {
		index->entries = mem_grow(index->entries,
		    index->n_entries + 1, sizeof(*index->entries));
		entry = &index->entries[index->n_entries++];
		*entry = (struct backup_entry){ 0 };
	}
	entry->id = own;
	return entry;
}

static void
put_texts(struct jdoc *doc, const void *object, const struct member *m)
{
	for (; m->key; m++) {
		if (*text_at(object, m))
			jdoc_set_str(doc, m->key, *text_at(object, m));
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
	const struct member *m;

	put_texts(doc, entry, entry_texts);
	for (m = entry_counts; m->key && entry->path; m++)
		jdoc_set(doc, m->key,
		    jdoc_new_int((int64_t)*count_at(entry, m)));
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
	put_texts(doc, index, index_texts);
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

static void
get_texts(const struct jdoc *doc, void *object, const struct member *m)
{
	const char *text;

	for (; m->key; m++) {
		text = jdoc_get_str(doc, m->key);
		free(*text_at(object, m));
		*text_at(object, m) = text ? mem_strdup(text) : NULL;
	}
}

/* Its bundle is where its id says, and nowhere else. */
static int
check_path(const struct backup_entry *entry, struct err *err)
{
	const size_t len = strlen(BACKUP_AGENTS);

	if (!entry->path || (str_starts(entry->path, BACKUP_AGENTS) &&
	    str_eq(entry->path + len, entry->id)))
		return 0;
	return err_set(err, ERR_DATA, "the path of its bundle is not "
	    BACKUP_AGENTS "%s", entry->id);
}

static int
read_counts(const struct jdoc *doc, struct backup_entry *entry,
    struct err *err)
{
	const struct jdoc *count;

	for (const struct member *m = entry_counts; m->key; m++) {
		count = jdoc_get(doc, m->key);
		if (count && (jdoc_type(count) != JDOC_NUMBER ||
		    jdoc_int(count) < 0))
			return err_set(err, ERR_DATA, "%s is no count",
			    m->key);
		*count_at(entry, m) = (uint64_t)jdoc_int(count);
	}
	return 0;
}

static int
read_entry(const struct jdoc *doc, struct backup_index *index,
    struct err *err)
{
	const char *id = jdoc_get_str(doc, "id"), *mark;
	struct buf shown = BUF_INIT(1024);
	struct backup_entry *entry;
	int rc;

	if (!id || !letta_id_ok(id, "agent-")) {
		shown_text(&shown, id ? id : "", id ? strlen(id) : 0, 80);
		rc = err_set(err, ERR_DATA, "`%s' is not the id of an agent",
		    buf_cstr(&shown));
		buf_clear(&shown);
		return rc;
	}
	if (backup_index_find(index, id))
		return err_set(err, ERR_DATA, "%s is there twice", id);
	entry = backup_index_add(index, id);
	get_texts(doc, entry, entry_texts);
	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		mark = jdoc_get_str(jdoc_get(doc, "fingerprint"),
		    backup_mark_key((enum backup_mark)i));
		entry->print.marks[i] = mark ? mem_strdup(mark) : NULL;
	}
	entry->gone = jdoc_bool(jdoc_get(doc, "gone"));
	rc = read_counts(doc, entry, err);
	if (rc == 0)
		rc = check_path(entry, err);
	return rc != 0 ? err_ctx(err, "%s", id) : 0;
}

static void
read_shared(const struct jdoc *doc, struct backup_index *index)
{
	const struct jdoc *agents = jdoc_get(doc, "agents");
	const char *block = jdoc_get_str(doc, "block"), *id;
	struct backup_shared *shared;

	if (!block)
		return;
	index->shared = mem_grow(index->shared, index->n_shared + 1,
	    sizeof(*index->shared));
	shared = &index->shared[index->n_shared++];
	*shared = (struct backup_shared){ .block = mem_strdup(block) };
	shared->agents = mem_zero(jdoc_len(agents) + 1,
	    sizeof(*shared->agents));
	for (size_t i = 0; i < jdoc_len(agents); i++) {
		id = jdoc_str(jdoc_at(agents, i));
		if (id)
			shared->agents[shared->n_agents++] = mem_strdup(id);
	}
}

/* What the file has beside agents and shared blocks, as it is. */
static void
read_rest(const struct jdoc *doc, struct backup_index *index)
{
	struct jdoc_member member = { 0 };

	index->rest = jdoc_new_object();
	while (jdoc_next(doc, &member)) {
		if (jdoc_type(member.value) == JDOC_ARRAY &&
		    !str_eq(member.key, "agents") &&
		    !str_eq(member.key, "shared_blocks"))
			jdoc_set(index->rest, member.key,
			    jdoc_copy(member.value));
	}
}

static int
read_all(const struct jdoc *doc, struct backup_index *index, struct err *err)
{
	const struct jdoc *agents = jdoc_get(doc, "agents"), *shared;
	const struct jdoc *format = jdoc_get(doc, "format");

	if (jdoc_type(format) != JDOC_NUMBER || jdoc_type(agents) !=
	    JDOC_ARRAY)
		return err_set(err, ERR_DATA, "no index of a backup");
	if (jdoc_int(format) != BACKUP_FORMAT)
		return err_set(err, ERR_DATA, "format %" PRId64 "; this "
		    "program knows %d", jdoc_int(format), BACKUP_FORMAT);
	if (jdoc_len(agents) > BACKUP_AGENTS_MAX)
		return err_set(err, ERR_DATA, "more than %d agents",
		    BACKUP_AGENTS_MAX);
	get_texts(doc, index, index_texts);
	for (size_t i = 0; i < jdoc_len(agents); i++) {
		if (read_entry(jdoc_at(agents, i), index, err) != 0)
			return err_ctx(err, "/agents/%zu", i);
	}
	shared = jdoc_get(doc, "shared_blocks");
	for (size_t i = 0; i < jdoc_len(shared); i++)
		read_shared(jdoc_at(shared, i), index);
	read_rest(doc, index);
	return 0;
}

int
backup_index_parse(const char *text, size_t len, struct backup_index *index,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	int rc = -1;

	*index = (struct backup_index){ 0 };
	if (doc)
		rc = read_all(doc, index, err);
	if (rc != 0)
		backup_index_clear(index);
	jdoc_free(doc);
	return rc;
}
