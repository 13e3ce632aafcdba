#include "base/base.h"

#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/acme_refusal.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_certbot.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define OUTPUT_MAX 65536
#define LOG_MAX 262144
#define TIMEOUT_MS 300000
#define LOOK_TIMEOUT_MS 10000

/* What the journal keeps of the refusals of one authority. */
struct refusals {
	int64_t until_unix;
	unsigned int failures;
	int64_t first_unix;
};

static int64_t
now_unix(void)
{
	return clock_epoch_ms() / 1000;
}

static const char *
server_of(const struct conf_edge *edge, enum edge_ca ca)
{
	const char *url = ca == EDGE_CA_STAGING ? edge->acme_staging :
	    edge->acme_server;

	return url ? url : "-";
}

static const char *
name_of(const struct conf_edge *edge, enum edge_ca ca)
{
	const char *url = server_of(edge, ca);

	if (!str_eq(url, "-"))
		return url;
	return ca == EDGE_CA_STAGING ? "its staging authority" :
	    "certbot's authority";
}

static char *
fact(const struct conf_edge *edge, enum edge_ca ca)
{
	return run_key("edge", edge->host->name, ca == EDGE_CA_STAGING ?
	    "refused_staging" : "refused");
}

/* Those of another server than the job file's now do not count. */
static int
recall(struct run *run, const struct conf_edge *edge, enum edge_ca ca,
    struct refusals *out, struct err *err)
{
	char *key = fact(edge, ca), *value = NULL;
	long long until = 0, first = 0;
	unsigned int failures = 0;
	int rc, at = 0;

	*out = (struct refusals){ 0 };
	rc = journal_get(run->journal, key, &value, err);
	if (rc == 0 && value && sscanf(value, "%lld %u %lld %n", &until,
	    &failures, &first, &at) == 3 && at > 0 &&
	    str_eq(value + at, server_of(edge, ca)))
		*out = (struct refusals){ until, failures, first };
	free(value);
	free(key);
	return rc;
}

static int
remember(struct run *run, const struct conf_edge *edge, enum edge_ca ca,
    const struct refusals *refusals, struct err *err)
{
	char *key = fact(edge, ca);
	char *value = mem_printf("%lld %u %lld %s",
	    (long long)refusals->until_unix, refusals->failures,
	    (long long)refusals->first_unix, server_of(edge, ca));
	int rc = journal_put(run->journal, key, value, err);

	free(value);
	free(key);
	return rc;
}

static void
write_time(int64_t unix_s, char text[static CLOCK_TEXT_SIZE])
{
	time_t at = (time_t)unix_s;
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&at, &tm))
		(void)strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ",
		    &tm);
}

int
edge_certbot_may_ask(struct run *run, const struct conf_edge *edge,
    enum edge_ca ca, struct err *err)
{
	char when[CLOCK_TEXT_SIZE];
	struct refusals refusals;

	if (recall(run, edge, ca, &refusals, err) != 0)
		return -1;
	if (refusals.until_unix <= now_unix())
		return 0;
	write_time(refusals.until_unix, when);
	(void)err_set(err, ERR_AGAIN, "%s: %s is not asked again before %s, "
	    "after what it refused last; run the same command then",
	    edge->host->name, name_of(edge, ca), when);
	return err_transient(err);
}

/*
 * What certbot says in the end, for an error: the authority's reasons go to
 * its stdout, its own to stderr (2.1.0, seen).
 */
static const char *
last_words(struct buf *shown, struct proc_result *result)
{
	/* Where to ask for help takes the room of what is wrong. */
	const char *end = strstr(buf_cstr(&result->err_out),
	    "Ask for help or search for solutions");

	if (end)
		buf_truncate(&result->err_out,
		    (size_t)(end - result->err_out.data));
	command_said(shown, &result->out, 550);
	if (shown->len > 0 && result->err_out.len > 0)
		buf_str(shown, "; ");
	command_said(shown, &result->err_out, 250);
	return buf_cstr(shown);
}

/* The end of certbot's log; without one its words alone must do. */
static void
read_log(struct host *host, struct buf *out)
{
	static const char *const argv[] = {
		"tail", "-c", "200000", "/var/log/letsencrypt/letsencrypt.log",
		NULL
	};
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = LOOK_TIMEOUT_MS
	};
	struct err ignored = ERR_INIT;
	struct proc_result result;

	proc_result_init(&result, LOG_MAX);
	if (host_ask(host, &spec, &result, &ignored) == 0 &&
	    result.status == 0)
		buf_str(out, buf_cstr(&result.out));
	proc_result_clear(&result);
}

