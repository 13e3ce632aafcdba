#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/bundle.h"
#include "flow/bundle_dir.h"
#include "flow/bundle_stage.h"
#include "io/hash.h"
#include "io/journal.h"

const struct bundle_part bundle_parts[] = {
	{ "messages", "messages.jsonl" },
	{ "passages", "archival.jsonl" },
	{ "blocks", "blocks.jsonl" },
	{ "identities", "identities.jsonl" },
	{ "conversations", "conversations.jsonl" },
	{ NULL, NULL }
};

bool
bundle_is_af(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_ends(path, ".af") && !str_eq(slash ? slash + 1 : path,
	    ".af");
}

/* The scope of a file's rows, which the caller frees; NULL: it has none. */
static char *
scope_of(const char *side, const struct conf_agent *agent, const char *path)
{
	const size_t len = strlen(BUNDLE_CONVERSATIONS);
	char *id, *scope;

	for (size_t i = 0; bundle_parts[i].scope; i++) {
		if (str_eq(path, bundle_parts[i].path))
			return agent_scope(side, agent,
			    bundle_parts[i].scope);
	}
	if (!str_starts(path, BUNDLE_CONVERSATIONS) ||
	    !str_ends(path, ".jsonl"))
		return NULL;
	id = mem_strndup(path + len, strlen(path) - len - strlen(".jsonl"));
	scope = agent_conversation_scope(side, agent, id);
	free(id);
	return scope;
}

static int
stage_row(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	bool added;

	if (bundle_stage_row(ctx, id, body, len, &added, err) != 0)
		return -1;
	return added ? 0 : err_set(err, ERR_DATA, "a second row of this id");
}

/* A file that is not what the manifest says leaves nothing staged. */
static void
take_back(struct bundle_stage *s, const struct err *err)
{
	struct err second = ERR_INIT;

	bundle_stage_abort(s);
	if (err->kind == ERR_DATA &&
	    journal_scope_drop(s->journal, s->scope, &second) != 0)
		err_clear(&second);
}

static int
load_rows(const struct bundle_dir *dir, const struct bundle_file *file,
    const char *scope, struct journal *journal, struct err *err)
{
	struct bundle_stage s = { .journal = journal, .scope = scope };
	bool ended;
	int rc;

	if (bundle_stage_resume(&s, &ended, err) != 0)
		return -1;
	if (ended)
		return 0;
	progress_begin(file->path, "rows", file->rows);
	rc = bundle_dir_rows(dir, file, s.rows, stage_row, &s, err);
	if (rc == 0)
		rc = bundle_stage_end(&s, err);
	if (rc != 0)
		take_back(&s, err);
	progress_end();
	return rc;
}

/* A JSON file becomes a fact. */
static int
load_fact(const struct bundle_dir *dir, const char *path, const char *key,
    struct journal *journal, struct err *err)
{
	const struct bundle_file *file = bundle_manifest_find(&dir->manifest,
	    path);
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	struct jdoc *doc = NULL;
	int rc;

