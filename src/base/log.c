#include "base/base.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/str.h"

#define LINE_SIZE 2048

static enum log_level threshold = LOG_LEVEL_INFO;

void
log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level
log_get_level(void)
{
	return threshold;
}

/*
 * Much of a message is somebody else's: a terminal shows it, and does not obey
 * it.  Lines after the first are indented: none of them passes for ours.
 */
static void
show_line(struct buf *out, const char *line)
{
	size_t part;

	for (;;) {
		part = strcspn(line, "\n");
		str_printable(out, line, part);
		line += part;
		if (line[strspn(line, "\n")] == '\0')
			return;
		line++;
		buf_str(out, "\n    ");
	}
}

static void PRINTF(2, 0)
emit(enum log_level level, const char *fmt, va_list ap)
{
	static const int priority[] = { 4, 6, 7, 7 };
	struct buf shown = BUF_INIT(8 * LINE_SIZE);
	char line[LINE_SIZE];

	if (level > threshold)
		return;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	show_line(&shown, line);
	progress_pause();
	if (getenv("JOURNAL_STREAM"))
		(void)fprintf(stderr, "<%d>", priority[level]);
	(void)fprintf(stderr, "%s%s\n",
	    level == LOG_LEVEL_WARN ? "warning: " : "", buf_cstr(&shown));
	buf_clear(&shown);
}

#define DEFINE_LOG(name, level)			\
	void					\
	name(const char *fmt, ...)		\
	{					\
		va_list ap;			\
						\
		va_start(ap, fmt);		\
		emit(level, fmt, ap);		\
		va_end(ap);			\
	}

DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_detail, LOG_LEVEL_DETAIL)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
