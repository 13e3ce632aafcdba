#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "io/http.h"

/*
 * A table that lacks a column of the version answers every request that reads
 * it with 500, an empty table as well, and the text never says which column
 * (0.16.2: "An unknown error occurred"; 0.16.8: "A database error occurred.";
 * seen with each column away).  An id that nobody has is 404 on a sound one;
 * the listing of steps is not asked, since it answers 400 on sound ones.
 */
struct probe {
	const char *trap;
	const char *path;
	bool later;		/* the route came with 0.16.2 */
};

/* The first is the only one when it fails: then the others tell nothing. */
static const struct probe probes[] = {
	{ "schema-agents", "/v1/agents/?limit=1", false },
	{ "schema-runs", "/v1/runs/?limit=1", false },
	{ "schema-steps",
	    "/v1/steps/step-10418b8d-37a5-4923-8f70-69ccc58d66ff", false },
	{ "schema-messages", "/v1/messages/?limit=1", true },
	/* 0.16.2 wants an agent, any. */
	{ "schema-conversations", "/v1/conversations/?limit=1&agent_id="
	    "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff", true },
};

#define N_PROBES (sizeof(probes) / sizeof(*probes))

/* {"detail": "..."} of an answer, cut; "" when it is none. */
static void
take_detail(const struct buf *body, const struct secret *token, char *out,
    size_t size)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(buf_cstr(body), body->len, &ignored);
	const char *detail = doc ? jdoc_get_str(doc, "detail") : NULL;

	char *own = mem_strdup(detail ? detail : "");

	secret_hide(token, own, strlen(own));
	(void)snprintf(out, size, "%s", own);
	free(own);
	jdoc_free(doc);
	err_clear(&ignored);
}

/* A server that is busy answers 500 now and then: twice is one. */
static int
ask(const struct doctor_site *site, const char *path, long *status,
    char *detail, size_t size, struct err *err)
{
	const struct doctor_request how = { .token = site->token != NULL };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc = 0;

	*status = 500;
	for (int i = 0; rc == 0 && *status >= 500 && i < 2; i++) {
		buf_clear(&reply.body);
		rc = doctor_request(site, &how, "GET", path, NULL,
		    DOCTOR_ASK_MS, &reply, err);
		*status = rc == 0 ? reply.status : 0;
	}
	take_detail(&reply.body, site->token, detail, size);
	buf_clear(&reply.body);
	return rc;
}

/* *closed: it lets nobody in without a token, and there is none. */
static int
look_at(const struct doctor_site *site, const struct probe *probe,
    bool *broken, bool *closed, struct err *err)
{
	char detail[256] = "";
	long status;

	*broken = *closed = false;
	if (ask(site, probe->path, &status, detail, sizeof(detail), err)
	    != 0)
		return doctor_url_pass(site, probe->trap, err);
	*broken = status >= 500;
	*closed = !site->token && (status == 401 || status == 403);
	if (*closed)
		return 0;	/* told as api-token */
	if (status >= 500 || status == 200 || status == 404)
		doctor_judge(site->d, *broken, probe->trap, site->url,
		    "GET %s answers %ld: %s", probe->path, status, detail);
	else
		doctor_unknown(site->d, probe->trap, site->url,
		    "GET %s answers %ld", probe->path, status);
	return 0;
}

int
doctor_schema(const struct doctor_site *site, const struct letta_caps *caps,
    struct err *err)
{
	bool none = false, closed = false, broken;

	for (size_t i = 0; i < N_PROBES && !closed; i++) {
		if (probes[i].later && caps->backward)
			continue;
		if (none)
			doctor_unknown(site->d, probes[i].trap, site->url,
			    "its agents cannot be listed");
		else if (look_at(site, &probes[i], &broken, &closed, err)
		    != 0)
			return -1;
		none = none || (i == 0 && broken);
	}
	return 0;
}
