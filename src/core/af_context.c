#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_context.h"
#include "core/jdoc.h"

#define NONE UINT64_MAX
/* Calls in context whose return may still pass. */
#define OPEN_MAX 64

struct entry {
	char *id;		/* at the source */
	size_t position;	/* in the source's list */
	uint64_t number;	/* of the row in the file, or NONE */
	bool is_system, is_return;
	bool dropped;
	struct jdoc *calls;	/* ids it makes, or answers; may be NULL */
};

struct open_call {
	const char *id;		/* lent by its entry */
	size_t position;	/* of the entry */
};

/* A return that is not in the source's list, and the call that is. */
struct added {
	size_t position;	/* of the call's entry */
	uint64_t number;	/* of the return's row */
};

struct af_context {
	struct entry *entries;	/* sorted by id, then by position */
	size_t n;
	uint64_t first_system;
	struct open_call open[OPEN_MAX];
	size_t n_open;
	struct added *added;
	size_t n_added, room;
};

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	if (order != 0)
		return order;
	return x->position < y->position ? -1 : x->position > y->position;
}

static int
by_position(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->position < y->position ? -1 : x->position > y->position;
}

/* An id that the list names twice keeps its first place. */
static void
drop_doubles(struct af_context *c)
{
	size_t from, to = 0;

	for (from = 0; from < c->n; from++) {
		if (to > 0 && str_eq(c->entries[to - 1].id,
		    c->entries[from].id))
			free(c->entries[from].id);
		else
			c->entries[to++] = c->entries[from];
	}
	c->n = to;
}

struct af_context *
af_context_new(const struct jdoc *ids, struct err *err)
{
	struct af_context *c;
	const char *id;
	size_t i, n = jdoc_len(ids);

	if (n > AF_CONTEXT_MAX) {
		err_set(err, ERR_DATA, "message_ids: %zu messages in context, "
		    "more than %d", n, AF_CONTEXT_MAX);
		return NULL;
	}
	c = mem_zero(1, sizeof(*c));
	c->entries = mem_zero(n + 1, sizeof(*c->entries));
	c->first_system = NONE;
	for (i = 0; i < n; i++) {
		id = jdoc_str(jdoc_at(ids, i));
		if (!id) {
			err_set(err, ERR_DATA, "message_ids: /%zu is not "
			    "text", i);
			af_context_free(c);
			return NULL;
		}
		c->entries[c->n++] = (struct entry){
			.id = mem_strdup(id), .position = i, .number = NONE,
		};
	}
	qsort(c->entries, c->n, sizeof(*c->entries), by_id);
	drop_doubles(c);
	return c;
}

void
af_context_free(struct af_context *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->n; i++) {
		free(c->entries[i].id);
		jdoc_free(c->entries[i].calls);
	}
	free(c->entries);
	free(c->added);
	free(c);
}

