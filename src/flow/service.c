#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/template.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/service.h"
#include "flow/service_manager.h"
#include "flow/template_file.h"
#include "io/hash.h"
#include "io/host.h"
#include "io/journal.h"

#define FILES_MAX 2
#define VALUES_MAX 24
#define TEXT_MAX (128 * 1024)
#define WORDS_MAX 450		/* leaves room in an error for who asked */
#define SETTLE_MS 400		/* for one that ends as soon as it starts */

struct service_file {
	char *key, *path, *template;
	bool is_script;
	struct buf text;
	struct fs_meta meta;
	struct host_file file;
};

struct service {
	const struct service_spec *spec;
	enum service_manager manager;
	const struct service_ops *ops;
	struct service_unit unit;
	char *script;
	struct service_file files[FILES_MAX];
	size_t n_files;
	char *aside;
};

static const struct {
	const char *word;
	const struct service_ops *ops;
} managers[] = {
	[SERVICE_SYSTEMD] = { "systemd", &service_ops_systemd },
	[SERVICE_SUPERVISORD] = { "supervisord", &service_ops_supervisord },
	[SERVICE_CRON] = { "cron", &service_ops_cron },
};

#define N_MANAGERS (sizeof(managers) / sizeof(*managers))

const char *
service_manager_word(enum service_manager manager)
{
	return managers[manager].word;
}

/* A supervisord that is there and answers says its pid. */
static int
answers(struct host *host, bool *out, struct err *err)
{
	static const char *const argv[] = { "supervisorctl", "pid", NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc;

	rc = command_run(host, argv, NULL, 0, &status, &said, NULL, err);
	*out = rc == 0 && status == 0 && said.len > 1 &&
	    strspn(said.data, "0123456789") == said.len - 1;
	buf_clear(&said);
	return rc;
}

int
service_manager_find(struct host *host, enum service_manager *out,
    struct err *err)
{
	struct fs_meta meta;
	bool there;

	if (host_stat(host, "/run/systemd/system", &meta, err) != 0)
		return -1;
	*out = SERVICE_SYSTEMD;
	if (meta.type == FS_DIR)
		return 0;
	if (answers(host, &there, err) != 0)
		return -1;
	*out = there ? SERVICE_SUPERVISORD : SERVICE_CRON;
	return 0;
}

static char *
fact(const struct service *service, const char *word)
{
	return mem_printf("%s.%s", service->spec->key, word);
}

static int
get(struct run *run, const struct service *service, const char *word,
    char **out, struct err *err)
{
	char *key = fact(service, word);
	int rc = journal_get(run->journal, key, out, err);

	free(key);
	return rc;
}

static int
put(struct run *run, const struct service *service, const char *word,
    const char *value, struct err *err)
{
	char *key = fact(service, word);
	int rc = journal_put(run->journal, key, value, err);

	free(key);
	return rc;
}

/* The one that it was put under, if it was, else the one that is there. */
static int
choose_manager(struct run *run, struct service *service, struct err *err)
{
	char *was = NULL;
	bool known = false;
	int rc = get(run, service, "manager", &was, err);

	for (size_t i = 0; rc == 0 && was && i < N_MANAGERS; i++) {
		if (!str_eq(was, managers[i].word))
			continue;
		service->manager = (enum service_manager)i;
		known = true;
	}
	if (rc == 0 && !known)
		rc = service_manager_find(service->unit.host,
		    &service->manager, err);
	free(was);
	service->ops = managers[service->manager].ops;
	return rc;
}

/* take path, take template */
static struct service_file *
add_file(struct service *service, const char *word, char *path,
    char *template)
{
	struct service_file *one = &service->files[service->n_files++];

	one->key = fact(service, word);
	one->path = path;
	one->template = template;
	one->meta = (struct fs_meta){ .mode = 0644, .uid = 0, .gid = 0 };
	buf_init(&one->text, TEXT_MAX);
	return one;
}

static int
supervisord_path(struct host *host, const char *name, char **out,
    struct err *err)
{
	static const char *const places[][2] = {
		{ "/etc/supervisor/conf.d", "conf" },
		{ "/etc/supervisord.d", "ini" },
		{ "/etc/supervisor.d", "ini" },
	};
	const char *paths[3];
	struct fs_meta metas[3];
	size_t at = 0;

	for (size_t i = 0; i < 3; i++)
		paths[i] = places[i][0];
	if (host_stat_all(host, paths, 3, metas, err) != 0)
		return -1;
	while (at < 2 && metas[at].type != FS_DIR)
		at++;
	if (metas[at].type != FS_DIR)
		at = 0;
	*out = mem_printf("%s/sanctumctl-%s.%s", places[at][0], name,
	    places[at][1]);
	return 0;
}

static int
name_files(struct service *service, struct err *err)
{
	const char *name = service->spec->name, *t = service->spec->template;
	struct service_file *script;
	char *path;

	switch (service->manager) {
	case SERVICE_SYSTEMD:
		add_file(service, "unit",
		    mem_printf("/etc/systemd/system/%s.service", name),
		    mem_printf("systemd/%s.service.in", t));
		return 0;
	case SERVICE_SUPERVISORD:
		if (supervisord_path(service->unit.host, name, &path, err)
		    != 0)
			return -1;
		add_file(service, "program", path,
		    mem_printf("supervisord/%s.conf.in", t));
		return 0;
	case SERVICE_CRON:
		/* The line last: it starts the script within a minute. */
		script = add_file(service, "script",
		    mem_strdup(service->script),
		    mem_printf("cron/%s.sh.in", t));
		script->is_script = true;
		script->meta.mode = 0755;
		add_file(service, "line",
		    mem_printf("/etc/cron.d/sanctumctl-%s", name),
		    mem_printf("cron/%s.cron.in", t));
		return 0;
	}
	return 0;
}

static int
fill(const struct conf *conf, const struct service_spec *spec,
    struct service_file *one, struct err *err)
{
	struct template_value values[VALUES_MAX] = {
		{ "name", TEMPLATE_TOKEN, spec->name },
		{ "account", TEMPLATE_TOKEN, spec->account },
		{ "directory", TEMPLATE_PATH, spec->directory },
	};
	size_t n = 3;

	for (size_t i = 0; i < spec->n_values && n < VALUES_MAX; i++)
		values[n++] = spec->values[i];
	return template_file_fill(conf, one->template, values, n, &one->text,
	    err);
}

/* What it belongs to may come later: then it is known by the second look. */
static int
own_script(struct service *service, struct err *err)
{
	struct account account;
	bool there;

	if (account_look(service->unit.host, service->spec->account, &account,
	    &there, err) != 0)
		return -1;
	for (size_t i = 0; there && i < service->n_files; i++) {
		if (!service->files[i].is_script)
			continue;
		service->files[i].meta.uid = account.uid;
		service->files[i].meta.gid = account.gid;
	}
	account_clear(&account);
	return 0;
}

static int
check_spec(const struct service_spec *spec, struct err *err)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789/._+@-";
	const char *path = spec->directory;

	/* "%" and ":" mean something to the managers. */
	if (*path == '/' && path[strspn(path, plain)] == '\0')
		return 0;
	return err_set(err, ERR_USAGE, "%s:%s: a service cannot work in a "
	    "directory with such signs in its path; choose another one",
	    spec->on->name, path);
}

