#include "base/base.h"

#include "base/err.h"
#include "base/fault.h"
#include "base/secret.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_closed.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

/*
 * That this step was begun is what opens the server: from then on the steps
 * which have made it see that it differs from what the job asks for, and make
 * it so.  So a run that is killed anywhere in this step is gone on with by
 * theirs, before anything is asked of the server with either password.
 */

/* What the server answers to who has this password; NULL: none. */
static int
ask(const struct upgrade *up, const struct secret *password,
    unsigned int *status, struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };

	return runtime_ask(&rt, RUNTIME_GUARDED, password ?
	    secret_bytes(password) : NULL, status, NULL, err);
}

static int
ask_as_client(const struct upgrade *up, unsigned int *status,
    struct err *err)
{
	const struct secret *token;

	return run_token(up->run, up->conf->to, &token, err) != 0 ? -1 :
	    ask(up, token, status, err);
}

/* Opened before, and it lets in who is to be let in. */
static int
look(const struct upgrade *up, bool *open, struct err *err)
{
	struct secret *closing = NULL;
	unsigned int status = 0;
	bool closed = false;

	*open = false;
	if (upgrade_closed_wanted(up->run, up->conf->to, &closed, err) != 0)
		return -1;
	if (closed)
		return 0;
	if (upgrade_closed_password(up->run, up->conf->to, &closing, err)
	    != 0)
		return -1;
	closed = closing != NULL;
	secret_free(closing);
	if (closed)
		return 0;
	if (ask_as_client(up, &status, err) != 0)
		return -1;
	*open = status == 200;
	return 0;
}

static int
open_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	bool restored = false, open = false;
	struct upgrade up;

	*found = PLAN_WAITS;
	plan_say(note, '~', "the new server is opened: until then its "
	    "password is a drawn one, and its clients get 401");
	if (upgrade_open(&up, run, step, err) != 0 ||
	    upgrade_done(&up, &upgrade_restore_kind, &restored, err) != 0)
		return -1;
	if (!restored)
		return 0;
	if (look(&up, &open, err) != 0)
		return -1;
	*found = open ? PLAN_DONE : PLAN_TODO;
	return 0;
}

/* The steps that have made the server, once more. */
static int
make_again(const struct upgrade *up, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct step of_server = { .name = step->name,
	    .subject = up->conf->to };

	if (up->conf->to->runtime == CONF_RUNTIME_COMPOSE)
		return upgrade_compose_kind.act(up->run, step, note, err);
	if (runtime_environment_kind.act(up->run, &of_server, note, err) != 0)
		return -1;
	fault_point("upgrade_open_written");
	return runtime_service_kind.act(up->run, &of_server, note, err) != 0 ?
	    -1 : runtime_ready_kind.act(up->run, &of_server, note, err);
}

/* closing: the password that it had; NULL: not known any more. */
static int
prove(const struct upgrade *up, const struct secret *closing,
    struct plan_note *note, struct err *err)
{
	unsigned int bare = 0, closed = 401, known = 0;

	if (ask(up, NULL, &bare, err) != 0 ||
	    ask_as_client(up, &known, err) != 0 ||
	    (closing && ask(up, closing, &closed, err) != 0))
		return -1;
	if (known != 200)
		return err_set(err, ERR_AUTH, "%s:127.0.0.1:%u: GET "
		    RUNTIME_GUARDED " with the token of [letta %s] answers "
		    "%u, not 200", host_name(up->host), up->conf->to->port,
		    up->conf->to->name, known);
	if (bare == 401 && closed != 401)
		return err_set(err, ERR_FAILED, "%s:127.0.0.1:%u: the "
		    "password that has closed the server is answered %u, not "
		    "401: it was not started again", host_name(up->host),
		    up->conf->to->port, closed);
	plan_say(note, '~', "the new server lets its clients in%s", bare ==
	    401 ? "; 401 without the password" : ", with and without a "
	    "password");
	return 0;
}

static int
open_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct secret *closing = NULL;
	struct upgrade up;
	int rc;

	rc = upgrade_open(&up, run, step, err);
	if (rc == 0)
		rc = upgrade_break_glass(&up, err);
	if (rc == 0)
		rc = upgrade_closed_password(run, up.conf->to, &closing, err);
	if (rc == 0)
		rc = make_again(&up, step, note, err);
	if (rc == 0)
		rc = prove(&up, closing, note, err);
	secret_free(closing);
	return rc;
}

/* Taken back, it is to be closed: the steps before it take it down. */
const struct step_kind upgrade_open_kind = {
	.word = "open",
	.probe = open_probe,
	.act = open_act,
};
