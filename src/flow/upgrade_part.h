#ifndef FLOW_UPGRADE_PART_H
#define FLOW_UPGRADE_PART_H

#include <stdbool.h>

#include "base/attr.h"
#include "core/conf.h"

struct buf;
struct err;
struct host;
struct run;
struct step;
struct step_kind;

/* For upgrade_*.c alone: what their steps share. */

extern const struct step_kind upgrade_look_kind;
extern const struct step_kind upgrade_backup_kind;
extern const struct step_kind upgrade_rehearse_kind;
extern const struct step_kind upgrade_stop_kind;
extern const struct step_kind upgrade_dump_kind;
extern const struct step_kind upgrade_database_kind;
extern const struct step_kind upgrade_pull_kind;
extern const struct step_kind upgrade_compose_kind;
extern const struct step_kind upgrade_sequence_kind;
extern const struct step_kind upgrade_restore_kind;
extern const struct step_kind upgrade_open_kind;
extern const struct step_kind upgrade_clients_kind;

/* One upgrade on its host. */
struct upgrade {
	struct run *run;
	const struct conf_upgrade *conf;
	struct host *host;	/* belongs to the run */
};

int upgrade_open(struct upgrade *, struct run *, const struct step *,
    struct err *) MUST_CHECK;

/*
 * Facts of the journal, "upgrade.NAME.WORD".  What is forgotten is "".
 * *out is NULL when there is none; the caller frees it.
 */
int upgrade_get(const struct upgrade *, const char *word, char **out,
    struct err *) MUST_CHECK;
int upgrade_put(const struct upgrade *, const char *word, const char *value,
    struct err *) MUST_CHECK;

/* Whether a step of this upgrade is done by the journal; begun and not
 * taken back. */
int upgrade_done(const struct upgrade *, const struct step_kind *, bool *out,
    struct err *) MUST_CHECK;
int upgrade_begun(const struct upgrade *, const struct step_kind *,
    bool *out, struct err *) MUST_CHECK;

/*
 * Facts that `stop' writes before it tells the old service anything: what the
 * database held, by which manager it ran (upgrade_service_word), its processes
 * (port_owner_family), and how it was.  The last is forgotten once it is so
 * again; while it is there the manager counts.
 */
#define UPGRADE_STOP_CENSUS "stop.census"
#define UPGRADE_STOP_MANAGER "stop.manager"
#define UPGRADE_STOP_PROCESSES "stop.processes"
#define UPGRADE_STOP_WAS "stop.was"

/*
 * Where the bundles are, on this machine: `backup', or else
 * /var/backups/sanctumctl/JOB/letta-backup-YYYYMMDD (of who is not root
 * ~/.local/share/sanctumctl/backups/...), which outlives the job's state.
 * The caller frees it.  note: before a backup is begun, so that another day's
 * run goes on with it.
 */
char *upgrade_backup_dir(const struct upgrade *);
int upgrade_backup_note(const struct upgrade *, const char *dir,
    struct err *) MUST_CHECK;

/*
 * struct backup_census of a server whose database (struct postgres, ctx) can
 * be asked: what `backup' and `stop' look at its agents with.  So a write is
 * seen that no answer of the server tells, back to the reading of each bundle
 * that is trusted, an older backup's among them; it is in the index with the
 * bundle, not in the journal, since one is nothing without the other.
 */
int upgrade_rows(void *postgres, struct buf *out, struct err *) MUST_CHECK;

/*
 * With `runtime = compose', what `look' asks before anything is begun: the
 * service is one that can be upgraded (flow/compose_service.h), its file one
 * whose image can be replaced, and the port is the one that it has.
 */
int upgrade_compose_look(const struct upgrade *, struct err *) MUST_CHECK;
/* And that it uses this database (compose_service_check_database). */
int upgrade_compose_same(const struct upgrade *, const char *database,
    struct err *) MUST_CHECK;

/*
 * ERR_USAGE without `break_glass = yes' in [job]: what the acts that stop the
 * old server, copy its database, make it anew and fill it, begin with, and that
 * of `open'.  What sets up the new server (letta.NAME.*, `compose') and
 * `clients' do not ask: they act behind one that has.
 */
int upgrade_break_glass(const struct upgrade *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_PART_H */
