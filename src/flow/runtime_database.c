#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "flow/service.h"
#include "io/host.h"

#define REDIS_PORT 6379
#define DIAL_MS 5000
#define ANSWER_MS 3000
#define SAID_MAX 4096

/* Redis' own protocol: an inline command.  -NOAUTH is a Redis, too. */
static int
ping(const struct runtime *rt, bool *out, struct err *err)
{
	struct buf said = BUF_INIT(SAID_MAX);
	struct err ignored = ERR_INIT;
	unsigned int line;
	bool ended;
	int rc;

	if (host_dial(rt->host, REDIS_PORT, DIAL_MS, &line, &ignored) != 0)
		return 0;
	rc = host_talk(rt->host, line, "PING\r\n", 6, err);
	if (rc == 0)
		rc = host_hear(rt->host, line, ANSWER_MS, &said, &ended, err);
	*out = rc == 0 && str_starts(buf_cstr(&said), "+PONG");
	if (host_hangup(rt->host, line, &ignored) != 0)
		err_clear(&ignored);
	buf_clear(&said);
	return rc;
}

/* Is there a Redis on the loopback of the host? */
static int
redis_answers(const struct runtime *rt, bool *out, struct err *err)
{
	bool up;

	*out = false;
	if (host_connects(rt->host, "127.0.0.1", REDIS_PORT, &up, err) != 0)
		return -1;
	return up ? ping(rt, out, err) : 0;
}

/* The host's own is wanted, and not there yet. */
static int
lacks_redis(const struct runtime *rt, bool *out, struct err *err)
{
	bool answers = true;

	if (!rt->letta->redis &&
	    redis_answers(rt, &answers, err) != 0)
		return -1;
	*out = !answers;
	return 0;
}

static int
bring_redis(const struct runtime *rt, struct err *err)
{
	bool acted, answers = false;
	uint64_t end_ms;

	if (service_ensure(rt->host, "redis-server", &acted, err) != 0)
		return err->kind != ERR_MISSING ? -1 : err_ctx(err, "Redis "
		    "(or give `redis = HOST:PORT' or `redis = none' in "
		    "[letta %s])", rt->letta->name);
	end_ms = clock_ms() + 30000;
	for (;;) {
		if (redis_answers(rt, &answers, err) != 0)
			return -1;
		if (answers)
			return 0;
		if (clock_left_ms(end_ms) == 0)
			return err_set(err, ERR_FAILED, "%s: redis-server was "
			    "started, and does not answer PING on "
			    "127.0.0.1:%d", host_name(rt->host), REDIS_PORT);
		clock_sleep_ms(200);
	}
}

static void
say_postgres(const struct runtime *rt, const struct runtime_pg *pg,
    bool ready, struct plan_note *note)
{
	if (rt->letta->database.ref)
		plan_say(note, '+', "the PostgreSQL of `database'");
	else if (pg->own)
		plan_say(note, '+', "PostgreSQL with pgvector %s "
		    RUNTIME_OPT "/postgres, on 127.0.0.1:%d", ready ? "in" :
		    "into", RUNTIME_PG_PORT);
	else
		plan_say(note, '+', "the host's PostgreSQL, by %s",
		    pg->package);
}

static int
database_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime_pg pg = { 0 };
	struct runtime rt;
	bool ready = true, lacks;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    lacks_redis(&rt, &lacks, err) != 0)
		return -1;
	if (!rt.letta->database.ref &&
	    (runtime_pg_find(&rt, &pg, err) != 0 ||
	    runtime_pg_ready(&rt, &pg, &ready, err) != 0))
		return -1;
	if (lacks)
		buf_str(&note->diff, "    redis-server on 127.0.0.1:6379\n");
	*found = ready && !lacks ? PLAN_DONE : PLAN_TODO;
	say_postgres(&rt, &pg, ready, note);
	return 0;
}

static int
database_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime_pg pg = { 0 };
	struct runtime rt;
	bool lacks;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    lacks_redis(&rt, &lacks, err) != 0 ||
	    (lacks && bring_redis(&rt, err) != 0))
		return -1;
	if (!rt.letta->database.ref &&
	    (runtime_pg_find(&rt, &pg, err) != 0 ||
	    runtime_pg_make(&rt, &pg, err) != 0))
		return -1;
	say_postgres(&rt, &pg, true, note);
	return 0;
}

/* Only what we made, and only when nothing in it would be missed. */
static int
keeps(const struct runtime *rt, const struct runtime_pg *pg, bool *out,
    char **why, struct err *err)
{
	char *made = NULL;
	uint64_t agents = 0, others = 0;

	*out = false;
	if (rt->run->purge)
		return 0;
	if (runtime_get(rt, "database.made", &made, err) != 0)
		return -1;
	if (!made)
		return 0;
	free(made);
	if (runtime_pg_agents(rt, pg, &agents, err) != 0 ||
	    (pg->own && runtime_pg_others(rt, pg, &others, err) != 0)) {
		*out = true;
		*why = mem_strdup(err->text);
		err_clear(err);
	} else if (agents > 0) {
		*out = true;
		*why = mem_printf("it holds %" PRIu64 " agents", agents);
	} else if (others > 0) {
		*out = true;
		*why = mem_printf("its server holds %" PRIu64 " databases "
		    "that others have made", others);
	}
	return 0;
}

static int
database_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime_pg pg;
	struct runtime rt;
	char *why = NULL, *kind = NULL;
	bool keep = false;
	int rc;

	rc = runtime_open(&rt, run, step, err);
	if (rc == 0)
		rc = runtime_get(&rt, "database.kind", &kind, err);
	if (rc != 0 || !kind)
		return rc;
	rc = runtime_pg_find(&rt, &pg, err);
	if (rc == 0)
		rc = keeps(&rt, &pg, &keep, &why, err);
	if (rc == 0)
		rc = runtime_put(&rt, "database.kept", keep ? "yes" : "",
		    err);
	if (rc == 0 && keep)
		plan_say(note, '-', "the database stays: %s; `uninstall "
		    "--purge' takes it, too", why);
	else if (rc == 0)
		rc = runtime_pg_remove(&rt, &pg, err);
	if (rc == 0 && !keep)
		plan_say(note, '-', "the database of Letta, with what was "
		    "made for it");
	free(why);
	free(kind);
	return rc;
}

const struct step_kind runtime_database_kind = {
	.word = "database",
	.probe = database_probe,
	.act = database_act,
	.undo = database_undo,
};
