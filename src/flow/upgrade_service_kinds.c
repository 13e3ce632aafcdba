#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/supervisord.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/port_owner.h"
#include "flow/runtime_part.h"
#include "flow/service_manager.h"
#include "flow/supervisor_kind.h"
#include "flow/upgrade_service.h"
#include "io/host.h"

/* By the pid that its manager knows. */
static int
owns_by_pid(const struct upgrade_service *s, pid_t pid, bool *out,
    struct err *err)
{
	*out = false;
	return s->pid == 0 ? 0 : port_owner_descends(s->host, pid, s->pid,
	    out, err);
}

/* What service.c tells of a service of ours is told of this one, too. */
static struct service_unit
unit_of(const struct upgrade_service *s)
{
	return (struct service_unit){ .host = s->host, .name = s->name,
	    .account = RUNTIME_ACCOUNT, .directory = RUNTIME_HOME };
}

/* systemd */

/* "MainPID=4711\n...": the value of one line. */
static char *
value_of(const char *text, const char *name)
{
	size_t n = strlen(name), len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len > n && strncmp(text, name, n) == 0 && text[n] == '=')
			return mem_strndup(text + n + 1, len - n - 1);
	}
	return mem_strdup("");
}

/* What `disable' does not hold: UnitFileState of systemctl(1). */
static const char *
why_unfit(const char *state)
{
	static const char *const states[] = { "static", "indirect",
	    "generated", "transient", "enabled-runtime", "linked-runtime" };

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (str_eq(state, states[i]))
			return "systemd starts it at another's word (static, "
			    "indirect, generated, transient, or until the "
			    "next boot), which `systemctl disable' does not "
			    "end: give it a file with [Install] WantedBy= in "
			    "/etc/systemd/system, and enable it";
	}
	return NULL;
}

/*
 * `disable' removes the link with the rest, and the unit is not found; and a
 * unit of ours by that name would not be put in its place (host_file.h).
 */
static int
refuse_linked(struct upgrade_service *s, struct err *err)
{
	struct fs_meta meta;

	if (!s->where || *s->where != '/')
		return 0;
	if (host_stat(s->host, s->where, &meta, err) != 0)
		return -1;
	if (meta.type == FS_SYMLINK && str_starts(s->where, "/etc/"))
		s->unfit = "its unit is a symbolic link, which `systemctl "
		    "disable' would remove: put a copy of the file in the "
		    "link's place, and run `systemctl daemon-reload'";
	return 0;
}

static void
read_unit(struct upgrade_service *s, const char *text, bool *there)
{
	char *loaded = value_of(text, "LoadState");
	char *state = value_of(text, "UnitFileState");
	char *active = value_of(text, "ActiveState");
	char *pid = value_of(text, "MainPID");

	*there = str_eq(loaded, "loaded");
	/* A static one is started by others, and cannot be enabled. */
	s->enabled = str_starts(state, "enabled");
	s->unfit = why_unfit(state);
	s->active = str_eq(active, "active") || str_eq(active, "activating");
	s->pid = (pid_t)strtol(pid, NULL, 10);
	if (*there)
		s->where = value_of(text, "FragmentPath");
	free(pid);
	free(active);
	free(state);
	free(loaded);
}

