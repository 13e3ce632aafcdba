#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/systemd_unit.h"
#include "flow/command.h"
#include "flow/supervisor_kind.h"

#define SYSTEM_UNITS "/etc/systemd/system"
#define USER_UNITS ".config/systemd/user"
#define OURS "sanctumctl-"
#define ARGV_MAX 8
#define DIRS_MAX 4

/*
 * A condition that never holds: whatever asks for the unit (a boot, a timer, a
 * dependency, a person) is told that it is done.  `systemctl mask' was the
 * other way: it fails when the unit is a file in /etc.
 */
#define DROP_IN "# %s: moved by sanctumctl; remove this file to use the " \
    "unit again.\n[Unit]\nConditionPathExists=!/\n[Service]\nRestart=no\n"

/* Of the manager of one account, or the system's. */
static int
systemctl(struct host *host, const char *user, const char *verb,
    const char *unit, struct err *err)
{
	const char *argv[ARGV_MAX] = { NULL };
	struct account own = { 0 };
	char *machine = NULL, *runtime = NULL;
	size_t n = 0;
	int rc = account_own(host, &own, err);

	if (user && rc == 0 && str_eq(user, own.name)) {
		runtime = mem_printf("XDG_RUNTIME_DIR=/run/user/%lu",
		    (unsigned long)own.uid);
		argv[n++] = "env";
		argv[n++] = runtime;
	}
	argv[n++] = "systemctl";
	if (user)
		argv[n++] = "--user";
	if (user && !runtime) {
		machine = mem_printf("--machine=%s@.host", user);
		argv[n++] = machine;
	}
	argv[n++] = verb;
	argv[n++] = unit;
	if (rc == 0)
		rc = command_must(host, argv, NULL, 0, err);
	account_clear(&own);
	free(machine);
	free(runtime);
	return rc;
}

/* Without a manager there is nothing to tell. */
static int
reload(struct host *host, const char *user, struct err *err)
{
	struct account account;
	struct fs_meta meta;
	char *path = NULL;
	int rc = 0;

	if (user)
		rc = account_find(host, user, &account, err);
	if (user && rc == 0) {
		path = mem_printf("/run/user/%lu/systemd",
		    (unsigned long)account.uid);
		account_clear(&account);
	}
	if (rc == 0)
		rc = host_stat(host, path ? path : "/run/systemd/system",
		    &meta, err);
	free(path);
	if (rc != 0 || meta.type == FS_NONE)
		return rc;
	return systemctl(host, user, "daemon-reload", NULL, err);
}

/* Drop-ins of the unit lie in /etc, wherever the unit itself does. */
static char *
drop_in_dir(const struct supervisor *s)
{
	return s->user ? mem_printf("%s.d", s->where) :
	    mem_printf(SYSTEM_UNITS "/%s.d", s->name);
}

static int
disable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	const struct fs_meta meta = { .mode = 0644, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *dir = drop_in_dir(s);
	char *path = mem_printf("%s/" OURS "%s.conf", dir, mark);
	char *text = mem_printf(DROP_IN, mark);
	struct fs_meta there;
	int rc = host_stat(host, s->where, &there, err);

	if (rc == 0 && there.type == FS_NONE)
		rc = err_set(err, ERR_STALE, "%s:%s: the unit that was found "
		    "there is gone", host_name(host), s->where);
	if (rc == 0)
		rc = host_mkdirs(host, dir, 0755, err);
	if (rc == 0)
		rc = host_replace(host, path, text, strlen(text), &meta, err);
	if (rc == 0) {
		fault_point("unit");
		rc = reload(host, s->user, err);
	}
	free(dir);
	free(path);
	free(text);
	return rc;
}

/* Remove the drop-in of a mark from a unit's directory of drop-ins. */
static int
lift(struct host *host, const char *dir, const char *mark, struct err *err)
{
	char *path = mem_printf("%s/" OURS "%s.conf", dir, mark);
	const char *const argv[] = { "rmdir", "--", dir, NULL };
	int status, rc = host_remove(host, path, err);

	/* Only ours was in it, or it stays. */
	if (rc == 0)
		rc = command_run(host, argv, NULL, 0, &status, NULL, NULL,
		    err);
	if (rc == 0)
		fault_point("unit");
	free(path);
	return rc;
}

static int
enable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	char *dir = drop_in_dir(s);
	int rc = lift(host, dir, mark, err);

	if (rc == 0)
		rc = reload(host, s->user, err);
	free(dir);
	return rc;
}

