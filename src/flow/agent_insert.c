#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "flow/agent_insert.h"
#include "flow/agent_rejects.h"
#include "flow/server.h"
#include "io/http.h"
#include "io/journal.h"

#define ROWS_MAX 100
#define TIMEOUT_MS 600000

/* Texts of one request: a server has them embedded before it answers. */
#define BYTES_MAX (1024 * 1024)

/*
 * So many refused before one was taken: it is not the passages that the
 * target does not like.
 */
#define REFUSED_MAX 20

struct pending {
	char *id;
	char *body;
	size_t len;
};

struct agent_insert {
	struct agent_insert_spec spec;
	struct agent_insert_state state;
	bool has_batch;
	char archive[LETTA_ID_SIZE];	/* "": not known yet */
	struct pending rows[ROWS_MAX];
	size_t n, bytes;
};

enum outcome {
	STORED,
	REFUSED,
	NO_ROUTE,
	FAILED		/* or not known */
};

static bool
by_batch(const struct agent_insert *in)
{
	return in->has_batch && in->archive[0];
}

/* From 0.16.4 on; the answer to the first use decides. */
static bool
may_have_batch(const struct letta_caps *caps)
{
	return caps->major > 0 || caps->minor > 16 ||
	    (caps->minor == 16 && caps->patch >= 4);
}

struct agent_insert *
agent_insert_open(const struct agent_insert_spec *spec)
{
	struct agent_insert *in = mem_zero(1, sizeof(*in));

	in->spec = *spec;
	if (in->spec.most > ROWS_MAX)
		in->spec.most = ROWS_MAX;
	in->has_batch = may_have_batch(&spec->server->caps);
	return in;
}

static void
forget(struct agent_insert *in)
{
	for (size_t i = 0; i < in->n; i++) {
		free(in->rows[i].id);
		free(in->rows[i].body);
	}
	in->n = in->bytes = 0;
}

void
agent_insert_close(struct agent_insert *in)
{
	if (!in)
		return;
	forget(in);
	free(in);
}

const struct agent_insert_state *
agent_insert_state(const struct agent_insert *in)
{
	return &in->state;
}

/* What an answer means for the passages that were sent. */
static enum outcome
judge(struct agent_insert *in, long status, bool batch)
{
	if (status >= 200 && status < 300)
		return STORED;
	if (batch && (status == 404 || status == 405))
		return NO_ROUTE;
	switch (status) {
	case 401:
	case 403:
	case 404:
		return FAILED;
	case 408:
	case 429:
		in->state.unsure = true;
		return FAILED;
	default:
		break;
	}
	if (status >= 400 && status < 500)
		return REFUSED;
	in->state.unsure = true;
	in->state.by_server = status == 500;
	return FAILED;
}

static enum outcome
post(struct agent_insert *in, const char *path, const char *body, bool batch,
    struct err *err)
{
	struct server *server = in->spec.server;
	struct http_reply reply = { .body = BUF_INIT(LETTA_ANSWER_MAX) };
	enum outcome outcome = FAILED;

	in->state.unsure = in->state.by_server = false;
	in->state.calls++;
	if (http_call(server->http, "POST", path, body, TIMEOUT_MS, &reply,
	    err) != 0) {
		in->state.unsure = err->kind == ERR_UNREACHABLE;
		(void)err_ctx(err, "%s", server->name);
	} else {
		outcome = judge(in, reply.status, batch);
		if (outcome != STORED && server_status(server, "POST", path,
		    reply.status, &reply.body, err) == 0)
			(void)err_set(err, ERR_FAILED, "%s: POST %s: %ld",
			    server->name, path, reply.status);
	}
	buf_clear(&reply.body);
	return outcome;
}

static enum outcome
post_batch(struct agent_insert *in, const struct pending *rows, size_t n,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_staged staged[ROWS_MAX];
	enum outcome outcome = FAILED;

	for (size_t i = 0; i < n; i++)
		staged[i] = (struct letta_staged){ rows[i].body,
		    rows[i].len };
	letta_path_passage_batch(&path, in->archive);
	if (letta_body_passages(&body, staged, n, err) == 0 &&
	    buf_check(&body, "batch of passages", err) == 0)
		outcome = post(in, buf_cstr(&path), buf_cstr(&body), true,
		    err);
	buf_clear(&path);
	buf_clear(&body);
	return outcome;
}

static enum outcome
post_one(struct agent_insert *in, const struct pending *row, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	enum outcome outcome = FAILED;

	letta_path_passage_insert(&path, in->spec.agent_id);
	if (letta_body_passage(&body, row->body, row->len, err) == 0 &&
	    buf_check(&body, "passage", err) == 0)
		outcome = post(in, buf_cstr(&path), buf_cstr(&body), false,
		    err);
	buf_clear(&path);
	buf_clear(&body);
	return outcome;
}