static int
systemd_look(struct upgrade_service *s, bool *there, struct err *err)
{
	const char *const argv[] = { "systemctl", "show", "-p",
	    "LoadState,UnitFileState,ActiveState,MainPID,FragmentPath",
	    s->name, NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	struct fs_meta meta;
	int status, rc;

	*there = false;
	if (host_stat(s->host, "/run/systemd/system", &meta, err) != 0)
		return -1;
	if (meta.type != FS_DIR)
		return 0;
	rc = command_ask(s->host, argv, &status, &said, err);
	if (rc == 0 && status == 0)
		read_unit(s, buf_cstr(&said), there);
	buf_clear(&said);
	return rc == 0 && *there ? refuse_linked(s, err) : rc;
}

static int
systemd_off(struct upgrade_service *s, struct err *err)
{
	const struct service_unit unit = unit_of(s);

	if (s->enabled && service_ops_systemd.enable(&unit, false, err) != 0)
		return -1;
	return service_ops_systemd.stop(&unit, err);
}

static int
systemd_on(struct upgrade_service *s, bool enabled, struct err *err)
{
	const struct service_unit unit = unit_of(s);

	if (enabled && !s->enabled &&
	    service_ops_systemd.enable(&unit, true, err) != 0)
		return -1;
	return s->active ? 0 : service_ops_systemd.start(&unit, err);
}

static void
systemd_words(const struct upgrade_service *s, const char *argv[8])
{
	const struct service_unit unit = unit_of(s);

	service_ops_systemd.words(&unit, argv);
}

const struct upgrade_service_ops upgrade_service_systemd = {
	.word = "systemd",
	.look = systemd_look,
	.owns = owns_by_pid,
	.off = systemd_off,
	.on = systemd_on,
	.words = systemd_words,
};

/* supervisord */

static bool
has_program(struct upgrade_service *s, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct supervisord_program p;
	bool found = false;
	size_t at = 0;

	if (host_read(s->host, path, &text, NULL, err) != 0) {
		err_clear(err);
		return false;
	}
	while (!found && supervisord_next(buf_cstr(&text), text.len, &at,
	    &p)) {
		found = str_eq(p.name, s->name) && (!p.disabled ||
		    str_eq(p.mark, s->mark));
		s->enabled = !p.disabled;
		supervisord_program_clear(&p);
	}
	buf_wipe(&text);
	return found;
}

static int
ask_supervisord(struct upgrade_service *s, struct err *err)
{
	const char *const argv[] = { "supervisorctl", "pid", s->name, NULL };
	const struct service_unit unit = unit_of(s);
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc;

	rc = service_ops_supervisord.is_active(&unit, &s->active, err);
	if (rc == 0)
		rc = command_ask(s->host, argv, &status, &said, err);
	if (rc == 0 && s->active)
		s->pid = (pid_t)strtol(buf_cstr(&said), NULL, 10);
	buf_clear(&said);
	return rc;
}

static int
supervisord_look(struct upgrade_service *s, bool *there, struct err *err)
{
	static const char *const places[] = { "/etc/supervisord.conf",
	    "/etc/supervisor/supervisord.conf", "/etc/supervisor/conf.d",
	    "/etc/supervisord.d", "/etc/supervisor.d", NULL };
	size_t n;
	char **files = supervisor_files_of(s->host, places, "f", "*", &n);

	*there = false;
	for (size_t i = 0; i < n && !*there; i++) {
		if (!str_ends(files[i], ".conf") &&
		    !str_ends(files[i], ".ini"))
			continue;
		*there = has_program(s, files[i], err);
		if (*there)
			s->where = mem_strdup(files[i]);
	}
	supervisor_files_free(files, n);
	return *there ? ask_supervisord(s, err) : 0;
}

static struct supervisor
program_of(const struct upgrade_service *s)
{
	return (struct supervisor){ .kind = SUPERVISOR_SUPERVISORD,
	    .name = (char *)s->name, .where = s->where };
}

/* Its lines are comments first, or a restart would bring it back. */
static int
supervisord_off(struct upgrade_service *s, struct err *err)
{
	const struct service_unit unit = unit_of(s);
	const struct supervisor program = program_of(s);

	if (supervisor_disable(s->host, &program, s->mark, err) != 0)
		return -1;
	return service_ops_supervisord.stop(&unit, err);
}

static int
supervisord_on(struct upgrade_service *s, bool enabled, struct err *err)
{
	const struct supervisor program = program_of(s);

	(void)enabled;
	if (supervisor_enable(s->host, &program, s->mark, err) != 0)
		return -1;
	return supervisor_start(s->host, &program, err);
}

static void
supervisord_words(const struct upgrade_service *s, const char *argv[8])
{
	const struct service_unit unit = unit_of(s);

	service_ops_supervisord.words(&unit, argv);
}

const struct upgrade_service_ops upgrade_service_supervisord = {
	.word = "supervisord",
	.look = supervisord_look,
	.owns = owns_by_pid,
	.off = supervisord_off,
	.on = supervisord_on,
	.words = supervisord_words,
};

/* cron: the file of a node of ours (service.c) */

static char *
line_path(const struct upgrade_service *s)
{
	return mem_printf("/etc/cron.d/sanctumctl-%s", s->name);
}

/* cron(8) of Debian reads no name with a dot in it. */
static char *
hidden_path(const struct upgrade_service *s)
{
	return mem_printf("/etc/cron.d/sanctumctl-%s.%s", s->name, s->mark);
}

static int
cron_look(struct upgrade_service *s, bool *there, struct err *err)
{
	const struct service_unit unit = unit_of(s);
	char *line = line_path(s), *hidden = hidden_path(s);
	const char *const paths[] = { line, hidden };
	struct fs_meta metas[2];
	int rc;

	rc = host_stat_all(s->host, paths, 2, metas, err);
	*there = rc == 0 && (metas[0].type == FS_FILE ||
	    metas[1].type == FS_FILE);
	s->enabled = rc == 0 && metas[1].type != FS_FILE;
	if (*there)
		rc = service_ops_cron.is_active(&unit, &s->active, err);
	if (*there)
		s->where = mem_strdup(line);
	free(hidden);
	free(line);
	return rc;
}

struct wanted {
	pid_t pid;
	uid_t uid;
	bool found;
};

static int
is_wanted(void *ctx, const struct procs_info *info, struct err *err)
{
	struct wanted *wanted = ctx;

	(void)err;
	wanted->found |= info->pid == wanted->pid &&
	    info->uid == wanted->uid;
	return 0;
}

/* As service_manager.c knows them: the account's, in its directory. */
static int
cron_owns(const struct upgrade_service *s, pid_t pid, bool *out,
    struct err *err)
{
	struct wanted wanted = { .pid = pid };
	struct account account;
	bool there;

	*out = false;
	if (account_look(s->host, RUNTIME_ACCOUNT, &account, &there, err)
	    != 0)
		return -1;
	if (!there)
		return 0;
	wanted.uid = account.uid;
	account_clear(&account);
	if (host_processes(s->host, RUNTIME_HOME, is_wanted, &wanted, err)
	    != 0)
		return -1;
	*out = wanted.found;
	return 0;
}

/* One that is there already is the new server's, and not ours to hide. */
static int
cron_off(struct upgrade_service *s, struct err *err)
{
	const struct service_unit unit = unit_of(s);
	char *line = line_path(s), *hidden = hidden_path(s);
	int rc = 0;

	if (s->enabled)
		rc = host_rename(s->host, line, hidden, 0, err);
	if (rc == 0)
		rc = service_ops_cron.stop(&unit, err);
	free(hidden);
	free(line);
	return rc;
}

static int
cron_on(struct upgrade_service *s, bool enabled, struct err *err)
{
	struct service_unit unit = unit_of(s);
	char *line = line_path(s), *hidden = hidden_path(s);
	char *script = mem_printf("%s/start-%s.sh", unit.directory, s->name);
	int rc = 0;

	(void)enabled;
	unit.script = script;
	if (!s->enabled)
		rc = host_rename(s->host, hidden, line, 0, err);
	if (rc == 0 && !s->active)
		rc = service_ops_cron.start(&unit, err);
	free(script);
	free(hidden);
	free(line);
	return rc;
}

static void
cron_words(const struct upgrade_service *s, const char *argv[8])
{
	(void)s;
	argv[0] = NULL;
}

const struct upgrade_service_ops upgrade_service_cron = {
	.word = "cron",
	.look = cron_look,
	.owns = cron_owns,
	.off = cron_off,
	.on = cron_on,
	.words = cron_words,
};
