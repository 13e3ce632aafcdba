#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/meminfo.h"
#include "flow/backup.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/restore.h"
#include "flow/run.h"
#include "flow/upgrade.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_scratch.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/host.h"

/* The word of the journal that has the figures of one that went well. */
#define RESULT "rehearsal"
/* What that was of: "VERSION DIGEST" of the new server, and its backup's
 * ended_at. */
#define OF_SERVER "rehearsal.server"
#define OF_BACKUP "rehearsal.backup"
/* The nested job: its name, and its directory below the job's own. */
#define NESTED "rehearsal"

#define MIB (UINT64_C(1024) * 1024)
#define MEMORY (1536 * MIB)
#define DISK_SPARE (256 * MIB)	/* tables without a row, and the log */
#define TEXT_MAX (64 * 1024)
#define WHY_MAX 256

/* Whether there is room for one, and in words why not. */
struct room {
	char why[WHY_MAX];	/* "" when there is */
};

static int
look_memory(const struct upgrade *up, struct room *room, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	uint64_t bytes;
	int rc = host_read(up->host, "/proc/meminfo", &text, NULL, err);

	if (rc == 0 && !meminfo_available(buf_cstr(&text), &bytes))
		(void)snprintf(room->why, sizeof(room->why), "%s does not "
		    "say how much memory is available",
		    host_name(up->host));
	else if (rc == 0 && bytes < MEMORY)
		(void)snprintf(room->why, sizeof(room->why), "%" PRIu64
		    " MiB of memory are available on %s, and a second server "
		    "wants %" PRIu64, bytes / MIB, host_name(up->host),
		    MEMORY / MIB);
	buf_clear(&text);
	return rc;
}

/* Where it keeps its files; to who may not ask it does not say. */
static int
data_directory(struct postgres *pg, struct buf *out, struct err *err)
{
	if (postgres_admin_ask(pg, NULL, "SELECT setting FROM pg_settings "
	    "WHERE name = 'data_directory'", out, err) != 0)
		return -1;
	buf_truncate(out, strcspn(buf_cstr(out), "\n"));
	if (out->len == 0)
		buf_str(out, "/var/lib");
	return 0;
}

/* A directory of another machine is, as a rule, not there on this one. */
static int
look_disk(const struct upgrade *up, struct postgres *pg, struct room *room,
    struct err *err)
{
	struct buf dir = BUF_INIT(TEXT_MAX);
	uint64_t size = 0, free_bytes = 0, need = 0;
	struct fs_meta meta = { .type = FS_NONE };
	int rc;

	rc = postgres_size(pg, &size, err);
	need = 2 * size + DISK_SPARE;
	if (rc == 0)
		rc = data_directory(pg, &dir, err);
	if (rc == 0)
		rc = host_stat(up->host, buf_cstr(&dir), &meta, err);
	if (rc == 0 && meta.type == FS_NONE)
		(void)snprintf(room->why, sizeof(room->why), "the PostgreSQL "
		    "of %s is not on this host, so its disk cannot be looked "
		    "at", postgres_where(pg));
	else if (rc == 0)
		rc = host_free_bytes(up->host, buf_cstr(&dir), &free_bytes,
		    err);
	if (rc == 0 && meta.type != FS_NONE && free_bytes < need)
		(void)snprintf(room->why, sizeof(room->why), "%" PRIu64
		    " MiB are free at %s:%s, and a second database wants %"
		    PRIu64, free_bytes / MIB, host_name(up->host),
		    buf_cstr(&dir), need / MIB);
	buf_clear(&dir);
	return rc;
}

/* pg is NULL with compose. */
static int
look_room(const struct upgrade *up, struct postgres *pg, struct room *room,
    struct err *err)
{
	*room = (struct room){ .why = "" };
	if (up->conf->to->runtime == CONF_RUNTIME_COMPOSE) {
		(void)snprintf(room->why, sizeof(room->why), "a server of "
		    "compose has no place for a second one beside it");
		return 0;
	}
	if (!up->conf->to->host->local) {
		(void)snprintf(room->why, sizeof(room->why), "a server on "
		    "the loopback of %s is not reached from this machine; "
		    "run sanctumctl there, with `address = local'",
		    host_name(up->host));
		return 0;
	}
	if (look_memory(up, room, err) != 0)
		return -1;
	return *room->why ? 0 : look_disk(up, pg, room, err);
}