/* Count a refusal, and set err to what it means for the user. */
static int
refused(struct run *run, const struct conf_edge *edge, enum edge_ca ca,
    const struct acme_refusal *refusal, const char *words, struct err *err)
{
	const char *host = edge->host->name;
	char when[CLOCK_TEXT_SIZE];
	struct refusals refusals;
	int64_t now = now_unix();

	if (recall(run, edge, ca, &refusals, err) != 0)
		return -1;
	if (refusals.failures == 0 ||
	    now - refusals.first_unix >= ACME_REFUSAL_PAUSE)
		refusals = (struct refusals){ .first_unix = now };
	if (refusal->kind == ACME_REFUSAL_INVALID)
		refusals.failures++;
	refusals.until_unix = acme_refusal_until(refusal, refusals.failures,
	    refusals.first_unix, now);
	if (remember(run, edge, ca, &refusals, err) != 0)
		return -1;

	if (refusal->kind == ACME_REFUSAL_LOCKED ||
	    refusal->kind == ACME_REFUSAL_BAD_NONCE) {
		(void)err_set(err, ERR_AGAIN, "%s: %s; run the same command "
		    "again", host, words);
		return err_transient(err);
	}
	if (refusals.until_unix <= now)
		return err_set(err, ERR_FAILED, "%s: certbot got no "
		    "certificate from %s: %s", host, name_of(edge, ca),
		    words);
	write_time(refusals.until_unix, when);
	(void)err_set(err, ERR_AGAIN, "%s: certbot got no certificate from "
	    "%s, which is not asked again before %s: %s", host,
	    name_of(edge, ca), when, words);
	return err_transient(err);
}

/* NULL-ended environment of a certbot that trusts acme_ca_file. */
static char *
trust(const struct conf_edge *edge, const char **env)
{
	char *bundle;

	env[0] = env[1] = NULL;
	if (!edge->acme_ca_file)
		return NULL;
	bundle = mem_printf("REQUESTS_CA_BUNDLE=%s", edge->acme_ca_file);
	env[0] = bundle;
	return bundle;
}

/* Run it; *host is where, *result what came of it. */
static int
certbot(struct run *run, const struct conf_edge *edge,
    const char *const *argv, struct host **host, struct proc_result *result,
    struct err *err)
{
	const char *env[2];
	char *bundle = trust(edge, env);
	struct proc_spec spec = {
		.argv = argv, .env = bundle ? env : NULL,
		.timeout_ms = TIMEOUT_MS
	};
	int rc;

	rc = run_host(run, edge->host, host, err);
	if (rc == 0)
		rc = host_run(*host, &spec, result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		(void)err_set(err, ERR_MISSING, "%s: certbot is not there; "
		    "install the package certbot, then run the same command "
		    "again", edge->host->name);
	}
	free(bundle);
	return rc;
}

int
edge_certbot_ask(struct run *run, const struct conf_edge *edge,
    enum edge_ca ca, const char *const *argv, struct err *err)
{
	struct buf said = BUF_INIT(2 * OUTPUT_MAX + 2);
	struct buf log = BUF_INIT(LOG_MAX), shown = BUF_INIT(4096);
	struct acme_refusal refusal;
	struct proc_result result;
	struct host *host;
	int rc;

	if (edge_certbot_may_ask(run, edge, ca, err) != 0)
		return -1;
	proc_result_init(&result, OUTPUT_MAX);
	rc = certbot(run, edge, argv, &host, &result, err);
	if (rc == 0 && result.status != 0) {
		buf_str(&said, buf_cstr(&result.out));
		buf_str(&said, buf_cstr(&result.err_out));
		read_log(host, &log);
		acme_refusal_read(buf_cstr(&said), buf_cstr(&log),
		    now_unix(), &refusal);
		rc = refused(run, edge, ca, &refusal,
		    last_words(&shown, &result), err);
	}
	buf_clear(&shown);
	buf_clear(&log);
	buf_clear(&said);
	proc_result_clear(&result);
	return rc;
}

int
edge_certbot_run(struct run *run, const struct conf_edge *edge,
    const char *const *argv, struct err *err)
{
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	struct host *host;
	int rc;

	proc_result_init(&result, OUTPUT_MAX);
	rc = certbot(run, edge, argv, &host, &result, err);
	if (rc == 0 && result.status != 0)
		rc = err_set(err, ERR_FAILED, "%s: certbot ended with exit "
		    "code %d: %s", edge->host->name, result.status,
		    last_words(&shown, &result));
	buf_clear(&shown);
	proc_result_clear(&result);
	return rc;
}
