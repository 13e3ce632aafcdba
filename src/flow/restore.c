#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/restore.h"
#include "flow/restore_ids.h"
#include "flow/restore_list.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"
#include "io/fs.h"

#define LEAVE_MAX (64 * 1024)

/* A nested job, opened. */
struct nested {
	struct run *run;
	struct buf leave;	/* ids that may stay behind */
	struct plan plan;
	struct units units;
};

/* "STATE_DIR/NAME" of "STATE_DIR/NAME/job.conf", and so on up. */
static char *
above(const char *path)
{
	return mem_strndup(path, (size_t)(strrchr(path, '/') - path));
}

static bool
may_stay(const struct nested *nested, const struct conf_agent *agent)
{
	return str_has_word(buf_cstr(&nested->leave),
	    str_base(agent->bundle));
}

static int
read_leave(const char *dir, struct buf *leave, struct err *err)
{
	char *file = mem_printf("%s/" RESTORE_LEAVE, dir);
	int rc = fs_read_if(file, leave, err);

	free(file);
	return rc;
}

static int
nested_open(const char *job, const struct endpoint *to, bool writer,
    struct nested *nested, struct err *err)
{
	char *dir = above(job), *state_dir = above(dir);
	const struct run_options options = { .state_dir = state_dir,
		.writer = writer, .secrets = true, .given = to };
	int rc;

	*nested = (struct nested){ .leave = BUF_INIT(LEAVE_MAX) };
	rc = read_leave(dir, &nested->leave, err);
	if (rc == 0)
		rc = run_open(job, &options, &nested->run, err);
	if (rc == 0) {
		job_plan(&nested->plan, nested->run->conf);
		units_init(&nested->units, &nested->plan);
	}
	if (rc != 0)
		buf_clear(&nested->leave);
	free(state_dir);
	free(dir);
	return rc;
}

static void
nested_close(struct nested *nested)
{
	buf_clear(&nested->leave);
	units_clear(&nested->units);
	plan_clear(&nested->plan);
	run_close(nested->run);
}

/* What may stay behind is no reason to run; what cannot be looked at is. */
static int
look(struct nested *nested, const struct plan_watch *watch, size_t *todo,
    struct err *err)
{
	const struct conf *conf = nested->run->conf;

	units_clear(&nested->units);
	plan_clear(&nested->plan);
	for (size_t i = 0; i < conf->n_agents; i++) {
		nested->plan.unit = &conf->agents[i];
		if (!may_stay(nested, &conf->agents[i]))
			agent_plan(&nested->plan, &conf->agents[i]);
	}
	units_init(&nested->units, &nested->plan);
	if (units_look(&nested->units, nested->run, &nested->plan, watch,
	    todo, err) != 0)
		return -1;
	for (size_t i = 0; i < nested->units.n; i++)
		*todo += nested->units.list[i].step != NULL;
	return 0;
}

int
restore_look(const char *job, const struct endpoint *to,
    const struct plan_watch *watch, size_t *todo, struct err *err)
{
	struct nested nested;
	int rc;

	*todo = 0;
	if (nested_open(job, to, true, &nested, err) != 0)
		return -1;
	rc = restore_check_target(nested.run, err);
	if (rc == 0)
		rc = look(&nested, watch, todo, err);
	nested_close(&nested);
	return rc;
}

/* As `apply' runs a job: all is looked at before the first step acts. */
static int
apply(struct nested *nested, const struct plan_watch *watch, struct err *err)
{
	static const struct plan_watch quiet = { 0 };
	size_t todo, acted;

	if (restore_check_target(nested->run, err) != 0 ||
	    units_look(&nested->units, nested->run, &nested->plan, &quiet,
	    &todo, err) != 0)
		return -1;
	return switch_apply(nested->run, &nested->plan, &nested->units, false,
	    watch, &acted, err);
}

/* Whether some have failed, and all of these may stay behind. */
static bool
is_left(const struct nested *nested)
{
	const struct unit *unit;
	size_t failed = 0;

	for (size_t i = 0; i < nested->units.n; i++) {
		unit = &nested->units.list[i];
		if (unit->step && !may_stay(nested, unit->subject))
			return false;
		failed += unit->step != NULL;
	}
	return failed > 0;
}

int
restore_run(const char *job, const struct endpoint *to,
    const struct plan_watch *watch, struct restore_totals *totals,
    struct err *err)
{
	struct nested nested;
	int rc;

	*totals = (struct restore_totals){ 0 };
	if (nested_open(job, to, true, &nested, err) != 0)
		return -1;
	rc = apply(&nested, watch, err);
	if (rc == 0)
		rc = restore_ids_write(nested.run, err);
	if (rc == 0)
		rc = restore_count(nested.run, totals, err);
	if (rc == 0)
		restore_totals_leave(totals, buf_cstr(&nested.leave));
	if (rc == 0 && !is_left(&nested))
		rc = units_conclude(&nested.units, nested.run, err);
	nested_close(&nested);
	return rc;
}

static int
verify_one(struct nested *nested, const struct conf_agent *agent,
    struct verdict *verdict, struct err *err)
{
	bool given;
	char *name;

	if (agent_is_given(nested->run, agent, &given, err) != 0)
		return -1;
	if (given || !may_stay(nested, agent))
		return agent_verify(nested->run, agent, verdict, err);
	name = mem_printf("agent.%s", agent->name);
	verdict_add(verdict, name, VERDICT_NOT_COMPARED, 1, 0,
	    "left behind: leave");
	free(name);
	return 0;
}

int
restore_verify(const char *job, const struct endpoint *to,
    struct verdict *verdict, struct err *err)
{
	struct nested nested;
	int rc = 0;

	if (nested_open(job, to, false, &nested, err) != 0)
		return -1;
	for (size_t i = 0; i < nested.run->conf->n_agents && rc == 0; i++)
		rc = verify_one(&nested, &nested.run->conf->agents[i],
		    verdict, err);
	if (rc == 0)
		rc = restore_judge(nested.run, buf_cstr(&nested.leave),
		    verdict, err);
	nested_close(&nested);
	return rc;
}

int
restore_forget(const char *job, struct err *err)
{
	char *dir = above(job);
	int rc = fs_remove(dir, err);

	free(dir);
	return rc;
}
