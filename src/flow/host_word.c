#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"
#include "flow/host_word.h"
#include "flow/run.h"
#include "io/host.h"

static const struct conf_host *
find_section(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_hosts; i++) {
		if (str_eq(conf->hosts[i].name, name))
			return &conf->hosts[i];
	}
	return NULL;
}

/* host and path are the words behind the job file's "#". */
static int
open_in_job(const char *job, const char *name, const char *path,
    struct host_word *out, struct err *err)
{
	const char *wrong = conf_value_path(path);
	const struct conf_host *host;

	if (wrong)
		return err_set(err, ERR_USAGE, "%s:%s: the path %s", name,
		    path, wrong);
	if (run_read(job, &out->conf, err) != 0)
		return -1;
	host = find_section(out->conf, name);
	if (!host)
		return err_set(err, ERR_USAGE, "%s: there is no section "
		    "[host %s]", job, name);
	out->where = mem_printf("%s:%s", name, path);
	out->path = mem_strdup(path);
	return run_host_open(host, &out->host, err);
}

static int
open_here(const char *word, struct host_word *out, struct err *err)
{
	static const struct host_spec spec = { .name = "local",
	    .local = true };
	char cwd[PATH_MAX];

	if (*word == '/')
		out->path = mem_strdup(word);
	else if (getcwd(cwd, sizeof(cwd)))
		out->path = mem_printf("%s/%s", cwd, word);
	else
		return err_sys(err, ERR_FAILED, "the working directory");
	out->where = mem_strdup(word);
	return host_open(&spec, &out->host, err);
}

int
host_word_open(const char *word, struct host_word *out, struct err *err)
{
	const char *mark = strrchr(word, '#');
	const char *colon = mark ? strchr(mark, ':') : NULL;
	char *job, *name;
	int rc;

	*out = (struct host_word){ 0 };
	if (colon && mark != word) {
		job = mem_strndup(word, (size_t)(mark - word));
		name = mem_strndup(mark + 1, (size_t)(colon - mark - 1));
		rc = open_in_job(job, name, colon + 1, out, err);
		free(job);
		free(name);
	} else
		rc = open_here(word, out, err);
	if (rc != 0)
		host_word_close(out);
	return rc;
}

void
host_word_close(struct host_word *at)
{
	host_close(at->host);
	conf_free(at->conf);
	free(at->where);
	free(at->path);
	*at = (struct host_word){ 0 };
}
