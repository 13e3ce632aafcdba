#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_index.h"
#include "core/backup_index_part.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/jscan.h"
#include "core/letta.h"
#include "core/shown.h"

/* "/KEY: `text' is no ...", with a text from anywhere. */
static int
refuse(const char *pointer, const char *text, const char *what,
    struct err *err)
{
	struct buf shown = BUF_INIT(1024);

	shown_text(&shown, text ? text : "", text ? strlen(text) : 0, 80);
	(void)err_set(err, ERR_DATA, "%s: `%s' %s", pointer, buf_cstr(&shown),
	    what);
	buf_clear(&shown);
	return -1;
}

/* Before "/KEY: ..." stands the list that it is of: one JSON pointer. */
static int
place(struct err *err, const char *list, size_t i)
{
	char rest[ERR_TEXT_MAX];

	(void)snprintf(rest, sizeof(rest), "%s", err->text);
	return err_set(err, err->kind, "/%s/%zu%s", list, i, rest);
}

/* A member that may be absent, and is of this type when it is there. */
static int
check_type(const struct jdoc *doc, const char *key, enum jdoc_type type,
    const char *what, struct err *err)
{
	if (!jdoc_has(doc, key) || jdoc_type(jdoc_get(doc, key)) == type)
		return 0;
	return err_set(err, ERR_DATA, "/%s: it is no %s", key, what);
}

static int
read_texts(const struct jdoc *doc, void *object,
    const struct backup_member *m, struct err *err)
{
	const char *text;

	for (; m->key; m++) {
		if (check_type(doc, m->key, JDOC_STRING, "text", err) != 0)
			return -1;
		text = jdoc_get_str(doc, m->key);
		free(*backup_text_at(object, m));
		*backup_text_at(object, m) = text ? mem_strdup(text) : NULL;
	}
	return 0;
}

/* A number of digits alone: neither -1 nor 1.5 nor 1e300. */
static bool
is_count(const struct jdoc *number, uint64_t max, uint64_t *out)
{
	struct buf text = BUF_INIT(4096);
	bool is = false;

	if (jdoc_type(number) == JDOC_NUMBER) {
		jdoc_write(number, &text);
		is = str_u64(buf_cstr(&text), max, out);
	}
	buf_clear(&text);
	return is;
}

static int
read_counts(const struct jdoc *doc, struct backup_entry *entry,
    struct err *err)
{
	const struct backup_member *m;

	for (m = backup_entry_counts; m->key; m++) {
		if (jdoc_has(doc, m->key) && !is_count(jdoc_get(doc, m->key),
		    BACKUP_COUNT_MAX, backup_count_at(entry, m)))
			return err_set(err, ERR_DATA, "/%s: it is no count",
			    m->key);
	}
	return 0;
}

static int
read_print(const struct jdoc *doc, struct backup_print *print,
    struct err *err)
{
	const struct jdoc *marks = jdoc_get(doc, "fingerprint");
	const char *key, *mark;

	if (check_type(doc, "fingerprint", JDOC_OBJECT, "object", err) != 0)
		return -1;
	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		key = backup_mark_key((enum backup_mark)i);
		if (check_type(marks, key, JDOC_STRING, "text", err) != 0)
			return err_set(err, ERR_DATA, "/fingerprint/%s: it "
			    "is no text", key);
		mark = jdoc_get_str(marks, key);
		print->marks[i] = mark ? mem_strdup(mark) : NULL;
	}
	return 0;
}

/* Its bundle is where its id says, and nowhere else. */
static int
check_path(const struct backup_entry *entry, struct err *err)
{
	const size_t len = strlen(BACKUP_AGENTS);

	if (!entry->path || (str_starts(entry->path, BACKUP_AGENTS) &&
	    str_eq(entry->path + len, entry->id)))
		return 0;
	return err_set(err, ERR_DATA, "/path: the path of its bundle is not "
	    BACKUP_AGENTS "%s", entry->id);
}

static int
read_entry(const struct jdoc *doc, struct backup_index *index,
    struct err *err)
{
	const char *id = jdoc_get_str(doc, "id");
	const struct jdoc *gone = jdoc_get(doc, "gone");
	struct backup_entry *entry;

	/* Bytes behind a U+0000 would be in the file and in no path. */
	if (!id || !letta_id_ok(id, "agent-") ||
	    strlen(id) != jdoc_str_len(jdoc_get(doc, "id")))
		return refuse("/id", id, "is not the id of an agent", err);
	if (backup_index_find(index, id))
		return err_set(err, ERR_DATA, "/id: %s is there twice", id);
	entry = backup_index_add(index, id);
	if (read_texts(doc, entry, backup_entry_texts, err) != 0 ||
	    read_counts(doc, entry, err) != 0 ||
	    read_print(doc, &entry->print, err) != 0 ||
	    check_type(doc, "gone", JDOC_BOOL, "true or false", err) != 0)
		return -1;
	entry->gone = jdoc_bool(gone);
	return check_path(entry, err);
}

