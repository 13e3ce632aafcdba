#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "core/letta.h"
#include "core/letta_users.h"
#include "flow/agent_staged.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker_users_db.h"
#include "flow/worker_users_work.h"
#include "io/hash.h"
#include "io/journal.h"

#define PAGE 500

/* One thing that a row names, and how it is spoken of. */
struct subject {
	const char *row, *id;
	const char *column;	/* of letta_users */
	const char *noun;
	const char *cure;
};

static int
gone(const struct worker_users_work *work, const struct subject *subject,
    struct err *err)
{
	return err_set(err, ERR_DATA, "worker %s: letta_users row %s of "
	    "sanctum.db names %s %s in %s, and %s has none such; nothing was "
	    "changed.  %s, then run the same command again",
	    work->worker->name, subject->row, subject->noun, subject->id,
	    subject->column, work->from->name, subject->cure);
}

/* GET it at the source; 404 is about the row. */
static int
fetch(struct worker_users_work *work, const struct subject *subject,
    void (*build)(struct buf *, const char *id), struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	build(&path, subject->id);
	rc = server_get_doc(work->from, buf_cstr(&path), subject->noun, out,
	    err);
	if (rc != 0 && err->kind == ERR_MISSING)
		rc = gone(work, subject, err);
	buf_clear(&path);
	return rc;
}

int
worker_users_known(struct worker_users_work *work, const char *kind,
    const char *id, char **to, struct err *err)
{
	char *back = NULL;
	int rc;

	*to = NULL;
	rc = journal_id_get(work->run->journal, kind, id, to, err);
	if (rc != 0 || *to)
		return rc;
	rc = journal_id_get(work->run->journal, work->known_kind, id, &back,
	    err);
	if (rc == 0 && back)
		*to = mem_strdup(id);
	free(back);
	return rc;
}

/* Both directions at once; sum may be NULL. */
static int
note_pair(struct worker_users_work *work, const char *kind, const char *from,
    const char *to, const char *scope, const char *sum, struct err *err)
{
	struct journal *journal = work->run->journal;
	bool added;
	int rc;

	if (journal_page_begin(journal, err) != 0)
		return -1;
	rc = journal_id_put(journal, kind, from, to, err);
	if (rc == 0)
		rc = journal_id_put(journal, work->known_kind, to, from, err);
	if (rc == 0 && sum)
		rc = journal_id_put(journal, work->sum_kind, from, sum, err);
	if (rc == 0 && sum)
		rc = journal_row_add(journal, scope, to, from, strlen(from),
		    &added, err);
	if (rc != 0) {
		journal_page_abort(journal);
		return -1;
	}
	return journal_page_commit(journal, scope, "", false, err);
}

int
worker_users_find_identity(struct worker_users_work *work, const char *key,
    char **id, struct err *err)
{
	struct jdoc *found;

	*id = NULL;
	if (server_get_identity(work->to, key, &found, err) != 0)
		return -1;
	if (found)
		*id = mem_strdup(jdoc_get_str(found, "id"));
	jdoc_free(found);
	return 0;
}

/* The key is in the journal before the identity can be at the server. */
static int
intend_identity(struct worker_users_work *work, const char *key,
    const char *from, struct err *err)
{
	struct journal *journal = work->run->journal;
	bool added;

	if (journal_page_begin(journal, err) != 0)
		return -1;
	if (journal_row_add(journal, work->identity_scope, key, from,
	    strlen(from), &added, err) != 0) {
		journal_page_abort(journal);
		return -1;
	}
	return journal_page_commit(journal, work->identity_scope, "", false,
	    err);
}

/*
 * Repeated, a POST of a key is refused, and the next run finds the key.  PUT
 * makes none: 404 for a key that is not there (0.16.8, seen).
 */
static int
post_identity(struct worker_users_work *work, const struct jdoc *identity,
    char **id, struct err *err)
{
	const char *key = jdoc_get_str(identity, "identifier_key");
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	rc = letta_identity_row(identity, &body, err);
	if (rc == 0)
		rc = intend_identity(work, key, jdoc_get_str(identity, "id"),
		    err);
	if (rc == 0)
		rc = server_send(work->to, "POST", LETTA_PATH_IDENTITIES,
		    buf_cstr(&body), &answer, err);
	if (rc == 0)
		rc = worker_users_find_identity(work, key, id, err);
	if (rc == 0 && !*id)
		rc = err_set(err, ERR_FAILED, "%s: the identity that was made "
		    "is not listed", work->to->name);
	buf_clear(&body);
	buf_clear(&answer);
	return rc;
}

