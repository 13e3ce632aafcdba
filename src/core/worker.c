#include "base/base.h"

#include <fnmatch.h>

#include "core/worker.h"

static const char *const exclude[] = {
	/* not carried: they must be made anew there */
	"venv", ".venv", "node_modules",
	"__pycache__", "*.pyc", ".pytest_cache", ".ruff_cache",
	".mypy_cache", "htmlcov", ".coverage",
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
	/* stale secrets; .env.example is code and begins with an e */
	".env.[!e]*", ".env~", "*.bak", "*.backup",
	/* logins that are bound to one client at a time */
	"*.session", "*.session-journal", "telegram_session_*.json",
	/* may hold tokens in remote URLs */
	".git",
	/* a crash dump; runtime/core is code, so the whole path is said */
	"broca/core",
	/* snapshotted, never copied */
	"broca/sanctum.db", "broca/sanctum.db-*",
	/* ours */
	".sanctumctl-*",
	NULL
};

const char *const *
worker_exclude(void)
{
	return exclude;
}

bool
worker_is_script(const char *path)
{
	return fnmatch("*.sh", path, FNM_PATHNAME) == 0 ||
	    fnmatch("*/start*.sh", path, FNM_PATHNAME) == 0;
}

bool
worker_leaves(const char *path)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	for (const char *const *p = exclude; *p; p++) {
		if (strchr(*p, '/') ?
		    fnmatch(*p + (**p == '/'), path, FNM_PATHNAME) == 0 :
		    fnmatch(*p, last, 0) == 0)
			return true;
	}
	return false;
}