	if (!file)
		return err_set(err, ERR_DATA, "the manifest has no %s", path);
	rc = bundle_dir_read(dir, file, &text, err);
	if (rc == 0) {
		doc = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = doc ? 0 : err_ctx(err, "%s", path);
	}
	/* Whatever a bundle of another hand holds, no secret is staged. */
	if (rc == 0 && jdoc_has(doc, "agents")) {
		af_shell_hide_secrets(doc);
		buf_wipe(&text);
		buf_init(&text, AF_SHELL_MAX);
		jdoc_write(doc, &text);
		rc = buf_check(&text, path, err);
	}
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		buf_truncate(&text, text.len - 1);
	if (rc == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(doc);
	buf_clear(&text);
	return rc;
}

static int
refuse_stray(void *ctx, const char *name, struct err *err)
{
	(void)ctx;
	return err_set(err, ERR_DATA, "%s: not in the manifest; take it out "
	    "of the bundle if it is not of it", name);
}

static int
load_facts(const struct bundle_dir *dir, const struct conf_agent *agent,
    const char *side, struct journal *journal, struct err *err)
{
	char *shell = agent_shell_key(side, agent);
	char *state = agent_state_key(side, agent);
	int rc;

	rc = load_fact(dir, "shell.json", shell, journal, err);
	if (rc == 0)
		rc = load_fact(dir, "state.json", state, journal, err);
	free(state);
	free(shell);
	return rc;
}

static int
load_files(const struct bundle_dir *dir, const struct conf_agent *agent,
    const char *side, struct journal *journal, struct err *err)
{
	const struct bundle_manifest *m = &dir->manifest;
	char *scope;
	int rc = 0;

	if (!bundle_manifest_find(m, "messages.jsonl"))
		return err_set(err, ERR_DATA, "the manifest has no "
		    "messages.jsonl");
	if (bundle_dir_strays(dir, refuse_stray, NULL, err) != 0)
		return -1;
	for (size_t i = 0; i < m->n_files && rc == 0; i++) {
		scope = scope_of(side, agent, m->files[i].path);
		rc = scope ? load_rows(dir, &m->files[i], scope, journal,
		    err) : bundle_dir_sum(dir, &m->files[i], err);
		free(scope);
	}
	return rc == 0 ? load_facts(dir, agent, side, journal, err) : -1;
}

static int
load_dir(const char *path, const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct bundle_dir dir;
	int rc;

	if (bundle_dir_open(path, &dir, err) != 0)
		return -1;
	rc = load_files(&dir, agent, side, journal, err);
	bundle_dir_close(&dir);
	return rc != 0 ? err_ctx(err, "%s", path) : 0;
}

int
bundle_digest(const char *path, char **digest, struct err *err)
{
	unsigned char bytes[HASH_SIZE];
	struct bundle_dir dir;

	*digest = NULL;
	if (!bundle_is_af(path)) {
		if (bundle_dir_open(path, &dir, err) != 0)
			return -1;
		*digest = mem_strdup(dir.digest);
		bundle_dir_close(&dir);
		return 0;
	}
	if (hash_file(path, bytes, err) != 0)
		return -1;
	*digest = mem_zero(1, 2 * HASH_SIZE + 1);
	str_hex(bytes, sizeof(bytes), *digest);
	return 0;
}

/* Drop the scope of every conversation that the side has. */
static int
forget_conversations(const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	char *index = agent_scope(side, agent, "conversations");
	struct journal_rows *rows = NULL;
	struct journal_row row;
	char *scope;
	int more = -1;

	if (journal_rows_open(journal, index, false, &rows, err) == 0) {
		while ((more = journal_rows_next(rows, &row, err)) > 0) {
			scope = agent_conversation_scope(side, agent, row.id);
			if (journal_scope_drop(journal, scope, err) != 0)
				more = -1;
			free(scope);
			if (more < 0)
				break;
		}
	}
	journal_rows_close(rows);
	free(index);
	return more;
}

static int
forget(const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	char *scope;
	int rc;

	rc = forget_conversations(agent, side, journal, err);
	for (size_t i = 0; bundle_parts[i].scope && rc == 0; i++) {
		scope = agent_scope(side, agent, bundle_parts[i].scope);
		rc = journal_scope_drop(journal, scope, err);
		free(scope);
	}
	return rc;
}

/*
 * The fact "DIGEST begun" or "DIGEST staged" says of which bundle the rows
 * are, and whether they are all.
 */
int
bundle_load(const char *path, const struct conf_agent *agent,
    const char *side, bool fresh, struct journal *journal, struct err *err)
{
	char *key = mem_printf("agent.%s.%s-bundle", agent->name, side);
	char *shell_key = agent_shell_key(side, agent), *shell = NULL;
	char *digest = NULL, *before = NULL, *begun = NULL, *staged = NULL;
	int rc;

	rc = bundle_digest(path, &digest, err);
	if (rc == 0)
		rc = journal_get(journal, key, &before, err);
	if (rc == 0)
		rc = journal_get(journal, shell_key, &shell, err);
	if (rc != 0)
		goto out;
	begun = mem_printf("%s begun", digest);
	staged = mem_printf("%s staged", digest);
	/* Whoever drops a side blanks its facts. */
	if (!fresh && before && str_eq(before, staged) && shell && *shell)
		goto out;
	if (fresh || !before || !str_eq(before, begun)) {
		rc = forget(agent, side, journal, err);
		if (rc == 0)
			rc = journal_put(journal, key, begun, err);
	}
	if (rc == 0)
		rc = bundle_is_af(path) ?
		    bundle_load_af(path, agent, side, journal, err) :
		    load_dir(path, agent, side, journal, err);
	if (rc == 0)
		rc = journal_put(journal, key, staged, err);
out:
	free(staged);
	free(begun);
	free(before);
	free(digest);
	free(shell);
	free(shell_key);
	free(key);
	return rc;
}
