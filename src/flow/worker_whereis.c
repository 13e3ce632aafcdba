#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/supervisor_cron.h"
#include "flow/supervisor_kind.h"
#include "flow/worker_find.h"
#include "flow/worker_whereis.h"

#define TEXT_MAX_BYTES (4 * 1024 * 1024)
#define FIND_MS 180000
#define ID_MIN 8

struct search {
	struct host *host;
	const char *id;
	int (*each)(void *, const struct worker_holder *, struct err *);
	void *ctx;
};

static const struct {
	const char *word, *changed_by;
} kinds[] = {
	[HOLDER_ENV] = { ".env", "worker env" },
	[HOLDER_OLD_ENV] = { "old .env", "nobody reads it: remove it" },
	[HOLDER_SCRIPT] = { "script", "by hand: edit the line" },
	[HOLDER_SETTINGS] = { "settings", "by hand: edit the line" },
	[HOLDER_UNIT] = { "unit",
	    "by hand: systemctl edit, then daemon-reload" },
	[HOLDER_CRONTAB] = { "crontab", "by hand: crontab -e" },
	[HOLDER_SUPERVISORD] = { "supervisord",
	    "by hand: edit, then supervisorctl update" },
	[HOLDER_PM2] = { "pm2",
	    "by hand: pm2 delete and start anew, then pm2 save" },
	[HOLDER_DIRECTORY] = { "directory", "a name, which nobody reads" },
	[HOLDER_CONTROL] = { "control db",
	    "by hand: in the installer's control panel" },
	[HOLDER_PROCESS] = { "process", "by a restart without the variable" },
};

const char *
worker_holder_word(enum worker_holder_kind kind)
{
	return kinds[kind].word;
}

const char *
worker_holder_changed_by(enum worker_holder_kind kind)
{
	return kinds[kind].changed_by;
}

static enum worker_holder_kind
kind_of(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	if (str_eq(name, ".env"))
		return HOLDER_ENV;
	if (str_starts(name, ".env"))
		return HOLDER_OLD_ENV;
	if (str_eq(name, "settings.json"))
		return HOLDER_SETTINGS;
	if (str_starts(name, "dump.pm2"))
		return HOLDER_PM2;
	if (str_eq(name, "sanctum_ui.db"))
		return HOLDER_CONTROL;
	if (strstr(path, "/supervisor"))
		return HOLDER_SUPERVISORD;
	if (strstr(path, "/cron.d/") || str_eq(path, "/etc/crontab"))
		return HOLDER_CRONTAB;
	if (strstr(path, "/systemd/") || str_ends(name, ".service"))
		return HOLDER_UNIT;
	return HOLDER_SCRIPT;
}

static int
tell(const struct search *s, enum worker_holder_kind kind, const char *path,
    size_t line, struct err *err)
{
	const struct worker_holder holder = { kind, path, line };

	return s->each(s->ctx, &holder, err);
}

/* Run there; a directory that is not there is no failure. */
static int
run(const struct search *s, const char *const *argv, struct buf *out,
    struct err *err)
{
	const struct proc_spec spec = { .argv = argv, .timeout_ms = FIND_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, TEXT_MAX_BYTES);
	rc = host_run(s->host, &spec, &result, err);
	if (rc == 0)
		rc = buf_check(&result.out, "what was found", err);
	if (rc == 0)
		buf_add(out, buf_cstr(&result.out), result.out.len);
	buf_wipe(&result.out);
	proc_result_clear(&result);
	return rc;
}

/* grep -Z: PATH, NUL, LINE ":" and the line, which is passed over. */
static int
take_lines(const struct search *s, const struct buf *out, struct err *err)
{
	const char *at = buf_cstr(out), *end = at + out->len, *path, *stop;
	size_t line;
	int rc = 0;

	while (rc == 0 && at < end) {
		path = at;
		at += strlen(at) + 1;
		if (at >= end)
			break;
		for (line = 0; *at >= '0' && *at <= '9'; at++)
			line = line * 10 + (size_t)(*at - '0');
		rc = tell(s, kind_of(path), path, line, err);
		stop = memchr(at, '\n', (size_t)(end - at));
		at = stop ? stop + 1 : end;
	}
	return rc;
}

#define PRUNED "(", "-name", "venv", "-o", "-name", ".venv", "-o", "-name", \
    "node_modules", "-o", "-name", ".git", "-o", "-name", "__pycache__", \
    "-o", "-name", "site-packages", "-o", "-name", ".cache", ")", "-prune", \
    "-o"
#define ROOTS "/home", "/opt", "/srv", "/root"

