#include "base/base.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "io/dial.h"
#include "io/http.h"
#include "io/lookup.h"

#define PROBE_MS 2000
#define LOOKUP_MS 10000

/* A name that no certificate has and no DNS (RFC 2606). */
#define NOBODY "doctor.invalid"

static int
look_at_tls13(const struct doctor_site *site, struct err *err)
{
	const struct doctor_request how = { .tls13 = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	rc = doctor_request(site, &how, "GET", LETTA_PATH_HEALTH, NULL,
	    DOCTOR_ASK_MS, &reply, err);
	buf_clear(&reply.body);
	if (rc == 0 || err->kind == ERR_UNREACHABLE) {
		doctor_judge(site->d, rc != 0, "tls13", site->url, "%s",
		    err->text);
		err_clear(err);
		return 0;
	}
	return doctor_url_pass(site, "tls13", err);
}

/* A certificate for another name means that the handshake went on. */
static int
look_at_unknown_name(const struct doctor_site *site,
    const struct doctor_address *at, struct err *err)
{
	char *url = mem_printf("https://" NOBODY ":%u", at->port);
	const struct doctor_request how = { .url = url,
	    .connect_to = site->connect_to ? site->connect_to : at->host };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	rc = doctor_request(site, &how, "GET", "/", NULL, DOCTOR_ASK_MS,
	    &reply, err);
	buf_clear(&reply.body);
	free(url);
	if (rc != 0 && err->kind != ERR_AUTH && err->kind != ERR_UNREACHABLE)
		return doctor_url_pass(site, "tls-unknown-name", err);
	doctor_judge(site->d, rc == 0 || err->kind == ERR_AUTH,
	    "tls-unknown-name", site->url, NOBODY " is let in");
	err_clear(err);
	return 0;
}

static int
look_at_port_80(const struct doctor_site *site,
    const struct doctor_address *at, struct err *err)
{
	char *url = mem_printf(strchr(at->host, ':') ? "http://[%s]" :
	    "http://%s", at->host);
	const struct doctor_request how = { .url = url, .clear = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	struct letta_caps caps;
	struct err ignored = ERR_INIT;
	bool letta;
	int rc;

	rc = doctor_request(site, &how, "GET", LETTA_PATH_HEALTH, NULL,
	    DOCTOR_ASK_MS, &reply, err);
	if (rc == 0) {
		letta = reply.status == 200 && letta_caps_read(buf_cstr(
		    &reply.body), reply.body.len, &caps, &ignored) == 0;
		doctor_judge(site->d, letta, "http-clear", url,
		    "Letta answers there");
		if (!letta)
			doctor_judge(site->d, reply.status < 300 ||
			    reply.status > 308 || !str_starts(reply.location,
			    "https://"), "http-redirect", url, "GET "
			    LETTA_PATH_HEALTH " answers %ld %s",
			    reply.status, reply.location);
	} else if (err->kind == ERR_UNREACHABLE) {
		err_clear(err);		/* closed: no clear text either */
		rc = 0;
	} else
		rc = doctor_url_pass(site, "http-redirect", err);
	buf_clear(&reply.body);
	free(url);
	return rc;
}

/* The addresses that the site has, as text; n of them. */
static int
addresses(const struct doctor_site *site, const struct doctor_address *at,
    char out[LOOKUP_MAX][INET6_ADDRSTRLEN], size_t *n, struct err *err)
{
	struct lookup_address found[LOOKUP_MAX];

	if (lookup_name(site->connect_to ? site->connect_to : at->host,
	    at->port, clock_ms() + LOOKUP_MS, found, n, err) != 0)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		if (getnameinfo((const struct sockaddr *)&found[i].addr,
		    found[i].len, out[i], INET6_ADDRSTRLEN, NULL, 0,
		    NI_NUMERICHOST) != 0)
			out[i][0] = '\0';
	}
	return 0;
}

static int
look_at_raw_ports(const struct doctor_site *site,
    const struct doctor_address *at, struct err *err)
{
	static const unsigned int ports[] = { 18283, 8284, 5432, 6379, 0 };
	char list[LOOKUP_MAX][INET6_ADDRSTRLEN];
	size_t n = 0;
	bool open;

	if (addresses(site, at, list, &n, err) != 0)
		return doctor_url_pass(site, "raw-port", err);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; ports[k] && list[i][0]; k++) {
			if (ports[k] == at->port)
				continue;
			if (dial_probe(list[i], ports[k], PROBE_MS, &open,
			    err) != 0)
				return doctor_url_pass(site, "raw-port",
				    err);
			doctor_judge(site->d, open, "raw-port", site->url,
			    "%s port %u is open from here", list[i],
			    ports[k]);
		}
	}
	return 0;
}

/* Letta in clear at the port where the ADE's edge should be. */
static int
look_at_clear_8283(const struct doctor_site *site,
    const struct doctor_address *at, struct err *err)
{
	char *url = mem_printf(strchr(at->host, ':') ? "http://[%s]:%d" :
	    "http://%s:%d", at->host, DOCTOR_ADE_PORT);
	const struct doctor_request how = { .url = url, .clear = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	rc = doctor_request(site, &how, "GET", LETTA_PATH_HEALTH, NULL,
	    DOCTOR_ASK_MS, &reply, err);
	doctor_judge(site->d, rc == 0 && reply.status == 200, "raw-port",
	    url, "Letta answers there without TLS");
	buf_clear(&reply.body);
	free(url);
	if (rc != 0 && err->kind == ERR_INTERRUPTED)
		return -1;
	err_clear(err);
	return 0;
}

int
doctor_tls(const struct doctor_site *site, bool reached, struct err *err)
{
	struct doctor_address at;

	doctor_address(site->url, &at);
	if (at.tls && reached && (look_at_tls13(site, err) != 0 ||
	    look_at_unknown_name(site, &at, err) != 0))
		return -1;
	if (at.loopback)
		return 0;
	if (at.tls && at.port == 443 && look_at_port_80(site, &at, err) != 0)
		return -1;
	if (look_at_raw_ports(site, &at, err) != 0)
		return -1;
	return at.tls ? look_at_clear_8283(site, &at, err) : 0;
}
