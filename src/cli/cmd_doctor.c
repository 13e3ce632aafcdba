#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "flow/doctor_run.h"

#define EXIT_FOUND 3

struct telling {
	const struct opt *opt;
	const char *last_cure;	/* not to be said twice in a row */
};

static void
finding_json(const struct doctor_finding *finding)
{
	struct jdoc *object = show_new("doctor_finding");

	jdoc_set_str(object, "trap", finding->trap->id);
	jdoc_set_str(object, "severity",
	    doctor_severity_word(finding->trap->severity));
	jdoc_set(object, "known", jdoc_new_bool(finding->known));
	jdoc_set_str(object, "title", finding->trap->title);
	jdoc_set_str(object, "where", finding->where);
	jdoc_set_str(object, "evidence", finding->evidence);
	jdoc_set_str(object, "cure", finding->trap->cure);
	show_object(object);
}

static void
finding_text(struct telling *telling, const struct doctor_finding *finding)
{
	const struct doctor_trap *trap = finding->trap;

	if (!finding->known) {
		(void)printf("%-8s  %s  [%s]\n          not compared: %s\n",
		    "?", finding->where, trap->id, finding->evidence);
		return;
	}
	(void)printf("%-8s  %s  [%s]\n          %s: %s\n",
	    doctor_severity_word(trap->severity), finding->where, trap->id,
	    trap->title, finding->evidence);
	if (telling->last_cure != trap->cure)
		(void)printf("          cure: %s\n", trap->cure);
	telling->last_cure = trap->cure;
}

static void
tell(void *ctx, const struct doctor_finding *finding)
{
	struct telling *telling = ctx;

	if (telling->opt->json)
		finding_json(finding);
	else
		finding_text(telling, finding);
	(void)fflush(stdout);
}

static void
result_json(const struct opt *opt, const struct doctor *d)
{
	struct jdoc *object = show_new("doctor");

	jdoc_set_str(object, "word", opt->words[0]);
	jdoc_set(object, "looked", jdoc_new_int((int64_t)d->looked));
	jdoc_set(object, "found", jdoc_new_int((int64_t)d->found));
	for (int s = DOCTOR_NOTICE; s <= DOCTOR_CRITICAL; s++)
		jdoc_set(object, doctor_severity_word(
		    (enum doctor_severity)s),
		    jdoc_new_int((int64_t)d->by_severity[s]));
	jdoc_set(object, "unknown", jdoc_new_int((int64_t)d->unknown));
	show_object(object);
}

static void
result_text(const struct opt *opt, const struct doctor *d)
{
	(void)printf("%s: %" PRIu64 " checks; ", opt->words[0], d->looked);
	if (d->found == 0)
		(void)printf("nothing found");
	else
		(void)printf("%" PRIu64 " found: %" PRIu64 " critical, %"
		    PRIu64 " warnings, %" PRIu64 " notices", d->found,
		    d->by_severity[DOCTOR_CRITICAL],
		    d->by_severity[DOCTOR_WARNING],
		    d->by_severity[DOCTOR_NOTICE]);
	if (d->unknown > 0)
		(void)printf("; %" PRIu64 " not compared", d->unknown);
	(void)printf("\n");
}

static void
list_one(const struct opt *opt, const struct doctor_trap *trap)
{
	struct jdoc *object;

	if (!opt->json) {
		(void)printf("%s (%s)\n    %s\n    cure: %s\n    known from: "
		    "%s\n", trap->id, doctor_severity_word(trap->severity),
		    trap->title, trap->cure, trap->fact);
		return;
	}
	object = show_new("doctor_trap");
	jdoc_set_str(object, "trap", trap->id);
	jdoc_set_str(object, "severity",
	    doctor_severity_word(trap->severity));
	jdoc_set_str(object, "title", trap->title);
	jdoc_set_str(object, "cure", trap->cure);
	jdoc_set_str(object, "fact", trap->fact);
	show_object(object);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct telling telling = { .opt = opt };
	struct doctor d = { .tell = tell, .ctx = &telling };
	const struct doctor_options options = { .origin = opt->origin,
	    .turn = opt->turn, .ca_file = opt->ca_file,
	    .connect_to = opt->connect_to };

	if (opt->list) {
		for (size_t i = 0; i < doctor_n_traps; i++)
			list_one(opt, &doctor_traps[i]);
		return 0;
	}
	if (opt->n_words == 0)
		return err_set(err, ERR_USAGE, "doctor of what?  give a "
		    "host, a URL or a job file, or --list");
	if (doctor_run(&d, opt->words[0], &options, err) != 0)
		return -1;
	if (opt->json)
		result_json(opt, &d);
	else
		result_text(opt, &d);
	return d.found > 0 ? EXIT_FOUND : 0;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "HOST|URL|JOB",
	.about = "every known trap that can be seen there, and its cure; "
	    "changes nothing",
	.min_words = 0,
	.max_words = 1,
	.run = run,
};
