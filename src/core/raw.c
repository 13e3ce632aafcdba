#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/raw.h"
#include "core/verdict_row.h"

/* What only a listing tells of a row. */
static const char *const listed_keys[] = {
	"step_id", "run_id", "sender_id", "is_err"
};

/* A listed row that was pulled and not yet taken or passed over. */
struct seen {
	char id[LETTA_ID_SIZE];
	char *canonical;
	size_t bytes;
	struct jdoc *keys;	/* listed_keys of it */
};

struct raw_align {
	struct raw_source source;
	struct raw_counts counts;
	struct seen window[RAW_WINDOW];	/* a ring, from at */
	size_t at, n, bytes;
	bool ended;		/* listed has given its last */
	bool has_system;	/* a system row was pulled */
	bool has_user;		/* ... one of a user */
};

/*
 * Without its sender, which an export leaves out (0.16.2 and 0.16.8, seen) and
 * the row that both are together has from the listing.
 */
static int
canonical_of(const struct jdoc *row, struct buf *out, struct err *err)
{
	struct jdoc *copy = NULL;
	int rc;

	buf_truncate(out, 0);
	if (jdoc_get_str(row, "sender_id")) {
		copy = jdoc_copy(row);
		jdoc_remove(copy, "sender_id");
	}
	rc = verdict_row_canonical(copy ? copy : row, out, err);
	jdoc_free(copy);
	return rc;
}

static void
carry(struct jdoc *to, const struct jdoc *from)
{
	size_t i;

	for (i = 0; i < sizeof(listed_keys) / sizeof(listed_keys[0]); i++) {
		if (jdoc_type(jdoc_get(from, listed_keys[i])) != JDOC_NULL &&
		    jdoc_type(jdoc_get(to, listed_keys[i])) == JDOC_NULL)
			jdoc_set(to, listed_keys[i], jdoc_copy(jdoc_get(from,
			    listed_keys[i])));
	}
}

/* The body of both together. */
static int
write_placed(const struct jdoc *raw, const struct jdoc *listed,
    struct buf *out, struct err *err)
{
	struct jdoc *row = jdoc_copy(raw);

	jdoc_remove(row, "id");
	jdoc_remove(row, "agent_id");
	carry(row, listed);
	jdoc_write(row, out);
	jdoc_free(row);
	return buf_check(out, "raw row", err);
}

int
raw_place(const struct jdoc *raw, const char *body, size_t len,
    struct buf *out, bool *same, struct err *err)
{
	struct buf a = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf b = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *listed = jdoc_parse(body, len, err);
	int rc = -1;

	*same = false;
	if (listed && canonical_of(raw, &a, err) == 0 &&
	    canonical_of(listed, &b, err) == 0) {
		*same = str_eq(buf_cstr(&a), buf_cstr(&b));
		rc = *same ? write_placed(raw, listed, out, err) : 0;
	}
	buf_clear(&a);
	buf_clear(&b);
	jdoc_free(listed);
	return rc;
}

struct raw_align *
raw_align_new(const struct raw_source *source)
{
	struct raw_align *a = mem_zero(1, sizeof(*a));

	a->source = *source;
	return a;
}

static struct seen *
seen_at(struct raw_align *a, size_t i)
{
	return &a->window[(a->at + i) % RAW_WINDOW];
}

static void
drop_first(struct raw_align *a)
{
	struct seen *first = seen_at(a, 0);

	free(first->canonical);
	jdoc_free(first->keys);
	a->bytes -= first->bytes;
	memset(first, 0, sizeof(*first));
	a->at = (a->at + 1) % RAW_WINDOW;
	a->n--;
}

void
raw_align_free(struct raw_align *a)
{
	if (!a)
		return;
	while (a->n > 0)
		drop_first(a);
	free(a);
}

/* Whether a file of version 1 can hold this listed row. */
static bool
is_candidate(struct raw_align *a, const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role");
	bool first_system;

	if (!a->source.legacy || !role)
		return true;
	if (str_eq(role, "system")) {
		first_system = !a->has_system;
		a->has_system = true;
		return first_system;
	}
	a->has_user |= str_eq(role, "user");
	return a->has_user;
}

static int
remember(struct raw_align *a, const char *id, const struct jdoc *row,
    struct err *err)
{
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct seen *seen = seen_at(a, a->n);

	if (strlen(id) >= sizeof(seen->id))
		return err_set(err, ERR_DATA, "id of %zu bytes", strlen(id));
	if (canonical_of(row, &text, err) != 0) {
		buf_clear(&text);
		return err_ctx(err, "row %s", id);
	}
	memcpy(seen->id, id, strlen(id) + 1);
	seen->bytes = text.len;
	seen->canonical = buf_take(&text);
	seen->keys = jdoc_new_object();
	carry(seen->keys, row);
	a->bytes += seen->bytes;
	a->n++;
	return 0;
}

/* One more listed row into the window, if there is one. */
static int
pull(struct raw_align *a, struct err *err)
{
	const char *id, *body;
	struct jdoc *row;
	size_t len;
	int more, rc = 0;

	more = a->source.listed(a->source.ctx, &id, &body, &len, err);
	if (more <= 0) {
		a->ended = true;
		return more;
	}
	row = jdoc_parse(body, len, err);
	if (!row)
		return err_ctx(err, "staged row %s", id);
	if (is_candidate(a, row))
		rc = remember(a, id, row, err);
	jdoc_free(row);
	return rc;
}

/* The place in the window of the first row with this text; -1: none. */
static int
find(struct raw_align *a, const char *canonical, ptrdiff_t *place,
    struct err *err)
{
	size_t i = 0;

	*place = -1;

	for (;;) {
		for (; i < a->n; i++) {
			if (str_eq(seen_at(a, i)->canonical, canonical)) {
				*place = (ptrdiff_t)i;
				return 0;
			}
		}
		if (a->ended || a->n == RAW_WINDOW || (a->n > 0 &&
		    a->bytes > RAW_WINDOW_BYTES))
			return 0;
		if (pull(a, err) != 0)
			return -1;
	}
}

static int
place(struct raw_align *a, size_t i, const struct jdoc *raw, struct err *err)
{
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	while (i-- > 0)
		drop_first(a);
	rc = write_placed(raw, seen_at(a, 0)->keys, &body, err);
	if (rc == 0)
		rc = a->source.placed(a->source.ctx, seen_at(a, 0)->id,
		    body.data, body.len, err);
	drop_first(a);
	a->counts.placed += rc == 0;
	buf_clear(&body);
	return rc == 0 ? 0 : -1;
}

int
raw_align_push(struct raw_align *a, const struct jdoc *raw, struct err *err)
{
	struct buf canonical = BUF_INIT(LETTA_ANSWER_MAX);
	ptrdiff_t i;
	int rc;

	if (!af_row_is_listed(raw)) {
		a->counts.unseen++;
		return 0;
	}
	rc = canonical_of(raw, &canonical, err);
	if (rc == 0)
		rc = find(a, buf_cstr(&canonical), &i, err);
	buf_clear(&canonical);
	if (rc != 0)
		return -1;
	if (i >= 0)
		return place(a, (size_t)i, raw, err);
	a->counts.unplaced++;
	/*
	 * When the window can hold no more, its first row is given up: else
	 * rows that no raw one stands for would block all that follow.
	 */
	if (!a->ended)
		drop_first(a);
	return 0;
}

const struct raw_counts *
raw_align_counts(const struct raw_align *a)
{
	return &a->counts;
}
