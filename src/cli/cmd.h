#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdbool.h>

#include "base/attr.h"

struct err;

/*
 * A command of the program: one const struct in a file of its own, listed in
 * cmd_table.c.  Help, usage and the check against the man page come from
 * these.
 */
struct opt;

struct cmd {
	const char *name;
	const char *args;	/* after the options, for usage: "JOB" */
	const char *about;	/* one line */
	/*
	 * Of a command that is a group ("agent"): its verbs, ended by NULL,
	 * each with a name of two words; run is then NULL.
	 */
	const struct cmd *const *verbs;
	int min_words, max_words;	/* of args; a job command: 1, 1 */
	/*
	 * Do it.  Results go to stdout; a failure goes into err, which
	 * cmd_main hands to show_error.  Returns the exit code when it is
	 * not a failure (plan: 4 for "there is something to do"), -1
	 * otherwise.
	 */
	int (*run)(const struct opt *, struct err *);
};

/* Ended by NULL. */
extern const struct cmd *const cmd_table[];

/*
 * The command of the first words of opt, which are taken off it.  Fails with
 * ERR_USAGE for a word that is none, or a group alone.
 */
int cmd_find(struct opt *, const struct cmd **out, struct err *) MUST_CHECK;

/* The whole help, or the usage of one command, on stdout. */
void cmd_help(const struct cmd *);

/*
 * Run the command line, and print its failure (cli/show.h); returns the exit
 * code of the program.
 */
int cmd_main(int argc, char **argv);

#endif /* !CLI_CMD_H */