int
service_open(struct run *run, const struct service_spec *spec,
    struct service **out, struct err *err)
{
	struct service *service = mem_zero(1, sizeof(*service));
	struct service_file *one;
	int rc;

	service->spec = spec;
	service->script = mem_printf("%s/start-%s.sh", spec->directory,
	    spec->name);
	service->unit = (struct service_unit){ .name = spec->name,
	    .account = spec->account, .directory = spec->directory,
	    .script = service->script };
	rc = check_spec(spec, err);
	if (rc == 0)
		rc = run_host(run, spec->on, &service->unit.host, err);
	if (rc == 0)
		rc = choose_manager(run, service, err);
	if (rc == 0)
		rc = name_files(service, err);
	if (rc == 0)
		rc = own_script(service, err);
	for (size_t i = 0; rc == 0 && i < service->n_files; i++) {
		one = &service->files[i];
		rc = fill(run->conf, spec, one, err);
		if (rc == 0)
			rc = host_file_read(&one->file, run, spec->on,
			    one->key, one->path, err);
	}
	if (rc != 0)
		service_close(service);
	else
		*out = service;
	return rc;
}

void
service_close(struct service *service)
{
	struct service_file *one;

	if (!service)
		return;
	for (size_t i = 0; i < service->n_files; i++) {
		one = &service->files[i];
		free(one->key);
		free(one->path);
		free(one->template);
		buf_clear(&one->text);
		host_file_clear(&one->file);
	}
	free(service->aside);
	free(service->script);
	free(service);
}

