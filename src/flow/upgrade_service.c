#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "io/host.h"

#define DEFAULT_NAME "letta"
#define LINE_MAX_BYTES 600

/* A server of compose is that of its file, whatever else has its name. */
static const struct upgrade_service_ops *const managers[] = {
	&upgrade_service_systemd, &upgrade_service_supervisord,
	&upgrade_service_cron
};
static const struct upgrade_service_ops *const compose[] = {
	&upgrade_service_compose
};

#define N_MANAGERS (sizeof(managers) / sizeof(*managers))

/* A name that is there twice is the manager's that runs it. */
static int
look_for(struct upgrade_service *service,
    const struct upgrade_service_ops *const *kinds, size_t n,
    struct err *err)
{
	struct upgrade_service one;
	bool there;

	for (size_t i = 0; i < n; i++) {
		one = *service;
		one.ops = kinds[i];
		one.where = NULL;
		if (one.ops->look(&one, &there, err) != 0) {
			free(one.where);
			return -1;
		}
		if (there && (!service->ops ||
		    (one.active && !service->active))) {
			free(service->where);
			*service = one;
		} else {
			free(one.where);
		}
	}
	return 0;
}

/*
 * The manager that `stop' has told, as long as that is not taken back: its
 * name may be another's, too, by then.  *out is as it was without one.
 */
static int
told(const struct upgrade *up, const struct upgrade_service_ops *const **out,
    size_t *n, struct err *err)
{
	char *was = NULL, *manager = NULL;
	int rc = upgrade_get(up, UPGRADE_STOP_WAS, &was, err);

	if (rc == 0 && was)
		rc = upgrade_get(up, UPGRADE_STOP_MANAGER, &manager, err);
	for (size_t i = 0; rc == 0 && manager && i < N_MANAGERS; i++) {
		if (!str_eq(manager, managers[i]->word))
			continue;
		*out = &managers[i];
		*n = 1;
	}
	free(manager);
	free(was);
	return rc;
}

int
upgrade_service_find(struct upgrade_service *service,
    const struct upgrade *up, struct err *err)
{
	const struct upgrade_service_ops *const *kinds = managers;
	const struct conf_letta *from = up->conf->from;
	size_t n = N_MANAGERS;

	*service = (struct upgrade_service){ .letta = from, .up = up,
	    .host = up->host, .mark = up->run->mark,
	    .name = from->service ? from->service : DEFAULT_NAME };
	if (from->compose) {
		if (look_for(service, compose, 1, err) != 0)
			return -1;
		return service->ops ? 0 : err_set(err, ERR_MISSING, "%s:%s: "
		    "there is no container of the service %s; start it",
		    host_name(up->host), from->compose, service->name);
	}
	if (told(up, &kinds, &n, err) != 0 ||
	    look_for(service, kinds, n, err) != 0)
		return -1;
	if (service->ops)
		return 0;
	if (n == 1)
		return err_set(err, ERR_MISSING, "%s: %s has no %s any more, "
		    "which this job has stopped; put back what it starts by, "
		    "then run the same command again", host_name(up->host),
		    kinds[0]->word, service->name);
	return err_set(err, ERR_MISSING, "%s: there is no unit %s.service of "
	    "systemd, no program %s of supervisord and no "
	    "/etc/cron.d/sanctumctl-%s; give the name of what runs it as "
	    "`service' in [letta %s]", host_name(up->host), service->name,
	    service->name, service->name, from->name);
}

void
upgrade_service_clear(struct upgrade_service *service)
{
	free(service->where);
	service->where = NULL;
}

const char *
upgrade_service_word(const struct upgrade_service *service)
{
	return service->ops->word;
}

int
upgrade_service_owns(const struct upgrade_service *service, pid_t pid,
    bool *out, struct err *err)
{
	return service->ops->owns(service, pid, out, err);
}

int
upgrade_service_off(struct upgrade_service *service, struct err *err)
{
	return service->ops->off(service, err);
}

int
upgrade_service_on(struct upgrade_service *service, bool enabled,
    struct err *err)
{
	return service->ops->on(service, enabled, err);
}

char *
upgrade_service_log(const struct upgrade_service *service)
{
	const char *argv[9] = { NULL };
	struct buf line = BUF_INIT(LINE_MAX_BYTES);

	service->ops->words(service, argv);
	for (size_t i = 0; argv[i]; i++)
		buf_printf(&line, "%s%s", i > 0 ? " " : "", argv[i]);
	return buf_take(&line);
}
