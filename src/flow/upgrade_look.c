#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/letta.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/port_owner.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/upgrade.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_database_of.h"
#include "flow/upgrade_losses.h"
#include "flow/upgrade_marker.h"
#include "flow/upgrade_models.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "flow/upgrade_unlisted.h"
#include "io/fs.h"
#include "io/host.h"

#define TELL_MAX 2048

/* What is found of the old server, and what the new one needs. */
struct look {
	struct upgrade up;
	struct upgrade_service service;
	struct port_owner owner;
	struct postgres *pg;
	char version[RUNTIME_VERSION_SIZE];
	uint64_t bytes;		/* of its database */
	uint64_t room;		/* where its dump goes */
};

/* Indented, as a probe's words are. */
static void PRINTF(2, 3)
tell(struct plan_note *note, const char *fmt, ...)
{
	char line[TELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_str(&note->diff, "    ");
	str_printable(&note->diff, line, strlen(line));
	buf_char(&note->diff, '\n');
}

static int
compare_versions(const char *a, const char *b)
{
	struct letta_caps left, right;

	letta_caps_of(a, &left);
	letta_caps_of(b, &right);
	if (left.major != right.major)
		return left.major < right.major ? -1 : 1;
	if (left.minor != right.minor)
		return left.minor < right.minor ? -1 : 1;
	if (left.patch != right.patch)
		return left.patch < right.patch ? -1 : 1;
	return 0;
}

/* The version that answers is the one that is meant, and an older one. */
static int
look_at_versions(struct look *look, struct err *err)
{
	const struct conf_letta *from = look->up.conf->from;
	const struct conf_letta *to = look->up.conf->to;
	const struct runtime rt = { .run = look->up.run, .letta = from,
	    .host = look->up.host };
	const char *where = host_name(look->up.host);

	if (runtime_version(&rt, look->version, err) != 0)
		return -1;
	if (!*look->version)
		return err_set(err, ERR_UNREACHABLE, "%s:127.0.0.1:%u: nobody "
		    "answers; an upgrade needs the old server up, since its "
		    "agents are read from it.  Start it, or give the right "
		    "`port' in [letta %s]", where, from->port, from->name);
	if (from->version && !str_eq(from->version, look->version))
		return err_set(err, ERR_STALE, "%s:127.0.0.1:%u: Letta %s "
		    "answers, and [letta %s] says %s; nothing was changed",
		    where, from->port, look->version, from->name,
		    from->version);
	if (compare_versions(to->version, look->version) <= 0)
		return err_set(err, ERR_USAGE, "%s: [letta %s] is to be %s, "
		    "and Letta %s runs there: an upgrade goes to a newer "
		    "version", look->up.run->conf->path, to->name,
		    to->version, look->version);
	return 0;
}

/* What we would stop is what serves: else the wrong one would be. */
static int
look_at_process(struct look *look, struct err *err)
{
	const struct conf_letta *from = look->up.conf->from;
	const char *where = host_name(look->up.host);
	bool owns = false;

	if (port_owner_find(look->up.host, from->port, &look->owner, err)
	    != 0)
		return -1;
	if (look->owner.pid == 0)
		return err_set(err, ERR_STALE, "%s: whose process listens on "
		    "port %u cannot be seen; is `user' of [host %s] root?",
		    where, from->port, from->host->name);
	if (upgrade_service_owns(&look->service, look->owner.pid, &owns,
	    err) != 0)
		return -1;
	if (owns)
		return 0;
	return err_set(err, ERR_STALE, "%s: port %u is listened on by process "
	    "%ld, which %s %s has not started; nothing was changed.  Give "
	    "what runs it as `service' in [letta %s]", where, from->port,
	    (long)look->owner.pid, upgrade_service_word(&look->service),
	    look->service.name, from->name);
}

static int
look_at_service(struct look *look, struct err *err)
{
	if (upgrade_service_find(&look->service, &look->up, err) != 0)
		return -1;
	if (look->service.unfit)
		return err_set(err, ERR_USAGE, "%s: %s %s: %s; nothing was "
		    "changed", host_name(look->up.host),
		    upgrade_service_word(&look->service), look->service.name,
		    look->service.unfit);
	/* An engine of containers publishes a port by a process of its own. */
	if (look->up.conf->from->compose)
		return upgrade_compose_look(&look->up, err);
	return look_at_process(look, err);
}

/* What the server does not list no backup will have. */
static int
look_at_agents(struct look *look, struct err *err)
{
	struct endpoint at = { 0 };
	int rc;

	rc = run_endpoint(look->up.run, look->up.conf->from, &at, err);
	if (rc == 0)
		rc = upgrade_unlisted_check(&look->up, look->pg, NULL, &at,
		    err);
	endpoint_clear(&at);
	return rc;
}

static int
look_at_database(struct look *look, struct err *err)
{
	const struct conf_letta *from = look->up.conf->from;

	if (!from->compose && upgrade_database_same(&look->up, &look->owner,
	    err) != 0)
		return -1;
	if (postgres_open(&look->pg, look->up.run, from, err) != 0 ||
	    upgrade_marker_check(&look->up, look->pg, err) != 0)
		return -1;
	if (from->compose && upgrade_compose_same(&look->up,
	    postgres_database(look->pg), err) != 0)
		return -1;
	if (postgres_check_rights(look->pg, err) != 0 ||
	    postgres_check_tables(look->pg, err) != 0 ||
	    look_at_agents(look, err) != 0 ||
	    postgres_size(look->pg, &look->bytes, err) != 0)
		return -1;
	return upgrade_dump_room(&look->up, look->bytes, &look->room, err);
}

/* The old one's is free once that is stopped. */
static int
look_at_new_port(const struct look *look, struct err *err)
{
	const struct conf_letta *from = look->up.conf->from;
	const struct conf_letta *to = look->up.conf->to;
	struct port_owner other;

	if (to->port == from->port)
		return 0;
	if (port_owner_find(look->up.host, to->port, &other, err) != 0)
		return -1;
	return !other.listens ? 0 : err_set(err, ERR_STALE, "%s: port %u, "
	    "which [letta %s] is to have, is listened on at %s by process "
	    "%ld; give another `port'", host_name(look->up.host), to->port,
	    to->name, other.address, (long)other.pid);
}

/* Both ends answer and are what the job says; nothing is changed. */
static int
look_at_all(struct look *look, struct run *run, const struct step *step,
    struct err *err)
{
	struct server *server;

	*look = (struct look){ 0 };
	if (upgrade_open(&look->up, run, step, err) != 0)
		return -1;
	if (host_facts(look->up.host)->uid != 0)
		return err_set(err, ERR_USAGE, "%s: an upgrade needs root "
		    "there", host_name(look->up.host));
	/* Before all else: what answers may be that job's new server. */
	if (upgrade_marker_check(&look->up, NULL, err) != 0 ||
	    look_at_versions(look, err) != 0 ||
	    run_server(run, look->up.conf->from, &server, err) != 0 ||
	    look_at_service(look, err) != 0 ||
	    look_at_new_port(look, err) != 0)
		return -1;
	return look_at_database(look, err);
}

static void
look_clear(struct look *look)
{
	upgrade_service_clear(&look->service);
	postgres_close(look->pg);
}

/* The nearest directory above that there is: what is made goes there. */
static int
free_here(const char *path, uint64_t *out, struct err *err)
{
	char *at = mem_strdup(path), *slash;
	struct fs_meta meta;
	int rc = fs_stat(at, &meta, err);

	while (rc == 0 && meta.type == FS_NONE) {
		slash = strrchr(at, '/');
		if (!slash || slash == at)
			break;
		*slash = '\0';
		rc = fs_stat(at, &meta, err);
	}
	if (rc == 0)
		rc = fs_free_bytes(meta.type == FS_NONE ? "/" : at, out, err);
	free(at);
	return rc;
}

/* Bundles are about as large as the database. */
static int
tell_room(const struct look *look, struct plan_note *note, struct err *err)
{
	const uint64_t mb = 1024 * 1024;
	char *dir = upgrade_backup_dir(&look->up);
	uint64_t here = 0;
	int rc;

	rc = free_here(dir, &here, err);
	if (rc == 0) {
		tell(note, "database %s: %" PRIu64 " MB; its dump takes less, "
		    "and %" PRIu64 " MB are free for it",
		    postgres_where(look->pg), look->bytes / mb,
		    look->room / mb);
		tell(note, "bundles go to %s, about as large; %" PRIu64
		    " MB are free here", dir, here / mb);
		if (here < look->bytes)
			tell(note, "warning: that may not be enough room");
	}
	free(dir);
	return rc;
}

/* note NULL: it is said at once, to who has not seen a plan. */
static void
tell_model(const struct look *look, const char *name, struct plan_note *note)
{
	struct buf users = BUF_INIT(8 * TELL_MAX);
	char line[TELL_MAX - 16];

	upgrade_models_users(look->pg, name, &users);
	(void)snprintf(line, sizeof(line), "the old server has %s, which [env "
	    "%s] does not give; %s%s", name, look->up.conf->to->name,
	    users.len > 0 ? "without it these are refused or do not answer: " :
	    "no agent is known to use what it is for", buf_cstr(&users));
	if (note)
		tell(note, "warning: %s", line);
	else if (users.len > 0)
		log_warn("%s: %s", host_name(look->up.host), line);
	buf_clear(&users);
}

static void
tell_service(const struct look *look, struct plan_note *note)
{
	const struct upgrade_service *service = &look->service;

	tell(note, "Letta %s on 127.0.0.1:%u, by %s %s%s%s%s",
	    look->version, look->up.conf->from->port,
	    upgrade_service_word(service), service->name,
	    service->where ? " of " : "", service->where ? service->where :
	    "", service->enabled ? ", starts at boot" : "");
	if (look->owner.open)
		tell(note, "warning: it listens at %s too, where others "
		    "reach it; the new one listens on 127.0.0.1:%u alone",
		    look->owner.address, look->up.conf->to->port);
}

/* The database goes with more than agents: nobody learns that afterwards. */
static int
tell_losses(const struct look *look, struct plan_note *note, struct err *err)
{
	tell(note, "beside the agents, and gone with the database:");
	if (upgrade_losses(look->pg, &note->diff, err) != 0)
		return -1;
	tell(note, "embeddings are made anew from each passage's text");
	return 0;
}

/* Containers keep what they are given, in their file. */
static int
tell_models(const struct look *look, struct plan_note *note, struct err *err)
{
	struct buf lacks = BUF_INIT(4096);
	char *name, *rest = NULL;
	int rc = 0;

	if (!look->up.conf->from->compose)
		rc = upgrade_models_lacking(&look->up, &look->owner, &lacks,
		    err);
	if (rc == 0 && lacks.len > 0) {
		for (name = strtok_r(lacks.data, " ", &rest); name;
		    name = strtok_r(NULL, " ", &rest))
			tell_model(look, name, note);
	}
	buf_clear(&lacks);
	return rc;
}

static int
tell_all(const struct look *look, struct plan_note *note, struct err *err)
{
	tell_service(look, note);
	if (tell_room(look, note, err) != 0 ||
	    tell_models(look, note, err) != 0 ||
	    tell_losses(look, note, err) != 0)
		return -1;
	if (!look->up.run->conf->break_glass)
		tell(note, "without `break_glass = yes' in [job] apply will "
		    "refuse at `stop': up to there nothing that serves is "
		    "changed");
	return 0;
}

/* What the journal keeps of a look: another one is another step. */
static char *
words_of(const struct look *look)
{
	return mem_printf("%s to %s, by %s %s", look->version,
	    look->up.conf->to->version, upgrade_service_word(&look->service),
	    look->service.name);
}

/* Behind the first change there is no old server to look at. */
static int
is_behind(const struct upgrade *up, struct plan_note *note, bool *out,
    struct err *err)
{
	char *words = NULL;
	int rc;

	rc = upgrade_has_stopped(up->run, out, err);
	if (rc == 0 && *out)
		rc = upgrade_get(up, "looked", &words, err);
	if (words)
		plan_say(note, '+', "Letta %s", words);
	free(words);
	return rc;
}

static int
look_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	struct look look = { 0 };
	char *words = NULL, *before = NULL;
	bool behind = false;
	int rc;

	*found = PLAN_DONE;
	rc = upgrade_open(&look.up, run, step, err);
	if (rc == 0)
		rc = is_behind(&look.up, note, &behind, err);
	if (rc != 0 || behind)
		return rc;
	rc = look_at_all(&look, run, step, err);
	if (rc == 0)
		rc = tell_all(&look, note, err);
	if (rc == 0)
		rc = upgrade_get(&look.up, "looked", &before, err);
	if (rc == 0) {
		words = words_of(&look);
		*found = before && str_eq(before, words) ? PLAN_DONE :
		    PLAN_TODO;
		plan_say(note, '+', "Letta %s", words);
	}
	free(before);
	free(words);
	look_clear(&look);
	return rc;
}

static int
look_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct look look = { 0 };
	char *words;
	int rc;

	rc = look_at_all(&look, run, step, err);
	if (rc == 0)
		rc = tell_models(&look, NULL, err);
	if (rc == 0)
		rc = upgrade_put(&look.up, "old", look.version, err);
	if (rc == 0) {
		words = words_of(&look);
		rc = upgrade_put(&look.up, "looked", words, err);
		plan_say(note, '+', "Letta %s", words);
		free(words);
	}
	look_clear(&look);
	return rc;
}

/* It has changed nothing. */
static int
look_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	(void)run;
	(void)step;
	(void)err;
	plan_say(note, '-', "nothing was changed by it");
	return 0;
}

const struct step_kind upgrade_look_kind = {
	.word = "look",
	.probe = look_probe,
	.act = look_act,
	.undo = look_undo,
};
