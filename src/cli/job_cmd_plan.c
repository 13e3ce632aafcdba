#include "base/base.h"

#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/plan.h"
#include "flow/units.h"

#define EXIT_CHANGES 4

static void
conclude(const struct opt *opt, const struct plan *plan, size_t todo)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new("plan");
		jdoc_set(object, "steps",
		    jdoc_new_int((int64_t)plan->n_steps));
		jdoc_set(object, "todo", jdoc_new_int((int64_t)todo));
		if (todo > 0)
			jdoc_set_str(object, "next", "apply");
		show_object(object);
	} else if (todo > 0)
		(void)printf("%zu of %zu steps to do; nothing was changed\n"
		    "next: sanctumctl apply %s\n", todo, plan->n_steps,
		    opt->job);
	else
		(void)printf("nothing to do: all %zu steps are done\n",
		    plan->n_steps);
}

int
job_cmd_plan(const struct job_cmd *cmd, struct err *err)
{
	size_t todo;

	if (units_look(cmd->units, cmd->run, cmd->plan, cmd->watch, &todo,
	    err) != 0 || job_cmd_conclude(cmd, err) != 0)
		return -1;
	conclude(cmd->opt, cmd->plan, todo);
	return todo > 0 ? EXIT_CHANGES : 0;
}
