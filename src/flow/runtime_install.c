#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/runtime_venv.h"
#include "io/host.h"

static int
look(struct run *run, const struct step *step, struct runtime *rt,
    struct runtime_venv *venv, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	enum runtime_venv_state state;

	if (runtime_open(rt, run, step, err) != 0 ||
	    runtime_venv_letta(rt, venv, err) != 0 ||
	    runtime_venv_look(rt, venv, &state, err) != 0)
		return -1;
	*found = state == RUNTIME_VENV_WHOLE ? PLAN_DONE : PLAN_TODO;
	if (state == RUNTIME_VENV_FOREIGN)
		return err_set(err, ERR_STALE, "%s:%s: is there, and not of "
		    "the list %s; nothing was changed.  Move it away, then "
		    "run the same command again", host_name(rt->host),
		    venv->dir, venv->list_path);
	plan_say(note, state == RUNTIME_VENV_OTHER ? '~' : '+', "Letta %s "
	    "in %s, by the hashes of %s", rt->letta->version, venv->dir,
	    venv->list_path);
	return 0;
}

static int
install_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime_venv venv = { 0 };
	struct runtime rt;
	int rc;

	rc = look(run, step, &rt, &venv, note, found, err);
	runtime_venv_clear(&venv);
	return rc;
}

static int
install_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct runtime_venv venv = { 0 };
	enum plan_found found;
	struct runtime rt;
	int rc;

	rc = look(run, step, &rt, &venv, note, &found, err);
	if (rc == 0 && found != PLAN_DONE)
		rc = runtime_venv_make(&rt, &venv, err);
	if (rc == 0)
		plan_say(note, '+', "Letta %s in %s", rt.letta->version,
		    venv.dir);
	runtime_venv_clear(&venv);
	return rc;
}

static int
install_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime_venv venv = { .word = mem_strdup("install") };
	struct runtime rt;
	int rc;

	rc = runtime_open(&rt, run, step, err);
	if (rc == 0) {
		venv.dir = runtime_venv_dir(&rt);
		rc = runtime_venv_remove(&rt, &venv, err);
	}
	if (rc == 0)
		plan_say(note, '-', "%s", venv.dir);
	runtime_venv_clear(&venv);
	return rc;
}

const struct step_kind runtime_install_kind = {
	.word = "install",
	.probe = install_probe,
	.act = install_act,
	.undo = install_undo,
};
