#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/edge_lineage.h"
#include "flow/edge_renewal.h"
#include "flow/node_lock.h"
#include "flow/run.h"

#define DAY_SECONDS 86400

static const char *
proof_word(enum edge_renewal_proof proof)
{
	switch (proof) {
	case EDGE_PROOF_DONE:
		return "proven";
	case EDGE_PROOF_WAITS:
		return "waits for DNS";
	case EDGE_PROOF_OFF:
		return "not to be proven";
	case EDGE_PROOF_NONE:
		break;
	}
	return "not proven";
}

static void
show_json(const struct conf_edge *edge, const struct edge_lineage *lineage,
    const struct edge_renewal *renewal)
{
	struct jdoc *object = show_new("certificate"), *names;

	jdoc_set_str(object, "host", edge->host->name);
	jdoc_set_str(object, "site", edge->site);
	jdoc_set_str(object, "certificate", lineage->certificate);
	if (lineage->name)
		jdoc_set_str(object, "lineage", lineage->name);
	else
		jdoc_set_null(object, "lineage");
	jdoc_set(object, "present", jdoc_new_bool(lineage->present));
	if (lineage->present) {
		names = jdoc_new_array();
		for (size_t i = 0; i < lineage->cert.n_names; i++)
			jdoc_push(names,
			    jdoc_new_str(lineage->cert.names[i]));
		jdoc_set(object, "names", names);
		jdoc_set(object, "fits", jdoc_new_bool(lineage->fits));
		jdoc_set_str(object, "serial", lineage->cert.serial);
		jdoc_set(object, "seconds_left",
		    jdoc_new_int(lineage->cert.seconds_left));
		jdoc_set(object, "served", jdoc_new_bool(renewal->current));
	}
	jdoc_set_str(object, "scheduler", buf_cstr(&renewal->scheduler));
	jdoc_set(object, "scheduled", jdoc_new_bool(renewal->scheduled));
	jdoc_set(object, "deploy_hook", jdoc_new_bool(renewal->hook));
	jdoc_set_str(object, "renewal", proof_word(renewal->proof));
	show_object(object);
}

static void
show_names(const struct cert *cert)
{
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < cert->n_names; i++) {
		if (i > 0)
			buf_str(&text, ", ");
		str_printable(&text, cert->names[i], strlen(cert->names[i]));
	}
	(void)printf("    names      %s\n", buf_cstr(&text));
	buf_clear(&text);
}

static void
show_text(const struct conf_edge *edge, const struct edge_lineage *lineage,
    const struct edge_renewal *renewal)
{
	(void)printf("%s  %s:%s%s\n", edge->site, edge->host->name,
	    lineage->certificate, !lineage->present ? " is not there" :
	    lineage->adopted ? " (another's lineage)" : "");
	if (lineage->present) {
		show_names(&lineage->cert);
		if (!lineage->fits)
			(void)printf("    trap       it is not for the names "
			    "of this job\n");
		(void)printf("    days left  %" PRId64 "\n"
		    "    serial     %s, %s\n",
		    lineage->cert.seconds_left / DAY_SECONDS,
		    lineage->cert.serial, renewal->current ?
		    "which the site serves" : renewal->served ?
		    "but the site serves another" :
		    "but the site does not answer");
	}
	(void)printf("    renewal    by %s, %s%s\n",
	    buf_cstr(&renewal->scheduler), proof_word(renewal->proof),
	    renewal->hook ? "" : "; the deploy hook is missing");
}

static int
show(const struct opt *opt, struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct edge_lineage lineage = { 0 };
	struct edge_renewal renewal = { 0 };
	int rc;

	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0)
		rc = edge_renewal_look(&renewal, run, edge, &lineage, err);
	if (rc == 0 && opt->json)
		show_json(edge, &lineage, &renewal);
	else if (rc == 0)
		show_text(edge, &lineage, &renewal);
	edge_renewal_clear(&renewal);
	edge_lineage_clear(&lineage);
	return rc;
}

/* What changes a host is one job's at a time. */
static int
renew(struct run *run, const struct conf_edge *edge, struct err *err)
{
	struct node_lock lock;
	int rc;

	if (node_lock_take(&lock, run, err) != 0)
		return -1;
	rc = edge_renewal_force(run, edge, err);
	node_lock_drop(&lock, run);
	return rc;
}

static int
each_edge(const struct opt *opt, struct run *run, struct err *err)
{
	const struct conf *conf = run->conf;
	int rc = 0;

	if (conf->n_edges == 0)
		return err_set(err, ERR_USAGE, "%s: there is no [edge HOST] "
		    "in it", opt->job);
	for (size_t i = 0; i < conf->n_edges && rc == 0; i++) {
		if (opt->renew)
			rc = renew(run, &conf->edges[i], err);
		if (rc == 0)
			rc = show(opt, run, &conf->edges[i], err);
	}
	return rc;
}

/* The writer's lock is taken to look, too: a new job has no journal yet. */
static int
run(const struct opt *opt, struct err *err)
{
	const struct run_options options = {
		.state_dir = opt->state_dir, .writer = true
	};
	struct run *run;
	int rc;

	if (run_open(opt->job, &options, &run, err) != 0)
		return -1;
	rc = each_edge(opt, run, err);
	run_close(run);
	return rc;
}

const struct cmd cmd_edge_cert = {
	.name = "edge cert",
	.args = "[--renew] JOB",
	.about = "its certificate, what is left of it, and its renewal",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