enum service_manager
service_manager_of(const struct service *service)
{
	return service->manager;
}

const char *
service_name(const struct service *service)
{
	return service->spec->name;
}

/* Of all that it must be started again for. */
static int
sum_of(const struct service *service, char hex[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	const char *stamp = service->spec->stamp;
	struct hash *hash = hash_new(err);
	int rc;

	if (!hash)
		return -1;
	for (size_t i = 0; i < service->n_files; i++) {
		hash_add(hash, service->files[i].text.data,
		    service->files[i].text.len);
		hash_add(hash, "", 1);
	}
	if (stamp)
		hash_add(hash, stamp, strlen(stamp));
	rc = hash_end_hex(hash, hex, err);
	hash_free(hash);
	return rc;
}

/* What is and what is not so. */
struct state {
	bool files, current, enabled, active;
	char sum[2 * HASH_SIZE + 1];
};

static int
look(struct service *service, struct run *run, struct state *state,
    struct err *err)
{
	const struct service_file *one;
	char *running = NULL;
	int rc;

	*state = (struct state){ .files = true };
	for (size_t i = 0; i < service->n_files; i++) {
		one = &service->files[i];
		if (!host_file_is(&one->file, one->text.data, one->text.len,
		    &one->meta))
			state->files = false;
	}
	rc = sum_of(service, state->sum, err);
	if (rc == 0)
		rc = get(run, service, "running", &running, err);
	state->current = running && str_eq(running, state->sum);
	free(running);
	if (rc == 0)
		rc = service->ops->is_enabled(&service->unit,
		    &state->enabled, err);
	if (rc == 0)
		rc = service->ops->is_active(&service->unit, &state->active,
		    err);
	return rc;
}

/* At boot, if it has to. */
static bool
will_start(const struct service *service, const struct state *state)
{
	return state->enabled || service->spec->transient;
}

int
service_look(struct service *service, struct run *run, struct plan_note *note,
    bool *ready, struct err *err)
{
	struct state state;
	const struct service_file *one;

	if (look(service, run, &state, err) != 0)
		return -1;
	*ready = state.files && state.current && state.active &&
	    will_start(service, &state);
	for (size_t i = 0; note && i < service->n_files; i++) {
		one = &service->files[i];
		if (host_file_note(&one->file, one->text.data, one->text.len,
		    note, err) != 0)
			return -1;
	}
	if (note)
		plan_say(note, *ready || state.active ? '~' : '+',
		    "%s of %s on %s: %s", service->spec->name,
		    service_manager_word(service->manager),
		    service->spec->on->name, *ready ? "runs" :
		    !state.files ? "install and start" : !state.active ?
		    "start" : !state.current ? "start again" :
		    "start at boot, too");
	return 0;
}

/* What it was before we came, for service_down. */
static int
note_before(struct service *service, struct run *run,
    const struct state *state, struct err *err)
{
	char *was = NULL;
	int rc = get(run, service, "was", &was, err);

	if (rc == 0 && (!was || !*was))
		rc = put(run, service, "was", !service->files[0].file.present
		    ? "absent" : state->active && state->enabled ?
		    "active enabled" : state->active ? "active" :
		    state->enabled ? "enabled" : "stopped", err);
	if (rc == 0)
		rc = put(run, service, "manager",
		    service_manager_word(service->manager), err);
	free(was);
	return rc;
}

static int
set_files(struct service *service, struct run *run, struct err *err)
{
	struct service_file *one;

	for (size_t i = 0; i < service->n_files; i++) {
		one = &service->files[i];
		if (host_file_set(&one->file, run, one->text.data,
		    one->text.len, &one->meta, err) != 0)
			return -1;
		fault_point("service_file");
	}
	return service->ops->reload(&service->unit, err);
}

/* One that cannot live has ended by now, and says why. */
static int
check_alive(struct service *service, struct err *err)
{
	char *words;
	bool active;

	clock_sleep_ms(SETTLE_MS);
	if (service_active(service, &active, err) != 0)
		return -1;
	if (active)
		return 0;
	words = service_words(service);
	(void)err_set(err, ERR_FAILED, "%s: %s was started by %s and has "
	    "ended%s%s", service->spec->on->name, service->spec->name,
	    service_manager_word(service->manager), *words ? ": " : "",
	    words);
	free(words);
	return -1;
}

static int
start_again(struct service *service, struct err *err)
{
	/* The others do both in one word. */
	if (service->manager == SERVICE_CRON &&
	    service->ops->stop(&service->unit, err) != 0)
		return -1;
	return service->ops->start(&service->unit, err);
}

static int
bring_up(struct service *service, struct run *run, bool *acted,
    struct err *err)
{
	struct state state;
	bool renew;

	*acted = false;
	if (look(service, run, &state, err) != 0)
		return -1;
	renew = !state.files || !state.current;
	if (!renew && will_start(service, &state) && state.active)
		return 0;
	*acted = true;
	/* Until it has been started again nobody knows what runs. */
	if (note_before(service, run, &state, err) != 0 ||
	    (renew && put(run, service, "running", "", err) != 0) ||
	    (renew && set_files(service, run, err) != 0) ||
	    (!service->spec->transient &&
	    service->ops->enable(&service->unit, true, err) != 0))
		return -1;
	if (renew || !state.active) {
		if (start_again(service, err) != 0 ||
		    check_alive(service, err) != 0)
			return -1;
	}
	return put(run, service, "running", state.sum, err);
}

/* Not every manager says why what it was to start has ended. */
int
service_up(struct service *service, struct run *run, bool *acted,
    struct err *err)
{
	struct err first;
	char *words;

	if (bring_up(service, run, acted, err) == 0)
		return 0;
	first = *err;
	if (first.kind == ERR_FAILED) {
		words = service_words(service);
		if (*words && !strstr(first.text, words))
			(void)err_set(err, ERR_FAILED, "%s; it said: %s",
			    first.text, words);
		free(words);
	}
	return -1;
}

static int
undo_file(struct service *service, struct host_file *file, struct run *run,
    bool *edited, struct err *err)
{
	char *aside;
	int rc;

	if (!service->spec->aside)
		return host_file_undo(file, run, edited, err);
	rc = host_file_undo_aside(file, run, &aside, err);
	*edited = aside != NULL;
	if (aside) {
		free(service->aside);
		service->aside = aside;
	}
	return rc;
}

static int
undo_files(struct service *service, struct run *run, bool *edited,
    struct err *err)
{
	bool one;

	for (size_t i = service->n_files; i-- > 0;) {
		if (undo_file(service, &service->files[i].file, run, &one,
		    err) != 0)
			return -1;
		*edited |= one;
		fault_point("service_file_undone");
	}
	return 0;
}

/* Cron's line would start what was stopped, and systemd stops what is there. */
static int
take_away(struct service *service, struct run *run, bool *edited,
    struct err *err)
{
	if (service->manager == SERVICE_CRON) {
		if (undo_files(service, run, edited, err) != 0)
			return -1;
		return service->ops->stop(&service->unit, err);
	}
	if (service->ops->stop(&service->unit, err) != 0 ||
	    (service->files[0].file.present &&
	    service->ops->enable(&service->unit, false, err) != 0) ||
	    undo_files(service, run, edited, err) != 0)
		return -1;
	return service->ops->reload(&service->unit, err);
}

int
service_down(struct service *service, struct run *run, bool *edited,
    struct err *err)
{
	char *was = NULL;
	int rc = get(run, service, "was", &was, err);

	*edited = false;
	if (rc != 0 || !was || !*was) {
		free(was);
		return rc;
	}
	rc = put(run, service, "running", "", err);
	if (rc == 0)
		rc = take_away(service, run, edited, err);
	if (rc == 0 && strstr(was, "enabled"))
		rc = service->ops->enable(&service->unit, true, err);
	if (rc == 0 && str_starts(was, "active"))
		rc = service->ops->start(&service->unit, err);
	if (rc == 0)
		rc = put(run, service, "was", "", err);
	if (rc == 0)
		rc = put(run, service, "manager", "", err);
	free(was);
	return rc;
}

const char *
service_aside(const struct service *service)
{
	return service->aside;
}

int
service_active(struct service *service, bool *out, struct err *err)
{
	return service->ops->is_active(&service->unit, out, err);
}

char *
service_words(struct service *service)
{
	const char *argv[9] = { NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	struct buf shown = BUF_INIT(4 * WORDS_MAX);
	struct err ignored = ERR_INIT;
	int status;

	service->ops->words(&service->unit, argv);
	if (argv[0] && command_run(service->unit.host, argv, NULL, 0,
	    &status, &said, NULL, &ignored) == 0)
		command_said(&shown, &said, WORDS_MAX);
	buf_clear(&said);
	return buf_take(&shown);
}
