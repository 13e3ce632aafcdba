#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/compose_service.h"
#include "flow/plan.h"
#include "flow/upgrade_compose.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

/*
 * The image is fetched while the old server works: a tag that is not there,
 * or a registry that does not answer, is noticed before anything stops.
 */

/* The fact: which image was not there before this job. */
#define PULLED "pull.image"

/* Does the engine have it?  What the engine says otherwise is the pull's. */
static int
is_there(const struct upgrade *up, const char *image, bool *out,
    struct err *err)
{
	const char *const argv[] = { "docker", "image", "inspect", "--format",
	    "{{.Id}}", image, NULL };
	int status, rc = command_ask(up->host, argv, &status, NULL, err);

	*out = rc == 0 && status == 0;
	return rc;
}

static int
look(struct upgrade *up, struct compose_service *cs, struct run *run,
    const struct step *step, char **image, bool *there, struct err *err)
{
	*image = NULL;
	*there = false;
	if (upgrade_compose_open(up, cs, run, step, err) != 0 ||
	    upgrade_compose_image(up, cs, image, err) != 0)
		return -1;
	return is_there(up, *image, there, err);
}

static int
probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	struct compose_service cs;
	struct upgrade up;
	char *image;
	bool there;
	int rc = look(&up, &cs, run, step, &image, &there, err);

	*found = there ? PLAN_DONE : PLAN_TODO;
	if (rc == 0)
		plan_say(note, '+', "docker pull %s", image);
	compose_service_close(&cs);
	free(image);
	return rc;
}

static int
pull(const struct upgrade *up, const struct compose_service *cs,
    const char *image, struct err *err)
{
	const char *const words[] = { "pull", "--quiet", image, NULL };

	if (upgrade_put(up, PULLED, image, err) != 0)
		return -1;
	if (compose_service_docker(cs, words, false, NULL, err) == 0)
		return 0;
	return err_ctx(err, "%s is not to be had; nothing was changed, give "
	    "a `version' or an `image' that is",
	    image);
}

static int
act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct compose_service cs;
	struct upgrade up;
	char *image;
	bool there;
	int rc = look(&up, &cs, run, step, &image, &there, err);

	if (rc == 0 && !there)
		rc = pull(&up, &cs, image, err);
	if (rc == 0)
		plan_say(note, '+', there ? "%s is there" : "docker pull %s",
		    image);
	compose_service_close(&cs);
	free(image);
	return rc;
}

/* One that is in use stays; the engine knows. */
static int
undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const char *argv[] = { "docker", "image", "rm", NULL, NULL };
	char *image = NULL;
	struct upgrade up;
	int status = 0, rc;

	rc = upgrade_open(&up, run, step, err);
	if (rc == 0)
		rc = upgrade_get(&up, PULLED, &image, err);
	argv[3] = image;
	if (rc == 0 && image)
		rc = command_run(up.host, argv, NULL, 0, &status, NULL, NULL,
		    err);
	if (rc == 0 && image)
		plan_say(note, '-', status == 0 ? "docker image rm %s" :
		    "%s is in use, or gone already, and stays as it is",
		    image);
	if (rc == 0)
		rc = upgrade_put(&up, PULLED, "", err);
	free(image);
	return rc;
}

const struct step_kind upgrade_pull_kind = {
	.word = "pull",
	.probe = probe,
	.act = act,
	.undo = undo,
};
