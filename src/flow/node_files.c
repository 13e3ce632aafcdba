#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/template.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/host_file.h"
#include "flow/node_step.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/service.h"
#include "flow/template_file.h"
#include "io/host.h"

/* Files of a host that nothing is started for: written, and taken back. */
#define FILES_MAX 2
#define TEXT_MAX (128 * 1024)
#define PROGRAM "sanctumctl"	/* by PATH: its prefix there is not known */
#define BACKUPS "/var/backups/letta"
#define PORT_SIZE 16

struct files {
	const struct conf_host *on;
	struct host *host;
	size_t n;
	struct {
		const char *path;
		char *key;
		struct buf text;
		struct host_file file;
	} list[FILES_MAX];
};

static const struct fs_meta plain = { .mode = 0644, .uid = 0, .gid = 0 };

static struct buf *
add(struct files *files, const char *word, const char *path)
{
	size_t at = files->n++;

	files->list[at].path = path;
	files->list[at].key = run_key("node", files->on->name, word);
	buf_init(&files->list[at].text, TEXT_MAX);
	return &files->list[at].text;
}

static void
files_close(struct files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->list[i].key);
		buf_clear(&files->list[i].text);
		host_file_clear(&files->list[i].file);
	}
}

/* Its first group, which is one of its name until it is there. */
static int
group_of(struct host *host, const char *account, char **out, struct err *err)
{
	const char *const argv[] = { "id", "-gn", "--", account, NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc = command_ask(host, argv, &status, &said, err);

	if (rc == 0)
		*out = status == 0 && said.len > 1 ?
		    mem_strndup(buf_cstr(&said), strcspn(buf_cstr(&said),
		    "\n")) : mem_strdup(account);
	buf_clear(&said);
	return rc;
}

/* One directory in which an account's logs are files. */
static int
rotate_one(const struct conf *conf, const char *dir, const char *account,
    struct host *host, struct buf *out, struct err *err)
{
	char *logs = mem_printf("%s/*.log", dir), *group = NULL;
	int rc = group_of(host, account, &group, err);

	if (rc == 0) {
		const struct template_value values[] = {
			{ "logs", TEMPLATE_PATH, logs },
			{ "account", TEMPLATE_TOKEN, account },
			{ "group", TEMPLATE_TOKEN, group },
		};

		rc = template_file_fill(conf, "logrotate/sanctum.in", values,
		    3, out, err);
	}
	free(group);
	free(logs);
	return rc;
}

static int
rotate_worker(const struct conf *conf, const struct conf_worker *worker,
    struct host *host, struct buf *out, struct err *err)
{
	char *dir = conf_expand_home(worker->to_path, host_facts(host)->home);
	int rc = rotate_one(conf, dir, worker->account ? worker->account :
	    "root", host, out, err);

	free(dir);
	return rc;
}

/*
 * A server that cron starts, and its PostgreSQL.  supervisord rotates what it
 * catches, and Letta its own ~/.letta/logs.
 */
static int
rotate_server(const struct conf *conf, const struct conf_letta *letta,
    struct host *host, struct buf *out, struct err *err)
{
	enum service_manager manager;

	if (letta->runtime != CONF_RUNTIME_VENV)
		return 0;
	if (service_manager_find(host, &manager, err) != 0)
		return -1;
	if (manager != SERVICE_CRON)
		return 0;
	if (rotate_one(conf, "/var/lib/letta", "letta", host, out, err) != 0)
		return -1;
	return letta->database.ref ? 0 : rotate_one(conf,
	    "/var/lib/letta-postgres", "letta-postgres", host, out, err);
}

static int
render_logrotate(struct run *run, struct files *files, struct err *err)
{
	struct buf *text = add(files, "logrotate", "/etc/logrotate.d/sanctum");
	const struct conf_worker *worker;

	for (size_t i = 0; i < run->conf->n_workers; i++) {
		worker = &run->conf->workers[i];
		if (worker->to_host != files->on ||
		    (worker->supervisor != CONF_SUPERVISOR_CRON &&
		    worker->supervisor != CONF_SUPERVISOR_SUPERVISORD))
			continue;
		if (rotate_worker(run->conf, worker, files->host, text,
		    err) != 0)
			return -1;
	}
	for (size_t i = 0; i < run->conf->n_lettas; i++) {
		if (run->conf->lettas[i].host == files->on &&
		    rotate_server(run->conf, &run->conf->lettas[i],
		    files->host, text, err) != 0)
			return -1;
	}
	return 0;
}

/* The port of the server that the job brings up on this host. */
static void
backup_port(const struct run *run, const struct conf_host *on,
    char port[static PORT_SIZE])
{
	const struct conf_letta *letta;

	(void)snprintf(port, PORT_SIZE, "8283");
	for (size_t i = 0; i < run->conf->n_lettas; i++) {
		letta = &run->conf->lettas[i];
		if (letta->host == on && letta->runtime != CONF_RUNTIME_THERE)
			(void)snprintf(port, PORT_SIZE, "%u", letta->port);
	}
}

static int
render_backup(struct run *run, struct files *files, struct err *err)
{
	char port[PORT_SIZE];
	const struct template_value values[] = {
		{ "program", TEMPLATE_TOKEN, PROGRAM },
		{ "account", TEMPLATE_TOKEN, "root" },
		{ "directory", TEMPLATE_PATH, BACKUPS },
		{ "environment", TEMPLATE_PATH, RUNTIME_ENV },
		{ "port", TEMPLATE_PORT, port },
	};
	enum service_manager manager;

	backup_port(run, files->on, port);
	if (service_manager_find(files->host, &manager, err) != 0)
		return -1;
	if (manager != SERVICE_SYSTEMD)
		return template_file_fill(run->conf, "cron/backup.cron.in",
		    values, 5, add(files, "backup-line",
		    "/etc/cron.d/sanctum-backup"), err);
	if (template_file_fill(run->conf, "systemd/sanctum-backup.service.in",
	    values, 5, add(files, "backup-service",
	    "/etc/systemd/system/sanctum-backup.service"), err) != 0)
		return -1;
	return template_file_fill(run->conf,
	    "systemd/sanctum-backup.timer.in", values, 1, add(files,
	    "backup-timer", "/etc/systemd/system/sanctum-backup.timer"), err);
}

typedef int render(struct run *, struct files *, struct err *);

static int
files_open(struct run *run, const struct conf_host *on, render *each,
    struct files *files, struct err *err)
{
	int rc;

	*files = (struct files){ .on = on };
	rc = run_host(run, on, &files->host, err);
	if (rc == 0)
		rc = each(run, files, err);
	for (size_t i = 0; rc == 0 && i < files->n; i++)
		rc = host_file_read(&files->list[i].file, run, on,
		    files->list[i].key, files->list[i].path, err);
	return rc;
}

static int
probe(struct run *run, const struct step *step, render *each,
    const char *what, struct plan_note *note, enum plan_found *found,
    struct err *err)
{
	struct files files;
	int rc = files_open(run, step->subject, each, &files, err);

	*found = PLAN_DONE;
	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		/* Nothing has to be there. */
		if (files.list[i].text.len == 0)
			continue;
		if (!host_file_is(&files.list[i].file,
		    files.list[i].text.data, files.list[i].text.len, &plain))
			*found = PLAN_TODO;
		rc = host_file_note(&files.list[i].file,
		    files.list[i].text.data, files.list[i].text.len, note,
		    err);
	}
	if (rc == 0)
		plan_say(note, '+', "%s on %s", what, files.on->name);
	files_close(&files);
	return rc;
}

