#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/port_owner.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "flow/upgrade_stop.h"
#include "io/host.h"

#define GONE_MS 90000
#define PROCESSES_MAX 65536
#define UP_MS (UINT64_C(4) * 60 * 1000)
#define DEAD_MS 20000
#define PAUSE_MS 300
#define LOOK_EACH 10		/* pauses between two questions to a manager */

/* words: what it was, of which none may live; *out: one that does. */
static int
is_gone(const struct upgrade_stop *stop, const char *words, pid_t *out,
    bool *listens, struct err *err)
{
	struct port_owner now;

	if (port_owner_lives(stop->up.host, words, out, err) != 0 ||
	    port_owner_find(stop->up.host, stop->up.conf->from->port, &now,
	    err) != 0)
		return -1;
	*listens = *out == 0 && now.listens;
	if (*out == 0)
		*out = now.pid;
	return 0;
}

static int
await_end(const struct upgrade_stop *stop, const char *words,
    struct err *err)
{
	const uint64_t end_ms = clock_ms() + GONE_MS;
	bool listens;
	pid_t pid;

	for (;;) {
		if (is_gone(stop, words, &pid, &listens, err) != 0)
			return -1;
		if (pid == 0 && !listens)
			return 0;
		if (clock_left_ms(end_ms) == 0)
			return err_set(err, ERR_FAILED, "%s: %s was told to "
			    "stop %s, and %d seconds later process %ld of it "
			    "%s, which may still write to its database",
			    host_name(stop->up.host),
			    upgrade_service_word(&stop->service),
			    stop->service.name, GONE_MS / 1000, (long)pid,
			    listens ? "listens on its port" : "lives");
		if (stop_check(err) != 0)
			return -1;
		clock_sleep_ms(PAUSE_MS);
	}
}

/*
 * Gone is what listens nowhere and has no process any more: a server hangs up
 * first and writes what it still has to, after that.
 */
static int
await_gone(const struct upgrade_stop *stop, struct err *err)
{
	char *words = NULL;
	int rc = upgrade_get(&stop->up, UPGRADE_STOP_PROCESSES, &words, err);

	if (rc == 0)
		rc = await_end(stop, words ? words : "", err);
	free(words);
	return rc;
}

/* Once it is told nobody can say any more which they were. */
static int
note_processes(const struct upgrade_stop *stop, struct err *err)
{
	struct buf words = BUF_INIT(PROCESSES_MAX);
	struct port_owner owner;
	pid_t first[2];
	int rc;

	rc = port_owner_find(stop->up.host, stop->up.conf->from->port,
	    &owner, err);
	first[0] = stop->service.pid;
	first[1] = owner.pid;
	if (rc == 0)
		rc = port_owner_family(stop->up.host, first, 2, &words, err);
	if (rc == 0)
		rc = buf_check(&words, "the processes of the service", err);
	if (rc == 0 && words.len > 0)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_PROCESSES,
		    buf_cstr(&words), err);
	buf_clear(&words);
	return rc;
}

int
upgrade_stop_off(struct upgrade_stop *stop, struct err *err)
{
	if (note_processes(stop, err) != 0 ||
	    upgrade_service_off(&stop->service, err) != 0)
		return -1;
	return await_gone(stop, err);
}

int
upgrade_stop_off_again(struct upgrade_stop *stop, struct err *err)
{
	if (upgrade_service_off(&stop->service, err) != 0)
		return -1;
	return await_gone(stop, err);
}

/* What it was is written before it is told, and not over what is there. */
int
upgrade_stop_note(const struct upgrade_stop *stop, struct err *err)
{
	char *was = NULL;
	int rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);

	if (rc == 0 && !was)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_MANAGER,
		    upgrade_service_word(&stop->service), err);
	if (rc == 0 && !was)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_WAS,
		    stop->service.enabled ? "enabled" : "plain", err);
	free(was);
	return rc;
}

/* What it has said is not shown: upgrade_service_log. */
static int
fail_log(const struct upgrade_stop *stop, const char *what, struct err *err)
{
	char *log = upgrade_service_log(&stop->service);

	(void)err_set(err, ERR_FAILED, "%s: %s %s of the old server %s; look "
	    "at its log%s%s%s, then run the same command again",
	    host_name(stop->up.host), upgrade_service_word(&stop->service),
	    stop->service.name, what, *log ? " (`" : "", log,
	    *log ? "')" : "");
	free(log);
	return -1;
}

static int
await_old(struct upgrade_stop *stop, const char *version, struct err *err)
{
	const struct runtime rt = { .run = stop->up.run,
	    .letta = stop->up.conf->from, .host = stop->up.host };
	const uint64_t end_ms = clock_ms() + UP_MS;
	uint64_t dead_ms = 0;
	char now[RUNTIME_VERSION_SIZE];

	for (unsigned int i = 0;; i++) {
		/* While it starts it may answer anything. */
		if (runtime_version(&rt, now, err) != 0) {
			if (err->kind != ERR_DATA)
				return -1;
			err_clear(err);
		}
		if (*now && str_eq(now, version))
			return 0;
		/* Managers are programs that take their time, too. */
		if (stop_check(err) != 0 ||
		    (i % LOOK_EACH == 0 && upgrade_stop_look(stop, err) != 0))
			return -1;
		if (stop->service.active)
			dead_ms = 0;
		else if (dead_ms == 0)
			dead_ms = clock_ms() + DEAD_MS;
		if (dead_ms != 0 && clock_left_ms(dead_ms) == 0)
			return fail_log(stop, "does not stay up", err);
		if (clock_left_ms(end_ms) == 0)
			return fail_log(stop, "does not answer within 4 "
			    "minutes", err);
		clock_sleep_ms(PAUSE_MS);
	}
}

/* As it was before this job; a version that is not noted was never seen. */
int
upgrade_stop_on(struct upgrade_stop *stop, struct err *err)
{
	char *was = NULL, *version = NULL;
	int rc;

	rc = upgrade_stop_look(stop, err);
	if (rc == 0)
		rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);
	if (rc == 0)
		rc = upgrade_get(&stop->up, "old", &version, err);
	if (rc == 0 && was) {
		rc = upgrade_service_on(&stop->service,
		    str_eq(was, "enabled"), err);
		if (rc == 0)
			rc = await_old(stop, version ? version : "", err);
	}
	if (rc == 0)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_WAS, "", err);
	free(version);
	free(was);
	return rc;
}
