#include "base/base.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "io/http.h"

#define AGENTS_MAX 50
#define ROWS 20

/* GET a JSON document; *status when it is none.  *out is the caller's. */
static int
get(const struct doctor_site *site, const struct http_field *field,
    const char *path, bool token, long *status, struct jdoc **out,
    struct err *err)
{
	const struct doctor_request how = { .token = token };
	struct http_probe probe = { .fields = field, .n_fields = field ? 1 :
	    0 };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	*out = NULL;
	rc = doctor_request(site, &how, "GET", path, &probe, DOCTOR_ASK_MS,
	    &reply, err);
	*status = rc == 0 ? reply.status : 0;
	if (rc == 0 && reply.status == 200) {
		*out = jdoc_parse(buf_cstr(&reply.body), reply.body.len, err);
		rc = *out ? 0 : -1;
	}
	buf_clear(&reply.body);
	return rc;
}

/* An insecure server takes every token, so none is sent. */
static int
look_at_secure(const struct doctor_site *site, struct err *err)
{
	struct jdoc *answer;
	long status;

	if (get(site, NULL, "/v1/agents/?limit=1", false, &status, &answer,
	    err) != 0)
		return doctor_url_pass(site, "api-insecure", err);
	jdoc_free(answer);
	if (status == 200 || status == 401 || status == 403)
		doctor_judge(site->d, status == 200, "api-insecure",
		    site->url, "GET /v1/agents/ without a token answers %ld",
		    status);
	else
		doctor_unknown(site->d, "api-insecure", site->url,
		    "GET /v1/agents/ answers %ld", status);
	return 0;
}

/* 0.16.8 refuses a malformed user_id; one that nginx dropped is not seen. */
static int
look_at_user_id(const struct doctor_site *site, struct err *err)
{
	static const struct http_field field = { "user_id", "nobody" };
	struct jdoc *answer;
	long status;

	if (get(site, &field, "/v1/agents/?limit=1", true, &status, &answer,
	    err) != 0)
		return doctor_url_pass(site, "api-user-id", err);
	jdoc_free(answer);
	doctor_judge(site->d, status == 200, "api-user-id", site->url,
	    "a request with `user_id: nobody' answers %ld", status);
	return 0;
}

/* The address of a URL's host when it is one, or a name of this machine. */
static bool
is_private(const char *url)
{
	struct doctor_address at;
	struct in_addr four;
	uint32_t n;

	doctor_address(url, &at);
	if (at.loopback || str_ends(at.host, ".local") ||
	    str_ends(at.host, ".svc") || str_ends(at.host, ".home.arpa"))
		return true;
	if (inet_pton(AF_INET, at.host, &four) != 1)
		return str_starts(at.host, "fe80:") ||
		    str_starts(at.host, "fd") ? strchr(at.host, ':') != NULL :
		    false;
	n = ntohl(four.s_addr);
	return n >> 24 == 10 || n >> 20 == 0xac1 || n >> 16 == 0xc0a8 ||
	    n >> 16 == 0xa9fe || n >> 22 == 0x191;
}

/* {"name": {"server_url": ...}}, the legacy listing that all versions have. */
static int
look_at_mcp(const struct doctor_site *site, struct err *err)
{
	struct jdoc_member m = { 0 };
	struct jdoc *answer;
	const char *url;
	long status;

	if (get(site, NULL, "/v1/tools/mcp/servers", true, &status, &answer,
	    err) != 0)
		return doctor_url_pass(site, "api-mcp-private", err);
	while (answer && jdoc_next(answer, &m)) {
		url = jdoc_get_str(m.value, "server_url");
		if (url)
			doctor_judge(site->d, is_private(url),
			    "api-mcp-private", site->url, "%s is at %s",
			    m.key, url);
	}
	jdoc_free(answer);
	return 0;
}

/* Whether a row of page is in other, by its id. */
static const char *
common(const struct jdoc *page, const struct jdoc *other)
{
	const char *id;

	for (size_t i = 0; i < jdoc_len(page); i++) {
		id = jdoc_get_str(jdoc_at(page, i), "id");
		for (size_t k = 0; id && k < jdoc_len(other); k++) {
			if (jdoc_is(jdoc_at(other, k), "id", id))
				return id;
		}
	}
	return NULL;
}

