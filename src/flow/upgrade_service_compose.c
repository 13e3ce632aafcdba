#include "base/base.h"

#include "base/mem.h"
#include "flow/compose_service.h"
#include "flow/upgrade_compose.h"
#include "flow/upgrade_service.h"

/*
 * The container is looked for anew each time: `up' makes another one.  A
 * service without one, since it was stopped, does not run.
 */
static int
compose_look(struct upgrade_service *s, bool *there, struct err *err)
{
	struct compose_service cs;
	int rc;

	rc = upgrade_compose_find(s->up, &cs, err);
	*there = rc == 0 && cs.project;
	if (*there) {
		s->where = mem_strdup(s->letta->compose);
		s->active = cs.running;
		/* As its restart policy has it (upgrade_compose.h). */
		s->enabled = true;
	}
	compose_service_close(&cs);
	return rc;
}

/* Its port is held by the engine; compose_service_check has compared it. */
static int
compose_owns(const struct upgrade_service *s, pid_t pid, bool *out,
    struct err *err)
{
	(void)s;
	(void)pid;
	(void)err;
	*out = true;
	return 0;
}

static int
tell(struct upgrade_service *s,
    int (*what)(const struct upgrade *, struct compose_service *,
    struct err *), struct err *err)
{
	struct compose_service cs;
	int rc;

	rc = upgrade_compose_find(s->up, &cs, err);
	if (rc == 0)
		rc = what(s->up, &cs, err);
	compose_service_close(&cs);
	return rc;
}

static int
compose_off(struct upgrade_service *s, struct err *err)
{
	return tell(s, upgrade_compose_stop, err);
}

static int
compose_on(struct upgrade_service *s, bool enabled, struct err *err)
{
	(void)enabled;
	/* One that was not stopped any more may be held. */
	return tell(s, s->active ? upgrade_compose_release :
	    upgrade_compose_start, err);
}

/* Its log is not shown: older images print their database's URI. */
static void
compose_words(const struct upgrade_service *s, const char *argv[8])
{
	(void)s;
	argv[0] = NULL;
}

const struct upgrade_service_ops upgrade_service_compose = {
	.word = "compose",
	.look = compose_look,
	.owns = compose_owns,
	.off = compose_off,
	.on = compose_on,
	.words = compose_words,
};
