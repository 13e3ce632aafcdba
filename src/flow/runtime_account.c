#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/listener.h"
#include "flow/account.h"
#include "flow/plan.h"
#include "flow/port_owner.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "io/host.h"

/* The directories of a node, in the order in which they are made. */
static const struct {
	const char *path, *word;
	mode_t mode;
	bool letta;		/* whose: letta's, else root's */
} dirs[] = {
	{ RUNTIME_OPT, "account.opt", 0755, false },
	{ RUNTIME_ETC, "account.etc", 0755, false },
	{ RUNTIME_HOME, "account.home", 0750, true },
};

#define N_DIRS (sizeof(dirs) / sizeof(*dirs))

/* Whose socket it is; of several the last. */
static int
note_owner(void *ctx, const struct listener *one, struct err *err)
{
	int64_t *uid = ctx;

	(void)err;
	*uid = (int64_t)one->uid;
	return 0;
}

static int
refuse(const struct runtime *rt, const char *why, struct err *err)
{
	return err_set(err, ERR_STALE, "%s:127.0.0.1:%u: %s; nothing was "
	    "changed.  To use the server that is there, leave `runtime' out "
	    "of [letta %s]; otherwise stop it, or give another `port'",
	    host_name(rt->host), rt->letta->port, why, rt->letta->name);
}

/* What this job has started: still that? */
static int
check_ours(const struct runtime *rt, struct err *err)
{
	char version[RUNTIME_VERSION_SIZE];
	char why[160];
	struct account account;
	int64_t uid = -1;
	bool same;

	if (runtime_version(rt, version, err) != 0)
		return -1;
	if (*version && !str_eq(version, rt->letta->version)) {
		(void)snprintf(why, sizeof(why), "Letta %s answers, and the "
		    "job says %s", version, rt->letta->version);
		return refuse(rt, why, err);
	}
	if (rt->letta->runtime == CONF_RUNTIME_COMPOSE)
		return 0;
	if (port_owner_listeners(rt->host, rt->letta->port, note_owner,
	    &uid, err) != 0 ||
	    account_find(rt->host, RUNTIME_ACCOUNT, &account, err) != 0)
		return -1;
	same = uid < 0 || (uid_t)uid == account.uid;
	account_clear(&account);
	if (same)
		return 0;
	(void)snprintf(why, sizeof(why), "listened on by uid %lld, which is "
	    "not " RUNTIME_ACCOUNT, (long long)uid);
	return refuse(rt, why, err);
}

/* A port that somebody else listens on is left to him. */
static int
check_port(const struct runtime *rt, struct err *err)
{
	struct err not_letta = ERR_INIT;
	char version[RUNTIME_VERSION_SIZE], why[160];
	bool up, ours;

	if (host_connects(rt->host, "127.0.0.1", rt->letta->port, &up, err)
	    != 0 || runtime_begun(rt, runtime_service_kind.word, &ours, err)
	    != 0)
		return -1;
	if (!up)
		return 0;
	if (ours)
		return check_ours(rt, err);
	/* There the old server is, or nobody: upgrade_look.c has looked. */
	if (rt->run->conf->kind == CONF_UPGRADE)
		return 0;
	if (runtime_version(rt, version, &not_letta) != 0 || !*version)
		return refuse(rt, "something that is no Letta server "
		    "listens there", err);
	(void)snprintf(why, sizeof(why), "Letta %s runs there, which this "
	    "job has not brought up", version);
	return refuse(rt, why, err);
}

static int
check(const struct runtime *rt, struct err *err)
{
	if (host_facts(rt->host)->uid != 0)
		return err_set(err, ERR_USAGE, "%s: bringing a server up "
		    "needs root there; give `user = root' in [host %s]",
		    host_name(rt->host), rt->letta->host->name);
	return check_port(rt, err);
}

/* Containers have accounts of their own. */
static int
has_account(const struct runtime *rt, bool *out, struct err *err)
{
	struct account account;

	*out = true;
	if (rt->letta->runtime == CONF_RUNTIME_COMPOSE)
		return 0;
	if (account_look(rt->host, RUNTIME_ACCOUNT, &account, out, err) != 0)
		return -1;
	account_clear(&account);
	return 0;
}

/* An act that was killed has made the home, and not given it away. */
static bool
is_whole(const struct runtime *rt, size_t i, const struct fs_meta *meta)
{
	return meta->type == FS_DIR && (meta->uid != 0 || !dirs[i].letta ||
	    rt->letta->runtime == CONF_RUNTIME_COMPOSE);
}

static int
account_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime rt;
	struct fs_meta meta;
	size_t missing = 0;
	bool there;

	if (runtime_open(&rt, run, step, err) != 0 || check(&rt, err) != 0 ||
	    has_account(&rt, &there, err) != 0)
		return -1;
	for (size_t i = 0; i < N_DIRS; i++) {
		if (host_stat(rt.host, dirs[i].path, &meta, err) != 0)
			return -1;
		if (is_whole(&rt, i, &meta))
			continue;
		missing++;
		buf_printf(&note->diff, "    %s, mode %04o, %s\n",
		    dirs[i].path, (unsigned int)dirs[i].mode,
		    dirs[i].letta ? RUNTIME_ACCOUNT : "root");
	}
	*found = there && missing == 0 ? PLAN_DONE : PLAN_TODO;
	if (*found == PLAN_DONE)
		plan_say(note, '+', RUNTIME_OPT ", " RUNTIME_ETC ", "
		    RUNTIME_HOME " are there");
	else
		plan_say(note, '+', "%s%zu directories", there ? "" :
		    "account " RUNTIME_ACCOUNT " without a login, and ",
		    missing);
	return 0;
}

static int
account_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	bool compose;
	struct runtime rt;

	if (runtime_open(&rt, run, step, err) != 0 || check(&rt, err) != 0)
		return -1;
	compose = rt.letta->runtime == CONF_RUNTIME_COMPOSE;
	if (!compose && runtime_account_make(&rt, RUNTIME_ACCOUNT,
	    RUNTIME_HOME, "account", err) != 0)
		return -1;
	for (size_t i = 0; i < N_DIRS; i++) {
		if (runtime_dir_make(&rt, dirs[i].path, dirs[i].mode,
		    dirs[i].letta && !compose ? RUNTIME_ACCOUNT : NULL,
		    dirs[i].word, err) != 0)
			return -1;
	}
	plan_say(note, '+', "%s" RUNTIME_OPT ", " RUNTIME_ETC ", "
	    RUNTIME_HOME, compose ? "" : "account " RUNTIME_ACCOUNT ", ");
	return 0;
}

/* Whatever else is in them by now is not ours, but for the server's home. */
static int
account_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime rt;
	char *kept = NULL;
	int rc = 0;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    runtime_get(&rt, "database.kept", &kept, err) != 0)
		return -1;
	if (kept) {
		plan_say(note, '-', "account and directories stay with the "
		    "database");
		free(kept);
		return 0;
	}
	for (size_t i = N_DIRS; rc == 0 && i-- > 0;)
		rc = runtime_dir_remove(&rt, dirs[i].path, dirs[i].word,
		    dirs[i].letta, err);
	if (rc == 0)
		rc = runtime_account_remove(&rt, RUNTIME_ACCOUNT, "account",
		    err);
	if (rc == 0)
		plan_say(note, '-', "account and directories, as far as they "
		    "were made here");
	return rc;
}

const struct step_kind runtime_account_kind = {
	.word = "account",
	.probe = account_probe,
	.act = account_act,
	.undo = account_undo,
};