static char *
goal_path(const struct supervisor *s, const struct supervisor_goal *goal,
    const char *name)
{
	return s->user ? mem_printf("%s/" USER_UNITS "/%s", goal->owner.home,
	    name) : mem_printf(SYSTEM_UNITS "/%s", name);
}

static const char *
goal_user(const struct supervisor *s, const struct supervisor_goal *goal)
{
	return s->user ? goal->owner.name : NULL;
}

/* *ours: it begins with our mark, or is not there. */
static int
look_at_goal(struct host *host, const char *path, const char *mark,
    bool *there, bool *ours, struct err *err)
{
	char *first = mem_printf("# " OURS "%s\n", mark);
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct err failed = ERR_INIT;
	int rc = host_read(host, path, &text, NULL, &failed);

	*there = rc == 0;
	*ours = rc != 0 || str_starts(buf_cstr(&text), first);
	if (rc != 0 && failed.kind == ERR_MISSING)
		rc = 0;
	else if (rc != 0)
		*err = failed;
	buf_wipe(&text);
	free(first);
	return rc;
}

/*
 * The second name, for the host that it was found on: the unit itself has to
 * wait there, as it was, for `reverse'.
 */
static char *
second_name(const struct supervisor *s, const char *mark)
{
	return mem_printf("%.*s-%s.service", (int)(strlen(s->name) -
	    strlen(".service")), s->name, mark);
}

/*
 * Its name there: the one that it has, or the second when the job's drop-in
 * holds for a unit of the first that the job has not installed.
 */
static int
goal_name(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, char **name, struct err *err)
{
	char *unit = goal_path(s, goal, s->name);
	char *drop_in = mem_printf("%s.d/" OURS "%s.conf", unit, goal->mark);
	bool there = false, ours = false;
	struct fs_meta meta;
	int rc = host_stat(host, drop_in, &meta, err);

	if (rc == 0)
		rc = look_at_goal(host, unit, goal->mark, &there, &ours, err);
	*name = rc == 0 && meta.type != FS_NONE && !(there && ours) ?
	    second_name(s, goal->mark) : mem_strdup(s->name);
	free(unit);
	free(drop_in);
	return rc;
}

static void
moved(const struct supervisor *s, const struct supervisor_goal *goal,
    struct buf *out)
{
	struct buf paths = BUF_INIT(SUPERVISOR_TEXT_MAX);

	buf_printf(out, "# " OURS "%s\n", goal->mark);
	shpath_rewrite(s->text, strlen(s->text), &goal->move, &paths);
	systemd_unit_set_user(buf_cstr(&paths), paths.len, goal->owner.name,
	    out);
	buf_wipe(&paths);
}

static int
write_unit(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, const char *path, struct err *err)
{
	/* Environment= may hold a secret; its manager reads it as its owner. */
	const struct fs_meta meta = { .mode = 0600,
	    .uid = s->user ? goal->owner.uid : 0,
	    .gid = s->user ? goal->owner.gid : 0 };
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	int rc;

	moved(s, goal, &text);
	rc = buf_check(&text, path, err);
	if (rc == 0)
		rc = host_mkdirs(host, dir, 0755, err);
	if (rc == 0)
		rc = host_replace(host, path, text.data, text.len, &meta,
		    err);
	fault_point("unit");
	buf_wipe(&text);
	free(dir);
	return rc;
}

static bool
is_installed_by_boot(const struct supervisor *s)
{
	struct systemd_unit u;
	bool has;

	systemd_unit_init(&u);
	systemd_unit_read(&u, s->text, strlen(s->text));
	has = u.has_install;
	systemd_unit_clear(&u);
	return has;
}

/* A user's manager ends with the last login unless it lingers. */
static void
warn_of_linger(struct host *host, const char *user)
{
	char *path = mem_printf("/var/lib/systemd/linger/%s", user);
	struct fs_meta meta;
	struct err ignored = ERR_INIT;

	if (host_stat(host, path, &meta, &ignored) == 0 &&
	    meta.type == FS_NONE)
		log_warn("%s: units of %s end with the last login: run "
		    "`loginctl enable-linger %s' there", host_name(host), user,
		    user);
	free(path);
}

/* Written, enabled, and free of a drop-in that a `reverse' has left. */
static int
install_as(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, const char *name, struct err *err)
{
	char *path = goal_path(s, goal, name);
	char *drop_ins = mem_printf("%s.d", path);
	const char *user = goal_user(s, goal);
	bool there, ours;
	int rc = look_at_goal(host, path, goal->mark, &there, &ours, err);

	if (rc == 0 && !ours)
		rc = err_set(err, ERR_STALE, "%s:%s: another unit of this "
		    "name is there and was left alone; move it away, or set "
		    "supervisor = none and install one by hand",
		    host_name(host), path);
	if (rc == 0)
		rc = write_unit(host, s, goal, path, err);
	if (rc == 0)
		rc = lift(host, drop_ins, goal->mark, err);
	if (rc == 0)
		rc = reload(host, user, err);
	if (rc == 0 && is_installed_by_boot(s))
		rc = systemctl(host, user, "enable", name, err);
	if (rc == 0 && user)
		warn_of_linger(host, user);
	free(path);
	free(drop_ins);
	return rc;
}

