#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/host_file.h"
#include "flow/node_step.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/service.h"
#include "io/host.h"
#include "io/journal.h"

#define ASK_MS 30000
#define LIST_MAX 4096

/*
 * While it is there, invoke-rc.d and deb-systemd-invoke start and restart
 * nothing: a package's own settings would open ports to the world, and what
 * runs is not ours to restart.
 */
#define POLICY "/usr/sbin/policy-rc.d"
#define POLICY_TEXT "#!/bin/sh\n# sanctumctl-%s installs packages just now " \
    "and starts their services itself.\n# A run that was killed has left " \
    "this; remove it, or run it again.\nexit 101\n"

struct packages {
	const struct conf_host *on;
	struct host *host;
	struct node_package needs[NODE_PACKAGES_MAX];
	const char *missing[NODE_PACKAGES_MAX + 1];	/* NULL-ended */
	size_t n_needs, n_missing;
	struct host_file policy;
	char *policy_key, *policy_text;
	char *installed;	/* by this job: words, or NULL */
	bool left;		/* a policy of ours, by a run that was killed */
};

static void
packages_close(struct packages *p)
{
	host_file_clear(&p->policy);
	free(p->policy_key);
	free(p->policy_text);
	free(p->installed);
}

/*
 * Names of what is there; a pattern of which apt knows nothing is not needed.
 * An apt that was never updated knows nothing at all: packages_act asks again.
 */
static const char ask_host[] =
    "PATH=$PATH:/usr/sbin:/sbin\n"
    "while [ $# -gt 0 ]; do\n"
    "	if dpkg-query -W -f '${db:Status-Status}\\n' \"$1\" 2>/dev/null |\n"
    "	    grep -qx installed; then\n"
    "		echo \"$1\"\n"
    "	elif [ -n \"$2\" ]; then\n"
    "		command -v \"$2\" >/dev/null && echo \"$1\"\n"
    "	elif [ \"${1%\\**}\" != \"$1\" ]; then\n"
    "		apt-cache pkgnames \"${1%%\\**}\" 2>/dev/null | grep -qx -- "
    "\"${1%%\\**}[0-9]*${1##*\\*}\" || echo \"$1\"\n"
    "	fi\n"
    "	shift 2\n"
    "done\n"
    "exit 0\n";

static bool
has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; *text; text += text[0] == '\n') {
		if (strcspn(text, "\n") == len &&
		    strncmp(text, line, len) == 0)
			return true;
		text += strcspn(text, "\n");
	}
	return false;
}

static int
find_missing(struct packages *p, struct err *err)
{
	const char *argv[2 * NODE_PACKAGES_MAX + 5] = { "sh", "-c", ask_host,
	    "sh" };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct proc_result result;
	size_t at = 4;
	int rc;

	for (size_t i = 0; i < p->n_needs; i++) {
		argv[at++] = p->needs[i].name;
		argv[at++] = p->needs[i].program ? p->needs[i].program : "";
	}
	argv[at] = NULL;
	proc_result_init(&result, LIST_MAX);
	rc = host_ask(p->host, &spec, &result, err);
	p->n_missing = 0;
	for (size_t i = 0; rc == 0 && i < p->n_needs; i++) {
		if (!has_line(buf_cstr(&result.out), p->needs[i].name))
			p->missing[p->n_missing++] = p->needs[i].name;
	}
	p->missing[p->n_missing] = NULL;
	proc_result_clear(&result);
	return rc;
}

static bool
is_missing(const struct packages *p, const char *name)
{
	for (size_t i = 0; i < p->n_missing; i++) {
		if (str_eq(p->missing[i], name))
			return true;
	}
	return false;
}

static int
read_installed(struct run *run, struct packages *p, struct err *err)
{
	char *key = run_key("node", p->on->name, "installed");
	int rc = journal_get(run->journal, key, &p->installed, err);

	free(key);
	return rc;
}

/* All that this job has installed there, for whoever takes the node away. */
static int
note_installed(struct run *run, struct packages *p, struct err *err)
{
	char *key = run_key("node", p->on->name, "installed");
	struct buf all = BUF_INIT(LIST_MAX);
	int rc;

	buf_str(&all, p->installed ? p->installed : "");
	for (size_t i = 0; i < p->n_missing; i++) {
		if (!str_has_word(buf_cstr(&all), p->missing[i]))
			buf_printf(&all, "%s%s", all.len ? " " : "",
			    p->missing[i]);
	}
	rc = journal_put(run->journal, key, buf_cstr(&all), err);
	free(p->installed);
	p->installed = buf_take(&all);
	free(key);
	return rc;
}