/* The archive that the agent's own route stores in, if there is one yet. */
static int
find_archive(struct agent_insert *in, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *id;
	int rc;

	letta_path_archives(&path, in->spec.agent_id);
	rc = server_get_doc(in->spec.server, buf_cstr(&path), "archives",
	    &found, err);
	id = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && jdoc_len(found) == 1 && id &&
	    strlen(id) < sizeof(in->archive))
		(void)snprintf(in->archive, sizeof(in->archive), "%s", id);
	/* Of several it is the server that knows which one is meant. */
	if (rc == 0 && jdoc_len(found) > 1)
		in->has_batch = false;
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

/* The row is refused, as err says, and err is dealt with. */
static int
reject(struct agent_insert *in, const struct pending *row, struct err *err)
{
	char *reason;
	int rc;

	if (in->state.inserted == 0 && in->state.rejected >= REFUSED_MAX)
		return err_ctx(err, "the target takes none of the passages");
	reason = mem_strdup(err->text);
	err_clear(err);
	rc = agent_rejects_add(in->spec.agent, in->spec.journal, row->id,
	    row->body, row->len, reason, err);
	in->state.rejected += rc == 0;
	free(reason);
	return rc;
}

static int
send_one(struct agent_insert *in, const struct pending *row, struct err *err)
{
	enum outcome outcome;

	in->state.alone = true;
	(void)snprintf(in->state.id, sizeof(in->state.id), "%s", row->id);
	outcome = by_batch(in) ? post_batch(in, row, 1, err) :
	    post_one(in, row, err);
	if (outcome == NO_ROUTE) {
		in->has_batch = false;
		err_clear(err);
		outcome = post_one(in, row, err);
	}
	if (outcome == REFUSED)
		return reject(in, row, err);
	in->state.inserted += outcome == STORED;
	return outcome == STORED ? 0 : err_ctx(err, "passage %s of the "
	    "source", row->id);
}

/* Halves what is refused; as deep as the logarithm of ROWS_MAX. */
static int
send_rows(struct agent_insert *in, const struct pending *rows, size_t n,
    struct err *err)
{
	enum outcome outcome;
	size_t half = n / 2;

	if (stop_check(err) != 0)
		return -1;
	if (n == 1)
		return send_one(in, rows, err);
	outcome = REFUSED;
	if (by_batch(in)) {
		in->state.alone = false;
		outcome = post_batch(in, rows, n, err);
	}
	if (outcome == STORED) {
		in->state.inserted += n;
		return 0;
	}
	if (outcome == FAILED)
		return err_ctx(err, "passages %s to %s of the source",
		    rows[0].id, rows[n - 1].id);
	if (outcome == NO_ROUTE)
		in->has_batch = false;
	err_clear(err);
	if (send_rows(in, rows, half, err) != 0)
		return -1;
	return send_rows(in, rows + half, n - half, err);
}

/* The shortest row comes first: it is the one surely taken. */
static void
shortest_first(struct agent_insert *in)
{
	struct pending row;
	size_t best = 0;

	for (size_t i = 1; i < in->n; i++) {
		if (in->rows[i].len < in->rows[best].len)
			best = i;
	}
	row = in->rows[0];
	in->rows[0] = in->rows[best];
	in->rows[best] = row;
}

/*
 * An agent without an archive gets one with its first passage, by the agent's
 * own route; whatever removes the agent finds it there (agent_remove).
 */
static int
send_pending(struct agent_insert *in, struct err *err)
{
	size_t first = 0;

	if (in->has_batch && !in->archive[0] && find_archive(in, err) != 0)
		return -1;
	if (in->has_batch && !in->archive[0]) {
		shortest_first(in);
		if (send_one(in, &in->rows[0], err) != 0 ||
		    find_archive(in, err) != 0)
			return -1;
		first = 1;
	}
	return first < in->n ? send_rows(in, in->rows + first,
	    in->n - first, err) : 0;
}

int
agent_insert_flush(struct agent_insert *in, struct err *err)
{
	int rc = in->n > 0 ? send_pending(in, err) : 0;

	forget(in);
	return rc;
}

int
agent_insert_add(struct agent_insert *in, const struct journal_row *row,
    struct err *err)
{
	struct pending *next;

	if (in->n > 0 && (in->n >= in->spec.most ||
	    in->bytes + row->body_len > BYTES_MAX) &&
	    agent_insert_flush(in, err) != 0)
		return -1;
	next = &in->rows[in->n++];
	next->id = mem_strdup(row->id);
	next->body = mem_dup(row->body, row->body_len);
	next->len = row->body_len;
	in->bytes += row->body_len;
	return 0;
}
