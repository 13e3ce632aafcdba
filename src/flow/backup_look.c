#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "core/letta_memory.h"
#include "core/pg_tally.h"
#include "core/shown.h"
#include "flow/agent_list.h"
#include "flow/backup.h"
#include "flow/backup_look.h"
#include "flow/backup_rest.h"
#include "flow/endpoint.h"
#include "flow/server.h"
#include "io/hash.h"

#define REFUSED_MAX 4096	/* bytes of those that are refused */

struct looking {
	const struct backup_look_how *how;
	struct server *server;
	struct backup_look *out;
	struct hash *hash;
	struct buf text;
	struct buf refused;
	struct buf census;
	struct pg_tally rows;	/* borrows it */
	size_t n_rows;		/* agents that have any */
};

/* The digest of the text so far, which is emptied. */
static int
take_digest(struct looking *l, char **out, struct err *err)
{
	unsigned char digest[HASH_SIZE];
	char hex[2 * HASH_SIZE + 1];

	if (buf_check(&l->text, "an agent", err) != 0)
		return -1;
	hash_add(l->hash, buf_cstr(&l->text), l->text.len);
	if (hash_end(l->hash, digest, err) != 0)
		return -1;
	str_hex(digest, sizeof(digest), hex);
	free(*out);
	*out = mem_strdup(hex);
	buf_truncate(&l->text, 0);
	return 0;
}

static char **
note_ids(const struct jdoc *list, size_t *n)
{
	char **ids = mem_zero(jdoc_len(list) + 1, sizeof(*ids));
	const char *id;

	*n = 0;
	for (size_t i = 0; i < jdoc_len(list); i++) {
		id = jdoc_get_str(jdoc_at(list, i), "id");
		if (id)
			ids[(*n)++] = mem_strdup(id);
	}
	return ids;
}

static void
note_rows(struct looking *l, struct backup_seen *seen)
{
	const struct pg_tally_line *rows = pg_tally_find(&l->rows, seen->id);
	char **mark = &seen->print.marks[BACKUP_MARK_ROWS];

	if (!l->how->census)
		*mark = mem_strdup("");
	else if (rows)
		*mark = backup_look_rows_mark(rows);
	l->n_rows += rows != NULL;
}

/* An id becomes part of paths: another than Letta's goes no further. */
static void
refuse_agent(struct looking *l, const struct letta_agent *agent)
{
	if (l->out->n_refused++ > 0 && l->refused.len < REFUSED_MAX)
		buf_str(&l->refused, ", ");
	if (l->refused.len >= REFUSED_MAX)
		return;
	buf_char(&l->refused, '`');
	shown_text(&l->refused, agent->id, strlen(agent->id), 80);
	buf_str(&l->refused, "' (");
	shown_text(&l->refused, agent->name, strlen(agent->name), 60);
	buf_char(&l->refused, ')');
}

static void
note_state(struct looking *l, const struct jdoc *state,
    struct backup_seen *seen)
{
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);

	if (!l->how->states || l->out->n_agents > BACKUP_STATES)
		return;
	jdoc_write(state, &text);
	seen->state = buf_take(&text);
}

static int
take_agent(void *ctx, const struct letta_agent *agent, struct err *err)
{
	struct looking *l = ctx;
	struct backup_look *out = l->out;
	struct backup_seen *seen;
	int rc = 0;

	if (!letta_id_ok(agent->id, "agent-")) {
		refuse_agent(l, agent);
		return 0;
	}
	out->agents = mem_grow(out->agents, out->n_agents + 1,
	    sizeof(*out->agents));
	seen = &out->agents[out->n_agents++];
	*seen = (struct backup_seen){ 0 };
	(void)snprintf(seen->id, sizeof(seen->id), "%s", agent->id);
	seen->name = mem_strdup(agent->name ? agent->name : "");
	seen->tools = note_ids(jdoc_get(agent->state, "tools"),
	    &seen->n_tools);
	seen->blocks = note_ids(backup_print_blocks(agent->state),
	    &seen->n_blocks);
	note_rows(l, seen);
	note_state(l, agent->state, seen);
	for (size_t i = 0; i <= BACKUP_MARK_IDENTITIES && rc == 0; i++) {
		backup_print_text(agent->state, (enum backup_mark)i,
		    &l->text);
		rc = take_digest(l, &seen->print.marks[i], err);
	}
	return rc;
}