static int
search_files(const struct search *s, struct err *err)
{
	const char *const argv[] = { "find", "-H", ROOTS, "/etc/systemd",
	    "/etc/cron.d", "/etc/crontab", "/etc/supervisor",
	    "/etc/supervisord.conf", "/etc/supervisord.d",
	    "/usr/local/lib/systemd", "-maxdepth", "10", PRUNED, "-type", "f",
	    "-size", "-2048k", "(", "-name", ".env*", "-o", "-name", "*.sh",
	    "-o", "-name", "start*", "-o", "-name", "settings.json", "-o",
	    "-name", "dump.pm2*", "-o", "-name", "*.service", "-o", "-path",
	    "*/systemd/*", "-o", "-path", "/etc/cron*", "-o", "-path",
	    "/etc/supervisor*", ")", "-exec", "grep", "-nHZF", "-e",
	    s->id, "/dev/null", "{}", "+", NULL };
	struct buf out = BUF_INIT(TEXT_MAX_BYTES);
	int rc = run(s, argv, &out, err);

	if (rc == 0)
		rc = take_lines(s, &out, err);
	buf_wipe(&out);
	return rc;
}

/* Names of directories, and the installer's database by its bytes. */
static int
search_names(const struct search *s, struct err *err)
{
	char *pattern = mem_printf("*%s*", s->id);
	const char *const argv[] = { "find", "-H", ROOTS, "-maxdepth", "10",
	    PRUNED, "(", "-type", "d", "-name", pattern, "-print0", ")",
	    "-o", "(", "-type", "f", "-name", "sanctum_ui.db", "-exec",
	    "grep", "-qaF", "-e", s->id, "{}", ";", "-print0", ")", NULL };
	struct buf out = BUF_INIT(TEXT_MAX_BYTES);
	int rc = run(s, argv, &out, err);
	const char *path;

	for (size_t at = 0; rc == 0 && at < out.len; at += strlen(path) + 1) {
		path = out.data + at;
		rc = tell(s, str_ends(path, "/sanctum_ui.db") ?
		    HOLDER_CONTROL : HOLDER_DIRECTORY, path, 0, err);
	}
	buf_clear(&out);
	free(pattern);
	return rc;
}

static int
search_crontab(const struct search *s, const char *user, struct err *err)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	char *where = supervisor_cron_where(user);
	const char *at, *end;
	size_t line = 0, len;
	int rc = supervisor_cron_read(s->host, user, &text, err);

	at = buf_cstr(&text);
	end = at + text.len;
	for (; rc == 0 && at < end; at += len + 1) {
		len = strcspn(at, "\n");
		line++;
		if (memmem(at, len, s->id, strlen(s->id)))
			rc = tell(s, HOLDER_CRONTAB, where, line, err);
	}
	buf_wipe(&text);
	free(where);
	return rc;
}

/* Our own, and as root all that the spool has. */
static int
search_crontabs(const struct search *s, struct err *err)
{
	struct account own;
	char **files;
	size_t n;
	const char *user;
	int rc = account_own(s->host, &own, err);

	if (rc != 0)
		return -1;
	rc = search_crontab(s, own.name, err);
	files = supervisor_files(s->host, "/var/spool/cron/crontabs", "f",
	    "*", &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		user = strrchr(files[i], '/') + 1;
		if (own.uid == 0 && !str_eq(user, own.name) && *user != '-')
			rc = search_crontab(s, user, err);
	}
	supervisor_files_free(files, n);
	account_clear(&own);
	return rc;
}

/* A process that was given the id in its environment beats its .env. */
static int
search_processes(const struct search *s, struct err *err)
{
	static const char *const names[] = { "AGENT_ID", "LETTA_AGENT_ID",
	    NULL };
	struct worker_lives lives;
	struct err gone = ERR_INIT;
	struct buf vars = BUF_INIT(65536);
	char *where;
	int rc = worker_live_list(s->host, &lives, err);

	for (size_t i = 0; rc == 0 && i < lives.n; i++) {
		if (host_process_env(s->host, lives.list[i].pid,
		    lives.list[i].start, names, &vars, &gone) == 0 &&
		    vars.len > 0 &&
		    memmem(vars.data, vars.len, s->id, strlen(s->id))) {
			where = mem_printf("pid %ld (%s/%s)",
			    (long)lives.list[i].pid, lives.list[i].dir,
			    lives.list[i].script);
			rc = tell(s, HOLDER_PROCESS, where, 0, err);
			free(where);
		}
		buf_wipe(&vars);
	}
	worker_live_clear(&lives);
	return rc;
}

int
worker_whereis(struct host *host, const char *id,
    int (*each)(void *ctx, const struct worker_holder *, struct err *),
    void *ctx, struct err *err)
{
	const struct search s = { host, id, each, ctx };
	size_t len = strlen(id);

	if (len < ID_MIN || *id == '-' || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVW"
	    "XYZabcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return err_set(err, ERR_USAGE, "%s: not the id of an agent "
		    "(agent-...)", id);
	if (search_files(&s, err) != 0 || search_names(&s, err) != 0 ||
	    search_crontabs(&s, err) != 0 || search_processes(&s, err) != 0)
		return err_ctx(err, "%s", host_name(host));
	return 0;
}