static struct entry *
find(struct af_context *c, const char *id)
{
	size_t low = 0, high = c->n, middle;
	int order;

	while (id && low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(id, c->entries[middle].id);
		if (order == 0)
			return &c->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void
push_id(struct jdoc *list, const struct jdoc *id)
{
	if (jdoc_str(id))
		jdoc_push(list, jdoc_copy(id));
}

/* The ids of the calls that a row makes or, for a tool's row, answers. */
static struct jdoc *
calls_of(const struct jdoc *row, bool is_return)
{
	const struct jdoc *list = jdoc_get(row, is_return ? "tool_returns" :
	    "tool_calls");
	struct jdoc *ids = jdoc_new_array();
	size_t i;

	for (i = 0; i < jdoc_len(list); i++)
		push_id(ids, jdoc_get(jdoc_at(list, i),
		    is_return ? "tool_call_id" : "id"));
	if (is_return && jdoc_len(ids) == 0)
		push_id(ids, jdoc_get(row, "tool_call_id"));
	return ids;
}

static void
open_calls(struct af_context *c, const struct entry *e)
{
	const char *id;
	size_t i;

	for (i = 0; i < jdoc_len(e->calls); i++) {
		id = jdoc_str(jdoc_at(e->calls, i));
		if (c->n_open == OPEN_MAX)	/* the oldest is given up */
			memmove(c->open, c->open + 1,
			    --c->n_open * sizeof(c->open[0]));
		c->open[c->n_open++] = (struct open_call){ id, e->position };
	}
}

/* Whether a call of this id was open; the place of its row in the list. */
static bool
close_call(struct af_context *c, const char *id, size_t *position)
{
	size_t i;

	for (i = 0; i < c->n_open && !str_eq(c->open[i].id, id); i++)
		;
	if (i == c->n_open)
		return false;
	*position = c->open[i].position;
	c->n_open--;
	memmove(c->open + i, c->open + i + 1,
	    (c->n_open - i) * sizeof(c->open[0]));
	return true;
}

static void
add_return(struct af_context *c, size_t position, uint64_t number)
{
	if (c->n_added > 0 && c->added[c->n_added - 1].number == number)
		return;
	if (c->n_added == c->room) {
		c->room = c->room == 0 ? 16 : c->room * 2;
		c->added = mem_grow(c->added, c->room, sizeof(*c->added));
	}
	c->added[c->n_added++] = (struct added){ position, number };
}

/*
 * A tool's row passes.  When a call in context gets its return by it and the
 * row is not in context, it is taken in behind the call.
 */
static void
close_calls(struct af_context *c, const struct jdoc *row, uint64_t number,
    bool in_context)
{
	struct jdoc *ids;
	size_t i, position;

	if (c->n_open == 0)
		return;
	ids = calls_of(row, true);
	for (i = 0; i < jdoc_len(ids); i++) {
		if (close_call(c, jdoc_str(jdoc_at(ids, i)), &position) &&
		    !in_context)
			add_return(c, position, number);
	}
	jdoc_free(ids);
}

void
af_context_row(struct af_context *c, uint64_t number, const char *id,
    const char *merged_id, const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role");
	struct entry *e = find(c, id), *merged = find(c, merged_id);
	bool is_system = role && str_eq(role, "system");
	bool is_return = role && str_eq(role, "tool");

	if (is_system && c->first_system == NONE)
		c->first_system = number;
	/* Both halves stand for one row: it is listed once. */
	if (merged && e) {
		merged->dropped = true;
		merged->number = number;
	} else if (merged) {
		e = merged;
	}
	if (is_return)
		close_calls(c, row, number, e != NULL);
	if (!e || e->number != NONE)
		return;
	e->number = number;
	e->is_system = is_system;
	e->is_return = is_return;
	if (is_return || jdoc_len(jdoc_get(row, "tool_calls")) > 0)
		e->calls = calls_of(row, is_return);
	if (!is_return)
		open_calls(c, e);
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/*
 * Returns whose call is not in context: a model is refused such a context by
 * its provider, and a call is never separated from what came of it.
 */
static void
drop_orphans(struct af_context *c, struct af_stats *stats)
{
	const char **made, *id;
	size_t n = 0, room = 0, i, k;
	struct entry *e;

	for (i = 0; i < c->n; i++)
		room += jdoc_len(c->entries[i].calls);
	made = mem_zero(room + 1, sizeof(*made));
	for (i = 0; i < c->n; i++) {
		e = &c->entries[i];
		for (k = 0; !e->is_return && k < jdoc_len(e->calls); k++)
			made[n++] = jdoc_str(jdoc_at(e->calls, k));
	}
	qsort(made, n, sizeof(*made), by_text);
	for (i = 0; i < c->n; i++) {
		e = &c->entries[i];
		for (k = 0; e->is_return && !e->dropped &&
		    k < jdoc_len(e->calls); k++) {
			id = jdoc_str(jdoc_at(e->calls, k));
			if (!bsearch(&id, made, n, sizeof(*made), by_text)) {
				e->dropped = true;
				stats->returns_dropped++;
			}
		}
	}
	free(made);
}

static void
write_id(struct buf *out, uint64_t number, bool *first)
{
	buf_printf(out, "%s\"message-%" PRIu64 "\"", *first ? "" : ",",
	    number);
	*first = false;
}

static int
by_call(const void *a, const void *b)
{
	const struct added *x = a, *y = b;

	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The returns that are taken in behind a call; *next is of c->added. */
static void
write_added(const struct af_context *c, const struct entry *call,
    size_t *next, struct buf *out, bool *first, struct af_stats *stats)
{
	while (*next < c->n_added &&
	    c->added[*next].position <= call->position) {
		if (c->added[*next].position == call->position) {
			write_id(out, c->added[*next].number, first);
			stats->context_kept++;
			stats->returns_added++;
		}
		*next += 1;
	}
}

static void
write_list(const struct af_context *c, struct buf *out,
    struct af_stats *stats)
{
	const struct entry *e;
	bool first = true, begun = false;
	size_t i, next = 0;

	buf_char(out, '[');
	for (i = 0; i < c->n; i++) {
		e = &c->entries[i];
		if (e->number == NONE)
			stats->context_missing++;
		if (e->number == NONE || e->dropped)
			continue;
		if (!begun && !e->is_system) {
			write_id(out, c->first_system, &first);
			stats->context_kept++;
			stats->system_added = true;
		} else if (stats->system_added &&
		    e->number == c->first_system) {
			continue;	/* stands in front already */
		}
		begun = true;
		write_id(out, e->number, &first);
		stats->context_kept++;
		write_added(c, e, &next, out, &first, stats);
	}
	if (!begun) {
		write_id(out, c->first_system, &first);
		stats->context_kept++;
		stats->system_added = true;
	}
	buf_char(out, ']');
}

int
af_context_write(struct af_context *c, struct buf *out,
    struct af_stats *stats, struct err *err)
{
	if (c->first_system == NONE)
		return err_set(err, ERR_DATA, "the history has no system "
		    "row: an agent without one cannot be given a context");
	qsort(c->entries, c->n, sizeof(*c->entries), by_position);
	if (c->n_added > 0)
		qsort(c->added, c->n_added, sizeof(*c->added), by_call);
	drop_orphans(c, stats);
	stats->context_wanted = c->n;
	write_list(c, out, stats);
	return 0;
}