/* What the server cannot answer: the same for as long as it says the same. */
static int
mark_failure(struct looking *l, char **mark, struct err *err)
{
	char *digest = NULL;
	int rc;

	if (err->kind != ERR_FAILED && err->kind != ERR_DATA)
		return -1;
	buf_str(&l->text, err->text);
	err_clear(err);
	rc = take_digest(l, &digest, err);
	if (rc == 0)
		*mark = mem_printf("no answer: %.16s", digest);
	free(digest);
	return rc;
}

/* The id of the newest of a list that is asked for one. */
static int
ask_newest(struct looking *l, const char *path, const char *what,
    char **mark, struct err *err)
{
	struct jdoc *list = NULL;
	const char *id;

	if (server_get_list(l->server, path, what, &list, err) != 0)
		return mark_failure(l, mark, err);
	id = jdoc_get_str(jdoc_at(list, jdoc_len(list) - 1), "id");
	*mark = mem_strdup(id ? id : "");
	jdoc_free(list);
	return 0;
}

/* Whether it is as it was at an earlier look, by what is known of it. */
static bool
keep_marks(const struct looking *l, struct backup_seen *seen)
{
	const struct backup_look_how *how = l->how;
	const struct backup_seen *then = how->before ?
	    backup_look_find(how->before, seen->id) : NULL;
	char *const *marks, **now = seen->print.marks;

	if (!then || how->again(how->ctx, seen->id))
		return false;
	marks = then->print.marks;
	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		if (now[i] && (!marks[i] || !str_eq(marks[i], now[i])))
			return false;
	}
	if (!now[BACKUP_MARK_ROWS] || !marks[BACKUP_MARK_MESSAGE] ||
	    !marks[BACKUP_MARK_PASSAGE])
		return false;
	now[BACKUP_MARK_MESSAGE] = mem_strdup(marks[BACKUP_MARK_MESSAGE]);
	now[BACKUP_MARK_PASSAGE] = mem_strdup(marks[BACKUP_MARK_PASSAGE]);
	return true;
}

static int
ask_agent(struct looking *l, struct backup_seen *seen, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	if (keep_marks(l, seen))
		return 0;
	/* One that is read anyway, if its reader is given what is known. */
	if (l->how->may_hold && seen->state && !l->server->caps.backward &&
	    !l->how->may_hold(l->how->ctx, seen))
		return 0;
	letta_path_message_newest(&path, seen->id, l->server->caps.backward);
	rc = ask_newest(l, buf_cstr(&path), "the newest message",
	    &seen->print.marks[BACKUP_MARK_MESSAGE], err);
	buf_truncate(&path, 0);
	letta_path_passage_newest(&path, seen->id);
	if (rc == 0)
		rc = ask_newest(l, buf_cstr(&path), "the newest passage",
		    &seen->print.marks[BACKUP_MARK_PASSAGE], err);
	buf_clear(&path);
	return rc;
}

static void
seen_clear(struct backup_seen *seen)
{
	for (size_t i = 0; i < seen->n_blocks; i++)
		free(seen->blocks[i]);
	for (size_t i = 0; i < seen->n_tools; i++)
		free(seen->tools[i]);
	free(seen->blocks);
	free(seen->tools);
	free(seen->name);
	if (seen->state)
		secret_wipe(seen->state, strlen(seen->state));
	free(seen->state);
	backup_print_clear(&seen->print);
}

