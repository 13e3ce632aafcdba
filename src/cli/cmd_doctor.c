#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/finding.h"
#include "cli/opt.h"
#include "core/doctor.h"
#include "flow/doctor_run.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct finding_telling telling = { .opt = opt };
	struct doctor d = { .tell = finding_tell, .ctx = &telling };
	const struct doctor_options options = { .origin = opt->origin,
	    .turn = opt->turn, .ca_file = opt->ca_file,
	    .connect_to = opt->connect_to };

	if (opt->list) {
		finding_list(opt, NULL);
		return 0;
	}
	if (opt->n_words == 0)
		return err_set(err, ERR_USAGE, "doctor of what?  give a "
		    "host, a URL or a job file, or --list");
	if (doctor_run(&d, opt->words[0], &options, err) != 0)
		return -1;
	return finding_result(opt, &d);
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
