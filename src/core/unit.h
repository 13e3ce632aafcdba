#ifndef CORE_UNIT_H
#define CORE_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

/*
 * The text of a systemd service, systemd.unit(5) and systemd.service(5), as
 * far as a worker's move asks: its words, and where it works.
 *
 *     struct unit u;
 *
 *     unit_init(&u);
 *     unit_read(&u, text, len);           the unit, then each drop-in
 *     ... u.working_directory, u.exec_start ...
 *     unit_clear(&u);
 *
 * A line ends in "\" when the next one belongs to it; "#" and ";" begin
 * comments; an empty assignment of a list forgets what was before, as systemd
 * does. "%h" is left for the caller (unit_expand): it is the home of whoever
 * runs the manager.  Never fails: what is not understood is passed over, as
 * systemd does.
 */
struct unit {
	char *description;
	char *user;
	char *working_directory;	/* without "-" in front; may be "~" */
	struct buf *exec;	/* lines: ExecStart, ExecStartPre, ... */
	struct buf *environment;	/* "NAME=value" and a NUL each */
	struct buf *environment_files;	/* a path and a NUL each */
	bool has_install;		/* an [Install] that says something */
};

#define UNIT_MAX_BYTES (256 * 1024)

void unit_init(struct unit *);
void unit_read(struct unit *, const char *text, size_t len);
void unit_clear(struct unit *);		/* wipes */

/* Append text with %h as home, %u as user and %% as %; others stay. */
void unit_expand(const char *text, const char *home, const char *user,
    struct buf *out);

/*
 * Append the text with another User=, and without Group=, which is that
 * user's then.  A text without User= stays as it is but for Group=.
 */
void unit_set_user(const char *text, size_t len, const char *user,
    struct buf *out);

#endif /* !CORE_UNIT_H */