/* One that is deleted while it is looked at was not there. */
static int
ask_agents(struct looking *l, struct err *err)
{
	struct backup_look *out = l->out;
	size_t kept = 0;
	int rc = 0;

	progress_begin("look at the server", "agents", out->n_agents);
	for (size_t i = 0; i < out->n_agents && rc == 0; i++) {
		progress_at(i);
		rc = stop_check(err);
		if (rc == 0)
			rc = ask_agent(l, &out->agents[i], err);
		if (rc != 0 && err->kind == ERR_MISSING) {
			err_clear(err);
			seen_clear(&out->agents[i]);
			rc = 0;
		} else
			out->agents[kept++] = out->agents[i];
		if (rc != 0)
			while (++i < out->n_agents)
				out->agents[kept++] = out->agents[i];
	}
	out->n_agents = kept;
	for (size_t i = 0; i < kept; i++)
		(void)id_table_add(&out->by_id, out->agents[i].id, i);
	progress_end();
	return rc;
}

/* A block and an agent that has it. */
struct pair {
	const char *block;
	struct backup_seen *agent;
};

static int
by_block(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->block, y->block);

	return order ? order : strcmp(x->agent->id, y->agent->id);
}

/* n agents have one block: note it, and in the mark of each. */
static int
share(struct looking *l, const struct pair *pairs, size_t n, struct err *err)
{
	struct backup_look *out = l->out;
	struct backup_shared *shared;
	char **mark;
	int rc = 0;

	out->shared = mem_grow(out->shared, out->n_shared + 1,
	    sizeof(*out->shared));
	shared = &out->shared[out->n_shared++];
	*shared = (struct backup_shared){
		.block = mem_strdup(pairs->block),
		.agents = mem_zero(n, sizeof(*shared->agents)),
	};
	for (size_t i = 0; i < n; i++)
		shared->agents[shared->n_agents++] =
		    mem_strdup(pairs[i].agent->id);
	for (size_t i = 0; i < n && rc == 0; i++) {
		mark = &pairs[i].agent->print.marks[BACKUP_MARK_BLOCKS];
		buf_printf(&l->text, "%s %s", *mark, shared->block);
		for (size_t k = 0; k < n; k++)
			buf_printf(&l->text, " %s", shared->agents[k]);
		rc = take_digest(l, mark, err);
	}
	return rc;
}

static int
find_shared(struct looking *l, struct err *err)
{
	struct backup_look *out = l->out;
	struct pair *pairs = NULL;
	size_t n = 0, end;
	int rc = 0;

	for (size_t i = 0; i < out->n_agents; i++) {
		struct backup_seen *seen = &out->agents[i];

		pairs = mem_grow(pairs, n + seen->n_blocks + 1,
		    sizeof(*pairs));
		for (size_t k = 0; k < seen->n_blocks; k++)
			pairs[n++] = (struct pair){ seen->blocks[k], seen };
	}
	if (n > 0)
		qsort(pairs, n, sizeof(*pairs), by_block);
	for (size_t i = 0; i < n && rc == 0; i = end) {
		end = i + 1;
		while (end < n && str_eq(pairs[end].block, pairs[i].block))
			end++;
		if (end > i + 1)
			rc = share(l, &pairs[i], end - i, err);
	}
	free(pairs);
	return rc;
}

static bool
has_tool(void *ctx, const char *tool)
{
	const struct backup_look *look = ctx;
	const struct backup_seen *seen;

	for (size_t i = 0; i < look->n_agents; i++) {
		seen = &look->agents[i];
		for (size_t k = 0; k < seen->n_tools; k++) {
			if (str_eq(seen->tools[k], tool))
				return true;
		}
	}
	return false;
}

int
backup_look_rows(const struct backup_census *census, struct buf *text,
    struct pg_tally *tally, struct err *err)
{
	if (census->take(census->ctx, text, err) != 0 ||
	    buf_check(text, "the rows of agents", err) != 0)
		return -1;
	pg_tally_read(buf_cstr(text), tally);
	return 0;
}

char *
backup_look_rows_mark(const struct pg_tally_line *rows)
{
	return mem_printf("%.*s %.*s", rows->count_len, rows->count,
	    rows->mark_len, rows->mark);
}

/*
 * Whether any agent has a conversation, in one request: the list without an
 * agent is of all (0.16.8, seen; of another version it is not known).
 */
