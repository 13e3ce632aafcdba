#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"
#include "core/diff.h"
#include "core/dotenv.h"
#include "core/repoint.h"
#include "core/worker_env.h"
#include "flow/host_word.h"
#include "flow/repoint.h"
#include "flow/run.h"
#include "flow/supervisor.h"
#include "flow/worker.h"
#include "flow/worker_env_set.h"
#include "io/hash.h"
#include "io/host.h"
#include "io/journal.h"

#define REPORT_MAX (4 * 1024 * 1024)
#define STEP "repoint"

static const char *const trees[] = { "broca", "smcp", "otto", NULL };

struct work {
	const struct host_word *at;
	const struct repoint_options *options;
	struct conf_worker worker;
	struct env_set *set;
	struct journal *journal;	/* NULL in a dry run */
	struct repoint_report *report;
};

/* One journal a directory, whatever the word was that named it. */
static int
open_journal(struct work *work, struct err *err)
{
	unsigned char digest[HASH_SIZE];
	char hex[2 * HASH_SIZE + 1];
	char *job, *path;
	struct hash *hash = hash_new(err);
	int rc;

	if (!hash)
		return -1;
	hash_add(hash, host_facts(work->at->host)->hostname,
	    strlen(host_facts(work->at->host)->hostname) + 1);
	hash_add(hash, work->worker.from_path,
	    strlen(work->worker.from_path));
	rc = hash_end(hash, digest, err);
	hash_free(hash);
	if (rc != 0)
		return -1;
	str_hex(digest, 8, hex);
	job = mem_printf("repoint-%s", hex);
	path = run_state_path(work->options->state_dir, job, "journal.db");
	rc = journal_open(path, !work->options->dry_run, &work->journal,
	    err);
	if (rc != 0 && work->options->dry_run && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	free(path);
	free(job);
	return rc;
}

/* AGENT_ID of the file that Broca reads, or what SMCP's says. */
static int
present_id(const struct work *work, char **id, struct err *err)
{
	static const char *const keys[] = { "AGENT_ID", "LETTA_AGENT_ID" };
	const struct env_file *file;
	enum dotenv_found found;
	struct buf value;

	*id = NULL;
	for (size_t i = 0; i < 2 * work->set->n_files && !*id; i++) {
		file = &work->set->files[i / 2];
		if (file->script)
			continue;
		buf_init_still(&value, 65536);
		if (dotenv_get(buf_cstr(&file->before), file->before.len,
		    keys[i % 2], NULL, &value, &found, err) != 0) {
			buf_wipe(&value);
			return err_ctx(err, "%s/%s", work->at->where,
			    file->path);
		}
		if (conf_value_is_agent_id(buf_cstr(&value)))
			*id = mem_strdup(buf_cstr(&value));
		buf_wipe(&value);
	}
	if (!*id)
		return err_set(err, ERR_DATA, "%s: no .env of this worker "
		    "assigns an agent's id to AGENT_ID or LETTA_AGENT_ID",
		    work->at->where);
	return 0;
}

/* What the journal has of this directory; NULL for what it has not. */
static int
recall(const struct work *work, char **from, char **to,
    enum journal_state *state, struct err *err)
{
	*from = *to = NULL;
	*state = JOURNAL_NONE;
	if (!work->journal)
		return 0;
	if (journal_get(work->journal, "repoint.from", from, err) != 0 ||
	    journal_get(work->journal, "repoint.to", to, err) != 0)
		return -1;
	return journal_step_state(work->journal, STEP, state, err);
}

/* Which id becomes which; *begun: a run before was killed on its way. */
static int
choose(struct work *work, const char *new_id, bool *begun, struct err *err)
{
	struct repoint_report *report = work->report;
	enum journal_state state;
	char *from, *to;
	int rc = recall(work, &from, &to, &state, err);

	*begun = state == JOURNAL_BEGUN;
	if (rc == 0 && work->options->reverse && !to)
		rc = err_set(err, ERR_USAGE, "%s: nothing was repointed here "
		    "that could be reversed", work->at->where);
	else if (rc == 0 && work->options->reverse) {
		report->from = mem_strdup(to);
		report->to = mem_strdup(from);
		*begun = true;
	} else if (rc == 0 && *begun && !str_eq(to, new_id))
		rc = err_set(err, ERR_STALE, "%s: a change to %s was begun "
		    "and not finished; finish it with that id, or go back "
		    "with --reverse", work->at->where, to);
	else if (rc == 0 && to && str_eq(to, new_id)) {
		report->from = mem_strdup(from);
		report->to = mem_strdup(to);
		*begun = true;
	} else if (rc == 0) {
		rc = present_id(work, &report->from, err);
		report->to = mem_strdup(new_id);
	}
	free(from);
	free(to);
	return rc;
}

static int
make_text(struct work *work, struct env_file *file, bool begun,
    struct err *err)
{
	struct repoint_report *report = work->report;
	const char *text = buf_cstr(&file->before), *why;
	bool env = !file->script && str_ends(file->path, ".env");
	size_t line = 0, n;

	why = env ? dotenv_uneditable(text, file->before.len, &line) : NULL;
	if (why)
		return err_set(err, ERR_DATA, "%s/%s:%zu: %s",
		    work->at->where, file->path, line, why);
	line = repoint_line(text, file->before.len, report->to);
	if (line > 0 && !begun)
		return err_set(err, ERR_STALE, "%s/%s:%zu: names %s already, "
		    "so that the way back could not be told; nothing was "
		    "changed", work->at->where, file->path, line,
		    report->to);
	buf_add(&file->after, text, file->before.len);
	n = env ? repoint_env(&file->after, report->from, report->to) :
	    repoint_text(&file->after, report->from, report->to);
	report->places += n;
	report->files += n > 0;
	line = repoint_line(buf_cstr(&file->after), file->after.len,
	    report->from);
	if (line > 0)
		buf_printf(&report->by_hand, "%s/%s:%zu\n", work->at->where,
		    file->path, line);
	return buf_check(&file->after, file->path, err);
}

/* A .env masked; of another file, that it changes. */
static int
show(struct work *work, const struct env_file *file, struct err *err)
{
	struct buf before = BUF_INIT(2 * ENV_MAX);
	struct buf after = BUF_INIT(2 * ENV_MAX);
	int rc = 0;

	if (file->before.len == 0 || memcmp(file->before.data,
	    file->after.data, file->before.len) == 0)
		return 0;
	if (str_ends(file->path, ".env")) {
		dotenv_mask(file->before.data, file->before.len,
		    worker_env_shown(), &before);
		dotenv_mask(file->after.data, file->after.len,
		    worker_env_shown(), &after);
		rc = diff_unified(file->path, buf_cstr(&before), before.len,
		    file->path, buf_cstr(&after), after.len,
		    &work->report->diff, err);
	} else
		buf_printf(&work->report->diff, "%s:%zu: the agent's id\n",
		    file->path, repoint_line(file->before.data,
		    file->before.len, work->report->from));
	buf_clear(&before);
	buf_clear(&after);
	return rc;
}

static int
write_files(struct work *work, struct err *err)
{
	const struct env_file *file = work->set->files;
	struct fs_meta meta;
	char *path;
	int rc = 0;

	for (; rc == 0 && file < work->set->files + work->set->n_files;
	    file++) {
		if (file->before.len == 0 || memcmp(file->before.data,
		    file->after.data, file->before.len) == 0)
			continue;
		path = worker_path(work->worker.from_path, file->path);
		rc = host_stat(work->at->host, path, &meta, err);
		if (rc == 0)
			rc = host_replace(work->at->host, path,
			    file->after.data, file->after.len, &meta, err);
		free(path);
	}
	return rc;
}

/* What starts it, and names the old agent: not ours to rewrite. */
static int
look_outside(struct work *work, struct err *err)
{
	struct supervisors found;
	const struct supervisor *s;

	if (supervisor_find(work->at->host, work->worker.from_path, &found,
	    err) != 0)
		return -1;
	for (s = found.list; s < found.list + found.n; s++) {
		if (strstr(s->text ? s->text : "", work->report->from) ||
		    strstr(s->settings ? s->settings : "",
		    work->report->from))
			buf_printf(&work->report->by_hand, "%s:%zu\n",
			    s->where, s->line);
	}
	supervisors_clear(&found);
	return 0;
}

/* The pair stays as it is on the way back, so that each way can be repeated. */
static int
apply(struct work *work, struct err *err)
{
	const struct repoint_report *report = work->report;
	struct journal *j = work->journal;

	if (!work->options->reverse &&
	    (journal_put(j, "repoint.from", report->from, err) != 0 ||
	    journal_put(j, "repoint.to", report->to, err) != 0))
		return -1;
	if (journal_step_begin(j, STEP, err) != 0 ||
	    write_files(work, err) != 0)
		return -1;
	return journal_step_end(j, STEP, JOURNAL_DONE, NULL, err);
}

static int
read_all(struct work *work, struct err *err)
{
	work->worker.trees = trees;
	work->worker.name = "repoint";
	work->set = env_set_new(&work->worker);
	if (env_set_read(work->set, work->at->host, work->worker.from_path,
	    err) != 0)
		return -1;
	return env_set_add(work->set, work->at->host,
	    work->worker.from_path, "broca/settings.json", "broca", err);
}

static int
go(struct work *work, const char *new_id, struct err *err)
{
	bool begun;

	if (read_all(work, err) != 0 || open_journal(work, err) != 0 ||
	    choose(work, new_id, &begun, err) != 0)
		return -1;
	for (size_t i = 0; i < work->set->n_files; i++) {
		if (make_text(work, &work->set->files[i], begun, err) != 0 ||
		    show(work, &work->set->files[i], err) != 0)
			return -1;
	}
	if (look_outside(work, err) != 0)
		return -1;
	work->report->was_done = work->report->places == 0;
	return work->options->dry_run ? 0 : apply(work, err);
}

int
repoint(const struct host_word *at, const char *new_id,
    const struct repoint_options *options, struct repoint_report *report,
    struct err *err)
{
	struct work work = { .at = at, .options = options, .report = report };
	char *dir = conf_expand_home(at->path, host_facts(at->host)->home);
	int rc;

	*report = (struct repoint_report){ 0 };
	buf_init(&report->diff, REPORT_MAX);
	buf_init(&report->by_hand, REPORT_MAX);
	while (strlen(dir) > 1 && str_ends(dir, "/"))
		dir[strlen(dir) - 1] = '\0';
	work.worker.from_path = dir;
	if (!options->reverse && !conf_value_is_agent_id(new_id))
		rc = err_set(err, ERR_USAGE, "not an agent's id: agent-UUID "
		    "in lower case, as the server writes it");
	else
		rc = go(&work, new_id, err);
	journal_close(work.journal);
	if (work.set)
		env_set_free(work.set);
	free(dir);
	return rc;
}

void
repoint_report_clear(struct repoint_report *report)
{
	free(report->from);
	free(report->to);
	buf_clear(&report->diff);
	buf_clear(&report->by_hand);
}
