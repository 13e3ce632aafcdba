#include "base/base.h"

#include "base/err.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_render.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/host.h"

/* The server is one that steps of this job bring up, or up again. */
static bool
is_to_come(const struct run *run, const struct conf_edge *edge)
{
	const struct conf_letta *letta = conf_find_letta(run->conf, edge);

	return letta && letta->runtime != CONF_RUNTIME_THERE;
}

static int
backend_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	unsigned int port = edge_upstream_port(run->conf, edge);
	struct host *host;
	bool up, known, open = false;

	if (run_host(run, edge->host, &host, err) != 0 ||
	    host_connects(host, "127.0.0.1", port, &up, err) != 0)
		return -1;
	run->backend_down = !up;
	if (!up && is_to_come(run, edge)) {
		plan_say(note, '+', "the server is brought up by this job");
		*found = PLAN_WAITS;
		return 0;
	}
	if (!up)
		return err_set(err, ERR_UNREACHABLE, "nothing listens on "
		    "127.0.0.1:%u of %s; start the Letta server there "
		    "(letta server --host 127.0.0.1 --port %u), then run the "
		    "same command again", port, edge->host->name, port);
	if (edge_raw_port_open(run, edge, &known, &open, err) != 0)
		return -1;
	if (known && open)
		return err_set(err, ERR_DATA, "%s:%u is open on %s: Letta "
		    "listens beyond 127.0.0.1, where anybody can reach it "
		    "around the edge; start it with --host 127.0.0.1, then "
		    "run the same command again", edge->connect_to, port,
		    edge->host->name);
	plan_say(note, '+', "a server listens on 127.0.0.1:%u of %s", port,
	    edge->host->name);
	*found = PLAN_DONE;
	return 0;
}

/* There is nothing to do but to look: the probe fails when it is not so. */
static int
backend_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	enum plan_found found = PLAN_DONE;

	if (backend_probe(run, step, note, &found, err) != 0)
		return -1;
	return found == PLAN_DONE ? 0 : err_set(err, ERR_UNREACHABLE, "the "
	    "server that this job has brought up is gone again; look at its "
	    "log, then run the same command again");
}

const struct step_kind edge_backend_kind = {
	.word = "backend",
	.probe = backend_probe,
	.act = backend_act,
};