static int
page(const struct doctor_site *site, const char *agent, bool backward,
    const char *cursor, struct jdoc **out, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	long status = 0;
	int rc;

	letta_path_messages(&path, agent, NULL, backward, cursor, ROWS);
	rc = get(site, NULL, buf_cstr(&path), true, &status, out, err);
	buf_clear(&path);
	if (rc != 0)
		return doctor_url_pass(site, "api-listing", err);
	doctor_judge(site->d, status >= 400, "api-listing", site->url,
	    "%s: a page of messages answers %ld", agent, status);
	return 0;
}

/* A second page that begins with the first again never ends, or is one. */
static int
look_at_pages(const struct doctor_site *site, const char *agent,
    bool backward, struct err *err)
{
	struct jdoc *one = NULL, *other = NULL;
	const char *cursor, *twice;
	int rc;

	rc = page(site, agent, backward, NULL, &one, err);
	cursor = jdoc_len(one) == 0 ? NULL : jdoc_get_str(jdoc_at(one,
	    backward ? 0 : jdoc_len(one) - 1), "id");
	if (rc == 0 && cursor) {
		rc = page(site, agent, backward, cursor, &other, err);
		twice = common(one, other);
		doctor_judge(site->d, twice != NULL, "api-paging", site->url,
		    "%s: %s is on two pages", agent, twice);
	}
	jdoc_free(one);
	jdoc_free(other);
	return rc;
}

static int
look_at_agents(const struct doctor_site *site, const struct letta_caps *caps,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list;
	const char *id, *name;
	long status;
	int rc;

	letta_path_agents(&path, NULL, AGENTS_MAX);
	rc = get(site, NULL, buf_cstr(&path), true, &status, &list, err);
	buf_clear(&path);
	if (rc != 0)
		return doctor_url_pass(site, "api-token", err);
	doctor_judge(site->d, status == 401 || status == 403, "api-token",
	    site->url, "GET /v1/agents/ answers %ld", status);
	for (size_t i = 0; rc == 0 && i < jdoc_len(list); i++) {
		id = jdoc_get_str(jdoc_at(list, i), "id");
		name = jdoc_get_str(jdoc_at(list, i), "name");
		if (!id || !letta_id_ok(id, "agent-"))
			continue;
		if (name)
			doctor_judge(site->d, !letta_name_may_pass(name),
			    "api-agent-name", site->url, "%s is called %s",
			    id, name);
		rc = look_at_pages(site, id, caps->backward, err);
	}
	jdoc_free(list);
	return rc;
}

static bool
is_at_least(const struct letta_caps *caps, unsigned int minor,
    unsigned int patch)
{
	return caps->major > 0 || caps->minor > minor ||
	    (caps->minor == minor && caps->patch >= patch);
}

int
doctor_api(const struct doctor_site *site, const char *health, size_t len,
    struct err *err)
{
	struct letta_caps caps;

	if (letta_caps_read(health, len, &caps, err) != 0) {
		doctor_found(site->d, "api-health", site->url, "%s",
		    err->text);
		err_clear(err);
		return 0;
	}
	doctor_fine(site->d, "api-health");
	doctor_judge(site->d, caps.untried, "api-version", site->url,
	    "it is %s", caps.version);
	doctor_judge(site->d, caps.backward, "api-old", site->url,
	    "it is %s", caps.version);
	if (look_at_secure(site, err) != 0 ||
	    doctor_schema(site, &caps, err) != 0)
		return -1;
	if (!site->token) {
		doctor_unknown(site->d, "api-token", site->url, "no token "
		    "is given, so no agent was looked at");
		return 0;
	}
	if (look_at_agents(site, &caps, err) != 0)
		return -1;
	if (!is_at_least(&caps, 16, 8))
		return 0;
	return look_at_user_id(site, err) != 0 ||
	    look_at_mcp(site, err) != 0 ? -1 : 0;
}