static int
install(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, struct err *err)
{
	char *name;
	int rc;

	if (!s->user && host_facts(host)->uid != 0)
		return err_set(err, ERR_AUTH, "%s: %s is a unit of the "
		    "system, which root alone can install", host_name(host),
		    s->name);
	rc = goal_name(host, s, goal, &name, err);
	if (rc == 0)
		rc = install_as(host, s, goal, name, err);
	free(name);
	return rc;
}

/* Only what begins with our mark is ours to remove. */
static int
take_out_as(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, const char *name, struct err *err)
{
	char *path = goal_path(s, goal, name);
	char *drop_ins = mem_printf("%s.d", path);
	const char *user = goal_user(s, goal);
	bool there, ours;
	int rc = look_at_goal(host, path, goal->mark, &there, &ours, err);

	if (rc == 0 && there && ours) {
		if (is_installed_by_boot(s))
			rc = systemctl(host, user, "disable", name, err);
		if (rc == 0)
			rc = lift(host, drop_ins, goal->mark, err);
		if (rc == 0)
			rc = host_remove(host, path, err);
		fault_point("unit");
		if (rc == 0)
			rc = reload(host, user, err);
	}
	free(path);
	free(drop_ins);
	return rc;
}

static int
take_out(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, struct err *err)
{
	char *second = second_name(s, goal->mark);
	int rc = take_out_as(host, s, goal, s->name, err);

	if (rc == 0)
		rc = take_out_as(host, s, goal, second, err);
	free(second);
	return rc;
}

static int
start(struct host *host, const struct supervisor *s, struct err *err)
{
	return systemctl(host, s->user, "start", s->name, err);
}

/* The mark of "…/sanctumctl-MARK.conf"; NULL for another file. */
static char *
mark_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	size_t len = strlen(name), front = sizeof(OURS) - 1;

	if (!str_starts(name, OURS) || len < front + 6)
		return NULL;
	return mem_strndup(name + front, len - front - 5);
}

/* The unit's text with its drop-ins behind, which is what systemd reads. */
static void
read_drop_ins(struct host *host, const char *dir, struct buf *text,
    char **mark)
{
	struct err ignored = ERR_INIT;
	size_t n;
	char **files = supervisor_files(host, dir, "f", "*.conf", &n),
	    *ours;

	for (size_t i = 0; i < n; i++) {
		ours = mark_of(files[i]);
		if (ours) {
			free(*mark);
			*mark = ours;
			continue;
		}
		buf_char(text, '\n');
		if (host_read(host, files[i], text, NULL, &ignored) != 0)
			log_warn("%s", ignored.text);
	}
	supervisor_files_free(files, n);
}

/* Does it work in, or start, what is looked for? */
static bool
starts(struct supervisor_look *look, const char *text,
    const struct account *account, char **tree)
{
	struct buf exec = BUF_INIT(2 * SUPERVISOR_TEXT_MAX);
	struct buf cwd = BUF_INIT(8192);
	struct systemd_unit u;
	char *at = NULL;
	bool found;

	systemd_unit_init(&u);
	systemd_unit_read(&u, text, strlen(text));
	if (u.working_directory && !str_eq(u.working_directory, "~"))
		systemd_unit_expand(u.working_directory, account->home,
		    account->name, &cwd);
	if (cwd.len > 0 && cwd.data[0] == '/') {
		at = shpath_normal("/", cwd.data);
		buf_str(&exec, "cd ");
		buf_str(&exec, at);
		buf_char(&exec, '\n');
	}
	systemd_unit_expand(buf_cstr(u.exec), account->home, account->name,
	    &exec);
	found = supervisor_starts(look, buf_cstr(&exec), exec.len,
	    account->home, NULL, tree);
	systemd_unit_clear(&u);
	buf_wipe(&exec);
	buf_clear(&cwd);
	free(at);
	return found;
}

