#ifndef CORE_CRONTAB_H
#define CORE_CRONTAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * A crontab as Debian's cron 3.0pl1 and cronie read it, crontab(5), line by
 * line; and changes to it that leave every other byte as it was.
 *
 *     struct crontab tab;
 *     struct crontab_line line;
 *
 *     crontab_init(&tab, text, len, CRONTAB_USER);
 *     while (crontab_next(&tab, &line))
 *             if (line.kind == CRONTAB_JOB) ...
 *
 * Nothing is allocated; a line points into the text.
 *
 * What is ours in a crontab carries a mark, [0-9a-z] of at most
 * CRONTAB_MARK_MAX: a line that was put out of use is a comment,
 *
 *     #sanctumctl-MARK# * * * * * ~/start.sh
 *
 * and one that was added stands between two,
 *
 *     #sanctumctl-MARK begin
 *     PATH=/usr/bin:/bin
 *     * * * * * ~/start.sh
 *     #sanctumctl-MARK end
 */
#define CRONTAB_MARK_MAX 32
#define CRONTAB_MAX_BYTES (256 * 1024)	/* as cron itself */

enum crontab_form {
	CRONTAB_USER,		/* of crontab(1) */
	CRONTAB_SYSTEM		/* /etc/crontab, /etc/cron.d: a user field */
};

enum crontab_kind {
	CRONTAB_BLANK,		/* nothing, or a comment */
	CRONTAB_SETTING,	/* NAME = value */
	CRONTAB_JOB,
	CRONTAB_OTHER		/* cron would refuse it */
};

struct crontab_line {
	enum crontab_kind kind;
	size_t number;		/* the first is 1 */
	size_t begin, end;	/* in the text; end is after the line break */
	bool disabled;		/* by us: kind is that of the line inside */
	const char *mark;	/* of a disabled one, not NUL-ended */
	size_t mark_len;
	/* Without line break, and without our prefix. */
	const char *text;
	size_t len;
	/* Of a job. */
	const char *user;	/* of CRONTAB_SYSTEM, else NULL */
	size_t user_len;
	const char *command;	/* as it stands: see crontab_command */
	size_t command_len;
	bool at_reboot;
};

struct crontab {
	const char *text;
	size_t len, at, number;
	enum crontab_form form;
};

void crontab_init(struct crontab *, const char *text, size_t len,
    enum crontab_form);
/* The next line; false at the end. */
bool crontab_next(struct crontab *, struct crontab_line *);

/*
 * What cron hands to the shell: the command up to the first bare "%", with
 * "\%" as "%"; and, appended to input, what is behind it, further "%" as line
 * breaks, which the shell gets as stdin.
 */
void crontab_command(const struct crontab_line *, struct buf *shell,
    struct buf *input);

/* Name and value of a setting, as cron puts it into the environment. */
void crontab_setting(const struct crontab_line *, struct buf *name,
    struct buf *value);

/*
 * Put every line whose bytes are `line' out of use, or those that the mark
 * put out of use back, exactly as they were.  *changed: how many; none is no
 * failure.  Fails with ERR_DATA, text as it was, for a NUL byte or a text
 * that becomes too large; ERR_USAGE for a mark that is none, or a line that
 * begins as a comment of ours.
 */
int crontab_disable(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *) MUST_CHECK;
int crontab_enable(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *) MUST_CHECK;

/*
 * Add a line behind the last one, after `settings' (lines "NAME=value\n", or
 * ""), between comments with the mark; nothing when the mark has added the
 * same there before.  A last line without line break gets one: cron would not
 * take it without.  Fails as above, and with ERR_USAGE for a line break in
 * line.
 */
int crontab_add(struct buf *text, const char *settings, const char *line,
    const char *mark, size_t *changed, struct err *) MUST_CHECK;
/* Remove what crontab_add has added with this mark and line. */
int crontab_remove(struct buf *text, const char *line, const char *mark,
    size_t *changed, struct err *) MUST_CHECK;

#endif /* !CORE_CRONTAB_H */
