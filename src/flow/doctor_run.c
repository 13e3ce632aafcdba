#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "flow/doctor_host.h"
#include "flow/doctor_job.h"
#include "flow/doctor_run.h"
#include "flow/doctor_url.h"
#include "flow/endpoint.h"
#include "flow/host_named.h"
#include "flow/run.h"

static int
look_at_host(struct doctor *d, const char *word, struct err *err)
{
	struct host_named at;
	int rc;

	if (host_named_open(word, &at, err) != 0)
		return -1;
	rc = doctor_host(d, at.host, word, 0, false, err);
	host_named_close(&at);
	return rc;
}

/* The port of the ADE beside 443: not every node has one. */
static int
look_at_ade_port(const struct doctor_site *site, struct err *err)
{
	struct doctor_address at;
	struct doctor_site ade = *site;
	bool answers;
	char *url;
	int rc;

	doctor_address(site->url, &at);
	if (!at.tls || at.port != 443)
		return 0;
	url = mem_printf(strchr(at.host, ':') ? "https://[%s]:%d" :
	    "https://%s:%d", at.host, DOCTOR_ADE_PORT);
	ade.url = url;
	rc = doctor_url(&ade, &answers, err);
	if (rc == 0 && answers)
		rc = doctor_ade(&ade, err);
	free(url);
	return rc;
}

static int
look_at_url(struct doctor *d, const char *word,
    const struct doctor_options *options, struct err *err)
{
	struct endpoint at = { 0 };
	struct doctor_site site = { .d = d, .ca_file = options->ca_file,
	    .connect_to = options->connect_to, .turn = options->turn,
	    .origin = options->origin ? options->origin :
	    DOCTOR_ADE_ORIGIN };
	bool answers = false;
	int rc;

	rc = endpoint_find(word, &at, err);
	if (rc == 0)
		rc = endpoint_fetch(&at, 1, err);
	site.url = at.url;
	site.token = at.token;
	if (rc == 0)
		rc = doctor_url(&site, &answers, err);
	if (rc == 0 && answers)
		rc = doctor_ade(&site, err);
	if (rc == 0)
		rc = look_at_ade_port(&site, err);
	endpoint_clear(&at);
	return rc;
}

int
doctor_run(struct doctor *d, const char *word,
    const struct doctor_options *options, struct err *err)
{
	if (str_starts(word, "http://") || str_starts(word, "https://"))
		return look_at_url(d, word, options, err);
	if (!strchr(word, '#') && access(word, F_OK) == 0)
		return doctor_job(d, word, options, err);
	return look_at_host(d, word, err);
}
