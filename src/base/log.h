#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

/*
 * Lines to stderr for the person who watches.  stdout is the result and is
 * never written here.  Under systemd (JOURNAL_STREAM is set) each line starts
 * with its syslog priority, "<6>", as sd-daemon(3) describes.
 *
 * Text from a peer goes through str_printable before it gets here; a
 * failure goes through struct err and is printed by cli/show.c alone.
 */
enum log_level {
	LOG_LEVEL_WARN,		/* -q */
	LOG_LEVEL_INFO,		/* a line per step; the default */
	LOG_LEVEL_DETAIL,	/* -v */
	LOG_LEVEL_DEBUG		/* -vv */
};

void log_set_level(enum log_level);
enum log_level log_get_level(void);

void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_detail(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

#endif /* !BASE_LOG_H */
