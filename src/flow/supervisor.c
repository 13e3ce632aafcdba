#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/crontab.h"
#include "flow/supervisor_kind.h"
#include "flow/supervisor_known.h"

static const struct {
	const char *word;
	const struct supervisor_ops *ops;
} kinds[] = {
	[SUPERVISOR_NONE] = { "none", NULL },
	[SUPERVISOR_CRON] = { "cron", &supervisor_cron },
	[SUPERVISOR_SYSTEMD] = { "systemd", &supervisor_systemd },
	[SUPERVISOR_SUPERVISORD] = { "supervisord", &supervisor_supervisord },
	[SUPERVISOR_PM2] = { "pm2", &supervisor_pm2 },
	[SUPERVISOR_SCREEN] = { "screen", NULL },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

const char *
supervisor_word(enum supervisor_kind kind)
{
	return kinds[kind].word;
}

bool
supervisor_disable_stops(const struct supervisor *s)
{
	return s->kind == SUPERVISOR_SUPERVISORD || s->kind == SUPERVISOR_PM2;
}

/* The absolute path of a directory there, and where its links lead. */
static int
resolve(struct supervisor_look *look, struct err *err)
{
	const char *const argv[] = { "readlink", "-f", "--", look->dir,
	    NULL };
	struct buf out = BUF_INIT(8192);
	int status, rc;

	rc = supervisor_run(look->host, argv, NULL, 0, &status, &out, NULL,
	    err);
	if (rc == 0 && status == 0 && out.len > 1 && out.data[0] == '/')
		look->real = mem_strndup(out.data, out.len - 1);
	else
		look->real = mem_strdup(look->dir);
	buf_clear(&out);
	return rc;
}

static int
look_for(struct supervisor_look *look, struct err *err)
{
	int rc = account_own(look->host, &look->own, err);

	if (rc == 0)
		rc = resolve(look, err);
	for (size_t i = 0; rc == 0 && i < N_KINDS; i++) {
		if (kinds[i].ops)
			rc = kinds[i].ops->find(look, err);
	}
	account_clear(&look->own);
	free(look->real);
	return rc;
}

int
supervisor_find(struct host *host, const char *dir, struct supervisors *out,
    struct err *err)
{
	struct supervisor_look look = { .host = host, .out = out };
	int rc = 0;

	*out = (struct supervisors){ 0 };
	look.dir = account_dir(host, dir);
	if (!supervisor_known(host, look.dir, out)) {
		rc = look_for(&look, err);
		if (rc == 0)
			supervisor_know(host, look.dir, out);
		else
			supervisors_clear(out);
	}
	free(look.dir);
	return rc;
}

void
supervisor_forget(void)
{
	supervisor_known_forget();
}

void
supervisors_clear(struct supervisors *all)
{
	struct supervisor *s;

	for (size_t i = 0; i < all->n; i++) {
		s = &all->list[i];
		free(s->name);
		free(s->where);
		free(s->user);
		if (s->text)
			explicit_bzero(s->text, strlen(s->text));
		free(s->text);
		free(s->settings);
		free(s->tree);
		free(s->mark);
	}
	free(all->list);
	*all = (struct supervisors){ 0 };
}

int
supervisor_disable(struct host *host, const struct supervisor *s,
    const char *mark, struct err *err)
{
	const struct supervisor_ops *ops = kinds[s->kind].ops;

	if (!ops || !ops->disable)
		return 0;
	if (ops->disable(host, s, mark, err) != 0) {
		supervisor_known_forget();
		return -1;
	}
	/* pm2 keeps no mark to be found. */
	if (s->kind == SUPERVISOR_PM2)
		supervisor_known_forget();
	else
		supervisor_know_disabled(host, s, mark);
	return 0;
}

int
supervisor_enable(struct host *host, const struct supervisor *s,
    const char *mark, struct err *err)
{
	const struct supervisor_ops *ops = kinds[s->kind].ops;

	supervisor_known_forget();
	return ops && ops->enable ? ops->enable(host, s, mark, err) : 0;
}

/* A line of the system's crontabs names its user; other things are root's. */
static char *
account_of(const struct supervisor *s)
{
	struct crontab tab;
	struct crontab_line line;

	if (s->user)
		return mem_strdup(s->user);
	crontab_init(&tab, s->text, strlen(s->text), CRONTAB_SYSTEM);
	if (s->kind == SUPERVISOR_CRON && crontab_next(&tab, &line) &&
	    line.kind == CRONTAB_JOB)
		return mem_strndup(line.user, line.user_len);
	return mem_strdup("root");
}

int
supervisor_home(struct host *host, const struct supervisor *s, char **home,
    struct err *err)
{
	char *name = account_of(s);
	struct account account;
	int rc = account_find(host, name, &account, err);

	if (rc == 0 && account.uid == host_facts(host)->uid) {
		account_clear(&account);
		rc = account_own(host, &account, err);
	}
	free(name);
	if (rc != 0)
		return -1;
	*home = mem_strdup(account.home);
	account_clear(&account);
	return 0;
}

static int
on_goal(struct host *host, const struct supervisor *s,
    int (*act)(struct host *, const struct supervisor *,
    const struct supervisor_goal *, struct err *),
    const struct supervisor_goal *goal, struct err *err)
{
	if (!shpath_is_plain(goal->move.to_dir))
		return err_set(err, ERR_USAGE, "%s:%s: a path with blanks or "
		    "signs in it cannot be put into a %s entry by this "
		    "program; choose another directory",
		    host_name(host), goal->move.to_dir,
		    supervisor_word(s->kind));
	return act(host, s, goal, err);
}

/* Who owns it decides whose crontab or manager it goes to. */
static int
with_goal(struct host *host, const struct supervisor *s,
    int (*act)(struct host *, const struct supervisor *,
    const struct supervisor_goal *, struct err *), const char *from_home,
    const char *from_dir, const char *to_dir, const char *mark,
    struct err *err)
{
	struct supervisor_goal goal = { .mark = mark };
	char *from = shpath_normal(from_home, from_dir);
	char *to = account_dir(host, to_dir);
	int rc = account_owner(host, to, &goal.owner, err);

	if (rc == 0) {
		goal.move.from_home = from_home;
		goal.move.from_dir = from;
		goal.move.to_home = goal.owner.home;
		goal.move.to_dir = to;
		rc = on_goal(host, s, act, &goal, err);
	}
	account_clear(&goal.owner);
	free(from);
	free(to);
	return rc;
}

int
supervisor_install(struct host *host, const struct supervisor *s,
    const char *from_home, const char *from_dir, const char *to_dir,
    const char *mark, struct err *err)
{
	const struct supervisor_ops *ops = kinds[s->kind].ops;

	if (!ops || !ops->install)
		return 0;
	supervisor_known_forget();
	return with_goal(host, s, ops->install, from_home, from_dir, to_dir,
	    mark, err);
}

int
supervisor_remove(struct host *host, const struct supervisor *s,
    const char *from_home, const char *from_dir, const char *to_dir,
    const char *mark, struct err *err)
{
	const struct supervisor_ops *ops = kinds[s->kind].ops;

	if (!ops || !ops->remove)
		return 0;
	supervisor_known_forget();
	return with_goal(host, s, ops->remove, from_home, from_dir, to_dir,
	    mark, err);
}

int
supervisor_start(struct host *host, const struct supervisor *s,
    struct err *err)
{
	const struct supervisor_ops *ops = kinds[s->kind].ops;

	if (s->disabled)
		return err_set(err, ERR_STALE, "%s: %s: it is put out of use "
		    "by the job with mark %s", host_name(host), s->where,
		    s->mark);
	return ops && ops->start ? ops->start(host, s, err) : 0;
}
