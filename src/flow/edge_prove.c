#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_prove.h"
#include "flow/edge_service.h"
#include "io/host.h"

#define PROVE_TIMEOUT_MS 15000
#define PROVE_PAUSE_MS 100
#define LOG_EACH 10		/* times that it is asked */
#define URLS_MAX 3

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

/*
 * A new configuration is in service as a whole or not at all, so that there
 * is a socket is all that is left to ask.
 */
static int
ask_ipv6(const struct edge_proof *p, unsigned int port, struct buf *answers,
    bool *out, struct err *err)
{
	if (host_connects(p->host, "::1", port, out, err) != 0)
		return -1;
	if (!*out) {
		buf_clear(answers);
		buf_printf(answers, "nothing listens on [::]:%u", port);
	}
	return 0;
}

int
edge_serves(const struct edge_proof *p, struct buf *answers, bool *out,
    struct err *err)
{
	const unsigned int tls[] = { 443, p->edge->ade_port, 80 };
	const size_t n_ports = p->port_80 ? 1 : 3;
	char *urls[URLS_MAX];
	size_t n = list_urls(p, urls);
	int rc = 0;

	*out = true;
	for (size_t i = 0; rc == 0 && i < n && *out; i++)
		rc = ask_url(p, urls[i], answers, out, err);
	for (size_t i = 0; rc == 0 && p->ipv6 && i < n_ports && *out; i++)
		rc = ask_ipv6(p, p->port_80 ? 80 : tls[i], answers, out,
		    err);
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
	if (rc == 0 && !served)
		rc = fail(p, &answers, &said, err);
	buf_clear(&answers);
	buf_clear(&said);
	return rc;
}
