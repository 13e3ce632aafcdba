#ifndef CORE_SYSTEMD_UNIT_H
#define CORE_SYSTEMD_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

/*
 * The text of a systemd service, systemd.unit(5) and systemd.service(5), as
 * far as a worker's move asks: its words, and where it works.
 *
 *     struct systemd_unit u;
 *
 *     systemd_unit_init(&u);
 *     systemd_unit_read(&u, text, len);   the unit, then each drop-in
 *     ... u.working_directory, u.exec_start ...
 *     systemd_unit_clear(&u);
 *
 * A line ends in "\" when the next one belongs to it; "#" and ";" begin
 * comments; an empty assignment of a list forgets what was before, as systemd
 * does.  "%h" is left for the caller (systemd_unit_expand): it is the home of
 * whoever runs the manager.  Never fails: what is not understood is passed
 * over, as systemd does.
 */
struct systemd_unit {
	char *description;
	char *user;
	char *working_directory;	/* without "-" in front; may be "~" */
	struct buf *exec;	/* lines: ExecStart, ExecStartPre, ... */
	struct buf *environment;	/* "NAME=value" and a NUL each */
	struct buf *environment_files;	/* a path and a NUL each */
	bool has_install;		/* an [Install] that says something */
};

#define UNIT_MAX_BYTES (256 * 1024)

void systemd_unit_init(struct systemd_unit *);
void systemd_unit_read(struct systemd_unit *, const char *text, size_t len);
void systemd_unit_clear(struct systemd_unit *);		/* wipes */

/* Append text with %h as home, %u as user and %% as %; others stay. */
void systemd_unit_expand(const char *text, const char *home, const char *user,
    struct buf *out);

/*
 * Append the text with another User=, and without Group=, which is that
 * user's then.  A text without User= stays as it is but for Group=.
 */
void systemd_unit_set_user(const char *text, size_t len, const char *user,
    struct buf *out);

#endif /* !CORE_SYSTEMD_UNIT_H */