static void
look_at(struct supervisor_look *look, const char *path,
    const struct account *account, bool of_user)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct supervisor one = { .kind = SUPERVISOR_SYSTEMD }, *s;
	struct err failed = ERR_INIT;
	char *dir, *tree = NULL, *mark = NULL;

	one.where = (char *)(uintptr_t)path;
	one.name = strrchr(one.where, '/') + 1;
	one.user = of_user ? account->name : NULL;
	dir = drop_in_dir(&one);
	if (host_read(look->host, path, &text, NULL, &failed) != 0)
		log_warn("%s", failed.text);
	else
		read_drop_ins(look->host, dir, &text, &mark);
	if (text.len > 0 && starts(look, text.data, account, &tree)) {
		s = supervisor_add(look->out, SUPERVISOR_SYSTEMD);
		s->name = mem_strdup(one.name);
		s->where = mem_strdup(path);
		s->user = one.user ? mem_strdup(one.user) : NULL;
		s->text = mem_strdup(text.data);
		s->tree = tree;
		s->mark = mark;
		s->disabled = mark != NULL;
		tree = mark = NULL;
	}
	free(tree);
	free(mark);
	free(dir);
	buf_wipe(&text);
}

/*
 * Units right in some directories, "fPATH" and NUL; links, "lPATH" and where
 * they lead.  In one question: half of what is asked of a host is this.
 */
static const char list_units[] =
    "find -H \"$@\" -maxdepth 1 -name '*.service' -type f "
    "-exec printf 'f%s\\0' {} + | sort -z\n"
    "find -H \"$@\" -maxdepth 1 -name '*.service' -type l -exec sh -c '\n"
    "	for l; do printf \"l%s\\\\0%s\\\\0\" \"$l\" "
    "\"$(readlink -- \"$l\")\"; done' sh {} +\n";

/* By `systemctl link'; a link of another name is an alias or a mask. */
static bool
is_linked(const char *path, const char *to)
{
	return str_ends(to, strrchr(path, '/'));
}

/* Files and linked files of some directories of one manager. */
static void
look_in(struct supervisor_look *look, const char *const *dirs,
    const struct account *account, bool of_user)
{
	const char *argv[DIRS_MAX + 5] = { "sh", "-c", list_units, "sh" };
	struct buf list = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct err ignored = ERR_INIT;
	const char *at, *end, *path;
	int status;

	for (size_t i = 0; dirs[i] && i < DIRS_MAX; i++)
		argv[i + 4] = dirs[i];
	if (command_run(look->host, argv, NULL, 0, &status, &list, NULL,
	    &ignored) != 0)
		log_warn("%s", ignored.text);
	end = buf_cstr(&list) + list.len;
	for (at = buf_cstr(&list); at < end; at += strlen(at) + 1) {
		path = at + 1;
		if (*at == 'l') {
			at = path + strlen(path) + 1;
			if (at >= end || !is_linked(path, at))
				continue;
		}
		if (!str_ends(path, "@.service"))
			look_at(look, path, account, of_user);
	}
	buf_clear(&list);
}

static void
look_in_home(struct supervisor_look *look, const char *dir,
    const struct account *account)
{
	const char *const dirs[] = { dir, NULL };

	look_in(look, dirs, account, true);
}

/* Managers of users: our own, and as root those of /home. */
static void
look_at_users(struct supervisor_look *look)
{
	const char *const argv[] = { "find", "-H", "/home", "-maxdepth", "4",
	    "-path", "/home/*/" USER_UNITS, "-type", "d", "-print0", NULL };
	struct buf dirs = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct account account;
	struct err ignored = ERR_INIT;
	char *own = mem_printf("%s/" USER_UNITS, look->own.home);
	int status;

	look_in_home(look, own, &look->own);
	if (look->own.uid == 0 && command_run(look->host, argv, NULL, 0,
	    &status, &dirs, NULL, &ignored) != 0)
		log_warn("%s", ignored.text);
	for (size_t at = 0; at < dirs.len; at += strlen(dirs.data + at) + 1) {
		if (str_eq(dirs.data + at, own) || account_owner(look->host,
		    dirs.data + at, &account, &ignored) != 0)
			continue;
		look_in_home(look, dirs.data + at, &account);
		account_clear(&account);
	}
	buf_clear(&dirs);
	free(own);
}

static int
find(struct supervisor_look *look, struct err *err)
{
	static const char *const dirs[] = { SYSTEM_UNITS,
	    "/usr/local/lib/systemd/system", "/run/systemd/system", NULL };
	static char root[] = "root", home[] = "/root";
	const struct account account = { .name = root, .home = home };

	(void)err;
	look_in(look, dirs, &account, false);
	look_at_users(look);
	return 0;
}

const struct supervisor_ops supervisor_systemd = {
	.find = find,
	.disable = disable,
	.enable = enable,
	.install = install,
	.remove = take_out,
	.start = start,
};
