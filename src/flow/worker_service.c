#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/template.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/supervisor_kind.h"
#include "flow/template_file.h"
#include "flow/worker.h"
#include "flow/worker_service.h"
#include "io/host.h"

#define TEXT_MAX (128 * 1024)
#define SMCP_PORT "8000"	/* smcp.py 3.1.0, without MCP_PORT */
#define VALUES 9

/* Trees that are programs, and how a unit and a program are called. */
static const struct {
	const char *tree, *script;
} programs[] = {
	{ "broca", "main.py" }, { "smcp", "smcp.py" },
};

/* The nearest environment's python, where it leads, and the environment. */
static const char find_python[] =
    "for d in \"$1\" \"$2\" \"$2/..\" \"$2/../..\"; do\n"
    "	for v in venv .venv env; do\n"
    "		[ -x \"$d/$v/bin/python\" ] || continue\n"
    "		v=$(readlink -f \"$d/$v\")\n"
    "		echo \"$v/bin/python\"\n"
    "		readlink -f \"$v/bin/python\"\n"
    "		echo \"$v\"\n"
    "		exit\n"
    "	done\n"
    "done\n"
    "p=$(command -v python3) || exit 1\n"
    "echo \"$p\"\n"
    "readlink -f \"$p\"\n";

/* What the templates are told. */
struct fill {
	const struct conf *conf;
	const struct conf_worker *worker;
	struct host *to;
	const char *dir, *name;		/* "broca" */
	char *tree;			/* DIR/broca */
	struct account owner;
	char *python, *interpreter, *venv, *port;
};

static void
fill_clear(struct fill *fill)
{
	account_clear(&fill->owner);
	free(fill->tree);
	free(fill->python);
	free(fill->interpreter);
	free(fill->venv);
	free(fill->port);
}

bool
worker_service_is_ours(const struct conf_worker *worker)
{
	return worker->supervisor == CONF_SUPERVISOR_SYSTEMD ||
	    worker->supervisor == CONF_SUPERVISOR_CRON ||
	    worker->supervisor == CONF_SUPERVISOR_SUPERVISORD;
}

static enum supervisor_kind
kind_of(const struct conf_worker *worker)
{
	return worker->supervisor == CONF_SUPERVISOR_SYSTEMD ?
	    SUPERVISOR_SYSTEMD : worker->supervisor == CONF_SUPERVISOR_CRON ?
	    SUPERVISOR_CRON : SUPERVISOR_SUPERVISORD;
}

/* "/opt/py" of "/opt/py/bin/python3.11". */
static char *
prefix_of(const char *python)
{
	char *prefix = mem_strdup(python), *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(prefix, '/');
		if (slash)
			*slash = '\0';
	}
	if (*prefix != '/') {
		free(prefix);
		return mem_strdup("/usr");
	}
	return prefix;
}

static int
take_python(struct fill *fill, char *said, struct err *err)
{
	char *save = NULL;
	const char *python = strtok_r(said, "\n", &save);
	const char *real = python ? strtok_r(NULL, "\n", &save) : NULL;
	const char *venv = real ? strtok_r(NULL, "\n", &save) : NULL;

	if (!real)
		return err_set(err, ERR_MISSING, "%s: there is no python3 to "
		    "start %s with", host_name(fill->to), fill->tree);
	fill->python = mem_strdup(python);
	fill->interpreter = prefix_of(real);
	fill->venv = mem_strdup(venv ? venv : fill->interpreter);
	return 0;
}

