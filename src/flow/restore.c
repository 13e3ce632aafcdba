#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/restore.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"
#include "io/fs.h"

/* A nested job, opened. */
struct nested {
	struct run *run;
	struct plan plan;
	struct units units;
};

/* "STATE_DIR/NAME" of "STATE_DIR/NAME/job.conf", and so on up. */
static char *
above(const char *path)
{
	return mem_strndup(path, (size_t)(strrchr(path, '/') - path));
}

static int
nested_open(const char *job, const struct endpoint *to, bool writer,
    struct nested *nested, struct err *err)
{
	char *dir = above(job), *state_dir = above(dir);
	const struct run_options options = { .state_dir = state_dir,
		.writer = writer, .secrets = true, .given = to };
	int rc;

	*nested = (struct nested){ 0 };
	rc = run_open(job, &options, &nested->run, err);
	if (rc == 0) {
		job_plan(&nested->plan, nested->run->conf);
		units_init(&nested->units, &nested->plan);
	}
	free(state_dir);
	free(dir);
	return rc;
}

static void
nested_close(struct nested *nested)
{
	units_clear(&nested->units);
	plan_clear(&nested->plan);
	run_close(nested->run);
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
		rc = units_look(&nested.units, nested.run, &nested.plan,
		    watch, todo, err);
	/* What cannot be looked at is to be done. */
	for (size_t i = 0; i < nested.units.n && rc == 0; i++)
		*todo += nested.units.list[i].step != NULL;
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
		rc = restore_count(nested.run, totals, err);
	if (rc == 0)
		rc = units_conclude(&nested.units, nested.run, err);
	nested_close(&nested);
	return rc;
}

int
restore_verify(const char *job, const struct endpoint *to,
    struct verdict *verdict, struct err *err)
{
	struct nested nested;
	int rc;

	if (nested_open(job, to, false, &nested, err) != 0)
		return -1;
	rc = job_verify(nested.run, verdict, err);
	if (rc == 0)
		rc = restore_judge(nested.run, verdict, err);
	nested_close(&nested);
	return rc;
}

int
restore_undo(const char *job, const struct endpoint *to,
    const struct plan_watch *watch, struct err *err)
{
	struct nested nested;
	size_t undone;
	int rc;

	if (nested_open(job, to, true, &nested, err) != 0)
		return -1;
	rc = job_cancel(nested.run, &nested.plan, watch, &undone, err);
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
