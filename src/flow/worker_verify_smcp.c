#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/agent_staged.h"
#include "flow/run.h"
#include "flow/worker_mcp.h"
#include "flow/worker_smcp.h"
#include "flow/worker_verify_smcp.h"

#define CHECK "tools of SMCP"

static void
judge(const struct worker_mcp_seen *seen, size_t wanted,
    struct verdict *verdict)
{
	size_t n = jdoc_len(seen->names);
	const char *called = seen->called ? ", and one was called" :
	    "; none of them is known to be harmless, so none was called";

	if (wanted > 0)
		verdict_add(verdict, CHECK, VERDICT_SAME, wanted, n,
		    "asked over SSE on its host: the source's, by name%s",
		    called);
	else
		verdict_add(verdict, CHECK, VERDICT_NOT_COMPARED, 0, n,
		    "the source's SMCP did not answer before the switch; "
		    "this one has %zu tools%s", n, called);
}

/* It is no failure of ours that it does not answer; that is its state. */
static int
judge_failure(const struct worker_mcp_seen *seen, size_t wanted,
    struct verdict *verdict, struct err *err)
{
	if (err->kind == ERR_INTERRUPTED)
		return -1;
	verdict_add(verdict, CHECK, wanted > 0 ? VERDICT_DIFFERENT :
	    VERDICT_NOT_COMPARED, wanted, jdoc_len(seen->names), "%s%s",
	    wanted > 0 ? "" : "nor did the source's answer: ", err->text);
	err_clear(err);
	return 0;
}

int
worker_verify_smcp(struct run *run, const struct conf_worker *worker,
    struct verdict *verdict, struct err *err)
{
	char *key = run_key("worker", worker->name, "mcp-tools");
	struct worker_mcp_seen seen = { 0 };
	struct jdoc *want = NULL;
	const bool has = conf_worker_has(worker, "smcp");
	int rc = 0;

	if (has)
		rc = agent_staged_list(run->journal, key, &want, err);
	if (has && rc == 0) {
		if (worker_smcp_ask(run, worker, true, &seen, err) == 0)
			judge(&seen, jdoc_len(want), verdict);
		else
			rc = judge_failure(&seen, jdoc_len(want), verdict,
			    err);
	}
	jdoc_free(seen.names);
	jdoc_free(want);
	free(key);
	return rc;
}
