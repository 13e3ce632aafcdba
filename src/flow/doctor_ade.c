#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/fetch.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "io/http.h"

#define HEAD_MAX 65536
#define WHY_MAX 1024
#define STRANGER "https://doctor.invalid"

/* A body over the 1 MB of nginx's default, and what it claims to be. */
#define BIG_BYTES (3 * 512 * 1024)

/* A turn must last this long for its first token to be told from its end. */
#define TURN_MIN_MS 300
#define TURN_MS 300000

static const char *const verbs[] = { "GET", "POST", "PUT", "PATCH",
    "DELETE" };

/* Those that the ADE sends: sorted, and lower case, as browsers do it. */
static const char *const headers[] = { "authorization", "content-type",
    "user_id", "x-bare-password", NULL };
#define HEADERS "authorization,content-type,user_id,x-bare-password"

/* One preflight; its head is the caller's buffer. */
static int
preflight(const struct doctor_site *site, const char *origin,
    const char *verb, struct buf *head, long *status, struct err *err)
{
	const struct http_field fields[] = { { "Origin", origin },
	    { "Access-Control-Request-Method", verb },
	    { "Access-Control-Request-Headers", HEADERS } };
	const struct doctor_request how = { .token = false };
	struct http_probe probe = { .fields = fields, .n_fields = 3,
	    .head = head };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	rc = doctor_request(site, &how, "OPTIONS", "/v1/agents/", &probe,
	    DOCTOR_ASK_MS, &reply, err);
	*status = reply.status;
	buf_clear(&reply.body);
	return rc;
}

static void
look_at_vary(const struct doctor_site *site, const char *what,
    const char *head)
{
	struct buf origin = BUF_INIT(HEAD_MAX), vary = BUF_INIT(HEAD_MAX);

	if (fetch_header(head, "Access-Control-Allow-Origin", &origin) > 0 &&
	    !str_eq(buf_cstr(&origin), "*")) {
		(void)fetch_header(head, "Vary", &vary);
		doctor_judge(site->d, !fetch_list_has(buf_cstr(&vary),
		    "Origin") && !fetch_list_has(buf_cstr(&vary), "*"),
		    "ade-vary", site->url, "%s: Vary is `%s'", what,
		    buf_cstr(&vary));
	}
	buf_clear(&origin);
	buf_clear(&vary);
}

static int
look_at_preflights(const struct doctor_site *site, struct err *err)
{
	struct fetch_ask ask = { .origin = site->origin,
	    .headers = headers };
	struct buf head = BUF_INIT(HEAD_MAX), why = BUF_INIT(WHY_MAX);
	long status;
	bool passes;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(verbs) / sizeof(*verbs);
	    i++) {
		ask.method = verbs[i];
		buf_clear(&why);
		if (preflight(site, site->origin, verbs[i], &head, &status,
		    err) != 0) {
			rc = doctor_url_pass(site, "ade-preflight", err);
			continue;
		}
		passes = fetch_preflight_passes(&ask, status,
		    buf_cstr(&head), &why);
		doctor_judge(site->d, !passes, "ade-preflight", site->url,
		    "%s from %s: %s", verbs[i], site->origin,
		    buf_cstr(&why));
		doctor_judge(site->d, fetch_wildcard_credentials(buf_cstr(
		    &head)), "ade-wildcard", site->url, "preflight of %s",
		    verbs[i]);
	}
	buf_clear(&why);
	buf_clear(&head);
	return rc;
}

/* A stranger's page that may send the operator's credentials. */
static int
look_at_stranger(const struct doctor_site *site, struct err *err)
{
	const struct fetch_ask ask = { .origin = STRANGER, .method = "GET",
	    .headers = headers, .credentials = true };
	struct buf head = BUF_INIT(HEAD_MAX), why = BUF_INIT(WHY_MAX);
	long status;
	int rc;

	rc = preflight(site, STRANGER, "GET", &head, &status, err);
	if (rc != 0)
		rc = doctor_url_pass(site, "ade-any-origin", err);
	else
		doctor_judge(site->d, fetch_response_passes(&ask, buf_cstr(
		    &head), &why), "ade-any-origin", site->url,
		    STRANGER " may send credentials");
	buf_clear(&why);
	buf_clear(&head);
	return rc;
}

