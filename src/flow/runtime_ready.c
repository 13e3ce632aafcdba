#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/listener.h"
#include "flow/plan.h"
#include "flow/port_owner.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_compose.h"
#include "flow/runtime_part.h"
#include "flow/runtime_service.h"
#include "io/host.h"

#define UP_MS (UINT64_C(10) * 60 * 1000)
#define DEAD_MS 20000
#define PAUSE_MS 500
#define TABLE_MAX (4 * 1024 * 1024)

/* What was proven, for the note. */
struct proof {
	const struct runtime *rt;
	size_t addresses, scoped;
};

/* What somebody without, and who has the password gets. */
static int
check_secure(const struct runtime *rt, struct err *err)
{
	struct secret *password = NULL;
	unsigned int bare = 0, known = 0;
	int rc;

	rc = runtime_ask(rt, RUNTIME_GUARDED, NULL, &bare, NULL, err);
	if (rc == 0)
		rc = runtime_password(rt->host, &password, err);
	if (rc == 0)
		rc = runtime_ask(rt, RUNTIME_GUARDED,
		    secret_bytes(password), &known, NULL, err);
	secret_free(password);
	if (rc == 0 && bare != 401)
		rc = err_set(err, ERR_FAILED, "%s:127.0.0.1:%u: GET "
		    RUNTIME_GUARDED " without a header answers %u, not 401: "
		    "the server lets anybody in; LETTA_SERVER_SECURE must be "
		    "true in " RUNTIME_ENV, host_name(rt->host),
		    rt->letta->port, bare);
	else if (rc == 0 && known != 200)
		rc = err_set(err, ERR_AUTH, "%s:127.0.0.1:%u: GET "
		    RUNTIME_GUARDED " with the password of " RUNTIME_ENV
		    " answers %u, not 200", host_name(rt->host),
		    rt->letta->port, known);
	return rc;
}

static int
refuse_listener(void *ctx, const struct listener *one, struct err *err)
{
	const struct proof *proof = ctx;

	return one->loopback ? 0 : err_set(err, ERR_DATA, "%s: the server's "
	    "port %u is listened on at %s, where others reach it around the "
	    "edge; it must be bound to 127.0.0.1", host_name(proof->rt->host),
	    proof->rt->letta->port, one->address);
}

/* A connection to it from the host itself, where nothing filters. */
static int
refuse_address(void *ctx, const char *address, bool scoped, struct err *err)
{
	struct proof *proof = ctx;
	bool open;

	if (scoped) {
		proof->scoped++;
		return 0;
	}
	proof->addresses++;
	if (host_connects(proof->rt->host, address, proof->rt->letta->port,
	    &open, err) != 0)
		return -1;
	return !open ? 0 : err_set(err, ERR_DATA, "%s: the server's port %u "
	    "is open on %s, where others reach it around the edge; it must "
	    "be bound to 127.0.0.1", host_name(proof->rt->host),
	    proof->rt->letta->port, address);
}

static int
check_addresses(struct proof *proof, struct err *err)
{
	static const char *const argv[] = { "ip", "-o", "addr", NULL };
	const struct runtime_call call = { .what = "list its addresses (on "
	    "Debian, install iproute2)", .argv = argv, .asks = true };
	struct buf text = BUF_INIT(TABLE_MAX);
	int rc;

	rc = runtime_do(proof->rt->host, &call, &text, err);
	if (rc == 0)
		rc = listener_addresses(buf_cstr(&text), refuse_address,
		    proof, err);
	buf_clear(&text);
	return rc;
}

static int
prove(const struct runtime *rt, struct plan_note *note, struct err *err)
{
	struct proof proof = { .rt = rt };

	if (check_secure(rt, err) != 0 ||
	    port_owner_listeners(rt->host, rt->letta->port, refuse_listener,
	    &proof, err) != 0 ||
	    check_addresses(&proof, err) != 0)
		return -1;
	if (rt->letta->runtime == CONF_RUNTIME_COMPOSE &&
	    runtime_compose_sequence(rt, err) != 0)
		return -1;
	plan_say(note, '+', "Letta %s answers on 127.0.0.1:%u, 401 without "
	    "the password, closed on %zu other addresses", rt->letta->version,
	    rt->letta->port, proof.addresses + proof.scoped);
	return 0;
}

