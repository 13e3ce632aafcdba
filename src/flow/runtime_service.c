#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/template.h"
#include "flow/account.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_service.h"
#include "flow/runtime_venv.h"
#include "flow/service.h"
#include "io/hash.h"
#include "io/host.h"

#define NAME "letta"
#define TEMPLATE "letta"

/*
 * What the server must be started again for: the list that it is made of, and
 * its environment, of which the digest alone goes into the journal.
 */
static int
make_stamp(const struct runtime *rt, char out[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	struct runtime_venv venv = { 0 };
	struct runtime_env env = { 0 };
	int rc;

	rc = runtime_env_read(&env, rt, RUNTIME_ENV, err);
	if (rc == 0)
		rc = runtime_venv_letta(rt, &venv, err);
	if (rc == 0)
		rc = runtime_sum(&env.was, &venv.list, out, err);
	runtime_venv_clear(&venv);
	runtime_env_clear(&env);
	return rc;
}

void
runtime_service_fill(const struct runtime *rt, struct runtime_service *s,
    const char *environment)
{
	s->dir = runtime_venv_dir(rt);
	s->program = mem_printf("%s/bin/letta", s->dir);
	s->values[0] = (struct template_value){ "environment", TEMPLATE_PATH,
	    environment };
	s->values[1] = (struct template_value){ "program", TEMPLATE_PATH,
	    s->program };
	s->values[2] = (struct template_value){ "port", TEMPLATE_PORT,
	    s->port };
	s->values[3] = (struct template_value){ "readonly", TEMPLATE_PATH,
	    s->dir };
	s->spec = (struct service_spec){ .on = rt->letta->host,
	    .template = TEMPLATE, .values = s->values, .n_values = 4,
	    .account = RUNTIME_ACCOUNT };
}

int
runtime_service_open(const struct runtime *rt, struct runtime_service *s,
    bool stamped, struct err *err)
{
	*s = (struct runtime_service){ 0 };
	(void)snprintf(s->port, sizeof(s->port), "%u", rt->letta->port);
	s->key = run_key("letta", rt->letta->name, "service");
	runtime_service_fill(rt, s, RUNTIME_ENV);
	if (stamped && make_stamp(rt, s->stamp, err) != 0)
		return -1;
	s->spec.key = s->key;
	s->spec.name = NAME;
	s->spec.directory = RUNTIME_HOME;
	s->spec.stamp = s->stamp;
	s->spec.aside = rt->run->conf->kind == CONF_UPGRADE;
	return service_open(rt->run, &s->spec, &s->service, err);
}

void
runtime_service_close(struct runtime_service *s)
{
	service_close(s->service);
	free(s->key);
	free(s->program);
	free(s->dir);
}

/* Its account and environment are made by steps before. */
static int
can_look(const struct runtime *rt, bool *out, struct err *err)
{
	struct account account;
	struct fs_meta meta;
	bool there;

	*out = false;
	if (account_look(rt->host, RUNTIME_ACCOUNT, &account, &there, err)
	    != 0 || host_stat(rt->host, RUNTIME_ENV, &meta, err) != 0)
		return -1;
	*out = there && meta.type == FS_FILE;
	account_clear(&account);
	return 0;
}

static int
service_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime_service s = { 0 };
	struct runtime rt;
	bool can, begun, ready = false;
	int rc;

	*found = PLAN_TODO;
	plan_say(note, '+', "service " NAME " on 127.0.0.1:%u",
	    ((const struct conf_letta *)step->subject)->port);
	if (runtime_open(&rt, run, step, err) != 0 ||
	    runtime_begun(&rt, runtime_service_kind.word, &begun, err) != 0 ||
	    can_look(&rt, &can, err) != 0)
		return -1;
	if (!can)
		return 0;
	rc = runtime_service_open(&rt, &s, true, err);
	if (rc == 0)
		rc = service_look(s.service, run, note, &ready, err);
	if (rc == 0 && ready)
		*found = PLAN_DONE;
	/* Down, or older than its files: another password may hold there. */
	else if (rc == 0 && begun && run->conf->kind == CONF_UPGRADE)
		run->backend_down = true;
	runtime_service_close(&s);
	return rc;
}

static int
service_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct runtime_service s = { 0 };
	struct runtime rt;
	bool acted = false;
	int rc;

	if (runtime_open(&rt, run, step, err) != 0)
		return -1;
	rc = runtime_service_open(&rt, &s, true, err);
	if (rc == 0)
		rc = service_up(s.service, run, &acted, err);
	if (rc == 0)
		plan_say(note, acted ? '+' : '~', "service " NAME ", by %s",
		    service_manager_word(service_manager_of(s.service)));
	runtime_service_close(&s);
	return rc;
}

static int
service_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime_service s = { 0 };
	struct runtime rt;
	bool edited = false;
	int rc;

	if (runtime_open(&rt, run, step, err) != 0)
		return -1;
	rc = runtime_service_open(&rt, &s, false, err);
	if (rc == 0)
		rc = service_down(s.service, run, &edited, err);
	if (rc == 0)
		plan_say(note, '-', "service " NAME "%s%s", !edited ? "" :
		    service_aside(s.service) ? " is stopped; its file was "
		    "edited by somebody and is kept as " : " is stopped; its "
		    "file was edited by somebody and stays",
		    service_aside(s.service) ? service_aside(s.service) :
		    "");
	runtime_service_close(&s);
	return rc;
}

const struct step_kind runtime_service_kind = {
	.word = "service",
	.probe = service_probe,
	.act = service_act,
	.undo = service_undo,
};
