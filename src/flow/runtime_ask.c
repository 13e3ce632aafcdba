#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/answer.h"
#include "core/letta.h"
#include "flow/runtime_part.h"
#include "io/host.h"

#define REQUEST_MAX 4096
#define BYTES_MAX (256 * 1024)
#define DIAL_MS 5000
#define ANSWER_MS 20000
#define SLICE_MS 1000

/* The request as text; the password is on this wire and nowhere else. */
static int
say(const struct runtime *rt, unsigned int line, const char *path,
    const char *password, struct err *err)
{
	struct buf request;
	int rc;

	buf_init_still(&request, REQUEST_MAX);
	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
	    "Accept: application/json\r\nConnection: close\r\n", path,
	    rt->letta->port);
	if (password)
		buf_printf(&request, "Authorization: Bearer %s\r\n",
		    password);
	buf_str(&request, "\r\n");
	rc = buf_check(&request, "request", err);
	if (rc == 0)
		rc = host_talk(rt->host, line, request.data, request.len,
		    err);
	buf_wipe(&request);
	return rc;
}

static int
hear(const struct runtime *rt, unsigned int line, struct answer *answer,
    struct buf *body, struct err *err)
{
	struct buf bytes = BUF_INIT(BYTES_MAX);
	uint64_t end_ms = clock_ms() + ANSWER_MS;
	bool ended = false;
	int rc = 0;

	while (rc == 0 && !answer->done && !ended &&
	    clock_left_ms(end_ms) > 0) {
		rc = host_hear(rt->host, line, SLICE_MS, &bytes, &ended, err);
		if (rc == 0)
			rc = answer_feed(answer, buf_cstr(&bytes), bytes.len,
			    body, err);
		buf_clear(&bytes);
	}
	buf_clear(&bytes);
	return rc;
}

int
runtime_ask(const struct runtime *rt, const char *path, const char *password,
    unsigned int *status, struct buf *body, struct err *err)
{
	struct buf unread = BUF_INIT(BYTES_MAX);
	struct err ignored = ERR_INIT;
	struct answer answer;
	unsigned int line;
	bool up;
	int rc;

	*status = 0;
	if (host_connects(rt->host, "127.0.0.1", rt->letta->port, &up, err)
	    != 0)
		return -1;
	if (!up)
		return 0;
	/* It may have gone since: then nobody answers. */
	if (host_dial(rt->host, rt->letta->port, DIAL_MS, &line, &ignored)
	    != 0)
		return 0;
	answer_init(&answer);
	rc = say(rt, line, path, password, err);
	if (rc == 0)
		rc = hear(rt, line, &answer, body ? body : &unread, err);
	if (rc == 0)
		*status = answer.status;
	if (host_hangup(rt->host, line, &ignored) != 0)
		err_clear(&ignored);
	answer_clear(&answer);
	buf_clear(&unread);
	return rc;
}

int
runtime_version(const struct runtime *rt,
    char out[static RUNTIME_VERSION_SIZE], struct err *err)
{
	struct buf body = BUF_INIT(BYTES_MAX);
	struct letta_caps caps;
	unsigned int status;
	int rc;

	out[0] = '\0';
	rc = runtime_ask(rt, LETTA_PATH_HEALTH, NULL, &status, &body, err);
	if (rc == 0 && status == 200) {
		rc = letta_caps_read(buf_cstr(&body), body.len, &caps, err);
		if (rc == 0)
			(void)snprintf(out, RUNTIME_VERSION_SIZE, "%s",
			    caps.version);
	} else if (rc == 0 && status != 0) {
		rc = err_set(err, ERR_DATA, "%s answers %u",
		    LETTA_PATH_HEALTH, status);
	}
	buf_clear(&body);
	return rc != 0 ? err_ctx(err, "%s: 127.0.0.1:%u",
	    host_name(rt->host), rt->letta->port) : 0;
}
