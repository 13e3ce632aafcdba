#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/pm2.h"
#include "flow/command.h"
#include "flow/supervisor_kind.h"

#define DUMP ".pm2/dump.pm2"

/* pm2, as the account whose daemon it is, then `pm2 save'. */
static int
tell(struct host *host, const struct supervisor *s, const char *verb,
    struct err *err)
{
	struct account account;
	char *home;
	int rc;

	if (account_find(host, s->user, &account, err) != 0)
		return -1;
	home = mem_printf("HOME=%s", account.home);
	const char *first[] = { "runuser", "-u", s->user, "--", "env", home,
	    "pm2", verb, s->name, NULL };
	const char *save[] = { "runuser", "-u", s->user, "--", "env", home,
	    "pm2", "save", NULL };
	bool own = account.uid == host_facts(host)->uid;

	rc = command_must(host, own ? first + 6 : first, NULL, 0, err);
	if (rc == 0)
		rc = command_must(host, own ? save + 6 : save, NULL, 0,
		    err);
	account_clear(&account);
	free(home);
	return rc;
}

static int
disable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	(void)mark;
	return tell(host, s, "stop", err);
}

static int
enable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	(void)mark;
	return tell(host, s, "start", err);
}

static int
start(struct host *host, const struct supervisor *s, struct err *err)
{
	return tell(host, s, "start", err);
}

/* Its dump holds the whole environment of the old place. */
static int
install(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, struct err *err)
{
	return err_set(err, ERR_FAILED, "%s: the pm2 app %s cannot be made "
	    "anew by this program: set supervisor = none, and run `pm2 start "
	    "... --name %s --cwd %s' and `pm2 save' there", host_name(host),
	    s->name, s->name, goal->move.to_dir);
}

struct dump {
	struct supervisor_look *look;
	const char *path;
	const struct account *account;
};

static void
take(void *ctx, const struct pm2_app *app)
{
	struct dump *dump = ctx;
	struct supervisor_look *look = dump->look;
	const char *below = *app->cwd == '/' &&
	    supervisor_is_below(look, app->cwd) ? app->cwd :
	    *app->script == '/' && supervisor_is_below(look, app->script) ?
	    app->script : NULL;
	struct supervisor *s;

	if (!below || *app->name == '-')
		return;
	s = supervisor_add(look->out, SUPERVISOR_PM2);
	s->name = mem_strdup(app->name);
	s->where = mem_strdup(dump->path);
	s->user = mem_strdup(dump->account->name);
	s->text = mem_strdup("");
	supervisor_note_tree(look, below, &s->tree);
}

static void
look_at(struct supervisor_look *look, const char *path,
    const struct account *account)
{
	struct dump dump = { look, path, account };
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct err failed = ERR_INIT;

	if (host_read(look->host, path, &text, NULL, &failed) == 0 &&
	    pm2_read(buf_cstr(&text), text.len, take, &dump, &failed) != 0)
		log_warn("%s:%s: %s", host_name(look->host), path,
		    failed.text);
	buf_wipe(&text);
}

static int
find(struct supervisor_look *look, struct err *err)
{
	const char *const argv[] = { "find", "-H", "/home", "-maxdepth", "3",
	    "-path", "/home/*/" DUMP, "-type", "f", "-print0", NULL };
	struct buf list = BUF_INIT(SUPERVISOR_TEXT_MAX);
	char *own = mem_printf("%s/" DUMP, look->own.home);
	struct account account;
	struct err ignored = ERR_INIT;
	int status, rc = 0;

	look_at(look, own, &look->own);
	if (look->own.uid == 0)
		rc = command_run(look->host, argv, NULL, 0, &status, &list,
		    NULL, err);
	for (size_t at = 0; at < list.len; at += strlen(list.data + at) + 1) {
		if (str_eq(list.data + at, own) || account_owner(look->host,
		    list.data + at, &account, &ignored) != 0)
			continue;
		look_at(look, list.data + at, &account);
		account_clear(&account);
	}
	buf_clear(&list);
	free(own);
	return rc;
}

const struct supervisor_ops supervisor_pm2 = {
	.find = find,
	.disable = disable,
	.enable = enable,
	.install = install,
	.start = start,
};
