#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "flow/command.h"
#include "flow/service.h"
#include "io/host.h"

static int
status_of(struct host *host, const char *const *argv, int *status,
    struct err *err)
{
	return command_run(host, argv, NULL, 0, status, NULL, NULL, err);
}

static int
missing(struct host *host, const char *name, struct err *err)
{
	return err_set(err, ERR_MISSING, "%s: there is no service %s; is its "
	    "package installed?", host_name(host), name);
}

static int
by_systemd(struct host *host, const char *name, bool *acted, struct err *err)
{
	const char *const there[] = { "systemctl", "cat", name, NULL };
	const char *const active[] = { "systemctl", "-q", "is-active", name,
	    NULL };
	const char *const start[] = { "systemctl", "-q", "enable", "--now",
	    name, NULL };
	int status;

	if (status_of(host, active, &status, err) != 0)
		return -1;
	if (status == 0)
		return 0;
	if (status_of(host, there, &status, err) != 0)
		return -1;
	if (status != 0)
		return missing(host, name, err);
	*acted = true;
	return command_must(host, start, NULL, 0, err);
}

/* Without systemd a package has its script in /etc/init.d. */
static int
by_script(struct host *host, const char *name, bool *acted, struct err *err)
{
	char *path = mem_printf("/etc/init.d/%s", name);
	const char *const running[] = { path, "status", NULL };
	const char *const start[] = { path, "start", NULL };
	struct fs_meta meta;
	int status = 1, rc;

	rc = host_stat(host, path, &meta, err);
	if (rc == 0 && meta.type == FS_NONE)
		rc = missing(host, name, err);
	if (rc == 0)
		rc = status_of(host, running, &status, err);
	if (rc == 0 && status != 0) {
		*acted = true;
		rc = command_must(host, start, NULL, 0, err);
	}
	free(path);
	return rc;
}

int
service_ensure(struct host *host, const char *name, bool *acted,
    struct err *err)
{
	enum service_manager manager;

	*acted = false;
	if (service_manager_find(host, &manager, err) != 0)
		return -1;
	return manager == SERVICE_SYSTEMD ?
	    by_systemd(host, name, acted, err) :
	    by_script(host, name, acted, err);
}
