#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"

/* More than one level of commands has. */
#define NAMES_MAX 32

extern const struct cmd cmd_agent, cmd_apply, cmd_cancel, cmd_check,
    cmd_complete, cmd_edge, cmd_letta, cmd_plan, cmd_rehearse, cmd_reverse,
    cmd_status, cmd_switch, cmd_uninstall, cmd_verify, cmd_worker;
extern const struct cmd cmd_doctor;

const struct cmd *const cmd_table[] = {
	&cmd_check,
	&cmd_plan,
	&cmd_rehearse,
	&cmd_apply,
	&cmd_verify,
	&cmd_status,
	&cmd_switch,
	&cmd_reverse,
	&cmd_complete,
	&cmd_cancel,
	&cmd_uninstall,
	&cmd_edge,
	&cmd_doctor,
	&cmd_letta,
	&cmd_agent,
	&cmd_worker,
	NULL
};

/* Whether this is its name, or the last word of it. */
static bool
is_named(const struct cmd *cmd, const char *word)
{
	const char *blank = strrchr(cmd->name, ' ');

	return str_eq(blank ? blank + 1 : cmd->name, word);
}

static const struct cmd *
find(const struct cmd *const *cmds, const char *word)
{
	for (; *cmds; cmds++) {
		if (is_named(*cmds, word))
			return *cmds;
	}
	return NULL;
}

static int
unknown(const struct cmd *const *cmds, const char *word, struct err *err)
{
	const char *names[NAMES_MAX] = { NULL }, *near, *blank;

	for (size_t i = 0; cmds[i] && i + 1 < NAMES_MAX; i++) {
		blank = strrchr(cmds[i]->name, ' ');
		names[i] = blank ? blank + 1 : cmds[i]->name;
	}
	near = str_nearest(word, names);
	if (near)
		return err_set(err, ERR_USAGE, "unknown command `%s' (did "
		    "you mean `%s'?)", word, near);
	return err_set(err, ERR_USAGE, "unknown command `%s' (see "
	    "sanctumctl --help)", word);
}

static void
drop_word(struct opt *opt)
{
	opt->n_words--;
	memmove(opt->words, opt->words + 1,
	    (size_t)opt->n_words * sizeof(*opt->words));
}

int
cmd_find(struct opt *opt, const struct cmd **out, struct err *err)
{
	const struct cmd *const *cmds = cmd_table;
	const struct cmd *cmd;

	do {
		cmd = find(cmds, opt->words[0]);
		if (!cmd)
			return unknown(cmds, opt->words[0], err);
		drop_word(opt);
		opt->command = cmd->name;
		*out = cmd;
		cmds = cmd->verbs;
	} while (cmds && opt->n_words > 0);
	return 0;
}

static void
list(const struct cmd *const *cmds)
{
	for (; *cmds; cmds++) {
		if ((*cmds)->verbs)
			list((*cmds)->verbs);
		else
			(void)printf("  %-13s %s\n", (*cmds)->name,
			    (*cmds)->about);
	}
}

void
cmd_help(const struct cmd *one)
{
	if (one && one->verbs) {
		(void)printf("usage: sanctumctl %s VERB ...\n\n",
		    one->name);
		list(one->verbs);
		return;
	}
	if (one) {
		(void)printf("usage: sanctumctl %s [options] %s\n%s\n",
		    one->name, one->args, one->about);
		return;
	}
	(void)printf("usage: sanctumctl COMMAND [options] JOB\n"
	    "       sanctumctl edge VERB JOB\n"
	    "       sanctumctl agent VERB [options] ...\n"
	    "       sanctumctl doctor [options] HOST|URL|JOB\n"
	    "       sanctumctl letta VERB [options] ...\n"
	    "       sanctumctl worker VERB [options] ...\n\n"
	    "Bring up Sanctum hosts, and move minds and their workers "
	    "between them.\nJOB is a job file, see sanctumctl.conf(5).\n\n");
	list(cmd_table);
	(void)printf("\n"
	    "  --json         one JSON object a line on stdout\n"
	    "  --state DIR    where journals are (default "
	    "~/.local/state/sanctumctl)\n"
	    "  --list         all that doctor knows\n"
	    "  --origin URL   the page of the browser that is played "
	    "(doctor)\n"
	    "  --turn AGENT   let an agent take a turn, to see its stream "
	    "(doctor)\n"
	    "  --ca-file FILE, --connect-to ADDRESS    for a URL (doctor)\n"
	    "  --dry-run      show what would be done (agent import, letta "
	    "restore,\n                 worker repoint, uninstall)\n"
	    "  --renew        now, whatever is left (edge cert)\n"
	    "  --on HOST      its host, to look at clients (letta health)\n"
	    "  --keep N, --jobs N, --since DIR    (letta backup)\n"
	    "  --reverse      go back (worker repoint)\n"
	    "  --out DIR      where files are written (edge render)\n"
	    "  --purge        the data and packages, too (uninstall)\n"
	    "  --name TEXT    the agent's name there (agent import)\n"
	    "  --tools WORD   stop, override or keep (agent import, letta "
	    "restore)\n"
	    "  -q, --quiet    warnings only on stderr\n"
	    "  -v, --verbose  more on stderr; twice: all\n"
	    "  -h, --help     this, or the usage of a command\n"
	    "  --version\n\n"
	    "Exit codes: 0 done, 1 failed, 2 usage, 3 partial, 4 plan has "
	    "changes,\n10 unreachable, 11 locked, 12 authentication, 13 host "
	    "key, 14 not the same,\n15 the world moved, 75 try again, 130 "
	    "interrupted.  See sanctumctl(8).\n");
}
