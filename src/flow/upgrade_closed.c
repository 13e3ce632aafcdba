#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/jdoc.h"
#include "flow/compose_service.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_closed.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

#define FILE_FACT "closed"
#define FILE_MAX 65536
#define WORD_SIZE 64
#define PASSWORD "LETTA_SERVER_PASSWORD"

/* The image's startup.sh asks for SECURE, the server itself for the other. */
static const char *const secure[] = { "SECURE", "LETTA_SERVER_SECURE" };

/* This job's upgrade, when that is its new server; else NULL. */
static const struct conf_upgrade *
upgrade_of(const struct run *run, const struct conf_letta *letta)
{
	const struct conf *conf = run->conf;

	return run->journal && conf->kind == CONF_UPGRADE &&
	    conf->n_upgrades > 0 && conf->upgrades[0].to == letta ?
	    &conf->upgrades[0] : NULL;
}

int
upgrade_closed_wanted(struct run *run, const struct conf_letta *letta,
    bool *out, struct err *err)
{
	struct upgrade up = { .run = run, .conf = upgrade_of(run, letta) };
	bool opened = false;
	int rc = 0;

	if (up.conf)
		rc = upgrade_begun(&up, &upgrade_open_kind, &opened, err);
	*out = rc == 0 && up.conf && !opened;
	return rc;
}

static void
first_words(const struct run *run, char out[static WORD_SIZE])
{
	(void)snprintf(out, WORD_SIZE, "closed-%s-", run->mark);
}

bool
upgrade_closed_is(const struct run *run, const char *password)
{
	char words[WORD_SIZE];

	first_words(run, words);
	return strncmp(password, words, strlen(words)) == 0;
}

int
upgrade_closed_draw(const struct run *run, struct buf *out, struct err *err)
{
	char words[WORD_SIZE];

	first_words(run, words);
	buf_str(out, words);
	return runtime_draw(out, err);
}

/* That of the environment file on the host. */
static int
env_password(const struct upgrade *up, struct secret **out, struct err *err)
{
	struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };
	struct runtime_env env;
	struct buf value;
	bool set = false;
	int rc;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	rc = runtime_env_read(&env, &rt, RUNTIME_ENV, err);
	if (rc == 0)
		rc = runtime_env_get(&env, PASSWORD, &value, &set, err);
	if (rc == 0 && set && upgrade_closed_is(up->run, buf_cstr(&value)))
		*out = secret_new(value.data, value.len);
	buf_wipe(&value);
	runtime_env_clear(&env);
	return rc;
}

static int
file_password(const struct upgrade *up, const struct compose_service *cs,
    struct secret **out, struct err *err)
{
	char *path = compose_service_closed_path(cs);
	const char *password = NULL;
	struct jdoc *doc = NULL;
	struct buf text;
	int rc;

	buf_init_still(&text, FILE_MAX);
	rc = host_read(cs->host, path, &text, NULL, err);
	if (rc == 0) {
		doc = jdoc_parse(buf_cstr(&text), text.len, err);
		password = jdoc_get_str(jdoc_get(jdoc_get(jdoc_get(doc,
		    "services"), cs->name), "environment"), PASSWORD);
	}
	if (rc == 0 && (!password || !upgrade_closed_is(up->run, password)))
		rc = err_set(err, ERR_DATA, "%s:%s: is not as this job has "
		    "written it, and %s was started with it.  Run `letta "
		    "rollback'", host_name(cs->host), path, cs->name);
	if (rc == 0)
		*out = secret_new(password, strlen(password));
	jdoc_free(doc);
	buf_wipe(&text);
	free(path);
	return rc;
}

/* What its container was made with counts, not which files there are. */
static int
compose_password(const struct upgrade *up, struct secret **out,
    struct err *err)
{
	struct compose_service cs;
	int rc;

	rc = compose_service_open(&cs, up->host, up->conf->from, err);
	if (rc == 0 && cs.closed)
		rc = file_password(up, &cs, out, err);
	compose_service_close(&cs);
	return rc;
}

