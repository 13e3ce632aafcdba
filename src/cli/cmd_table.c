#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "cli/cmd.h"

extern const struct cmd cmd_apply, cmd_cancel, cmd_check, cmd_plan,
    cmd_status, cmd_verify;

const struct cmd *const cmd_table[] = {
	&cmd_check,
	&cmd_plan,
	&cmd_apply,
	&cmd_verify,
	&cmd_status,
	&cmd_cancel,
	NULL
};

const struct cmd *
cmd_find(const char *name)
{
	for (const struct cmd *const *cmd = cmd_table; *cmd; cmd++) {
		if (str_eq((*cmd)->name, name))
			return *cmd;
	}
	return NULL;
}

void
cmd_help(const struct cmd *one)
{
	if (one) {
		(void)printf("usage: sanctumctl %s [options] %s\n%s\n",
		    one->name, one->args, one->about);
		return;
	}
	(void)printf("usage: sanctumctl COMMAND [options] JOB\n\n"
	    "Bring up Sanctum hosts, and move minds and their workers "
	    "between them.\nJOB is a job file, see sanctumctl.conf(5).\n\n");
	for (const struct cmd *const *cmd = cmd_table; *cmd; cmd++)
		(void)printf("  %-8s %s\n", (*cmd)->name, (*cmd)->about);
	(void)printf("\n"
	    "  --json         one JSON object a line on stdout\n"
	    "  --state DIR    where journals are (default "
	    "~/.local/state/sanctumctl)\n"
	    "  -q, --quiet    warnings only on stderr\n"
	    "  -v, --verbose  more on stderr; twice: all\n"
	    "  -h, --help     this, or the usage of a command\n"
	    "  --version\n\n"
	    "Exit codes: 0 done, 1 failed, 2 usage, 3 partial, 4 plan has "
	    "changes,\n10 unreachable, 11 locked, 12 authentication, 13 host "
	    "key, 14 not the same,\n15 the world moved, 75 try again, 130 "
	    "interrupted.  See sanctumctl(8).\n");
}

int
cmd_unknown(const char *name, struct err *err)
{
	const char *names[sizeof(cmd_table) / sizeof(*cmd_table)];
	const char *near;
	size_t i;

	for (i = 0; cmd_table[i]; i++)
		names[i] = cmd_table[i]->name;
	names[i] = NULL;
	near = str_nearest(name, names);
	if (near)
		return err_set(err, ERR_USAGE, "unknown command `%s' (did "
		    "you mean `%s'?)", name, near);
	return err_set(err, ERR_USAGE, "unknown command `%s' (see "
	    "sanctumctl --help)", name);
}
