#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/crontab.h"
#include "flow/command.h"
#include "flow/supervisor_cron.h"
#include "flow/supervisor_kind.h"
#include "io/ssh.h"

/* One cron line on its way to another account, or run by hand. */

static enum crontab_form
form_of(const struct supervisor *s)
{
	return s->user ? CRONTAB_USER : CRONTAB_SYSTEM;
}

static bool
parse(const char *text, enum crontab_form form, struct crontab_line *line)
{
	struct crontab tab;

	crontab_init(&tab, text, strlen(text), form);
	return crontab_next(&tab, line) && line->kind == CRONTAB_JOB;
}

/* Settings but the one that says who gets mail. */
static void
put_settings(const char *text, const struct shpath_move *move,
    struct buf *out)
{
	struct crontab tab;
	struct crontab_line line;

	crontab_init(&tab, text, strlen(text), CRONTAB_USER);
	while (crontab_next(&tab, &line)) {
		if (line.len > 6 && strncmp(line.text, "MAILTO", 6) == 0)
			continue;
		shpath_rewrite(line.text, line.len, move, out);
		buf_char(out, '\n');
	}
}

void
supervisor_cron_moved(const struct supervisor *s,
    const struct supervisor_goal *goal, struct supervisor_cron_edit *what)
{
	struct buf line = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf moved = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf settings = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct crontab_line at;

	if (form_of(s) == CRONTAB_SYSTEM &&
	    parse(s->text, CRONTAB_SYSTEM, &at)) {
		buf_add(&line, at.text, (size_t)(at.user - at.text));
		buf_add(&line, at.command, at.command_len);
	} else
		buf_str(&line, s->text);
	shpath_rewrite(buf_cstr(&line), line.len, &goal->move, &moved);
	put_settings(s->settings ? s->settings : "", &goal->move, &settings);
	what->line = mem_strdup(buf_cstr(&moved));
	what->settings = mem_strdup(buf_cstr(&settings));
	buf_wipe(&line);
	buf_wipe(&moved);
	buf_wipe(&settings);
}

static void
wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
supervisor_cron_edit_clear(struct supervisor_cron_edit *what)
{
	wipe(what->line);
	wipe(what->settings);
	what->line = what->settings = NULL;
}

struct preparing {
	struct host *host;
	const struct supervisor_goal *goal;
	struct err *err;
	int rc;
};

/* mkdir -p as the account that the line will run as. */
static int
make_dir(struct host *host, const char *dir, const struct account *owner,
    struct err *err)
{
	const char *argv[] = { "runuser", "-u", owner->name, "--", "mkdir",
	    "-p", "--", dir, NULL };
	bool own = owner->uid == host_facts(host)->uid;

	return command_must(host, own ? argv + 4 : argv, NULL, 0, err);
}

static void
prepare_path(void *ctx, enum shpath_role role, const char *path)
{
	struct preparing *p = ctx;
	struct fs_meta meta;
	char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));

	if (p->rc == 0 && role == SHPATH_OUTPUT && *dir != '\0') {
		p->rc = host_stat(p->host, dir, &meta, p->err);
		if (p->rc == 0 && meta.type == FS_NONE)
			p->rc = make_dir(p->host, dir, &p->goal->owner,
			    p->err);
	} else if (p->rc == 0 && (role == SHPATH_RUN || role == SHPATH_CD) &&
	    !shpath_below(path, p->goal->move.to_dir)) {
		p->rc = host_stat(p->host, path, &meta, p->err);
		if (p->rc == 0 && meta.type == FS_NONE)
			log_warn("%s: the cron line names %s, which is not "
			    "there", host_name(p->host), path);
	}
	free(dir);
}

int
supervisor_cron_prepare(struct host *host,
    const struct supervisor_cron_edit *what,
    const struct supervisor_goal *goal, struct err *err)
{
	struct shpath_place place = { .home = goal->owner.home };
	struct preparing p = { host, goal, err, 0 };
	struct buf shell = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf input = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct crontab_line line;

	if (parse(what->line, CRONTAB_USER, &line)) {
		crontab_command(&line, &shell, &input);
		shpath_each(buf_cstr(&shell), shell.len, &place, prepare_path,
		    &p);
	}
	buf_wipe(&shell);
	buf_wipe(&input);
	return p.rc;
}

