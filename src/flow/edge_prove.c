#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_prove.h"
#include "flow/edge_service.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/host.h"

#define PROVE_TIMEOUT_MS 15000
#define PROVE_PAUSE_MS 100
#define LOG_EACH 10		/* times that it is asked */
#define URLS_MAX 3
#define CURL_MS 10000
#define CURL_NO_BUNDLE 77	/* its exit code without ca-certificates */
#define PEM_MAX (1024 * 1024)

/* The addresses at which a rendering must answer with its generation. */
static size_t
list_urls(const struct edge_proof *p, char *urls[static URLS_MAX])
{
	const struct conf_edge *edge = p->edge;
	const bool two = strcasecmp(edge->site, edge->ade_name) != 0;
	const char *scheme = p->port_80 ? "http" : "https";
	size_t n = 0;

	urls[n++] = mem_printf("%s://%s", scheme, edge->site);
	if (two)
		urls[n++] = mem_printf("%s://%s", scheme, edge->ade_name);
	if (!p->port_80)
		urls[n++] = mem_printf("https://%s:%u", edge->ade_name,
		    edge->ade_port);
	return n;
}

static int
ask_url(const struct edge_proof *p, const char *url, struct buf *answers,
    bool *out, struct err *err)
{
	struct buf seen = BUF_INIT(256);

	*out = false;
	buf_clear(answers);
	if (edge_generation(p->edge, url, &seen, err) != 0) {
		buf_printf(answers, "%s", err->text);
		err_clear(err);
	} else if (!str_eq(buf_cstr(&seen), p->generation))
		buf_printf(answers, "%s serves %s", url, seen.len ?
		    "another generation" : "none of our generations");
	else
		*out = true;
	buf_clear(&seen);
	return stop_check(err);
}

/* The roots of `ca_file', which the host has not; none: its own serve. */
static int
read_roots(const struct conf_edge *edge, struct buf *out, struct err *err)
{
	char *path = run_local_path(edge->ca_file);
	int rc = path ? fs_read(path, out, NULL, err) : 0;

	free(path);
	return rc;
}

/* The generation that the host itself gets from ::1; *status is curl's. */
static int
fetch_ipv6(const struct edge_proof *p, const char *url, const char *name,
    unsigned int port, int *status, struct buf *seen, struct err *err)
{
	char *to = mem_printf("%s:%u:[::1]", name, port);
	char *what = mem_printf("%s/.well-known/sanctumctl-generation", url);
	struct buf roots = BUF_INIT(PEM_MAX);
	const char *argv[] = { "curl", "-qsS", "--noproxy", "*",
	    "--max-time", "5", "--max-filesize", "4096", "--resolve", to,
	    what, p->edge->ca_file ? "--cacert" : NULL, "/dev/stdin", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = CURL_MS };
	struct proc_result result;
	int rc = read_roots(p->edge, &roots, err);

	proc_result_init(&result, 65536);
	spec.input = buf_cstr(&roots);
	spec.input_len = roots.len;
	if (rc == 0)
		rc = host_ask(p->host, &spec, &result, err);
	if (rc == 0) {
		*status = result.status;
		str_printable(seen, buf_cstr(result.status == 0 ?
		    &result.out : &result.err_out), strcspn(buf_cstr(
		    result.status == 0 ? &result.out : &result.err_out),
		    "\n"));
	}
	proc_result_clear(&result);
	buf_clear(&roots);
	free(what);
	free(to);
	return rc;
}

/*
 * A server of somebody else's may have [::] of a port where 0.0.0.0 is ours,
 * or its names.  Without curl there, that it listens is all that is known.
 */
static int
ask_ipv6(const struct edge_proof *p, const char *url, const char *name,
    unsigned int port, struct buf *answers, bool *out, struct err *err)
{
	struct buf seen = BUF_INIT(8192);
	int status = 0, rc;

	buf_clear(answers);
	if (host_connects(p->host, "::1", port, out, err) != 0)
		return -1;
	if (!*out) {
		buf_printf(answers, "nothing listens on [::]:%u", port);
		return 0;
	}
	rc = fetch_ipv6(p, url, name, port, &status, &seen, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		buf_str(answers, "there is no curl there");
		rc = 0;
	} else if (rc == 0 && status == CURL_NO_BUNDLE && !p->edge->ca_file)
		buf_str(answers, "there are no ca-certificates there");
	else if (rc == 0) {
		*out = status == 0 &&
		    str_eq(buf_cstr(&seen), p->generation);
		if (!*out)
			buf_printf(answers, "[::1]:%u serves %s: %.400s",
			    port, status == 0 ? "another generation" :
			    "nothing of ours", buf_cstr(&seen));
	}
	buf_clear(&seen);
	return rc;
}

static int
serves_ipv6(const struct edge_proof *p, char *const *urls, size_t n,
    struct buf *answers, bool *out, struct err *err)
{
	const struct conf_edge *edge = p->edge;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n && *out; i++)
		rc = ask_ipv6(p, urls[i], i == 0 ? edge->site :
		    edge->ade_name, p->port_80 ? 80 : i == n - 1 ?
		    edge->ade_port : 443, answers, out, err);
	return rc;
}

int
edge_serves(const struct edge_proof *p, struct buf *answers, bool *out,
    struct err *err)
{
	char *urls[URLS_MAX];
	size_t n = list_urls(p, urls);
	int rc = 0;

	*out = true;
	for (size_t i = 0; rc == 0 && i < n && *out; i++)
		rc = ask_url(p, urls[i], answers, out, err);
	if (rc == 0 && p->ipv6 && *out)
		rc = serves_ipv6(p, urls, n, answers, out, err);
	for (size_t i = 0; i < n; i++)
		free(urls[i]);
	return rc;
}

static int
fail(const struct edge_proof *p, const struct buf *answers,
    const struct buf *said, struct err *err)
{
	const char *host = p->edge->host->name;

	if (said->len > 0)
		return err_set(err, ERR_FAILED, "%s: nginx cannot use the "
		    "new configuration: %s", host, buf_cstr(said));
	return err_set(err, ERR_FAILED, "%s: nginx took the new "
	    "configuration but does not serve it (%s); see "
	    "/var/log/nginx/error.log there", host, buf_cstr(answers));
}

int
edge_prove(const struct edge_proof *p, uint64_t log_end, struct err *err)
{
	uint64_t deadline_ms = clock_ms() + PROVE_TIMEOUT_MS;
	struct buf answers = BUF_INIT(2048), said = BUF_INIT(4096);
	bool served = false, final = false, late = false;
	int rc = 0;

	for (size_t n = 1; rc == 0 && !late && !final; n++) {
		rc = edge_serves(p, &answers, &served, err);
		if (rc != 0 || served)
			break;
		late = clock_left_ms(deadline_ms) == 0;
		buf_clear(&said);
		if (late || n % LOG_EACH == 0)
			rc = edge_service_log_says(p->host, log_end, &said,
			    &final, err);
		clock_sleep_ms(PROVE_PAUSE_MS);
	}
	if (rc == 0 && served && answers.len > 0)
		log_warn("%s: that [::] serves the same is not compared, only "
		    "that it listens: %s", p->edge->host->name,
		    buf_cstr(&answers));
	if (rc == 0 && !served)
		rc = fail(p, &answers, &said, err);
	buf_clear(&answers);
	buf_clear(&said);
	return rc;
}