static int
open_database(const struct upgrade *up, struct postgres **pg,
    struct err *err)
{
	*pg = NULL;
	if (up->conf->to->runtime == CONF_RUNTIME_COMPOSE)
		return 0;
	return postgres_open(pg, up->run, up->conf->from, err);
}

/* *room->why is "" when it is wanted and can be. */
static int
judge(const struct upgrade *up, struct postgres *pg, struct room *room,
    struct err *err)
{
	if (up->conf->rehearse == CONF_REHEARSE_NO) {
		(void)snprintf(room->why, sizeof(room->why),
		    "`rehearse = no'");
		return 0;
	}
	if (look_room(up, pg, room, err) != 0)
		return -1;
	if (!*room->why || up->conf->rehearse == CONF_REHEARSE_AUTO)
		return 0;
	return err_set(err, ERR_FAILED, "the backup cannot be rehearsed as "
	    "`rehearse = yes' of [upgrade %s] wants: %s; nothing was "
	    "changed.  Put that right, or write `rehearse = auto'",
	    up->conf->name, room->why);
}

/* The [env] as the job has it: of a secret only where it is. */
static int
environment_digest(const struct conf_letta *to, char hex[static
    2 * HASH_SIZE + 1], struct err *err)
{
	struct hash *hash = hash_new(err);
	const char *value;
	int rc;

	if (!hash)
		return -1;
	for (size_t i = 0; i < to->n_env; i++) {
		value = to->env[i].secret.ref ? to->env[i].secret.ref :
		    to->env[i].value;
		hash_add(hash, to->env[i].key, strlen(to->env[i].key) + 1);
		if (value)
			hash_add(hash, value, strlen(value) + 1);
	}
	rc = hash_end_hex(hash, hex, err);
	hash_free(hash);
	return rc;
}

/* What a rehearsal would be of, now; the caller frees both, also then. */
static int
subject_of(const struct upgrade *up, char **server, char **backup,
    struct err *err)
{
	char *dir = upgrade_backup_dir(up), hex[2 * HASH_SIZE + 1];
	struct backup_index index = { 0 };
	int rc;

	*server = *backup = NULL;
	rc = environment_digest(up->conf->to, hex, err);
	if (rc == 0)
		*server = mem_printf("%s %s", up->conf->to->version, hex);
	if (rc == 0)
		rc = backup_index_read(dir, &index, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (rc == 0)
		*backup = mem_strdup(index.ended_at ? index.ended_at : "none");
	backup_index_clear(&index);
	free(dir);
	return rc;
}

static int
is_as_then(const struct upgrade *up, const char *word, const char *now,
    bool *out, struct err *err)
{
	char *then = NULL;
	int rc = upgrade_get(up, word, &then, err);

	*out = then && str_eq(then, now);
	free(then);
	return rc;
}

/*
 * Whether a result still tells something: of the same server, until the old
 * one is stopped, and of the same backup, until `stop' begins, which brings
 * that up to date itself.
 */
static int
is_current(const struct upgrade *up, bool *out, struct err *err)
{
	bool server = false, backup = false, stopping = false, off = false;
	char *as_server, *as_backup;
	int rc;

	rc = subject_of(up, &as_server, &as_backup, err);
	if (rc == 0)
		rc = is_as_then(up, OF_SERVER, as_server, &server, err);
	if (rc == 0)
		rc = is_as_then(up, OF_BACKUP, as_backup, &backup, err);
	if (rc == 0)
		rc = upgrade_begun(up, &upgrade_stop_kind, &stopping, err);
	if (rc == 0)
		rc = upgrade_has_stopped(up->run, &off, err);
	*out = off || (server && (backup || stopping));
	free(as_backup);
	free(as_server);
	return rc;
}

/* What is known already; *found is PLAN_TODO when one may be due. */
static int
look_back(const struct upgrade *up, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	bool left, stopped, current = true;
	char *result = NULL;

	*found = PLAN_TODO;
	if (upgrade_scratch_is_there(up, &left, err) != 0 ||
	    upgrade_begun(up, &upgrade_stop_kind, &stopped, err) != 0 ||
	    upgrade_get(up, RESULT, &result, err) != 0)
		return -1;
	if (result && is_current(up, &current, err) != 0) {
		free(result);
		return -1;
	}
	if (!left && current && (result || stopped)) {
		*found = PLAN_DONE;
		plan_say(note, '+', "%s", result ? result : "not rehearsed "
		    "before the old server was stopped");
	}
	free(result);
	return 0;
}

static int
rehearse_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct postgres *pg = NULL;
	struct upgrade up;
	struct room room;
	bool left = false;
	int rc;

