#ifndef FLOW_SUPERVISOR_H
#define FLOW_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;
struct host;

/*
 * What starts a worker on a host, and starts it again when it has ended: a
 * line of a crontab, a systemd unit, a supervisord program, a pm2 app.  A
 * screen session that holds it starts nothing: worker_find (worker_find.h)
 * tells of it, supervisor_find does not.
 *
 * A move goes
 *
 *     supervisor_find(from, dir, &found, err)
 *     supervisor_disable(from, s, mark, err)       each that it may change
 *     ... the process is ended, the tree is moved ...
 *     supervisor_home(from, s, &home, err)         before from is left
 *     supervisor_install(to, s, home, from_dir, to_dir, mark, err)
 *     supervisor_find(to, to_dir, &there, err)
 *     supervisor_start(to, s, err)                 each of there
 *
 * and back supervisor_remove and supervisor_enable.  Nothing is kept here: what
 * a mark has done is seen in the crontab or unit itself, so each call may be
 * repeated, after a kill too, and by another process.
 *
 * All that is changed is changed whole: `crontab -' takes a text or refuses
 * it, files are replaced by rename.
 */
enum supervisor_kind {
	SUPERVISOR_NONE,	/* each call but find is a success */
	SUPERVISOR_CRON,
	SUPERVISOR_SYSTEMD,
	SUPERVISOR_SUPERVISORD,
	SUPERVISOR_PM2,
	SUPERVISOR_SCREEN	/* likewise */
};

struct supervisor {
	enum supervisor_kind kind;
	char *name;	/* cron: the line's command; systemd: unit;
			 * supervisord: program; pm2: app; screen: session */
	char *where;	/* "crontab of USER", or the path of the file */
	char *user;	/* whose crontab, --user manager, pm2, screen; NULL:
			 * the system's */
	char *text;	/* the line, unit, section as it was found: may hold
			 * secrets: not for people */
	char *settings;	/* cron: the "NAME=value" lines that hold for it */
	char *tree;	/* "broca", "smcp", "otto", or NULL: not known */
	bool disabled;	/* by a mark of ours */
	char *mark;	/* which; NULL unless disabled */
	size_t line;	/* in where; 0: none */
};

struct supervisors {
	struct supervisor *list;
	size_t n;
};

/* "cron", "systemd", ...; "none". */
const char *supervisor_word(enum supervisor_kind);

/*
 * Whether disable ends the process at once: supervisord and pm2 have no other
 * way to be told.  Such a one is disabled when the queue is at rest.
 */
bool supervisor_disable_stops(const struct supervisor *);

/*
 * All that would start something in dir or below: crontab lines whose
 * command, or the script that it names, lies there or goes there by cd; units
 * with WorkingDirectory or ExecStart there; supervisord programs with
 * directory or command, pm2 apps with pm_cwd or script.  Ones that we have put
 * out of use are among them.  As root, of every user; else our own and the
 * system's.  What cannot be read there is a warning and passed over.
 *
 * dir    absolute or "~/..."; a symlink counts as what it leads to as well
 *
 * A failure leaves *out empty.  What was found last is believed for a minute,
 * with what these functions have done to it since; supervisor_forget ends
 * that, for whoever is about to rely on it.
 */
void supervisor_forget(void);
int supervisor_find(struct host *, const char *dir, struct supervisors *out,
    struct err *) MUST_CHECK;
void supervisors_clear(struct supervisors *);

/*
 * Put it out of use, and back.  Nothing else of the crontab, unit or section
 * changes by a byte, and enable gives the bytes that were there.
 *
 * cron         the line becomes a comment with the mark (core/crontab.h)
 * systemd      a drop-in with the mark: Restart=no, and a condition that
 *              never holds, so that no boot, timer or dependency starts it; it
 *              stays when the machine is restarted
 * supervisord  the section's lines become comments; supervisorctl update,
 *              which stops it (and starts it again at enable)
 * pm2          stop and start by name, and save
 *
 * ERR_STALE: it is not there any more as it was found, nor put out of use by
 * this mark.  ERR_AUTH: another user's, and we are not root.
 */
int supervisor_disable(struct host *, const struct supervisor *,
    const char *mark, struct err *) MUST_CHECK;
int supervisor_enable(struct host *, const struct supervisor *,
    const char *mark, struct err *) MUST_CHECK;

/*
 * The home directory of the account that it runs as, on the host where it was
 * found: what "~" in it stands for.  The caller frees it.
 */
int supervisor_home(struct host *, const struct supervisor *, char **home,
    struct err *) MUST_CHECK;

/*
 * The same for to_dir on this host (s was found on another one, for
 * from_dir, an absolute path there), paths rewritten.  It belongs to the
 * account that owns to_dir, which must exist.  Directories that a cron line
 * writes to are made.  Not started, though cron may start it from now on.
 *
 * from_home  of supervisor_home
 *
 * On the host that it was found on, where the mark has put it out of use, a
 * unit gets a second name, NAME-MARK.service; lines and sections need none.
 *
 * ERR_USAGE: to_dir has a byte that would need quoting.  ERR_STALE: another
 * one of the name is there.
 */
int supervisor_install(struct host *, const struct supervisor *,
    const char *from_home, const char *from_dir, const char *to_dir,
    const char *mark, struct err *) MUST_CHECK;
/* Remove what install has made; nothing there is a success. */
int supervisor_remove(struct host *, const struct supervisor *,
    const char *from_home, const char *from_dir, const char *to_dir,
    const char *mark, struct err *) MUST_CHECK;

/*
 * Bring it up now.  cron: the line's command once, with the environment that
 * cron gives, and left to itself; systemd, supervisord, pm2: start.  That it
 * was taken is not that the worker runs.  ERR_STALE for one that is disabled.
 */
int supervisor_start(struct host *, const struct supervisor *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_SUPERVISOR_H */