/*
 * apt has ended without all of them: what is not there now, whoever mends it
 * may install by hand, and it is not ours then.
 */
static int
disown_missing(struct run *run, struct packages *p, const char *before,
    struct err *err)
{
	char *key = run_key("node", p->on->name, "installed");
	struct buf all = BUF_INIT(LIST_MAX);
	int rc = find_missing(p, err);

	buf_str(&all, before);
	for (size_t i = 0; i < p->n_needs; i++) {
		const char *name = p->needs[i].name;

		if (str_has_word(p->installed, name) &&
		    !str_has_word(buf_cstr(&all), name) && !is_missing(p, name))
			buf_printf(&all, "%s%s", all.len ? " " : "", name);
	}
	if (rc == 0)
		rc = journal_put(run->journal, key, buf_cstr(&all), err);
	buf_clear(&all);
	free(key);
	return rc;
}

/* Whoever is killed in it has the names in the journal already. */
static int
install_missing(struct run *run, struct packages *p, struct err *err)
{
	char *before = mem_strdup(p->installed ? p->installed : "");
	struct err second = ERR_INIT;
	int rc = note_installed(run, p, err);

	if (rc == 0)
		rc = node_apt_install(p->host, p->missing, err);
	if (rc != 0 && p->installed && err->kind != ERR_UNREACHABLE &&
	    err->kind != ERR_INTERRUPTED &&
	    disown_missing(run, p, before, &second) != 0)
		(void)err_ctx(err, "(%.200s)", second.text);
	free(before);
	return rc;
}

static int
packages_open(struct run *run, const struct conf_host *on,
    struct packages *p, struct err *err)
{
	char *kept = NULL;
	int rc;

	*p = (struct packages){ .on = on };
	p->policy_key = run_key("node", on->name, "policy");
	p->policy_text = mem_printf(POLICY_TEXT, run->mark);
	rc = run_host(run, on, &p->host, err);
	if (rc == 0)
		rc = node_needs(run, on, p->host, p->needs, &p->n_needs,
		    err);
	if (rc == 0)
		rc = find_missing(p, err);
	if (rc == 0)
		rc = host_file_read(&p->policy, run, on, p->policy_key,
		    POLICY, err);
	if (rc == 0)
		rc = host_file_kept(&p->policy, run, "before", &kept, err);
	p->left = kept != NULL;
	if (rc == 0)
		rc = read_installed(run, p, err);
	free(kept);
	return rc;
}

static char *
names(const struct packages *p)
{
	struct buf text = BUF_INIT(LIST_MAX);

	for (size_t i = 0; i < p->n_missing; i++)
		buf_printf(&text, "%s%s", i ? " " : "", p->missing[i]);
	return buf_take(&text);
}

/* Said by the plan, before anything is touched. */
static int
check(const struct packages *p, struct err *err)
{
	char *list;

	if (p->n_missing == 0)
		return 0;
	list = names(p);
	if (p->on->packages == CONF_PACKAGES_CHECK)
		(void)err_set(err, ERR_MISSING, "%s lacks %s, and `packages = "
		    "check' has it installed by somebody else: apt-get "
		    "install %s", p->on->name, list, list);
	else if (host_facts(p->host)->uid != 0)
		(void)err_set(err, ERR_AUTH, "%s lacks %s, and we are not "
		    "root there to install it: give [host %s] `user = root', "
		    "or install it by hand", p->on->name, list, p->on->name);
	free(list);
	return err->kind == ERR_NONE ? 0 : -1;
}

static int
packages_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct packages p;
	char *list;
	int rc = packages_open(run, step->subject, &p, err);

	if (rc == 0)
		rc = check(&p, err);
	if (rc == 0) {
		list = names(&p);
		*found = p.n_missing > 0 || p.left ? PLAN_TODO : PLAN_DONE;
		plan_say(note, '+', p.n_missing > 0 ? "apt-get install %s on "
		    "%s; their services stay off until they are set up" :
		    p.left ? "%stake " POLICY " off %s, which a run that was "
		    "killed has left" : "%sall packages are on %s", list,
		    p.on->name);
		free(list);
	}
	packages_close(&p);
	return rc;
}

