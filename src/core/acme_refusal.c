#include "base/base.h"

#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "core/acme_refusal.h"

/* The most that is waited for somebody's word: a slip of a digit, or malice. */
#define RETRY_MAX (14 * 86400)

#define BUSY_PAUSE 60

struct sign {
	const char *words;
	enum acme_refusal_kind kind;
};

static const struct sign signs[] = {
	{ "Another instance of Certbot is already running",
	    ACME_REFUSAL_LOCKED },
	{ "too many requests of a given type", ACME_REFUSAL_RATE_LIMITED },
	{ "unacceptable anti-replay nonce", ACME_REFUSAL_BAD_NONCE },
	{ "Some challenges have failed", ACME_REFUSAL_INVALID },
	{ "failed to authenticate some domains", ACME_REFUSAL_INVALID },
};

/* The last failure that ended a run, as its traceback has it. */
#define RAISED "acme.messages.Error: urn:ietf:params:acme:error:"

static const struct sign types[] = {
	{ "rateLimited", ACME_REFUSAL_RATE_LIMITED },
	{ "badNonce", ACME_REFUSAL_BAD_NONCE },
};

/* What the last run wrote: each begins with its version. */
static const char *
last_run(const char *log)
{
	const char *from = log, *at = log;

	for (;;) {
		at = strstr(at, "certbot version:");
		if (!at)
			return from;
		from = at++;
	}
}

/* What follows the last of these words, or NULL. */
static const char *
behind_last(const char *text, const char *words)
{
	const char *found = NULL, *at = text;

	while ((at = strstr(at, words)) != NULL)
		found = at += strlen(words);
	return found;
}

/* By certbot's words, or else by what its log says was raised. */
static enum acme_refusal_kind
kind_of(const char *said, const char *log)
{
	const char *type = behind_last(log, RAISED);

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (strstr(said, signs[i].words))
			return signs[i].kind;
	}
	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]);
	    i++) {
		if (str_starts(type, types[i].words))
			return types[i].kind;
	}
	return ACME_REFUSAL_OTHER;
}

/* A time in GMT; 0: it is none in this form. */
static int64_t
read_time(const char *text, const char *form)
{
	struct tm tm = { 0 };
	time_t at;

	if (!strptime(text, form, &tm))
		return 0;
	at = timegm(&tm);
	return at > 0 ? (int64_t)at : 0;
}

/* Seconds or a date (RFC 9110, 10.2.3). */
static int64_t
read_header(const char *head, int64_t now)
{
	static const char name[] = "Retry-After:";
	const char *line = head, *end = strstr(head, "\n\n");
	char value[64];
	uint64_t seconds;
	size_t len;

	for (; line && (!end || line < end); line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, strlen(name)) != 0)
			continue;
		line += strlen(name);
		line += strspn(line, " \t");
		len = strcspn(line, "\r\n");
		if (len == 0 || len >= sizeof(value))
			return 0;
		memcpy(value, line, len);
		value[len] = '\0';
		if (str_u64(value, RETRY_MAX, &seconds))
			return now + (int64_t)seconds;
		return read_time(value, "%a, %d %b %Y %H:%M:%S GMT");
	}
	return 0;
}

/* The public authority says it in words as well. */
static int64_t
read_words(const char *said)
{
	const char *at = strcasestr(said, "retry after ");
	int64_t when;

	if (!at)
		return 0;
	at += strlen("retry after ");
	when = read_time(at, "%Y-%m-%d %H:%M:%S UTC");
	return when ? when : read_time(at, "%Y-%m-%dT%H:%M:%SZ");
}

void
acme_refusal_read(const char *said, const char *log, int64_t now,
    struct acme_refusal *out)
{
	const char *head;

	log = last_run(log);
	*out = (struct acme_refusal){ .kind = kind_of(said, log) };
	if (out->kind != ACME_REFUSAL_OTHER &&
	    out->kind != ACME_REFUSAL_RATE_LIMITED)
		return;

	head = behind_last(log, "\nHTTP 429");
	if (head)
		out->kind = ACME_REFUSAL_RATE_LIMITED;
	else if (out->kind == ACME_REFUSAL_OTHER) {
		head = behind_last(log, "\nHTTP 503");
		if (head)
			out->kind = ACME_REFUSAL_BUSY;
	}
	if (head)
		out->retry_unix = read_header(head, now);
	if (out->retry_unix == 0 && out->kind != ACME_REFUSAL_OTHER)
		out->retry_unix = read_words(said);
	if (out->retry_unix > now + RETRY_MAX)
		out->retry_unix = now + RETRY_MAX;
}

int64_t
acme_refusal_until(const struct acme_refusal *refusal, unsigned int failures,
    int64_t first_unix, int64_t now)
{
	if (refusal->retry_unix > now)
		return refusal->retry_unix;
	switch (refusal->kind) {
	case ACME_REFUSAL_RATE_LIMITED:
		return now + ACME_REFUSAL_PAUSE;
	case ACME_REFUSAL_BUSY:
		return now + BUSY_PAUSE;
	case ACME_REFUSAL_INVALID:
		return failures >= ACME_REFUSAL_TRIES ?
		    first_unix + ACME_REFUSAL_PAUSE : now;
	case ACME_REFUSAL_OTHER:
	case ACME_REFUSAL_BAD_NONCE:
	case ACME_REFUSAL_LOCKED:
		break;
	}
	return now;
}