static int
ask_conversations(struct looking *l, struct err *err)
{
	const struct letta_caps *caps = &l->server->caps;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list = NULL;
	int rc = 0;

	if (!l->how->states || !str_eq(caps->version, "0.16.8"))
		return 0;
	letta_path_conversations(&path, NULL, NULL, 1);
	if (server_get_list(l->server, buf_cstr(&path), "conversations",
	    &list, err) == 0)
		l->out->no_conversations = jdoc_len(list) == 0;
	else if (err->kind == ERR_FAILED || err->kind == ERR_DATA)
		err_clear(err);		/* each agent is asked for its own */
	else
		rc = -1;
	jdoc_free(list);
	buf_clear(&path);
	return rc;
}

static int
look_at(struct looking *l, struct err *err)
{
	struct backup_look *out = l->out;
	const struct backup_rest_how rest = {
		.has = has_tool, .ctx = out,
		.holder = l->how->holder, .holder_ctx = l->how->ctx,
	};

	out->caps = l->server->caps;
	/* First of all: what is written from here on the next one sees. */
	if (l->how->census && backup_look_rows(l->how->census, &l->census,
	    &l->rows, err) != 0)
		return -1;
	if (agent_list(l->server, take_agent, l, err) != 0)
		return -1;
	if (l->how->census && out->n_agents > 0 && l->n_rows == 0)
		return err_set(err, ERR_DATA, "%s: the database that was "
		    "asked has no rows of any of its %zu agents: is it the "
		    "one that this server uses?  No agent was read",
		    l->server->name, out->n_agents);
	if (find_shared(l, err) != 0 || ask_agents(l, err) != 0 ||
	    ask_conversations(l, err) != 0)
		return -1;
	if (out->n_refused > 0)
		out->refused = mem_strdup(buf_cstr(&l->refused));
	return l->how->rest ? backup_rest(l->server, &rest, &out->rest, err) :
	    0;
}

int
backup_look(const struct endpoint *at, const struct backup_look_how *how,
    struct backup_look *out, struct err *err)
{
	struct looking l = {
		.how = how, .out = out, .text = BUF_INIT(LETTA_ANSWER_MAX),
		.refused = BUF_INIT(2 * REFUSED_MAX),
		.census = BUF_INIT(BACKUP_CENSUS_MAX),
	};
	int rc = -1;

	*out = (struct backup_look){ 0 };
	l.hash = hash_new(err);
	if (l.hash)
		rc = how->before ? endpoint_reopen(at, &how->before->caps,
		    &l.server, err) : endpoint_open(at, &l.server, err);
	if (rc == 0)
		rc = look_at(&l, err);
	server_close(l.server);
	hash_free(l.hash);
	buf_wipe(&l.text);
	buf_clear(&l.refused);
	pg_tally_clear(&l.rows);
	buf_clear(&l.census);
	if (rc != 0)
		backup_look_clear(out);
	return rc;
}

void
backup_look_clear(struct backup_look *look)
{
	struct backup_index shared = {
		.shared = look->shared, .n_shared = look->n_shared,
		.rest = look->rest,
	};

	for (size_t i = 0; i < look->n_agents; i++)
		seen_clear(&look->agents[i]);
	free(look->agents);
	id_table_clear(&look->by_id);
	free(look->refused);
	backup_index_clear(&shared);
	*look = (struct backup_look){ 0 };
}

const struct backup_seen *
backup_look_find(const struct backup_look *look, const char *id)
{
	size_t at;

	return id_table_find(&look->by_id, id, &at) ? &look->agents[at] :
	    NULL;
}

static int
by_shared(const void *key, const void *member)
{
	const struct backup_shared *shared = member;

	return strcmp(key, shared->block);
}

struct jdoc *
backup_look_others(const struct backup_look *look, const char *block,
    const char *agent)
{
	struct jdoc *out = jdoc_new_array();
	const struct backup_shared *found = NULL;

	if (look->n_shared > 0)
		found = bsearch(block, look->shared, look->n_shared,
		    sizeof(*look->shared), by_shared);
	for (size_t i = 0; found && i < found->n_agents; i++) {
		if (!str_eq(found->agents[i], agent))
			jdoc_push(out, jdoc_new_str(found->agents[i]));
	}
	return out;
}
