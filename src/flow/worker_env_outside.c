#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/shell_env.h"
#include "flow/run.h"
#include "flow/supervisor.h"
#include "flow/worker_env_outside.h"
#include "flow/worker_env_set.h"
#include "io/host.h"

#define PROCESSES_MAX 64
#define VALUES_MAX (256 * 1024)

/* What would have a moved worker do something else, first; then the rest. */
#define N_IDS 2
#define N_REFUSED 4
#define N_SERVER 9
static const char *const names[] = { "AGENT_ID", "LETTA_AGENT_ID", "DB_PATH",
    "TEST_DB_PATH", "AGENT_ENDPOINT", "LETTA_SERVER_URL", "AGENT_API_KEY",
    "LETTA_API_KEY", "LETTA_SERVER_PASSWORD", "DEBUG_MODE",
    "USE_BACKGROUND_PROCESSING", NULL };

/* Whether a script assigns this value by itself: then it has been edited. */
static bool
script_has(const struct buf *script, const char *name, const char *value)
{
	const char *text = buf_cstr(script);
	struct shell_env e;
	size_t at = 0;

	while (shell_env_next(text, script->len, name, &at, &e)) {
		if (memmem(text + e.begin, e.end - e.begin, value,
		    strlen(value)))
			return true;
	}
	return false;
}

/*
 * Whether one of the worker's files gives name this value, as they were or as
 * they shall be.
 */
static bool
is_of_files(const struct env_set *set, bool after, const char *name,
    const char *value)
{
	const struct env_file *file = set->files;
	const struct buf *text;
	enum dotenv_found found;
	struct err ignored = ERR_INIT;
	struct buf now;
	bool same = false;

	for (; file < set->files + set->n_files && !same; file++) {
		text = after ? &file->after : &file->before;
		if (file->script) {
			same = script_has(text, name, value);
			continue;
		}
		buf_init_still(&now, VALUES_MAX);
		same = dotenv_get(buf_cstr(text), text->len, name, NULL,
		    &now, &found, &ignored) == 0 &&
		    found == DOTENV_VALUE && str_eq(buf_cstr(&now), value);
		buf_wipe(&now);
	}
	return same;
}

/* A literal NAME=agent-... in what starts it that is not the new agent. */
static bool
names_other(const char *text, const char *id, const char **name)
{
	size_t len = strlen(id);
	const char *at;

	for (size_t i = 0; text && i < N_IDS; i++) {
		for (at = text; (at = strstr(at, names[i])) != NULL; at++) {
			const char *value = at + strlen(names[i]);

			if (at > text && (at[-1] == '_' ||
			    (at[-1] >= 'A' && at[-1] <= 'Z')))
				continue;
			value += strspn(value, "=\"': \t");
			if (!str_starts(value, "agent-") ||
			    strncmp(value, id, len) == 0)
				continue;
			*name = names[i];
			return true;
		}
	}
	return false;
}

/* NAME=value at this place of a unit or crontab; NULL: it is another word. */
static char *
value_at(const char *text, const char *at, const char *name)
{
	const char *value = at + strlen(name);
	size_t blanks = strspn(value, " \t");

	if ((at > text && strchr("_ABCDEFGHIJKLMNOPQRSTUVWXYZ", at[-1])) ||
	    value[blanks] != '=')
		return NULL;
	value += blanks + 1;
	value += strspn(value, " \t\"'");
	return mem_strndup(value, strcspn(value, " \t\"'\r\n"));
}

/*
 * Where the server is, and its key: a value that the moved worker's files do
 * not have would beat them.
 */
static bool
gives_other(const struct env_set *set, const char *text, const char **name)
{
	const char *at;
	char *value;
	bool other = false;

	for (size_t i = N_REFUSED; text && i < N_SERVER; i++) {
		for (at = text; !other && (at = strstr(at, names[i])) != NULL;
		    at++) {
			value = value_at(text, at, names[i]);
			other = value && *value &&
			    !is_of_files(set, true, names[i], value);
			if (value)
				secret_wipe(value, strlen(value));
			free(value);
		}
		if (other) {
			*name = names[i];
			return true;
		}
	}
	return false;
}

/* Whether what starts it gives SMCP its agent; the .env it never reads. */
static bool
gives_agent(const char *text)
{
	const char *file = text ? strstr(text, "EnvironmentFile=") : NULL;

	return text && (strstr(text, "LETTA_AGENT_ID") || (file &&
	    strstr(file, ".env")) || shell_env_sources(text, strlen(text)));
}