static int
act(struct run *run, const struct step *step, render *each, const char *what,
    struct plan_note *note, struct err *err)
{
	struct files files;
	int rc = files_open(run, step->subject, each, &files, err);

	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		if (files.list[i].text.len == 0)
			continue;
		rc = host_file_set(&files.list[i].file, run,
		    files.list[i].text.data, files.list[i].text.len, &plain,
		    err);
		fault_point("node_file");
	}
	if (rc == 0)
		plan_say(note, '+', "%s on %s", what, files.on->name);
	files_close(&files);
	return rc;
}

static int
undo(struct run *run, const struct step *step, render *each,
    struct plan_note *note, struct err *err)
{
	struct files files;
	bool edited = false, one;
	int rc = files_open(run, step->subject, each, &files, err);

	for (size_t i = files.n; rc == 0 && i-- > 0;) {
		rc = host_file_undo(&files.list[i].file, run, &one, err);
		edited |= rc == 0 && one;
		fault_point("node_file_undone");
	}
	if (rc == 0)
		plan_say(note, '-', edited ? "%s%s of %s stay: somebody has "
		    "edited them since" : "%s%s of %s", files.list[0].path,
		    files.n > 1 ? " and its timer" : "", files.on->name);
	files_close(&files);
	return rc;
}

#define ROTATION "logs that are files are rotated"
#define BACKUP "a backup each night, which is off until it is turned on"

static int
logrotate_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	return probe(run, step, render_logrotate, ROTATION, note, found, err);
}

static int
logrotate_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	return act(run, step, render_logrotate, ROTATION, note, err);
}

static int
logrotate_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	return undo(run, step, render_logrotate, note, err);
}

const struct step_kind node_logrotate_kind = {
	.word = "logrotate",
	.probe = logrotate_probe,
	.act = logrotate_act,
	.undo = logrotate_undo,
};

static int
backup_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	return probe(run, step, render_backup, BACKUP, note, found, err);
}

static int
backup_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	return act(run, step, render_backup, BACKUP, note, err);
}

static int
backup_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	return undo(run, step, render_backup, note, err);
}

const struct step_kind node_backup_kind = {
	.word = "backup",
	.probe = backup_probe,
	.act = backup_act,
	.undo = backup_undo,
};
