#include "base/base.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/fetch.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "io/cert.h"
#include "io/http.h"

#define HEAD_MAX 65536
#define EXPIRY_DAYS 14
#define DAY_S 86400

void
doctor_address(const char *url, struct doctor_address *out)
{
	const char *host = strstr(url, "://"), *end;
	uint64_t port = 0;
	char digits[8];
	bool brackets;

	*out = (struct doctor_address){ .tls = str_starts(url, "https:") };
	host = host ? host + 3 : url;
	brackets = *host == '[';
	host += brackets;
	end = host + strcspn(host, brackets ? "]" : ":/");
	(void)snprintf(out->host, sizeof(out->host), "%.*s",
	    (int)(end - host), host);
	end += brackets && *end == ']';
	if (*end == ':') {
		(void)snprintf(digits, sizeof(digits), "%.*s",
		    (int)strcspn(end + 1, "/"), end + 1);
		if (!str_u64(digits, 65535, &port))
			port = 0;
	}
	out->port = port > 0 ? (unsigned int)port : out->tls ? 443 : 80;
	out->loopback = str_starts(out->host, "127.") ||
	    str_eq(out->host, "localhost") || str_eq(out->host, "::1");
}

int
doctor_request(const struct doctor_site *site,
    const struct doctor_request *how, const char *method, const char *path,
    struct http_probe *probe, uint64_t timeout_ms, struct http_reply *reply,
    struct err *err)
{
	const struct http_spec spec = {
		.url = how->url ? how->url : site->url,
		.token = how->token ? site->token : NULL,
		.ca_file = site->ca_file,
		.connect_to = how->connect_to ? how->connect_to :
		    site->connect_to,
		.clear = how->clear,
		.tls13 = how->tls13,
	};
	struct http_probe none = { .n_fields = 0 };
	struct http *http;
	int rc;

	if (http_open(&spec, &http, err) != 0)
		return -1;
	rc = http_probe(http, method, path, probe ? probe : &none,
	    timeout_ms, reply, err);
	http_close(http);
	return rc;
}

int
doctor_url_pass(const struct doctor_site *site, const char *id,
    struct err *err)
{
	if (err->kind == ERR_INTERRUPTED || err->kind == ERR_USAGE)
		return -1;
	doctor_unknown(site->d, id, site->url, "%s", err->text);
	err_clear(err);
	return 0;
}

static void
look_at_certificate(const struct doctor_site *site, const struct buf *pem)
{
	struct err ignored = ERR_INIT;
	struct cert cert;

	if (pem->len == 0 || cert_parse(buf_cstr(pem), pem->len, &cert,
	    &ignored) != 0)
		return;
	doctor_judge(site->d, cert.seconds_left < EXPIRY_DAYS * DAY_S,
	    "tls-expiry", site->url, "%" PRId64 " days are left",
	    cert.seconds_left / DAY_S);
}

/* What an answer's head says; "http://" in it is for browsers to refuse. */
static void
look_at_head(const struct doctor_site *site, const char *head)
{
	struct buf value = BUF_INIT(HEAD_MAX);
	size_t n = fetch_header(head, "Strict-Transport-Security", &value);

	doctor_judge(site->d, n == 0, "hsts", site->url, "the answer of "
	    LETTA_PATH_HEALTH " has none");
	buf_clear(&value);
}

static int
look_at_mixed(const struct doctor_site *site, struct err *err)
{
	static const char *const paths[] = { "/", "/v1/agents" };
	const struct doctor_request how = { .token = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		if (doctor_request(site, &how, "GET", paths[i], NULL,
		    DOCTOR_ASK_MS, &reply, err) != 0)
			rc = doctor_url_pass(site, "mixed-content", err);
		else
			doctor_judge(site->d, str_starts(reply.location,
			    "http://") || (strstr(reply.content_type,
			    "html") && strstr(buf_cstr(&reply.body),
			    "src=\"http://")), "mixed-content", site->url,
			    "GET %s leads to http:// %s", paths[i],
			    reply.location);
	}
	buf_clear(&reply.body);
	return rc;
}

/* The first answer, or why there is none; rc 0 in both cases. */
static int
first(const struct doctor_site *site, struct http_probe *probe,
    struct http_reply *reply, bool *answers, bool *reached,
    struct err *err)
{
	const struct doctor_request how = { .token = false };

	if (doctor_request(site, &how, "GET", LETTA_PATH_HEALTH, probe,
	    DOCTOR_ASK_MS, reply, err) == 0) {
		*answers = *reached = true;
		return 0;
	}
	if (err->kind != ERR_AUTH && err->kind != ERR_UNREACHABLE &&
	    err->kind != ERR_DATA)
		return -1;
	*reached = err->kind != ERR_UNREACHABLE;
	doctor_found(site->d, err->kind == ERR_AUTH ? "tls-chain" :
	    "api-unreachable", site->url, "%s", err->text);
	err_clear(err);
	return 0;
}

int
doctor_url(const struct doctor_site *site, bool *answers, struct err *err)
{
	struct buf head = BUF_INIT(HEAD_MAX), pem = BUF_INIT(HEAD_MAX);
	struct http_probe probe = { .head = &head, .certificate = &pem };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	struct doctor_address at;
	bool reached = false;
	int rc;

	*answers = false;
	doctor_address(site->url, &at);
	rc = first(site, &probe, &reply, answers, &reached, err);
	if (rc == 0 && *answers && at.tls) {
		doctor_fine(site->d, "tls-chain");
		look_at_certificate(site, &pem);
		look_at_head(site, buf_cstr(&head));
		rc = look_at_mixed(site, err);
	}
	if (rc == 0)
		rc = doctor_tls(site, reached, err);
	if (rc == 0 && *answers)
		rc = doctor_api(site, buf_cstr(&reply.body),
		    reply.status == 200 ? reply.body.len : 0, err);
	buf_clear(&reply.body);
	buf_clear(&head);
	buf_clear(&pem);
	return rc;
}
