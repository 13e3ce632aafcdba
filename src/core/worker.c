#include "base/base.h"

#include <fnmatch.h>

#include "base/str.h"
#include "core/worker.h"

/* The first is left out of the list when it is carried. */
static const char *const exclude[] = {
	/* may hold tokens in remote URLs, and files that were taken back */
	".git",
	/* not carried: they must be made anew there */
	"venv", ".venv", "node_modules",
	"__pycache__", "*.pyc", ".pytest_cache", ".ruff_cache",
	".mypy_cache", "htmlcov", ".coverage", "tmp", "temp",
	/* of a process that does not run there */
	"*.pid", "broca/run/*.lock", "broca/run/*.log", "*.log", "*.log.[0-9]",
	"logs",
	/*
	 * Written 0600 with their new values, never copied: at the source
	 * others may be able to read them.
	 */
	"/.env", "/*/.env",
	/* written anew with them: worker_is_script */
	"/*.sh", "/*/start*.sh",
	/* stale secrets; .env.example is code, so it is spelled around */
	".env.[!e]*", ".env.e", ".env.e[!x]*", ".env.ex", ".env.ex[!a]*",
	".env.exa[!m]*", ".env[-_~]*", "*.bak", "*.backup",
	/* logins that are bound to one client at a time */
	"*.session", "*.session-journal", "telegram_session_*.json",
	/* a crash dump; runtime/core is code, so the whole path is said */
	"broca/core",
	/* snapshotted, never copied */
	"broca/sanctum.db", "broca/sanctum.db-*",
	/* ours */
	".sanctumctl-*",
	NULL
};

const char *
worker_entry(const char *tree)
{
	if (str_eq(tree, "broca"))
		return "main.py";
	if (str_eq(tree, "smcp"))
		return "smcp.py";
	return NULL;
}

const char *const *
worker_exclude(bool git)
{
	return git ? exclude + 1 : exclude;
}

bool
worker_is_script(const char *path)
{
	return fnmatch("*.sh", path, FNM_PATHNAME) == 0 ||
	    fnmatch("*/start*.sh", path, FNM_PATHNAME) == 0;
}

bool
worker_leaves(const char *path, bool git)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	for (const char *const *p = worker_exclude(git); *p; p++) {
		if (strchr(*p, '/') ?
		    fnmatch(*p + (**p == '/'), path, FNM_PATHNAME) == 0 :
		    fnmatch(*p, last, 0) == 0)
			return true;
	}
	return false;
}