/* Answers, good ones and refusals: a page must see both. */
static int
look_at_answers(const struct doctor_site *site, struct err *err)
{
	static const char *const paths[] = { LETTA_PATH_HEALTH,
	    "/v1/agents/?limit=1", "/v1/doctor-asks-for-nothing" };
	const struct http_field field = { "Origin", site->origin };
	const struct doctor_request how = { .token = true };
	const struct fetch_ask ask = { .origin = site->origin,
	    .method = "GET", .headers = headers };
	struct buf head = BUF_INIT(HEAD_MAX), why = BUF_INIT(WHY_MAX);
	struct http_probe probe = { .fields = &field, .n_fields = 1,
	    .head = &head };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	bool passes;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 3; i++) {
		buf_clear(&why);
		if (doctor_request(site, &how, "GET", paths[i], &probe,
		    DOCTOR_ASK_MS, &reply, err) != 0) {
			rc = doctor_url_pass(site, "ade-response", err);
			continue;
		}
		passes = fetch_response_passes(&ask, buf_cstr(&head), &why);
		doctor_judge(site->d, !passes, "ade-response", site->url,
		    "GET %s (%ld): %s", paths[i], reply.status,
		    buf_cstr(&why));
		look_at_vary(site, paths[i], buf_cstr(&head));
	}
	buf_clear(&reply.body);
	buf_clear(&why);
	buf_clear(&head);
	return rc;
}

/*
 * An import without a token, and without a file in it: refused by Letta
 * itself, whether it has a password (401) or not (422), once it was let in.
 */
static int
look_at_body(const struct doctor_site *site, struct err *err)
{
	static const struct http_field field = { "Content-Type",
	    "application/octet-stream" };
	const struct doctor_request how = { .token = false };
	char *body = mem_alloc(BIG_BYTES + 1);
	struct http_probe probe = { .fields = &field, .n_fields = 1,
	    .body = body };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	memset(body, 'x', BIG_BYTES);
	body[BIG_BYTES] = '\0';
	rc = doctor_request(site, &how, "POST", LETTA_PATH_IMPORT, &probe,
	    DOCTOR_ASK_MS, &reply, err);
	if (rc != 0)
		rc = doctor_url_pass(site, "ade-body", err);
	else
		doctor_judge(site->d, reply.status == 413, "ade-body",
		    site->url, "%d bytes answer 413", BIG_BYTES);
	buf_clear(&reply.body);
	free(body);
	return rc;
}

static int
look_at_stream(const struct doctor_site *site, struct err *err)
{
	static const struct http_field fields[] = {
		{ "Content-Type", "application/json" },
		{ "Accept", "text/event-stream" } };
	const struct doctor_request how = { .token = true };
	struct http_probe probe = { .fields = fields, .n_fields = 2,
	    .body = "{\"messages\":[{\"role\":\"user\",\"content\":\"ping\"}"
	    "],\"stream_tokens\":true}" };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	if (!site->turn) {
		doctor_unknown(site->d, "ade-stream", site->url, "not "
		    "compared: it costs a turn (--turn AGENT)");
		return 0;
	}
	letta_path_agent(&path, site->turn);
	buf_str(&path, "/messages/stream");
	rc = doctor_request(site, &how, "POST", buf_cstr(&path), &probe,
	    TURN_MS, &reply, err);
	if (rc != 0)
		rc = doctor_url_pass(site, "ade-stream", err);
	else if (reply.status != 200 || probe.total_ms < TURN_MIN_MS)
		doctor_unknown(site->d, "ade-stream", site->url, "the turn "
		    "answers %ld within %" PRIu64 " ms", reply.status,
		    probe.total_ms);
	else
		doctor_judge(site->d, probe.first_ms * 10 > probe.total_ms *
		    9, "ade-stream", site->url, "the first byte came after "
		    "%" PRIu64 " ms of %" PRIu64, probe.first_ms,
		    probe.total_ms);
	buf_clear(&reply.body);
	buf_clear(&path);
	return rc;
}

int
doctor_ade(const struct doctor_site *site, struct err *err)
{
	if (look_at_preflights(site, err) != 0 ||
	    look_at_stranger(site, err) != 0 ||
	    look_at_answers(site, err) != 0 || look_at_body(site, err) != 0)
		return -1;
	return look_at_stream(site, err);
}
