#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"

/* Check the words and run the command; -1 with err filled. */
static int
dispatch(struct opt *opt, struct err *err)
{
	const struct cmd *cmd = NULL;

	if (opt->version) {
		(void)printf("sanctumctl %s\n", PACKAGE_VERSION);
		return 0;
	}
	if (opt->n_words > 0 && cmd_find(opt, &cmd, err) != 0)
		return -1;
	if (opt->help) {
		cmd_help(cmd);
		return 0;
	}
	if (!cmd)
		return err_set(err, ERR_USAGE, "a command is missing (see "
		    "sanctumctl --help)");
	if (cmd->verbs)
		return err_set(err, ERR_USAGE, "%s: one of its verbs is "
		    "missing (see sanctumctl %s --help)", cmd->name,
		    cmd->name);
	if (opt->n_words > cmd->max_words)
		return err_set(err, ERR_USAGE, "one word too many: %s",
		    opt->words[cmd->max_words]);
	if (opt->n_words < cmd->min_words)
		return err_set(err, ERR_USAGE, "usage: sanctumctl %s %s",
		    cmd->name, cmd->args);
	opt->job = opt->words[0];
	return cmd->run(opt, err);
}

int
cmd_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct opt opt;
	int code;

	code = opt_parse(argc, argv, &opt, &err);
	if (code == 0) {
		log_set_level(opt.verbosity < 0 ? LOG_LEVEL_WARN :
		    opt.verbosity == 0 ? LOG_LEVEL_INFO :
		    opt.verbosity == 1 ? LOG_LEVEL_DETAIL : LOG_LEVEL_DEBUG);
		code = dispatch(&opt, &err);
	}
	progress_end();
	if (code == -1) {
		show_error(&opt, &err);
		code = err_exit(&err);
	}
	/* A full disk or a closed pipe must not look like a success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fprintf(stderr, "sanctumctl: cannot write the result "
		    "to stdout\n");
		code = code == 0 || code == 4 ? 1 : code;
	}
	return code;
}
