#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/sse.h"

void
sse_init(struct sse *sse)
{
	*sse = (struct sse){ 0 };
	buf_init(&sse->line, SSE_EVENT_MAX);
	buf_init(&sse->type, 256);
	buf_init(&sse->data, SSE_EVENT_MAX);
}

void
sse_clear(struct sse *sse)
{
	buf_clear(&sse->line);
	buf_clear(&sse->type);
	buf_clear(&sse->data);
}

/* An empty line: what has come since the last one is an event. */
static int
dispatch(struct sse *sse, sse_event *each, void *ctx, struct err *err)
{
	int rc = 0;

	if (sse->has_data)
		rc = each(ctx, sse->type.len ? buf_cstr(&sse->type) :
		    "message", buf_cstr(&sse->data), sse->data.len, err);
	buf_truncate(&sse->data, 0);
	buf_truncate(&sse->type, 0);
	sse->has_data = 0;
	return rc == 0 ? 0 : -1;
}

static void
take_field(struct sse *sse)
{
	const char *line = buf_cstr(&sse->line);
	const size_t name = strcspn(line, ":");
	const char *value = line + name;

	if (*value == ':')
		value++;
	if (*value == ' ')
		value++;
	if (name == 4 && strncmp(line, "data", 4) == 0) {
		if (sse->has_data)
			buf_char(&sse->data, '\n');
		buf_add(&sse->data, value, sse->line.len -
		    (size_t)(value - line));
		sse->has_data = 1;
	} else if (name == 5 && strncmp(line, "event", 5) == 0) {
		buf_truncate(&sse->type, 0);
		buf_str(&sse->type, value);
	}
}

static int
take_line(struct sse *sse, sse_event *each, void *ctx, struct err *err)
{
	int rc = 0;

	if (sse->line.len == 0)
		rc = dispatch(sse, each, ctx, err);
	else
		take_field(sse);
	buf_truncate(&sse->line, 0);
	return rc;
}

int
sse_feed(struct sse *sse, const char *data, size_t len, sse_event *each,
    void *ctx, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n' && sse->after_cr) {
			sse->after_cr = 0;
			continue;
		}
		sse->after_cr = data[i] == '\r';
		if (data[i] != '\n' && data[i] != '\r')
			buf_char(&sse->line, data[i]);
		else if (take_line(sse, each, ctx, err) != 0)
			return -1;
		if (sse->line.full || sse->data.full || sse->type.full)
			return err_set(err, ERR_DATA, "an event is larger "
			    "than %d bytes", SSE_EVENT_MAX);
	}
	return 0;
}