static int
ask_python(struct fill *fill, struct err *err)
{
	const char *const argv[] = { "sh", "-c", find_python, "sh",
	    fill->tree, fill->dir, NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc = command_ask(fill->to, argv, &status, &said, err);

	if (rc == 0) {
		(void)buf_cstr(&said);
		rc = take_python(fill, said.data, err);
	}
	buf_clear(&said);
	return rc;
}

/* The port that a unit lets it listen on. */
static int
ask_port(struct fill *fill, struct err *err)
{
	char *path = worker_path(fill->tree, ".env");
	struct buf text = BUF_INIT(DOTENV_MAX_BYTES), value = BUF_INIT(64);
	enum dotenv_found found = DOTENV_ABSENT;
	uint64_t port;
	int rc = 0;

	if (host_read(fill->to, path, &text, NULL, err) != 0) {
		rc = err->kind == ERR_MISSING ? 0 : -1;
		if (rc == 0)
			err_clear(err);
	} else
		rc = dotenv_get(buf_cstr(&text), text.len, "MCP_PORT", NULL,
		    &value, &found, err);
	if (rc == 0 && found == DOTENV_VALUE &&
	    !str_u64(buf_cstr(&value), 65535, &port))
		rc = err_set(err, ERR_DATA, "%s:%s: MCP_PORT is no port",
		    host_name(fill->to), path);
	if (rc == 0)
		fill->port = mem_strdup(found == DOTENV_VALUE ?
		    buf_cstr(&value) : SMCP_PORT);
	buf_wipe(&text);
	buf_clear(&value);
	free(path);
	return rc;
}

static int
render(const struct fill *fill, const char *template, struct buf *out,
    struct err *err)
{
	const struct template_value all[VALUES] = {
		{ "name", TEMPLATE_TOKEN, fill->worker->name },
		{ "account", TEMPLATE_TOKEN, fill->owner.name },
		{ "home", TEMPLATE_PATH, fill->owner.home },
		{ "directory", TEMPLATE_PATH, fill->dir },
		{ "tree", TEMPLATE_PATH, fill->tree },
		{ "python", TEMPLATE_PATH, fill->python },
		{ "interpreter", TEMPLATE_PATH, fill->interpreter },
		{ "venv", TEMPLATE_PATH, fill->venv },
		{ "port", TEMPLATE_PORT, fill->port },
	};

	return template_file_fill(fill->conf, template, all, VALUES, out,
	    err);
}

/* As Sanctum's own: each minute, and what it says into ~/logs. */
static char *
cron_line(const struct fill *fill)
{
	return mem_printf("* * * * * %s/.sanctumctl-start-%s.sh "
	    ">>~/logs/%s-%s-cron.log 2>&1", fill->dir, fill->name,
	    fill->worker->name, fill->name);
}

static int
add_one(struct fill *fill, struct supervisors *out, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	enum supervisor_kind kind = kind_of(fill->worker);
	char *template = kind == SUPERVISOR_SYSTEMD ?
	    mem_printf("systemd/%s@.service.in", fill->name) :
	    mem_printf("supervisord/%s.conf.in", fill->name);
	struct supervisor *s;
	int rc = kind == SUPERVISOR_CRON ? 0 :
	    render(fill, template, &text, err);

	free(template);
	if (rc == 0) {
		s = supervisor_add(out, kind);
		s->tree = mem_strdup(fill->name);
		s->name = mem_printf(kind == SUPERVISOR_SYSTEMD ?
		    "%s@%s.service" : "%s-%s", fill->name,
		    fill->worker->name);
		s->text = kind == SUPERVISOR_CRON ? cron_line(fill) :
		    mem_strdup(buf_cstr(&text));
		/* A crontab of crontab(1), whose lines name no user. */
		s->user = kind == SUPERVISOR_CRON ?
		    mem_strdup(fill->owner.name) : NULL;
	}
	buf_clear(&text);
	return rc;
}

typedef int fill_each(struct fill *, struct supervisors *, struct err *);

/* *there: its program is at the target. */
static int
fill_open(struct fill *fill, const char *script, bool *there,
    struct err *err)
{
	char *path;
	struct fs_meta meta;
	int rc;

	fill->tree = worker_path(fill->dir, fill->name);
	path = worker_path(fill->tree, script);
	rc = host_stat(fill->to, path, &meta, err);
	*there = rc == 0 && meta.type == FS_FILE;
	free(path);
	if (rc == 0 && *there)
		rc = account_owner(fill->to, fill->dir, &fill->owner, err);
	if (rc == 0 && *there)
		rc = ask_python(fill, err);
	if (rc == 0 && *there)
		rc = ask_port(fill, err);
	return rc;
}

static int
each_program(const struct conf *conf, const struct conf_worker *worker,
    struct host *to, const char *dir, fill_each *each,
    struct supervisors *out, struct err *err)
{
	struct fill fill;
	bool there;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		if (!conf_worker_has(worker, programs[i].tree))
			continue;
		fill = (struct fill){ .conf = conf, .worker = worker,
		    .to = to, .dir = dir, .name = programs[i].tree };
		rc = fill_open(&fill, programs[i].script, &there, err);
		if (rc == 0 && there)
			rc = each(&fill, out, err);
		fill_clear(&fill);
	}
	return rc;
}

int
worker_service_list(const struct conf *conf,
    const struct conf_worker *worker, struct host *to, const char *dir,
    struct supervisors *out, char **home, struct err *err)
{
	struct account owner;
	struct fs_meta meta;
	int rc;

	*out = (struct supervisors){ 0 };
	*home = NULL;
	if (host_stat(to, dir, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return 0;
	rc = each_program(conf, worker, to, dir, add_one, out, err);
	if (rc == 0)
		rc = account_owner(to, dir, &owner, err);
	if (rc == 0) {
		*home = mem_strdup(owner.home);
		account_clear(&owner);
	} else
		supervisors_clear(out);
	return rc;
}

static int
write_script(struct fill *fill, struct supervisors *unused, struct err *err)
{
	const struct fs_meta meta = { .mode = 0755, .uid = fill->owner.uid,
	    .gid = fill->owner.gid };
	struct buf text = BUF_INIT(TEXT_MAX);
	char *template = mem_printf("cron/%s.sh.in", fill->name);
	char *path = mem_printf("%s/.sanctumctl-start-%s.sh", fill->dir,
	    fill->name);
	int rc = render(fill, template, &text, err);

	(void)unused;
	if (rc == 0)
		rc = host_replace(fill->to, path, text.data, text.len, &meta,
		    err);
	fault_point("worker_script");
	buf_clear(&text);
	free(template);
	free(path);
	return rc;
}

int
worker_service_prepare(const struct conf *conf,
    const struct conf_worker *worker, struct host *to, const char *dir,
    struct err *err)
{
	if (kind_of(worker) != SUPERVISOR_CRON)
		return 0;
	return each_program(conf, worker, to, dir, write_script, NULL, err);
}
