#include "base/base.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "io/host.h"
#include "io/journal.h"

#define HOMES "/home"

/*
 * The account that runs a worker at its target.  It is made without what
 * /etc/skel has, so that its home can be removed again as long as nobody has
 * put anything there; one that was there before is left as it is.
 */
struct look {
	struct host *to;
	struct account account;		/* cleared in any case */
	bool there, made;		/* made: by this job */
	bool home;			/* its home is there */
};

static int
find(struct run *run, const struct conf_worker *worker, struct look *look,
    struct err *err)
{
	char *key = run_key("worker", worker->name, "account-made");
	char *made = NULL;
	struct fs_meta meta;
	int rc;

	*look = (struct look){ .there = false };
	rc = run_host(run, worker->to_host, &look->to, err);
	if (rc == 0)
		rc = journal_get(run->journal, key, &made, err);
	look->made = made && str_eq(made, worker->account);
	free(made);
	free(key);
	if (rc != 0)
		return -1;
	if (account_look(look->to, worker->account, &look->account,
	    &look->there, err) != 0)
		return -1;
	if (!look->there)
		return 0;
	rc = host_stat(look->to, look->account.home, &meta, err);
	look->home = rc == 0 && meta.type == FS_DIR;
	return rc;
}

/* One that somebody else made without a home is theirs. */
static bool
is_ready(const struct look *look)
{
	return look->there && (look->home || !look->made);
}

/* What cannot work is said before anything is made. */
static int
check(const struct conf_worker *worker, struct host *to, struct err *err)
{
	const struct host_facts *facts = host_facts(to);
	bool in_home = str_starts(worker->to_path, "~/") ||
	    str_starts(worker->to_path, "/root/");

	if (facts->uid != 0)
		return err_set(err, ERR_AUTH, "[worker %s] names an account, "
		    "and we are not root on %s to give it files; let [host "
		    "%s] have `user = root', or log in as that account and "
		    "leave the key out", worker->name, worker->to_host->name,
		    worker->to_host->name);
	if (in_home && !str_eq(worker->account, "root"))
		return err_set(err, ERR_USAGE, "[worker %s]: %s:%s is in "
		    "root's home, where %s cannot go; put it elsewhere, "
		    "such as " HOMES "/%s/sanctum/agents/%s", worker->name,
		    worker->to_host->name, worker->to_path, worker->account,
		    worker->account, worker->name);
	return 0;
}

static int
account_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct look look;
	int rc = find(run, worker, &look, err);

	if (rc == 0)
		rc = check(worker, look.to, err);
	*found = is_ready(&look) ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '+', is_ready(&look) ? "account %s is there on %s" :
	    "account %s on %s, with a home and a group of its own, without a "
	    "password", worker->account, worker->to_host->name);
	account_clear(&look.account);
	return rc;
}

static int
put_made(struct run *run, const struct conf_worker *worker,
    const char *value, struct err *err)
{
	char *key = run_key("worker", worker->name, "account-made");
	int rc = journal_put(run->journal, key, value, err);

	free(key);
	return rc;
}

/* useradd makes a home in its own way; ours is closed, and empty. */
static int
make(struct host *to, const char *name, bool there, struct err *err)
{
	char *home = mem_printf(HOMES "/%s", name);
	const char *const add[] = { "useradd", "--no-create-home",
	    "--home-dir", home, "--user-group", "--shell", "/bin/bash", "--",
	    name, NULL };
	const char *const dir[] = { "install", "-d", "-m", "0750", "-o", name,
	    "-g", name, "--", home, NULL };
	int rc = there ? 0 : command_must(to, add, NULL, 0, err);

	fault_point("worker_account");
	if (rc == 0)
		rc = command_must(to, dir, NULL, 0, err);
	fault_point("worker_account_home");
	free(home);
	return rc;
}

static int
account_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct look look;
	int rc = find(run, worker, &look, err);

	if (rc == 0)
		rc = check(worker, look.to, err);
	if (rc == 0 && !look.there)
		rc = put_made(run, worker, worker->account, err);
	if (rc == 0 && !is_ready(&look))
		rc = make(look.to, worker->account, look.there, err);
	if (rc == 0)
		plan_say(note, '+', "account %s made on %s", worker->account,
		    worker->to_host->name);
	account_clear(&look.account);
	return rc;
}

static int
unmake(struct host *to, const struct account *account,
    struct plan_note *note, struct err *err)
{
	const char *const dir[] = { "rmdir", "--ignore-fail-on-non-empty",
	    "--", account->home, NULL };
	const char *const del[] = { "userdel", "--", account->name, NULL };
	int status, rc;

	rc = command_run(to, dir, NULL, 0, &status, NULL, NULL, err);
	fault_point("worker_account_home_removed");
	if (rc == 0)
		rc = command_must(to, del, NULL, 0, err);
	fault_point("worker_account_removed");
	if (rc == 0)
		plan_say(note, '-', "account %s of %s; %s stays if there is "
		    "something in it", account->name, host_name(to),
		    account->home);
	return rc;
}

/* Only one that this job has made. */
static int
account_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct look look;
	int rc = find(run, worker, &look, err);

	if (rc == 0 && look.there && look.made)
		rc = unmake(look.to, &look.account, note, err);
	if (rc == 0 && look.made)
		rc = put_made(run, worker, "", err);
	account_clear(&look.account);
	return rc;
}

const struct step_kind worker_account_kind = {
	.word = "account",
	.probe = account_probe,
	.act = account_act,
	.undo = account_undo,
};