/* An id of whatever kind, as a server makes them: fit for one line. */
static bool
is_id(const struct jdoc *doc)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const char *id = jdoc_str(doc);
	size_t len = jdoc_str_len(doc);

	return id && len > 0 && len < LETTA_ID_SIZE &&
	    strspn(id, letters) == len;
}

static int
read_shared(const struct jdoc *doc, struct backup_index *index,
    struct err *err)
{
	const struct jdoc *agents = jdoc_get(doc, "agents");
	const struct jdoc *block = jdoc_get(doc, "block");
	struct backup_shared *shared;

	if (!is_id(block))
		return refuse("/block", jdoc_str(block), "is no id", err);
	if (check_type(doc, "agents", JDOC_ARRAY, "list", err) != 0)
		return -1;
	index->shared = mem_grow(index->shared, index->n_shared + 1,
	    sizeof(*index->shared));
	shared = &index->shared[index->n_shared++];
	*shared = (struct backup_shared){
		.block = mem_strdup(jdoc_str(block)),
		.agents = mem_zero(jdoc_len(agents) + 1,
		    sizeof(*shared->agents)),
	};
	for (size_t i = 0; i < jdoc_len(agents); i++) {
		if (!is_id(jdoc_at(agents, i))) {
			(void)refuse("", jdoc_str(jdoc_at(agents, i)),
			    "is no id", err);
			return place(err, "agents", i);
		}
		shared->agents[shared->n_agents++] =
		    mem_strdup(jdoc_str(jdoc_at(agents, i)));
	}
	return 0;
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
read_lists(const struct jdoc *doc, struct backup_index *index,
    struct err *err)
{
	const struct jdoc *agents = jdoc_get(doc, "agents");
	const struct jdoc *shared = jdoc_get(doc, "shared_blocks");

	for (size_t i = 0; i < jdoc_len(agents); i++) {
		if (read_entry(jdoc_at(agents, i), index, err) != 0)
			return place(err, "agents", i);
	}
	if (check_type(doc, "shared_blocks", JDOC_ARRAY, "list", err) != 0)
		return -1;
	for (size_t i = 0; i < jdoc_len(shared); i++) {
		if (read_shared(jdoc_at(shared, i), index, err) != 0)
			return place(err, "shared_blocks", i);
	}
	return 0;
}

static int
check_format(const struct jdoc *doc, struct err *err)
{
	const struct jdoc *format = jdoc_get(doc, "format");
	struct buf text = BUF_INIT(4096);
	uint64_t number;

	if (jdoc_type(format) != JDOC_NUMBER ||
	    jdoc_type(jdoc_get(doc, "agents")) != JDOC_ARRAY)
		return err_set(err, ERR_DATA, "no index of a backup");
	if (!is_count(format, UINT64_MAX, &number) ||
	    number != BACKUP_FORMAT) {
		jdoc_write(format, &text);
		(void)err_set(err, ERR_DATA, "/format: it is format %.40s; "
		    "this program knows %d", buf_cstr(&text), BACKUP_FORMAT);
		buf_clear(&text);
		return -1;
	}
	if (jdoc_len(jdoc_get(doc, "agents")) > BACKUP_AGENTS_MAX)
		return err_set(err, ERR_DATA, "/agents: more than %d agents",
		    BACKUP_AGENTS_MAX);
	return 0;
}

/* Before a tree is made of it, which may take many times its bytes. */
static int
check_size(const char *text, size_t len, struct err *err)
{
	struct jscan_count count;

	if (jscan_check(text, len, NULL, &count, err) != 0)
		return -1;
	if (count.containers > BACKUP_INDEX_CONTAINERS ||
	    count.values > BACKUP_INDEX_VALUES)
		return err_set(err, ERR_DATA, "%zu arrays and objects and %zu "
		    "values; an index has at most %d and %d",
		    count.containers, count.values, BACKUP_INDEX_CONTAINERS,
		    BACKUP_INDEX_VALUES);
	return 0;
}

int
backup_index_parse(const char *text, size_t len, struct backup_index *index,
    struct err *err)
{
	struct jdoc *doc = NULL;
	int rc;

	*index = (struct backup_index){ 0 };
	rc = check_size(text, len, err);
	if (rc == 0) {
		doc = jdoc_parse(text, len, err);
		rc = doc ? check_format(doc, err) : -1;
	}
	if (rc == 0)
		rc = read_texts(doc, index, backup_index_texts, err);
	if (rc == 0)
		rc = read_lists(doc, index, err);
	if (rc == 0)
		read_rest(doc, index);
	else
		backup_index_clear(index);
	jdoc_free(doc);
	return rc;
}
