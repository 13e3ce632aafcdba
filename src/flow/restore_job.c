#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/restore_conf.h"
#include "flow/agent_order.h"
#include "flow/endpoint.h"
#include "flow/restore.h"
#include "flow/restore_list.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/journal.h"

#define SERVER_MAX 4096	/* bytes that another server's section may have more */

/*
 * A job file cannot hold every text: what comes out of its reader must be
 * what went in.
 */
static int
check_text(const struct restore_conf *conf, const struct buf *text,
    struct err *err)
{
	struct conf *read;
	int rc = 0;

	if (conf_parse("the job of this restore", buf_cstr(text), text->len,
	    &read, err) != 0)
		return -1;
	for (size_t i = 0; i < conf->n_agents && rc == 0; i++) {
		if (!str_eq(read->agents[i].bundle, conf->agents[i].bundle))
			rc = err_set(err, ERR_USAGE, "%s has characters that "
			    "a job file does not take: give the directory a "
			    "plainer name", conf->agents[i].bundle);
	}
	if (rc == 0 && !str_eq(read->lettas[0].url, conf->url))
		rc = err_set(err, ERR_USAGE, "the server's URL has "
		    "characters that a job file does not take");
	conf_free(read);
	return rc;
}

/* Each bundle is a section, and there is one of the job, one of the server. */
static int
make_text(const struct restore_conf *conf, struct buf *text, struct err *err)
{
	restore_conf_write(conf, text);
	if (conf->n_agents + 2 > CONF_SECTIONS_MAX || text->full)
		return err_set(err, ERR_USAGE, "%zu agents are more than one "
		    "restore takes: its job file has at most %d sections, one "
		    "an agent, and %d bytes, with the path of each bundle",
		    conf->n_agents, CONF_SECTIONS_MAX, CONF_SIZE_MAX);
	return check_text(conf, text, err);
}

int
restore_fits(const char *dir, const struct endpoint *to, struct err *err)
{
	struct restore_conf conf = { .job = "restore", .url = to->url,
		.version = to->version, .ca_file = to->ca_file,
		.token = to->token_ref };
	struct buf text = BUF_INIT(CONF_SIZE_MAX - SERVER_MAX);
	struct restore_list list;
	int rc;

	if (restore_list_read(dir, &list, err) != 0)
		return -1;
	conf.agents = list.agents;
	conf.n_agents = list.n;
	rc = make_text(&conf, &text, err);
	buf_clear(&text);
	restore_list_clear(&list);
	return rc;
}

/* Beside the job file: what runs and verifies it later has no options. */
static int
write_leave(const struct restore_options *options, const char *name,
    struct err *err)
{
	char *file;
	int rc;

	if (options->leave)
		return run_state_write(options->state_dir, name,
		    RESTORE_LEAVE, options->leave, err);
	file = run_state_path(options->state_dir, name, RESTORE_LEAVE);
	rc = fs_remove(file, err);
	free(file);
	return rc;
}

/* With the digest of what was restored: another one is refused by it. */
static int
write_job(const struct restore_conf *conf,
    const struct restore_options *options, const char *digest, char **job,
    struct err *err)
{
	const char *state_dir = options->state_dir;
	struct buf text = BUF_INIT(CONF_SIZE_MAX);
	int rc;

	rc = make_text(conf, &text, err);
	if (rc == 0)
		rc = write_leave(options, conf->job, err);
	if (rc == 0 && digest)
		rc = run_state_write(state_dir, conf->job, RESTORE_DIGEST,
		    digest, err);
	if (rc == 0)
		rc = run_state_write(state_dir, conf->job, "job.conf",
		    buf_cstr(&text), err);
	if (rc == 0)
		*job = run_state_path(state_dir, conf->job, "job.conf");
	buf_clear(&text);
	return rc;
}

/* The digest that the job of this name was written for; "" for none. */
static int
read_digest(const char *state_dir, const char *name, struct buf *out,
    struct err *err)
{
	char *file = run_state_path(state_dir, name, RESTORE_DIGEST);
	int rc = fs_read_if(file, out, err);

	free(file);
	return rc;
}

static int
note_begun(void *ctx, const struct journal_step *step, struct err *err)
{
	bool *begun = ctx;

	(void)err;
	*begun = *begun || step->state == JOURNAL_BEGUN ||
	    step->state == JOURNAL_DONE;
	return 0;
}

