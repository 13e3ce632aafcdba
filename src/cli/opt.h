#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>

#include "base/attr.h"

struct err;

#define OPT_WORDS_MAX 8

/*
 * The options, the same for every command:
 *
 *     --json          one JSON object a line on stdout
 *     --state DIR     where journals are
 *     -q, --quiet     warnings only on stderr
 *     -v, --verbose   more on stderr; twice: all
 *     -h, --help      usage of the command
 *     --for VERSION   agent lint
 *     --out DIR       edge render: where files are written
 *     --name TEXT     agent import: the agent's name there
 *     --tools WORD    agent import, letta restore: stop, override or
 *                     keep
 *     --list          doctor: all traps, and how they are known
 *     --on HOST       letta health: the host to look at
 *     --origin URL    doctor: of the page that a browser shows
 *     --turn AGENT    doctor: let it take one, to see the stream
 *     --ca-file FILE, --connect-to ADDRESS    doctor URL
 *     --discard       reverse: leave what the target has queued since;
 *                     letta rollback, cancel: drop what was written since;
 *                     complete: of an upgrade that was written to since
 *     --dry-run       show what would be done: agent import, letta
 *                     restore, worker repoint, uninstall
 *     --purge         uninstall: data and packages, too
 *     --renew         edge cert: now, whatever is left
 *     --keep N        letta backup: so many, older ones are removed
 *     --jobs N        letta backup: agents that are read at a time
 *     --since DIR     letta backup: what has not changed is taken from there
 *     --reverse       worker repoint: back
 *     --version
 */
struct opt {
	bool json;
	bool help;
	bool version;
	int verbosity;		/* -1 quiet, 0, 1, 2 */
	const char *state_dir;	/* NULL: the default */
	const char *for_version;	/* NULL: not given; so the next ones */
	const char *name;
	const char *tools;
	const char *out;
	const char *on;
	const char *origin;
	const char *turn;
	const char *ca_file;
	const char *connect_to;
	const char *keep;	/* a number */
	const char *jobs;	/* a number */
	const char *since;
	bool list;
	bool dry_run;
	bool discard;
	bool purge;
	bool renew;
	bool reverse;
	const char *command;	/* its whole name, once it is found; or NULL */
	/* The words that are no options, a command first. */
	const char *words[OPT_WORDS_MAX];
	int n_words;
	const char *job;	/* words[0] once the command is taken off */
};

/*
 * Fails with ERR_USAGE for an unknown option or a word too many.  json is
 * then set when any word is "--json", so that the failure is printed as asked.
 */
int opt_parse(int argc, char **argv, struct opt *, struct err *) MUST_CHECK;

#endif /* !CLI_OPT_H */
