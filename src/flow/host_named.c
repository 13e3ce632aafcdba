#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/host_named.h"
#include "flow/run.h"
#include "io/host.h"

#define SSH_PORT 22
#define PORT_MAX 65535

static int
open_in_job(const char *job, const char *name, struct host_named *out,
    struct err *err)
{
	if (run_read(job, &out->conf, err) != 0)
		return -1;
	for (size_t i = 0; i < out->conf->n_hosts; i++) {
		if (str_eq(out->conf->hosts[i].name, name))
			return run_host_open(&out->conf->hosts[i],
			    &out->host, err);
	}
	return err_set(err, ERR_USAGE, "%s: there is no section [host %s]",
	    job, name);
}

/* "[::1]:22" has its address in brackets. */
static int
open_address(const char *user, const char *rest, struct host_named *out,
    struct err *err)
{
	struct host_spec spec = { .user = user, .port = SSH_PORT };
	bool brackets = *rest == '[';
	const char *end = brackets ? strchr(rest, ']') :
	    rest + strcspn(rest, ":");
	char *address;
	uint64_t port;
	int rc;

	if (!end || end == rest || *user == '\0')
		return err_set(err, ERR_USAGE, "%s@%s: an address is "
		    "USER@ADDRESS or USER@ADDRESS:PORT", user, rest);
	address = mem_strndup(rest + brackets,
	    (size_t)(end - rest - brackets));
	end += brackets;
	if (*end == ':' && str_u64(end + 1, PORT_MAX, &port) && port > 0)
		spec.port = (unsigned int)port;
	else if (*end != '\0') {
		free(address);
		return err_set(err, ERR_USAGE, "%s: not a port", end);
	}
	spec.name = spec.address = address;
	rc = host_open(&spec, &out->host, err);
	free(address);
	return rc;
}

int
host_named_open(const char *word, struct host_named *out, struct err *err)
{
	static const struct host_spec local = { .name = "local",
	    .local = true };
	const char *mark = strrchr(word, '#'), *at = strchr(word, '@');
	char *first;
	int rc;

	*out = (struct host_named){ 0 };
	first = mem_strndup(word, mark ? (size_t)(mark - word) :
	    at ? (size_t)(at - word) : 0);
	if (mark)
		rc = open_in_job(first, mark + 1, out, err);
	else if (at)
		rc = open_address(first, at + 1, out, err);
	else if (str_eq(word, "local"))
		rc = host_open(&local, &out->host, err);
	else
		rc = err_set(err, ERR_USAGE, "%s is no host: give `local', "
		    "USER@ADDRESS[:PORT], or JOB#NAME for the section [host "
		    "NAME] of a job file", word);
	free(first);
	if (rc != 0)
		host_named_close(out);
	return rc;
}

void
host_named_close(struct host_named *at)
{
	host_close(at->host);
	conf_free(at->conf);
	*at = (struct host_named){ 0 };
}