static void
put_variable(struct buf *out, const char *name, const char *value)
{
	size_t len = strlen(name);

	if (len == 0 || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	    "abcdefghijklmnopqrstuvwxyz0123456789") != len ||
	    strchr("0123456789", *name))
		return;
	buf_printf(out, "export %s=", name);
	ssh_quote(out, value);
	buf_char(out, '\n');
}

static void
put_environment(struct buf *out, const struct supervisor *s,
    const struct account *account)
{
	struct buf name = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf value = BUF_INIT(SUPERVISOR_TEXT_MAX);
	const char *text = s->settings ? s->settings : "";
	struct crontab tab;
	struct crontab_line line;

	put_variable(out, "HOME", account->home);
	put_variable(out, "LOGNAME", account->name);
	put_variable(out, "SHELL", "/bin/sh");
	put_variable(out, "PATH", "/usr/bin:/bin");
	crontab_init(&tab, text, strlen(text), CRONTAB_USER);
	while (crontab_next(&tab, &line)) {
		crontab_setting(&line, &name, &value);
		put_variable(out, buf_cstr(&name), buf_cstr(&value));
		buf_wipe(&name);
		buf_wipe(&value);
	}
}

/*
 * The command goes to a session of its own, as cron's would: a start script
 * may stay in the foreground for good.
 */
static void
put_program(struct buf *out, const struct supervisor *s,
    const struct crontab_line *line, const struct account *account)
{
	struct buf shell = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf input = BUF_INIT(SUPERVISOR_TEXT_MAX);

	put_environment(out, s, account);
	crontab_command(line, &shell, &input);
	buf_str(out, "cd \"$HOME\" || exit 1\n");
	if (input.len > 0) {
		buf_str(out, "printf %s ");
		ssh_quote(out, buf_cstr(&input));
		buf_str(out, " | ");
	}
	buf_str(out, "setsid \"$SHELL\" -c ");
	ssh_quote(out, buf_cstr(&shell));
	buf_printf(out, "%s >/dev/null 2>&1 &\n",
	    input.len > 0 ? "" : " </dev/null");
	buf_wipe(&shell);
	buf_wipe(&input);
}

/* env -i: a variable of ours would beat the worker's .env. */
static int
run_as(struct host *host, const struct account *account,
    const struct buf *program, struct err *err)
{
	const char *argv[] = { "runuser", "-u", account->name, "--", "env",
	    "-i", "/bin/sh", "-s", NULL };
	bool own = account->uid == host_facts(host)->uid;

	if (!own && host_facts(host)->uid != 0)
		return err_set(err, ERR_AUTH, "%s: the line belongs to %s, "
		    "and only root can run it as that account",
		    host_name(host), account->name);
	return command_must(host, own ? argv + 4 : argv, program->data,
	    program->len, err);
}

int
supervisor_cron_start(struct host *host, const struct supervisor *s,
    struct err *err)
{
	struct buf program = BUF_INIT(2 * SUPERVISOR_TEXT_MAX);
	struct account account;
	struct crontab_line line;
	char *user;
	int rc;

	if (!parse(s->text, form_of(s), &line))
		return err_set(err, ERR_DATA, "%s: %s: not a line that cron "
		    "would run", host_name(host), s->where);
	user = s->user ? mem_strdup(s->user) :
	    mem_strndup(line.user, line.user_len);
	rc = account_find(host, user, &account, err);
	if (rc == 0 && account.uid == host_facts(host)->uid) {
		account_clear(&account);
		rc = account_own(host, &account, err);
	}
	if (rc == 0) {
		put_program(&program, s, &line, &account);
		rc = run_as(host, &account, &program, err);
		account_clear(&account);
	}
	buf_wipe(&program);
	free(user);
	return rc == 0 ? 0 : err_ctx(err, "start what %s starts", s->where);
}