static void
remark_smcp(struct env_set *set, bool given)
{
	const struct env_file *file = set->files;

	for (; file < set->files + set->n_files; file++)
		given |= file->script && gives_agent(buf_cstr(&file->before));
	if (!given && conf_worker_has(set->worker, "smcp"))
		buf_str(&set->remarks, "    nothing here that starts SMCP "
		    "gives it LETTA_AGENT_ID, and it does not\n    read "
		    "smcp/.env: without it, it loads the secrets of all "
		    "agents of the server\n");
}

static int
look_at_supervisors(struct env_set *set, struct host *host,
    const char *id, struct err *err)
{
	bool given = false;
	struct supervisors found;
	const struct supervisor *s;
	const char *name;
	int rc = supervisor_find(host, set->worker->from_path, &found, err);

	if (rc != 0)
		return rc;
	for (s = found.list; s < found.list + found.n && rc == 0; s++) {
		given |= gives_agent(s->text) || gives_agent(s->settings);
		if (names_other(s->text, id, &name) ||
		    names_other(s->settings, id, &name))
			rc = err_set(err, ERR_DATA, "%s:%s: %s gives %s to "
			    "what it starts, which beats the .env files: the "
			    "moved worker would serve the old agent; take it "
			    "out there (the .env has it)", host_name(host),
			    s->where, supervisor_word(s->kind), name);
		else if (gives_other(set, s->text, &name) ||
		    gives_other(set, s->settings, &name))
			rc = err_set(err, ERR_DATA, "%s:%s: %s gives %s to "
			    "what it starts, with a value that the moved "
			    "worker's files do not have, and beats them; take "
			    "it out there (the .env has it)", host_name(host),
			    s->where, supervisor_word(s->kind), name);
	}
	supervisors_clear(&found);
	remark_smcp(set, given);
	return rc;
}

struct processes {
	struct { pid_t pid; uint64_t start; } list[PROCESSES_MAX];
	size_t n;
};

static int
take(void *ctx, const struct procs_info *info, struct err *err)
{
	struct processes *all = ctx;

	(void)err;
	/* A shell that looks into a file there has no say in what it does. */
	if ((info->why & (PROCS_CWD | PROCS_EXE)) && all->n < PROCESSES_MAX) {
		all->list[all->n].pid = info->pid;
		all->list[all->n++].start = info->start;
	}
	return 0;
}

/* "NAME=value", from the environment of a process. */
static int
judge(struct env_set *set, struct host *host, pid_t pid, const char *pair,
    const char *id, struct err *err)
{
	const char *value = strchr(pair, '=');
	size_t i, len;

	if (!value || !*++value)
		return 0;
	len = (size_t)(value - pair - 1);
	for (i = 0; names[i]; i++) {
		if (strlen(names[i]) == len &&
		    memcmp(names[i], pair, len) == 0)
			break;
	}
	if (!names[i] || is_of_files(set, false, names[i], value) ||
	    (i < N_IDS && str_eq(value, id)))
		return 0;
	if (i < N_REFUSED)
		return err_set(err, ERR_DATA, "%s: process %d of this worker "
		    "has %s in its environment, with a value that none of "
		    "its .env files and start scripts has: it beats the "
		    ".env; find what sets it (unit, crontab, pm2, profile), "
		    "take it out, and start the worker again",
		    host_name(host), (int)pid, names[i]);
	buf_printf(&set->remarks, "    process %d at %s has %s from elsewhere "
	    "than its files; it beats the .env\n", (int)pid, host_name(host),
	    names[i]);
	return 0;
}

static int
look_at_process(struct env_set *set, struct host *host, pid_t pid,
    uint64_t start, const char *id, struct err *err)
{
	struct buf values;
	size_t at = 0;
	int rc;

	buf_init_still(&values, VALUES_MAX);
	rc = host_process_env(host, pid, start, names, &values, err);
	if (rc != 0 && (err->kind == ERR_MISSING ||
	    err->kind == ERR_FAILED)) {
		/* It has ended, or is another user's. */
		err_clear(err);
		rc = 0;
		buf_truncate(&values, 0);
	}
	for (; rc == 0 && at < values.len;
	    at += strlen(values.data + at) + 1)
		rc = judge(set, host, pid, values.data + at, id, err);
	buf_wipe(&values);
	return rc;
}

int
env_set_outside(struct env_set *set, struct run *run, const char *id,
    struct err *err)
{
	struct processes all = { .n = 0 };
	struct host *host;
	char *dir;
	int rc;

	if (run_host(run, set->worker->from_host, &host, err) != 0 ||
	    look_at_supervisors(set, host, id, err) != 0)
		return -1;
	dir = conf_expand_home(set->worker->from_path,
	    host_facts(host)->home);
	rc = host_processes(host, dir, take, &all, err);
	free(dir);
	for (size_t i = 0; i < all.n && rc == 0; i++)
		rc = look_at_process(set, host, all.list[i].pid,
		    all.list[i].start, id, err);
	return rc;
}
