#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "flow/secrets.h"
#include "flow/server.h"
#include "io/http.h"

static char *
copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

/* The message never has the URL: people leave passwords in it. */
static int
find_url(const char *word, struct endpoint *out, struct err *err)
{
	const char *token = getenv(ENDPOINT_TOKEN);
	const char *host = strstr(word, "://") + 3;
	const char *wrong;
	size_t len = strcspn(host, "/?#");

	if (memchr(host, '@', len))
		return err_set(err, ERR_USAGE, "the URL has a user, or a "
		    "password that others can read in the list of processes; "
		    "put the token into " ENDPOINT_TOKEN ", or name the "
		    "server as JOB#NAME");
	out->url = mem_strdup(word);
	len = strlen(out->url);
	while (len > 0 && out->url[len - 1] == '/')
		out->url[--len] = '\0';
	wrong = conf_value_url(out->url);
	if (wrong)
		return err_set(err, ERR_USAGE, "the URL of the server %s",
		    wrong);
	out->name = mem_strdup(host);
	if (token && *token)
		out->token_ref = mem_strdup("env:" ENDPOINT_TOKEN);
	return 0;
}

static const struct conf_letta *
find_section(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (str_eq(conf->lettas[i].name, name))
			return &conf->lettas[i];
	}
	return NULL;
}

static void
take_section(const struct conf_letta *letta, struct endpoint *out)
{
	out->name = mem_strdup(letta->name);
	out->url = run_server_url(letta);
	out->version = copy(letta->version);
	out->ca_file = copy(letta->ca_file);
	out->connect_to = copy(letta->edge ? letta->edge->connect_to : NULL);
	out->token_ref = copy(letta->token.ref);
}

int
run_endpoint(struct run *run, const struct conf_letta *letta,
    struct endpoint *out, struct err *err)
{
	const struct secret *token;

	*out = (struct endpoint){ 0 };
	if (run_token(run, letta, &token, err) != 0)
		return -1;
	take_section(letta, out);
	if (token)
		out->token = secret_new(secret_bytes(token),
		    secret_len(token));
	return 0;
}

static int
find_in_job(const char *path, const char *name, struct endpoint *out,
    struct err *err)
{
	const struct conf_letta *letta;
	struct conf *conf;
	int rc = 0;

	if (run_read(path, &conf, err) != 0)
		return -1;
	letta = find_section(conf, name);
	if (letta)
		take_section(letta, out);
	else
		rc = err_set(err, ERR_USAGE, "%s: there is no section [letta "
		    "%s]", path, name);
	conf_free(conf);
	return rc;
}

int
endpoint_find(const char *word, struct endpoint *out, struct err *err)
{
	const char *mark = strrchr(word, '#');
	char *path;
	int rc;

	*out = (struct endpoint){ 0 };
	if (strstr(word, "://"))
		rc = find_url(word, out, err);
	else if (mark && mark != word && mark[1] != '\0') {
		path = mem_strndup(word, (size_t)(mark - word));
		rc = find_in_job(path, mark + 1, out, err);
		free(path);
	} else
		rc = err_set(err, ERR_USAGE, "%s is no server: give its base "
		    "URL (https://...), or JOB#NAME for the section [letta "
		    "NAME] of a job file", word);
	if (rc != 0)
		endpoint_clear(out);
	return rc;
}

/* A token belongs to one server; a variable is taken for one URL alone. */
static int
check_shared(const struct endpoint *all, size_t n, struct err *err)
{
	static const char ref[] = "env:" ENDPOINT_TOKEN;
	const struct endpoint *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!all[i].token_ref || !str_eq(all[i].token_ref, ref))
			continue;
		if (first && !str_eq(first->url, all[i].url))
			return err_set(err, ERR_USAGE, "the token in "
			    ENDPOINT_TOKEN " would go to two servers; name "
			    "them as JOB#NAME, each with its own token");
		first = &all[i];
	}
	return 0;
}

/* Those of the environment first: cmd: runs a program (secrets.h). */
static int
fetch_from(struct endpoint *all, size_t n, bool environment, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (all[i].token_ref && !all[i].token &&
		    secrets_in_environment(all[i].token_ref) == environment &&
		    secrets_fetch(all[i].token_ref, &all[i].token, err) != 0)
			return -1;
	}
	return 0;
}

int
endpoint_fetch(struct endpoint *all, size_t n, struct err *err)
{
	if (check_shared(all, n, err) != 0 ||
	    fetch_from(all, n, true, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (all[i].token_ref)
			secrets_forget(all[i].token_ref);
	}
	return fetch_from(all, n, false, err);
}

/* known NULL: it is looked at. */
static int
open_server(const struct endpoint *at, const struct letta_caps *known,
    struct server **out, struct err *err)
{
	char *ca_file = run_local_path(at->ca_file);
	struct http_spec spec = {
		.url = at->url,
		.token = at->token,
		.ca_file = ca_file,
		.connect_to = at->connect_to,
	};
	int rc;

	rc = known ? server_reopen(&spec, at->name, known, out, err) :
	    server_open(&spec, at->name, at->version, out, err);
	free(ca_file);
	return rc;
}

int
endpoint_open(const struct endpoint *at, struct server **out,
    struct err *err)
{
	return open_server(at, NULL, out, err);
}

int
endpoint_reopen(const struct endpoint *at, const struct letta_caps *known,
    struct server **out, struct err *err)
{
	return open_server(at, known, out, err);
}

void
endpoint_clear(struct endpoint *at)
{
	free(at->name);
	free(at->url);
	free(at->version);
	free(at->ca_file);
	free(at->connect_to);
	free(at->token_ref);
	secret_free(at->token);
	*at = (struct endpoint){ 0 };
}
