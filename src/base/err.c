#include "base/base.h"

#include "base/err.h"

static const struct {
	int exit_code;
	const char *word;
} kinds[] = {
	[ERR_NONE] = { 0, "none" },
	[ERR_FAILED] = { 1, "failed" },
	[ERR_DATA] = { 1, "data" },
	[ERR_MISSING] = { 1, "missing" },
	[ERR_USAGE] = { 2, "usage" },
	[ERR_PARTIAL] = { 3, "partial" },
	[ERR_UNREACHABLE] = { 10, "unreachable" },
	[ERR_LOCKED] = { 11, "locked" },
	[ERR_AUTH] = { 12, "auth" },
	[ERR_HOSTKEY] = { 13, "hostkey" },
	[ERR_VERDICT] = { 14, "verdict" },
	[ERR_STALE] = { 15, "stale" },
	[ERR_AGAIN] = { 75, "again" },
	[ERR_INTERRUPTED] = { 130, "interrupted" },
};

int
err_vset(struct err *err, enum err_kind kind, const char *fmt, va_list ap)
{
	err->kind = kind;
	err->transient = kind == ERR_AGAIN || kind == ERR_UNREACHABLE;
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return -1;
}

int
err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, kind, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	char cause[128];
	const char *text;
	size_t used;
	va_list ap;

	/* The GNU strerror_r returns the text, in cause or elsewhere. */
	text = strerror_r(errno, cause, sizeof(cause));
	va_start(ap, fmt);
	(void)err_vset(err, kind, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    text);
	return -1;
}

int
err_ctx(struct err *err, const char *fmt, ...)
{
	char context[ERR_TEXT_MAX];
	size_t cause_len, context_len, room;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context) - 2, fmt, ap);
	va_end(ap);
	context_len = strlen(context);
	cause_len = strlen(err->text);

	/* Keep the cause and its NUL; the context gets what is left. */
	room = sizeof(err->text) - cause_len - 1;
	if (room < 3)
		return -1;
	if (context_len > room - 2)
		context_len = room - 2;
	memmove(err->text + context_len + 2, err->text, cause_len + 1);
	memcpy(err->text, context, context_len);
	memcpy(err->text + context_len, ": ", 2);
	return -1;
}

int
err_transient(struct err *err)
{
	err->transient = true;
	return -1;
}

void
err_clear(struct err *err)
{
	err->kind = ERR_NONE;
	err->transient = false;
	err->text[0] = '\0';
}

int
err_exit(const struct err *err)
{
	return kinds[err->kind].exit_code;
}

const char *
err_word(enum err_kind kind)
{
	return kinds[kind].word;
}