/* Is it the version that the job says?  *up: something answers at all. */
static int
check_version(const struct runtime *rt, bool *up, struct err *err)
{
	char version[RUNTIME_VERSION_SIZE];

	*up = false;
	if (runtime_version(rt, version, err) != 0)
		return -1;
	*up = *version != '\0';
	if (!*up || str_eq(version, rt->letta->version))
		return 0;
	return err_set(err, ERR_STALE, "%s:127.0.0.1:%u: Letta %s answers, "
	    "and the job says %s", host_name(rt->host), rt->letta->port,
	    version, rt->letta->version);
}

static int
ready_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime rt;
	bool started, up;

	*found = PLAN_WAITS;
	plan_say(note, '+', "the server answers, wants its password, and is "
	    "reached by the loopback alone");
	if (runtime_open(&rt, run, step, err) != 0 ||
	    runtime_begun(&rt, runtime_service_kind.word, &started, err) != 0)
		return -1;
	if (!started)
		return 0;
	/* What is wrong with it is for the act to say, after a wait. */
	if (check_version(&rt, &up, err) != 0 || !up) {
		err_clear(err);
		*found = PLAN_TODO;
		if (run->conf->kind == CONF_UPGRADE)
			run->backend_down = true;
		return 0;
	}
	if (prove(&rt, note, err) != 0)
		return -1;
	*found = PLAN_DONE;
	return 0;
}

/* The last of what it said, for an error; the caller frees it. */
static char *
last_words(struct service *service)
{
	return service ? service_words(service) :
	    mem_printf("see `docker compose -f %s logs letta'",
	    RUNTIME_COMPOSE);
}

/* Its manager has given up, or starts it again and again. */
static int
check_alive(const struct runtime *rt, struct service *service,
    uint64_t *dead_ms, struct err *err)
{
	bool active = true;
	char *words;
	int rc;

	rc = service ? service_active(service, &active, err) :
	    runtime_compose_active(rt, &active, err);
	if (active)
		*dead_ms = 0;
	else if (*dead_ms == 0)
		*dead_ms = clock_ms() + DEAD_MS;
	if (rc == 0 && !active && clock_left_ms(*dead_ms) == 0) {
		words = last_words(service);
		rc = err_set(err, ERR_FAILED, "%s: the service %s does not "
		    "stay up: %s", host_name(rt->host), service ?
		    service_name(service) : "letta", words);
		free(words);
	}
	return rc;
}

int
runtime_await(const struct runtime *rt, struct service *service,
    struct err *err)
{
	uint64_t end_ms = clock_ms() + UP_MS, dead_ms = 0;
	bool up = false;

	for (;;) {
		if (check_version(rt, &up, err) != 0) {
			/* While it starts it may answer anything. */
			if (err->kind != ERR_DATA || clock_left_ms(end_ms)
			    == 0)
				return -1;
			err_clear(err);
		}
		if (up)
			return 0;
		if (clock_left_ms(end_ms) == 0)
			return err_set(err, ERR_UNREACHABLE, "%s:127.0.0.1:"
			    "%u: no answer of Letta within %d minutes; look "
			    "at its log, then run the same command again",
			    host_name(rt->host), rt->letta->port,
			    (int)(UP_MS / 60000));
		if (check_alive(rt, service, &dead_ms, err) != 0 ||
		    stop_check(err) != 0)
			return -1;
		clock_sleep_ms(PAUSE_MS);
	}
}

static int
ready_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct runtime_service s = { 0 };
	struct runtime rt;
	int rc;

	if (runtime_open(&rt, run, step, err) != 0)
		return -1;
	rc = rt.letta->runtime == CONF_RUNTIME_COMPOSE ? 0 :
	    runtime_service_open(&rt, &s, false, err);
	if (rc == 0)
		rc = runtime_await(&rt, s.service, err);
	runtime_service_close(&s);
	return rc != 0 ? -1 : prove(&rt, note, err);
}

const struct step_kind runtime_ready_kind = {
	.word = "ready",
	.probe = ready_probe,
	.act = ready_act,
};