/* An identity that the target has is left as it is. */
static int
carry_identity(struct worker_users_work *work, const struct jdoc *identity,
    const char *from, bool look, struct err *err)
{
	const char *key = jdoc_get_str(identity, "identifier_key");
	char *to = NULL;
	int rc;

	if (!key || !jdoc_get_str(identity, "id"))
		return err_set(err, ERR_DATA, "%s: identity %s has no "
		    "identifier_key", work->from->name, from);
	if (!work->to) {
		work->identities_made++;
		return 0;
	}
	rc = worker_users_find_identity(work, key, &to, err);
	if (rc == 0 && to)
		work->identities_found++;
	else if (rc == 0) {
		work->identities_made++;
		rc = look ? 0 : post_identity(work, identity, &to, err);
	}
	if (rc == 0 && !look)
		rc = note_pair(work, work->identity_kind, from, to,
		    work->identity_scope, NULL, err);
	free(to);
	return rc;
}

static int
bring_identity(struct worker_users_work *work, const struct worker_user *user,
    bool look, struct err *err)
{
	const struct subject subject = { user->row, user->identity,
	    "letta_identity_id", "identity",
	    "Make it anew there and put its id into the row" };
	struct jdoc *identity = NULL;
	char *known = NULL;
	int rc;

	rc = worker_users_known(work, work->identity_kind, user->identity,
	    &known, err);
	if (rc == 0 && !known) {
		rc = fetch(work, &subject, letta_path_identity, &identity,
		    err);
		if (rc == 0 && work->same) {
			work->kept++;
			rc = look ? 0 : note_pair(work, work->identity_kind,
			    user->identity, user->identity,
			    work->identity_scope, NULL, err);
		} else if (rc == 0) {
			rc = carry_identity(work, identity, user->identity,
			    look, err);
		}
	}
	jdoc_free(identity);
	free(known);
	return rc;
}

