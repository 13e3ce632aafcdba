#include "base/base.h"

#include <stdarg.h>

#include "base/log.h"
#include "base/progress.h"

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

static void PRINTF(2, 0)
emit(enum log_level level, const char *fmt, va_list ap)
{
	static const int priority[] = { 4, 6, 7, 7 };
	char line[2048];

	if (level > threshold)
		return;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	progress_pause();
	if (getenv("JOURNAL_STREAM"))
		(void)fprintf(stderr, "<%d>", priority[level]);
	(void)fprintf(stderr, "%s%s\n",
	    level == LOG_LEVEL_WARN ? "warning: " : "", line);
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
