#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
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

/* Beside the job file: what runs and verifies it later has no options. */
static int
write_leave(const char *dir, const char *leave, const struct fs_meta *meta,
    struct err *err)
{
	char *file = mem_printf("%s/" RESTORE_LEAVE, dir);
	int rc;

	rc = leave ? fs_replace(file, leave, strlen(leave), meta, err) :
	    fs_remove(file, err);
	free(file);
	return rc;
}

static int
write_job(const struct restore_conf *conf,
    const struct restore_options *options, char **job, struct err *err)
{
	const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	struct buf text = BUF_INIT(CONF_SIZE_MAX);
	char *file = run_state_path(options->state_dir, conf->job, "job.conf");
	char *dir = mem_strndup(file, strlen(file) - strlen("/job.conf"));
	int rc;

	restore_conf_write(conf, &text);
	rc = buf_check(&text, "the job of this restore", err);
	if (rc == 0)
		rc = check_text(conf, &text, err);
	if (rc == 0)
		rc = fs_mkdirs(dir, 0700, err);
	if (rc == 0)
		rc = write_leave(dir, options->leave, &meta, err);
	if (rc == 0)
		rc = fs_replace(file, buf_cstr(&text), text.len, &meta, err);
	buf_clear(&text);
	free(dir);
	if (rc == 0)
		*job = file;
	else
		free(file);
	return rc;
}

static int
choose_name(const struct restore_list *list, const struct endpoint *to,
    const struct restore_options *options, char **name, struct err *err)
{
	char *digest;
	int rc;

	if (options->name) {
		*name = mem_strdup(options->name);
		return 0;
	}
	*name = NULL;
	if (restore_list_digest(list, &digest, err) != 0)
		return -1;
	rc = agent_order_name("restore", (const char *const[]){ list->dir,
	    digest, to->url, NULL }, name, err);
	free(digest);
	return rc;
}

int
restore_job(const char *dir, const struct endpoint *to,
    const struct restore_options *options, char **job, struct err *err)
{
	struct restore_conf conf = { .url = to->url, .version = to->version,
		.ca_file = to->ca_file, .token = to->token_ref,
		.tools = options->tools };
	struct restore_list list;
	char *name;
	int rc;

	*job = NULL;
	if (restore_list_read(dir, &list, err) != 0)
		return -1;
	conf.agents = list.agents;
	conf.n_agents = list.n;
	rc = choose_name(&list, to, options, &name, err);
	if (rc == 0) {
		conf.job = name;
		rc = write_job(&conf, options, job, err);
		free(name);
	}
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