/* Whether the job of this name has begun anything that is not taken back. */
static int
has_begun(const char *state_dir, const char *name, bool *out,
    struct err *err)
{
	char *file = run_state_path(state_dir, name, "journal.db");
	struct journal *journal;
	int rc;

	*out = false;
	rc = journal_open(file, false, &journal, err);
	if (rc == 0) {
		rc = journal_steps(journal, note_begun, out, err);
		journal_close(journal);
	} else if (err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	free(file);
	return rc;
}

/*
 * One job a directory and server: after it was brought up to date, the same
 * agents would come beside those that are there.
 */
static int
check_former(const struct restore_list *list, const struct endpoint *to,
    const char *state_dir, const char *name, const char *digest,
    struct err *err)
{
	struct buf former = BUF_INIT(2 * HASH_SIZE + 1);
	bool begun = false;
	char *job;
	int rc;

	rc = read_digest(state_dir, name, &former, err);
	if (rc == 0 && former.len > 0 && !str_eq(buf_cstr(&former), digest))
		rc = has_begun(state_dir, name, &begun, err);
	buf_clear(&former);
	if (rc != 0 || !begun)
		return rc;
	job = run_state_path(state_dir, name, "job.conf");
	(void)err_set(err, ERR_STALE, "%s holds other bundles than when it "
	    "was restored to %s by the job %s, so its agents would be there "
	    "twice; nothing was changed.  `sanctumctl cancel %s' takes those "
	    "of then away; after that the same command restores what it "
	    "holds now", list->dir, to->name, job, job);
	free(job);
	return -1;
}

/* A name that is given is of a nested job, whose backup stays as it is. */
static int
choose_name(const struct restore_list *list, const struct endpoint *to,
    const struct restore_options *options, char **name, char **digest,
    struct err *err)
{
	*digest = NULL;
	if (options->name) {
		*name = mem_strdup(options->name);
		return 0;
	}
	*name = NULL;
	if (restore_list_digest(list, digest, err) != 0 ||
	    agent_order_name("restore", (const char *const[]){ list->dir,
	    to->url, NULL }, name, err) != 0)
		return -1;
	return check_former(list, to, options->state_dir, *name, *digest,
	    err);
}

/* What is restored all the same, as it is here. */
static void
warn_stale(const struct backup_index *index)
{
	const struct backup_entry *entry;
	const char *why;

	for (size_t i = 0; i < index->n_entries; i++) {
		entry = &index->entries[i];
		why = restore_list_stale(entry);
		if (entry->path && !entry->gone && why)
			log_warn("%s: its bundle is of %s and not current; "
			    "%s%s", entry->id, entry->read_at ?
			    entry->read_at : "a time before", entry->failed ?
			    "" : "changed while it was read: ", why);
	}
}

int
restore_job(const char *dir, const struct endpoint *to,
    const struct restore_options *options, char **job, struct err *err)
{
	struct restore_conf conf = { .url = to->url, .version = to->version,
		.ca_file = to->ca_file, .token = to->token_ref,
		.tools = options->tools };
	struct restore_list list;
	char *name = NULL, *digest = NULL;
	int rc;

	*job = NULL;
	if (restore_list_read(dir, &list, err) != 0)
		return -1;
	conf.agents = list.agents;
	conf.n_agents = list.n;
	warn_stale(&list.index);
	rc = choose_name(&list, to, options, &name, &digest, err);
	if (rc == 0) {
		conf.job = name;
		rc = write_job(&conf, options, digest, job, err);
	}
	free(digest);
	free(name);
	restore_list_clear(&list);
	return rc;
}

int
restore_order(const char *dir, const char *server,
    const struct restore_options *options, char **job, struct err *err)
{
	struct endpoint to;
	int rc;

	*job = NULL;
	if (endpoint_find(server, &to, err) != 0)
		return -1;
	if (to.connect_to)
		rc = err_set(err, ERR_USAGE, "%s is reached by the "
		    "connect_to of its edge, which no job of a restore has: "
		    "give the address of its site to this machine's resolver "
		    "first", to.name);
	else
		rc = restore_job(dir, &to, options, job, err);
	endpoint_clear(&to);
	return rc;
}
