#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/answer.h"

#define LENGTH_MAX (UINT64_C(1) << 40)

void
answer_init(struct answer *a)
{
	*a = (struct answer){ 0 };
	buf_init(&a->line, ANSWER_HEAD_MAX);
}

void
answer_clear(struct answer *a)
{
	buf_wipe(&a->line);
}

/* The value of a header field, when the line is one of this name. */
static const char *
field(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static int
status_line(struct answer *a, const char *line, struct err *err)
{
	uint64_t status;
	char digits[4];

	if (!str_starts(line, "HTTP/1.") || strlen(line) < 12 ||
	    line[8] != ' ')
		return err_set(err, ERR_DATA, "the answer is not HTTP/1.x");
	memcpy(digits, line + 9, 3);
	digits[3] = '\0';
	if (!str_u64(digits, 999, &status) || status < 100)
		return err_set(err, ERR_DATA, "the answer has no status");
	a->status = (unsigned int)status;
	a->unbounded = true;
	a->state = ANSWER_BODY;
	return 0;
}

static int
head_line(struct answer *a, const char *line, struct err *err)
{
	const char *value = field(line, "content-length");
	uint64_t length;

	if (value && a->state == ANSWER_BODY) {
		if (!str_u64(value, LENGTH_MAX, &length))
			return err_set(err, ERR_DATA, "the answer's "
			    "Content-Length is no number");
		a->left = length;
		a->unbounded = false;
	}
	value = field(line, "transfer-encoding");
	if (value && strcasecmp(value, "chunked") != 0)
		return err_set(err, ERR_DATA, "the answer comes in an "
		    "encoding that was not asked for");
	if (value) {
		a->state = ANSWER_CHUNK_SIZE;
		a->unbounded = false;
	}
	return 0;
}

/* The head is whole: its lines one by one, the first being the status. */
static int
take_head(struct answer *a, struct err *err)
{
	char *at = a->line.data, *next;
	int rc;

	for (bool first = true; *at; at = next, first = false) {
		next = strstr(at, "\r\n");
		if (!next)
			break;
		*next = '\0';
		next += 2;
		rc = first ? status_line(a, at, err) : head_line(a, at, err);
		if (rc != 0)
			return -1;
	}
	if (a->status < 200 && a->status != 101) {
		/* An interim answer; the next head is the one. */
		a->state = ANSWER_HEAD;
		a->status = 0;
	} else if (a->status == 204 || a->status == 304 ||
	    (a->state == ANSWER_BODY && !a->unbounded && a->left == 0)) {
		a->done = true;
	}
	return 0;
}

static int
take_size(struct answer *a, struct err *err)
{
	char *end;

	errno = 0;
	a->left = strtoull(a->line.data, &end, 16);
	if (errno != 0 || a->left > LENGTH_MAX || end == a->line.data ||
	    !strchr("; \t\r", *end) || a->line.data[0] == '-')
		return err_set(err, ERR_DATA, "a chunk of the answer has no "
		    "size");
	a->state = a->left > 0 ? ANSWER_CHUNK : ANSWER_TRAILER;
	return 0;
}

/* A line, or the head, has ended. */
static int
take_line(struct answer *a, struct err *err)
{
	const bool empty = a->line.len == 2;
	int rc = 0;

	if (strlen(a->line.data) != a->line.len)
		return err_set(err, ERR_DATA, "a NUL in the answer's head");
	switch (a->state) {
	case ANSWER_HEAD:
		rc = take_head(a, err);
		break;
	case ANSWER_CHUNK_SIZE:
		rc = take_size(a, err);
		break;
	case ANSWER_CHUNK_END:
		if (!empty)
			rc = err_set(err, ERR_DATA, "a chunk of the answer "
			    "is longer than it says");
		a->state = ANSWER_CHUNK_SIZE;
		break;
	default:
		a->done = empty;
		break;
	}
	buf_truncate(&a->line, 0);
	return rc;
}

/* A head ends with an empty line, everything else with its own. */
static bool
line_is_whole(const struct answer *a)
{
	const char *end = a->state == ANSWER_HEAD ? "\r\n\r\n" : "\r\n";
	size_t len = strlen(end);

	return a->line.len >= len &&
	    memcmp(a->line.data + a->line.len - len, end, len) == 0;
}

static size_t
take_body(struct answer *a, const char *data, size_t len, struct buf *body)
{
	if (!a->unbounded && len > a->left)
		len = (size_t)a->left;
	buf_add(body, data, len);
	if (!a->unbounded)
		a->left -= len;
	if (!a->unbounded && a->left == 0 && a->state == ANSWER_BODY)
		a->done = true;
	if (a->left == 0 && a->state == ANSWER_CHUNK)
		a->state = ANSWER_CHUNK_END;
	return len;
}

int
answer_feed(struct answer *a, const char *data, size_t len, struct buf *body,
    struct err *err)
{
	size_t taken;

	while (len > 0 && !a->done) {
		if (a->state == ANSWER_BODY || a->state == ANSWER_CHUNK) {
			taken = take_body(a, data, len, body);
			if (body->full)
				return buf_check(body, "answer", err);
		} else {
			buf_char(&a->line, *data);
			taken = 1;
			if (a->line.full)
				return err_set(err, ERR_DATA, "the answer's "
				    "head is larger than %d bytes",
				    ANSWER_HEAD_MAX);
			if (line_is_whole(a) && take_line(a, err) != 0)
				return -1;
		}
		data += taken;
		len -= taken;
	}
	return 0;
}
