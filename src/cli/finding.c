#include "base/base.h"

#include "cli/finding.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/doctor.h"
#include "core/jdoc.h"

#define EXIT_FOUND 3

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
finding_text(struct finding_telling *telling,
    const struct doctor_finding *finding)
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

void
finding_tell(void *ctx, const struct doctor_finding *finding)
{
	struct finding_telling *telling = ctx;

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

int
finding_result(const struct opt *opt, const struct doctor *d)
{
	if (opt->json)
		result_json(opt, d);
	else
		result_text(opt, d);
	return d->found > 0 ? EXIT_FOUND : 0;
}

void
finding_list(const struct opt *opt, bool (*has)(const char *trap))
{
	for (size_t i = 0; i < doctor_n_traps; i++) {
		if (!has || has(doctor_traps[i].id))
			list_one(opt, &doctor_traps[i]);
	}
}
