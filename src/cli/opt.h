#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>

#include "base/attr.h"

struct err;

/*
 * The options, the same for every command:
 *
 *     --json          one JSON object a line on stdout
 *     --state DIR     where journals are
 *     -q, --quiet     warnings only on stderr
 *     -v, --verbose   more on stderr; twice: all
 *     -h, --help      usage of the command
 *     --version
 */
struct opt {
	bool json;
	bool help;
	bool version;
	int verbosity;		/* -1 quiet, 0, 1, 2 */
	const char *state_dir;	/* NULL: the default */
	const char *command;	/* NULL: none given */
	const char *job;	/* the command's argument; NULL: none given */
};

/*
 * Fails with ERR_USAGE for an unknown option or a word too many.  json is
 * then set when any word is "--json", so that the failure is printed as asked.
 */
int opt_parse(int argc, char **argv, struct opt *, struct err *) MUST_CHECK;

#endif /* !CLI_OPT_H */
