#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "flow/compose_service.h"
#include "flow/upgrade_compose.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

#define TEXT_MAX 4096
#define NEVER "no"

/* Facts: what its container was made with; the first is written last. */
#define PROJECT "compose.project"
#define DIRECTORY "compose.directory"
#define FILES "compose.files"
#define ENV_FILES "compose.env_files"

/* Of this container alone: `up' may make another one. */
static char *
word_of(const struct compose_service *cs)
{
	return mem_printf("restart.%s", cs->container);
}

/* As `docker update --restart' takes it: "always", "on-failure:3". */
static char *
policy_of(const struct jdoc *doc)
{
	const char *name = jdoc_get_str(doc, "Name");
	const int64_t most = jdoc_int(jdoc_get(doc, "MaximumRetryCount"));

	if (!name || !*name)
		return mem_strdup(NEVER);
	if (most > 0)
		return mem_printf("%s:%" PRId64, name, most);
	return mem_strdup(name);
}

static int
ask_policy(const struct compose_service *cs, char **out, struct err *err)
{
	const char *const words[] = { "inspect", "--format",
	    "{{json .HostConfig.RestartPolicy}}", cs->container, NULL };
	struct buf text = BUF_INIT(TEXT_MAX);
	struct jdoc *doc = NULL;
	int rc;

	*out = NULL;
	rc = compose_service_docker(cs, words, true, &text, err);
	if (rc == 0) {
		doc = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = doc ? 0 : err_ctx(err, "%s: docker inspect",
		    host_name(cs->host));
	}
	if (rc == 0)
		*out = policy_of(doc);
	jdoc_free(doc);
	buf_clear(&text);
	return rc;
}

static int
set_policy(const struct compose_service *cs, const char *policy,
    struct err *err)
{
	const char *const words[] = { "update", "--restart", policy,
	    cs->container, NULL };

	return compose_service_docker(cs, words, false, NULL, err);
}

/* One that is `no' already is that of its file, or is held by us. */
static int
hold(const struct upgrade *up, const struct compose_service *cs,
    struct err *err)
{
	char *policy, *word;
	int rc;

	if (ask_policy(cs, &policy, err) != 0)
		return -1;
	word = word_of(cs);
	rc = str_eq(policy, NEVER) ? 0 : upgrade_put(up, word, policy, err);
	if (rc == 0 && !str_eq(policy, NEVER))
		rc = set_policy(cs, NEVER, err);
	free(word);
	free(policy);
	return rc;
}

/* What is stopped may be removed by others: docker system prune. */
static int
note_made(const struct upgrade *up, const struct compose_service *cs,
    struct err *err)
{
	return upgrade_put(up, ENV_FILES, cs->env_files, err) != 0 ||
	    upgrade_put(up, FILES, cs->files, err) != 0 ||
	    upgrade_put(up, DIRECTORY, cs->directory, err) != 0 ?
	    -1 : upgrade_put(up, PROJECT, cs->project, err);
}

static int
recall(const struct upgrade *up, struct compose_service *cs, struct err *err)
{
	static const char *const words[] = { PROJECT, DIRECTORY, FILES,
	    ENV_FILES };
	char *made[sizeof(words) / sizeof(*words)] = { NULL };
	const size_t n = sizeof(words) / sizeof(*words);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = upgrade_get(up, words[i], &made[i], err);
	/* None by a job of before these facts. */
	if (rc == 0 && made[0] && made[2])
		compose_service_recall(cs, made[0], made[1] ? made[1] : "",
		    made[2], made[3] ? made[3] : "");
	for (size_t i = 0; i < n; i++)
		free(made[i]);
	return rc;
}

int
upgrade_compose_find(const struct upgrade *up, struct compose_service *cs,
    struct err *err)
{
	char *was = NULL;
	int rc;

	rc = compose_service_open(cs, up->host, up->conf->from, err);
	if (rc == 0 && !cs->container)
		rc = upgrade_get(up, UPGRADE_STOP_WAS, &was, err);
	if (rc == 0 && was)
		rc = recall(up, cs, err);
	if (rc == 0 && was && !cs->project)
		rc = err_set(err, ERR_MISSING, "%s:%s: there is no container "
		    "of the service %s any more, which this job has stopped; "
		    "make one and do not start it (`docker compose create', "
		    "with all its files), then run the same command again",
		    host_name(up->host), cs->file, cs->name);
	free(was);
	return rc;
}

int
upgrade_compose_stop(const struct upgrade *up, struct compose_service *cs,
    struct err *err)
{
	if (cs->container && (note_made(up, cs, err) != 0 ||
	    hold(up, cs, err) != 0))
		return -1;
	return compose_service_stop(cs, err);
}

int
upgrade_compose_release(const struct upgrade *up, struct compose_service *cs,
    struct err *err)
{
	char *policy = NULL, *word;
	int rc;

	if (!cs->container)
		return 0;
	word = word_of(cs);
	rc = upgrade_get(up, word, &policy, err);
	if (rc == 0 && policy)
		rc = set_policy(cs, policy, err);
	if (rc == 0 && policy)
		rc = upgrade_put(up, word, "", err);
	free(policy);
	free(word);
	return rc;
}

/* One that was made anew is found first. */
static int
release_now(const struct upgrade *up, struct compose_service *cs,
    struct err *err)
{
	bool active;

	if (compose_service_active(cs, &active, err) != 0)
		return -1;
	return upgrade_compose_release(up, cs, err);
}

int
upgrade_compose_start(const struct upgrade *up, struct compose_service *cs,
    struct err *err)
{
	return compose_service_start(cs, err) != 0 ? -1 :
	    release_now(up, cs, err);
}

int
upgrade_compose_start_closed(const struct upgrade *up,
    struct compose_service *cs, struct err *err)
{
	return compose_service_start_closed(cs, err) != 0 ? -1 :
	    release_now(up, cs, err);
}