static int
sum_of(const struct jdoc *block, char hex[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	const struct jdoc *value = jdoc_get(block, "value");

	return hash_hex(jdoc_str(value) ? jdoc_str(value) : "",
	    jdoc_str_len(value), hex, err);
}

/* One page of the target's blocks; *last is "" at the end. */
static int
list_page(struct worker_users_work *work, const char *label, char **last,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *page = NULL;
	const char *from, *id;
	int rc;

	letta_path_blocks_page(&path, label, *last, PAGE);
	rc = server_get_list(work->to, buf_cstr(&path), "blocks", &page, err);
	buf_clear(&path);
	for (size_t i = 0; i < jdoc_len(page) && rc == 0; i++) {
		from = letta_user_block_source(jdoc_at(page, i),
		    work->run->mark);
		id = jdoc_get_str(jdoc_at(page, i), "id");
		if (from && id)
			jdoc_set_str(work->made, from, id);
	}
	id = jdoc_get_str(jdoc_at(page, jdoc_len(page) - 1), "id");
	free(*last);
	*last = mem_strdup(rc == 0 && jdoc_len(page) >= PAGE && id ? id : "");
	jdoc_free(page);
	return rc;
}

int
worker_users_list_made(struct worker_users_work *work, struct err *err)
{
	char *last;
	int rc = 0;

	if (work->made)
		return 0;
	work->made = jdoc_new_object();
	for (size_t i = 0; i < jdoc_len(work->labels) && rc == 0; i++) {
		last = mem_strdup("");
		do {
			rc = list_page(work, jdoc_str(jdoc_at(work->labels,
			    i)), &last, err);
		} while (rc == 0 && *last);
		free(last);
	}
	return rc;
}

static int
post_block(struct worker_users_work *work, const struct jdoc *block,
    char **id, struct err *err)
{
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *made = NULL;
	int rc;

	rc = letta_body_user_block(&body, block, work->run->mark, err);
	if (rc == 0)
		rc = server_send(work->to, "POST", LETTA_PATH_BLOCKS,
		    buf_cstr(&body), &answer, err);
	if (rc == 0) {
		made = jdoc_parse(buf_cstr(&answer), answer.len, err);
		if (made && jdoc_get_str(made, "id"))
			*id = mem_strdup(jdoc_get_str(made, "id"));
		else
			rc = made ? err_set(err, ERR_DATA, "%s: a block that "
			    "was made has no id", work->to->name) : -1;
	}
	jdoc_free(made);
	buf_wipe(&body);
	buf_wipe(&answer);
	return rc;
}

static int
carry_block(struct worker_users_work *work, const struct jdoc *block,
    const char *from, bool look, struct err *err)
{
	const char *there;
	char sum[2 * HASH_SIZE + 1], *to = NULL;
	int rc;

	work->blocks_made++;
	if (look)
		return 0;
	rc = worker_users_list_made(work, err);
	if (rc == 0)
		rc = sum_of(block, sum, err);
	there = jdoc_get_str(work->made, from);
	if (rc == 0 && there) {
		/* What it holds is of an earlier time: refresh will see. */
		to = mem_strdup(there);
		(void)snprintf(sum, sizeof(sum), "%s", "unknown");
	} else if (rc == 0) {
		rc = post_block(work, block, &to, err);
	}
	if (rc == 0)
		rc = note_pair(work, work->block_kind, from, to,
		    work->block_scope, sum, err);
	free(to);
	return rc;
}

/* Of blocks that were listed by label, those of this one are missing. */
static int
note_label(struct worker_users_work *work, const struct jdoc *block,
    bool look, struct err *err)
{
	const char *label = jdoc_get_str(block, "label");

	if (!label)
		return err_set(err, ERR_DATA, "%s: block %s has no label",
		    work->from->name, jdoc_get_str(block, "id"));
	if (agent_staged_list_has(work->labels, label))
		return 0;
	jdoc_free(work->made);
	work->made = NULL;
	if (!look)
		return agent_staged_list_add(work->run->journal,
		    work->labels_key, work->labels, label, err);
	jdoc_push(work->labels, jdoc_new_str(label));
	return 0;
}

static int
bring_block(struct worker_users_work *work, const struct worker_user *user,
    bool look, struct err *err)
{
	const struct subject subject = { user->row, user->block,
	    "letta_block_id", "block",
	    "Make one there with the label of the other users' blocks and "
	    "put its id into the row" };
	struct jdoc *block = NULL;
	char *known = NULL;
	int rc;

	rc = worker_users_known(work, work->block_kind, user->block, &known,
	    err);
	if (rc == 0 && !known) {
		rc = fetch(work, &subject, letta_path_block, &block, err);
		if (rc == 0)
			rc = note_label(work, block, look, err);
		if (rc == 0 && work->same) {
			work->kept++;
			rc = look ? 0 : note_pair(work, work->block_kind,
			    user->block, user->block, work->block_scope,
			    NULL, err);
		} else if (rc == 0) {
			rc = carry_block(work, block, user->block, look, err);
		}
	}
	jdoc_free(block);
	free(known);
	return rc;
}

int
worker_users_bring(struct worker_users_work *work,
    const struct worker_users *users, bool look, struct err *err)
{
	const struct worker_user *user;
	int rc = 0;

	for (size_t i = 0; i < users->n && rc == 0; i++) {
		user = &users->list[i];
		if (user->identity)
			rc = bring_identity(work, user, look, err);
		else
			work->without_identity++;
		if (rc == 0 && user->block)
			rc = bring_block(work, user, look, err);
		else if (rc == 0)
			work->without_block++;
	}
	return rc;
}

/* One block's value once more, when the source's is another by now. */
static int
refresh_one(struct worker_users_work *work, const struct worker_user *user,
    const char *to, struct err *err)
{
	const struct subject subject = { user->row, user->block,
	    "letta_block_id", "block", "Put a block's id into the row" };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	char now[2 * HASH_SIZE + 1], *before = NULL;
	struct jdoc *block = NULL;
	int rc;

	rc = fetch(work, &subject, letta_path_block, &block, err);
	if (rc == 0)
		rc = sum_of(block, now, err);
	if (rc == 0)
		rc = journal_id_get(work->run->journal, work->sum_kind,
		    user->block, &before, err);
	if (rc == 0 && (!before || !str_eq(before, now))) {
		letta_path_block(&path, to);
		letta_body_user_value(&body, block);
		rc = server_send(work->to, "PATCH", buf_cstr(&path),
		    buf_cstr(&body), &answer, err);
		if (rc == 0)
			rc = journal_id_put(work->run->journal,
			    work->sum_kind, user->block, now, err);
	}
	jdoc_free(block);
	free(before);
	buf_clear(&path);
	buf_wipe(&body);
	buf_wipe(&answer);
	return rc;
}

int
worker_users_refresh(struct worker_users_work *work,
    const struct worker_users *users, struct err *err)
{
	char *to;
	int rc = 0;

	for (size_t i = 0; i < users->n && rc == 0 && !work->same; i++) {
		if (!users->list[i].block)
			continue;
		/* A row that has its new id has been through this. */
		rc = journal_id_get(work->run->journal, work->block_kind,
		    users->list[i].block, &to, err);
		if (rc == 0 && to)
			rc = refresh_one(work, &users->list[i], to, err);
		free(to);
	}
	return rc;
}
