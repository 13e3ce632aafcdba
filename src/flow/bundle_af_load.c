#include "base/base.h"

#include <fcntl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "core/af_reader.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/bundle.h"
#include "flow/bundle_stage.h"
#include "io/journal.h"
#include "io/sumfile.h"

#define PIECE 65536

/*
 * An agent file on its way into the journal: rows go into the scope page by
 * page, everything else is put together as the shell, which is bounded.
 */
struct reading {
	struct bundle_stage stage;
	const struct conf_agent *agent;
	struct jdoc *shell;
	size_t shell_bytes;
};

/*
 * A row under its id; one that an earlier row has too becomes "ID~2" and so
 * on, as in a listing, since each row is kept.
 */
static int
add_row(struct reading *r, const char *id, const struct af_part *part,
    struct err *err)
{
	char *other = mem_strdup(id);
	bool added = false;
	int rc;

	for (uint64_t n = 2;; n++) {
		rc = bundle_stage_row(&r->stage, other, part->text, part->len,
		    &added, err);
		if (rc != 0 || added)
			break;
		free(other);
		other = mem_printf("%s~%" PRIu64, id, n);
	}
	free(other);
	return rc;
}

static int
take_row(struct reading *r, const struct af_part *part, struct err *err)
{
	struct jdoc *row;
	char number[40];
	const char *id;
	int rc;

	/* One that an earlier run has staged. */
	if (part->item < r->stage.rows)
		return 0;
	if (stop_check(err) != 0)
		return -1;
	row = af_part_parse(part, err);
	if (!row)
		return -1;
	id = jdoc_get_str(row, "id");
	(void)snprintf(number, sizeof(number), "row-%" PRIu64, part->item);
	rc = jdoc_type(row) != JDOC_OBJECT ? err_set(err, ERR_DATA,
	    "%s: not an object", part->at) :
	    add_row(r, id && *id ? id : number, part, err);
	jdoc_free(row);
	return rc;
}

/* The object, or list, of the shell into which a part goes. */
static struct jdoc *
home_of(struct reading *r, const struct af_part *part)
{
	switch (part->place) {
	case AF_PLACE_ITEM:
		return jdoc_edit(r->shell, part->key);
	case AF_PLACE_AGENT:
		return jdoc_edit_at(jdoc_edit(r->shell, "agents"),
		    part->agent);
	default:
		return r->shell;
	}
}

/* A list or an agent begins: it is there, and empty. */
static void
take_begin(struct reading *r, const struct af_part *part)
{
	struct jdoc *home = home_of(r, part);

	if (part->place == AF_PLACE_ITEM)
		jdoc_push(home, jdoc_new_object());
	else
		jdoc_set(home, part->key, jdoc_new_array());
}

static int
take_value(struct reading *r, const struct af_part *part, struct err *err)
{
	struct jdoc *value;

	r->shell_bytes += part->len;
	if (r->shell_bytes > AF_SHELL_MAX)
		return err_set(err, ERR_DATA, "%s: without its messages the "
		    "file is larger than %d bytes", part->at, AF_SHELL_MAX);
	value = af_part_parse(part, err);
	if (!value)
		return -1;
	if (part->place == AF_PLACE_ITEM)
		jdoc_push(home_of(r, part), value);
	else
		jdoc_set(home_of(r, part), part->key, value);
	return 0;
}

static int
take_part(void *ctx, const struct af_part *part, struct err *err)
{
	struct reading *r = ctx;

	if (part->place == AF_PLACE_ROW) {
		if (part->agent > 0)
			return err_set(err, ERR_DATA, "%s: a second agent; "
			    "only a file of one agent is read", part->at);
		return take_row(r, part, err);
	}
	if (part->event == AF_PART_BEGIN)
		take_begin(r, part);
	else if (part->event == AF_PART_VALUE)
		return take_value(r, part, err);
	return 0;
}

/* What a server would say of the agent's state. */
static struct jdoc *
state_of(const struct jdoc *agent)
{
	static const char *const texts[] = { "name", "agent_type", NULL };
	const struct jdoc *ids = jdoc_get(agent, "in_context_message_ids");
	struct jdoc *state = jdoc_new_object();
	const char *text;

	for (size_t i = 0; texts[i]; i++) {
		text = jdoc_get_str(agent, texts[i]);
		if (text)
			jdoc_set_str(state, texts[i], text);
	}
	jdoc_set(state, "message_ids", jdoc_type(ids) == JDOC_ARRAY ?
	    jdoc_copy(ids) : jdoc_new_array());
	return state;
}

static int
put_doc(struct journal *journal, char *take_key, const struct jdoc *doc,
    struct err *err)
{
	struct buf text = BUF_INIT((size_t)AF_SHELL_MAX * 2);
	int rc;

	jdoc_write(doc, &text);
	rc = buf_check(&text, take_key, err);
	if (rc == 0)
		rc = journal_put(journal, take_key, buf_cstr(&text), err);
	buf_clear(&text);
	free(take_key);
	return rc;
}

static int
keep_shell(struct reading *r, const char *side, struct err *err)
{
	const struct jdoc *agent = af_shell_agent(r->shell, err);
	struct jdoc *state;
	int rc;

	if (!agent)
		return -1;
	state = state_of(agent);
	af_shell_strip(r->shell);
	rc = put_doc(r->stage.journal, agent_shell_key(side, r->agent), r->shell,
	    err);
	if (rc == 0)
		rc = put_doc(r->stage.journal, agent_state_key(side, r->agent),
		    state, err);
	jdoc_free(state);
	return rc;
}

static int
feed(struct reading *r, const char *path, struct err *err)
{
	const struct af_reader_each each = { .part = take_part, .ctx = r };
	struct af_reader *reader;
	struct sumfile *file;
	char piece[PIECE];
	ptrdiff_t n;
	int rc = 0;

	if (sumfile_open(AT_FDCWD, path, 0, &file, err) != 0)
		return -1;
	reader = af_reader_new(&each);
	do {
		n = sumfile_read(file, piece, sizeof(piece), err);
		rc = n < 0 ? -1 : 0;
		if (n > 0)
			rc = af_reader_feed(reader, piece, (size_t)n, err);
	} while (rc == 0 && n > 0);
	if (rc == 0)
		rc = af_reader_end(reader, err);
	af_reader_free(reader);
	sumfile_close(file);
	return rc;
}

int
bundle_load_af(const char *path, const struct conf_agent *agent,
    const char *side, struct journal *journal, struct err *err)
{
	char *scope = agent_scope(side, agent, "messages");
	struct reading r = {
		.stage = { .journal = journal, .scope = scope },
		.agent = agent,
		.shell = jdoc_new_object(),
	};
	bool ended;
	int rc;

	progress_begin(path, "rows", 0);
	rc = bundle_stage_resume(&r.stage, &ended, err);
	if (rc == 0)
		rc = feed(&r, path, err);
	if (rc == 0)
		rc = bundle_stage_end(&r.stage, err);
	bundle_stage_abort(&r.stage);
	if (rc == 0)
		rc = keep_shell(&r, side, err);
	progress_end();
	jdoc_free(r.shell);
	free(scope);
	return rc != 0 ? err_ctx(err, "%s", path) : 0;
}