	if (upgrade_open(&up, run, step, err) != 0 ||
	    look_back(&up, note, found, err) != 0)
		return -1;
	if (*found == PLAN_DONE)
		return 0;
	rc = open_database(&up, &pg, err);
	if (rc == 0)
		rc = judge(&up, pg, &room, err);
	if (rc == 0)
		rc = upgrade_scratch_is_there(&up, &left, err);
	if (rc == 0 && *room.why) {
		*found = left ? PLAN_TODO : PLAN_DONE;
		plan_say(note, '+', "the backup is not rehearsed: %s",
		    room.why);
	} else if (rc == 0) {
		plan_say(note, '+', "every agent restored to a server of "
		    "Letta %s with a database of its own beside the old one, "
		    "sanctumctl_rehearsal_%s, compared, and all of that "
		    "taken away", up.conf->to->version,
		    *run->mark ? run->mark : "MARK");
	}
	postgres_close(pg);
	return rc;
}

/* The nested job first: while the journal says `there', both may be. */
static int
take_away(const struct upgrade *up, struct postgres *pg, struct err *err)
{
	char *dir = run_dir(up->run);
	char *nested = mem_printf("%s/" NESTED, dir);
	bool left;
	int rc;

	rc = upgrade_scratch_is_there(up, &left, err);
	if (rc == 0 && left)
		rc = fs_remove(nested, err);
	fault_point("rehearsal_nested");
	if (rc == 0)
		rc = upgrade_scratch_remove(up, pg, err);
	free(nested);
	free(dir);
	return rc;
}

/* A step of the nested job, for who wants to see it (-v). */
static void
tell(void *ctx, const struct plan_event *event)
{
	(void)ctx;
	if (event->type == PLAN_EVENT_END && event->acted)
		log_detail("rehearsal: %s: %s (%" PRIu64 ".%" PRIu64 " s)",
		    event->step, buf_cstr(&event->note->summary),
		    event->took_ms / 1000, event->took_ms % 1000 / 100);
}

/* As the step `restore' will do it; an agent that is refused is named. */
static int
restore(const struct upgrade *up, const struct endpoint *to,
    struct restore_totals *totals, struct err *err)
{
	const struct plan_watch watch = { .event = tell };
	char *backup = upgrade_backup_dir(up), *dir = run_dir(up->run);
	const struct restore_options options = { .state_dir = dir,
	    .name = NESTED, .leave = up->conf->leave };
	char *job = NULL;
	int rc;

	rc = restore_job(backup, to, &options, &job, err);
	if (rc == 0)
		rc = restore_run(job, to, &watch, totals, err);
	if (rc == 0 && totals->restored != totals->agents)
		rc = err_set(err, ERR_VERDICT, "%" PRIu64 " of %" PRIu64
		    " agents are the same as in the backup",
		    totals->restored, totals->agents);
	free(job);
	free(dir);
	free(backup);
	return rc;
}

static int
go_through(const struct upgrade *up, struct postgres *pg,
    struct restore_totals *totals, struct err *err)
{
	struct endpoint to = { 0 };
	int rc;