static int
lift_policy(struct run *run, struct packages *p, struct err *err)
{
	bool edited;
	int rc;

	host_file_clear(&p->policy);
	rc = host_file_read(&p->policy, run, p->on, p->policy_key, POLICY,
	    err);
	if (rc == 0)
		rc = host_file_undo(&p->policy, run, &edited, err);
	fault_point("node_policy_lifted");
	return rc;
}

/*
 * What is needed as it comes, and listens to nobody outside; a script where
 * there is no systemd.  (screen's makes /run/screen.)
 */
static const struct {
	const char *package, *unit, *script;
} harmless[] = {
	{ "cron", "cron", "cron" },
	{ "logrotate", "logrotate.timer", NULL },
	{ "screen", NULL, "screen-cleanup" },
	{ "supervisor", "supervisor", "supervisor" },
};

static int
start_harmless(const struct packages *p, struct err *err)
{
	enum service_manager manager;
	const char *name;
	bool acted;

	if (service_manager_find(p->host, &manager, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
		name = manager == SERVICE_SYSTEMD ? harmless[i].unit :
		    harmless[i].script;
		if (!name || !p->installed ||
		    !str_has_word(p->installed, harmless[i].package) ||
		    service_ensure(p->host, name, &acted, err) == 0)
			continue;
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
	}
	return 0;
}

/* Somebody else's policy is theirs, and denies or allows as they want. */
static int
install(struct run *run, struct packages *p, struct err *err)
{
	const struct fs_meta meta = { .mode = 0755, .uid = 0, .gid = 0 };
	struct err second = ERR_INIT;
	int rc = 0;

	if (!p->policy.present || p->left)
		rc = host_file_set(&p->policy, run, p->policy_text,
		    strlen(p->policy_text), &meta, err);
	fault_point("node_policy");
	if (rc == 0)
		rc = node_apt_update(p->host, err);
	if (rc == 0)
		rc = find_missing(p, err);
	if (rc == 0)
		rc = install_missing(run, p, err);
	/* While it stands: a run that is killed here is gone on with. */
	if (rc == 0)
		rc = start_harmless(p, err);
	if (lift_policy(run, p, &second) == 0)
		return rc;
	if (rc == 0) {
		*err = second;
		return -1;
	}
	return err_ctx(err, POLICY " is left on %s (%s)", p->on->name,
	    second.text);
}

static int
packages_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct packages p;
	char *list = NULL;
	int rc = packages_open(run, step->subject, &p, err);

	if (rc == 0)
		rc = check(&p, err);
	if (rc == 0 && p.n_missing > 0)
		rc = install(run, &p, err);
	else if (rc == 0) {
		rc = start_harmless(&p, err);
		if (rc == 0)
			rc = lift_policy(run, &p, err);
	}
	if (rc == 0) {
		list = names(&p);
		plan_say(note, '+', "%s installed on %s", *list ? list :
		    "nothing more", p.on->name);
		free(list);
	}
	packages_close(&p);
	return rc;
}

static int
forget_installed(struct run *run, const struct conf_host *on,
    struct err *err)
{
	char *key = run_key("node", on->name, "installed");
	int rc = journal_put(run->journal, key, "", err);

	free(key);
	return rc;
}

/* Each name of a list with one blank between. */
static int
purge(struct host *host, const char *list, struct err *err)
{
	const char *names[NODE_PACKAGES_MAX + 1] = { NULL };
	char *words = mem_strdup(list), *save = NULL, *word;
	size_t n = 0;
	int rc;

	for (word = strtok_r(words, " ", &save);
	    word && n < NODE_PACKAGES_MAX; word = strtok_r(NULL, " ", &save))
		names[n++] = word;
	rc = node_apt_purge(host, names, err);
	free(words);
	return rc;
}

/* By now others may use them: a package is not a file of ours. */
static int
packages_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct packages p;
	int rc = packages_open(run, step->subject, &p, err);

	if (rc == 0)
		rc = lift_policy(run, &p, err);
	if (rc == 0 && p.installed && *p.installed) {
		if (run->purge)
			rc = purge(p.host, p.installed, err);
		plan_say(note, '-', run->purge ? "packages taken away from "
		    "%s: %s" : "packages stay on %s, since others may use "
		    "them by now: %s (`uninstall --purge' takes them away)",
		    p.on->name, p.installed);
	}
	if (rc == 0 && run->purge)
		rc = forget_installed(run, p.on, err);
	packages_close(&p);
	return rc;
}

const struct step_kind node_packages_kind = {
	.word = "packages",
	.probe = packages_probe,
	.act = packages_act,
	.undo = packages_undo,
};