/* Whether something of the new server was made. */
static int
is_made(const struct upgrade *up, bool *out, struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to };

	return up->conf->to->runtime == CONF_RUNTIME_COMPOSE ?
	    upgrade_begun(up, &upgrade_compose_kind, out, err) :
	    runtime_begun(&rt, runtime_environment_kind.word, out, err);
}

int
upgrade_closed_password(struct run *run, const struct conf_letta *letta,
    struct secret **out, struct err *err)
{
	struct upgrade up = { .run = run, .conf = upgrade_of(run, letta) };
	bool made;

	*out = NULL;
	if (!up.conf)
		return 0;
	if (is_made(&up, &made, err) != 0)
		return -1;
	if (!made)
		return 0;
	if (run_host(run, up.conf->from->host, &up.host, err) != 0)
		return -1;
	return letta->runtime == CONF_RUNTIME_COMPOSE ?
	    compose_password(&up, out, err) : env_password(&up, out, err);
}

int
upgrade_closed_file_is_there(const struct upgrade *up, bool *out,
    struct err *err)
{
	char *fact = NULL;
	int rc = upgrade_get(up, FILE_FACT, &fact, err);

	*out = fact != NULL;
	free(fact);
	return rc;
}

/* JSON, which each reader of YAML takes, and we have a reader of. */
static int
file_text(const struct upgrade *up, const struct compose_service *cs,
    struct buf *out, struct err *err)
{
	struct jdoc *doc = jdoc_new_object(), *services = jdoc_new_object(),
	    *service = jdoc_new_object(), *env = jdoc_new_object();
	struct buf password;
	int rc;

	buf_init_still(&password, DOTENV_MAX_BYTES);
	rc = upgrade_closed_draw(up->run, &password, err);
	for (size_t i = 0; i < sizeof(secure) / sizeof(*secure); i++)
		jdoc_set_str(env, secure[i], "true");
	jdoc_set_str(env, PASSWORD, buf_cstr(&password));
	jdoc_set(service, "environment", env);
	jdoc_set(services, cs->name, service);
	jdoc_set(doc, "services", services);
	jdoc_write(doc, out);
	buf_char(out, '\n');
	jdoc_free(doc);
	buf_wipe(&password);
	return rc == 0 ? buf_check(out, "the file that closes it", err) : -1;
}

static int
file_write(const struct upgrade *up, const struct compose_service *cs,
    const char *path, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct buf text;
	int rc;

	buf_init_still(&text, FILE_MAX);
	rc = file_text(up, cs, &text, err);
	if (rc == 0)
		rc = upgrade_put(up, FILE_FACT, path, err);
	if (rc == 0)
		rc = host_replace(cs->host, path, text.data, text.len, &meta,
		    err);
	buf_wipe(&text);
	return rc;
}

int
upgrade_closed_file_make(const struct upgrade *up,
    const struct compose_service *cs, struct err *err)
{
	char *path = compose_service_closed_path(cs);
	struct fs_meta meta;
	bool ours = false;
	int rc;

	rc = upgrade_closed_file_is_there(up, &ours, err);
	if (rc == 0)
		rc = host_stat(cs->host, path, &meta, err);
	if (rc == 0 && meta.type != FS_NONE && !ours)
		rc = err_set(err, ERR_STALE, "%s:%s: is there, and not made "
		    "by this job; does another one upgrade this service?  If "
		    "not, remove it", host_name(cs->host), path);
	else if (rc == 0 && meta.type == FS_NONE)
		rc = file_write(up, cs, path, err);
	free(path);
	return rc;
}

int
upgrade_closed_file_remove(const struct upgrade *up,
    const struct compose_service *cs, struct err *err)
{
	char *path = NULL;
	int rc = upgrade_get(up, FILE_FACT, &path, err);

	if (rc == 0 && path)
		rc = host_remove(cs->host, path, err);
	if (rc == 0 && path)
		rc = upgrade_put(up, FILE_FACT, "", err);
	free(path);
	return rc;
}