	rc = upgrade_scratch_make(up, pg, &to, err);
	if (rc == 0)
		rc = restore(up, &to, totals, err);
	endpoint_clear(&to);
	return rc;
}

/* Whatever comes of it, what was made is taken away, also after a signal. */
static int
rehearse_once(const struct upgrade *up, struct postgres *pg,
    struct restore_totals *totals, struct err *err)
{
	struct err second = ERR_INIT;
	int rc = go_through(up, pg, totals, err), away;

	stop_hold();
	away = take_away(up, pg, &second);
	stop_release();
	if (rc == 0 && away != 0) {
		*err = second;
		return err_ctx(err, "take the rehearsal away (the same "
		    "command does so again)");
	}
	if (rc != 0 && away != 0)
		return err_ctx(err, "(and what it has made could not be "
		    "taken away, which the same command does again: %.200s)",
		    second.text);
	return rc == 0 ? 0 : err_ctx(err, "rehearse the restore on a server "
	    "of Letta %s; the old one works as before, and what was made is "
	    "taken away", up->conf->to->version);
}

static int
conclude(const struct upgrade *up, const struct restore_totals *totals,
    uint64_t began_ms, struct plan_note *note, struct err *err)
{
	char *result = mem_printf("%" PRIu64 " of %" PRIu64 " agents the same "
	    "on a scratch server of Letta %s, %" PRIu64 " s",
	    totals->restored, totals->agents, up->conf->to->version,
	    (clock_ms() - began_ms + 500) / 1000);
	char *server, *backup;
	int rc;

	rc = subject_of(up, &server, &backup, err);
	if (rc == 0)
		rc = upgrade_put(up, OF_SERVER, server, err);
	if (rc == 0)
		rc = upgrade_put(up, OF_BACKUP, backup, err);
	if (rc == 0)
		rc = upgrade_put(up, RESULT, result, err);
	plan_say(note, '+', "%s", result);
	free(backup);
	free(server);
	free(result);
	return rc;
}

static int
rehearse_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const uint64_t began_ms = clock_ms();
	struct restore_totals totals = { 0 };
	struct postgres *pg = NULL;
	struct upgrade up;
	struct room room;
	int rc;

	if (upgrade_open(&up, run, step, err) != 0)
		return -1;
	rc = open_database(&up, &pg, err);
	/* Of one that was killed: it may be what takes the room. */
	if (rc == 0)
		rc = take_away(&up, pg, err);
	if (rc == 0)
		rc = judge(&up, pg, &room, err);
	if (rc == 0 && *room.why)
		plan_say(note, '+', "the backup is not rehearsed: %s",
		    room.why);
	if (rc == 0 && !*room.why) {
		rc = rehearse_once(&up, pg, &totals, err);
		if (rc == 0)
			rc = conclude(&up, &totals, began_ms, note, err);
	}
	restore_totals_clear(&totals);
	postgres_close(pg);
	return rc;
}

static int
rehearse_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct postgres *pg = NULL;
	struct upgrade up;
	bool left;
	int rc;

	if (upgrade_open(&up, run, step, err) != 0 ||
	    upgrade_scratch_is_there(&up, &left, err) != 0)
		return -1;
	rc = left ? open_database(&up, &pg, err) : 0;
	if (rc == 0 && left)
		rc = take_away(&up, pg, err);
	if (rc == 0)
		rc = upgrade_put(&up, RESULT, "", err);
	if (rc == 0)
		rc = upgrade_put(&up, OF_SERVER, "", err);
	if (rc == 0)
		rc = upgrade_put(&up, OF_BACKUP, "", err);
	if (rc == 0)
		plan_say(note, '-', left ? "what a rehearsal has left" :
		    "nothing is left of the rehearsal");
	postgres_close(pg);
	return rc;
}

const struct step_kind upgrade_rehearse_kind = {
	.word = "rehearse",
	.probe = rehearse_probe,
	.act = rehearse_act,
	.undo = rehearse_undo,
};
