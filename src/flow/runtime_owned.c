#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/account.h"
#include "flow/runtime_part.h"
#include "io/host.h"

/*
 * Accounts and directories that a job makes on a host: which of them it has
 * made is in the journal before they are, so that an undo takes away those
 * alone.
 */

static int
note_made(const struct runtime *rt, const char *word, const char *what,
    const char *value, struct err *err)
{
	char *key = mem_printf("%s.%s", word, what);
	int rc = runtime_put(rt, key, value, err);

	free(key);
	return rc;
}

static int
was_made(const struct runtime *rt, const char *word, const char *what,
    bool *out, struct err *err)
{
	char *key = mem_printf("%s.%s", word, what), *value = NULL;
	int rc = runtime_get(rt, key, &value, err);

	*out = rc == 0 && value;
	free(value);
	free(key);
	return rc;
}

int
runtime_account_make(const struct runtime *rt, const char *name,
    const char *home, const char *word, struct err *err)
{
	const char *const argv[] = { "useradd", "--system", "--user-group",
	    "--home-dir", home, "--no-create-home", "--shell",
	    "/usr/sbin/nologin", name, NULL };
	const struct runtime_call call = { .what = "useradd", .argv = argv };
	struct account account;
	bool there;

	if (account_look(rt->host, name, &account, &there, err) != 0)
		return -1;
	account_clear(&account);
	if (there)
		return 0;
	if (note_made(rt, word, "user", name, err) != 0)
		return -1;
	return runtime_do(rt->host, &call, NULL, err);
}

int
runtime_account_remove(const struct runtime *rt, const char *name,
    const char *word, struct err *err)
{
	const char *const argv[] = { "userdel", name, NULL };
	const struct runtime_call call = { .what = "userdel", .argv = argv };
	struct account account;
	bool made, there;

	if (was_made(rt, word, "user", &made, err) != 0)
		return -1;
	if (!made)
		return 0;
	if (account_look(rt->host, name, &account, &there, err) != 0)
		return -1;
	account_clear(&account);
	if (there && runtime_do(rt->host, &call, NULL, err) != 0)
		return -1;
	return note_made(rt, word, "user", "", err);
}

int
runtime_dir_make(const struct runtime *rt, const char *path, mode_t mode,
    const char *account, const char *word, struct err *err)
{
	char *owner = mem_printf("%s:", account ? account : "root");
	const char *const argv[] = { "chown", owner, path, NULL };
	const struct runtime_call call = { .what = "chown", .argv = argv };
	struct fs_meta meta;
	int rc;

	rc = host_stat(rt->host, path, &meta, err);
	if (rc == 0 && meta.type != FS_NONE && meta.type != FS_DIR)
		rc = err_set(err, ERR_DATA, "%s:%s: is there, and no "
		    "directory; nothing was changed", host_name(rt->host),
		    path);
	if (rc == 0 && meta.type == FS_NONE)
		rc = note_made(rt, word, "dir", path, err);
	if (rc == 0 && meta.type == FS_NONE)
		rc = host_mkdirs(rt->host, path, mode, err);
	/* Also when an earlier run ended between the two. */
	if (rc == 0 && account && (meta.type == FS_NONE || meta.uid == 0))
		rc = runtime_do(rt->host, &call, NULL, err);
	free(owner);
	return rc;
}

int
runtime_dir_remove(const struct runtime *rt, const char *path,
    const char *word, bool all, struct err *err)
{
	const char *const argv[] = { "rmdir", "--ignore-fail-on-non-empty",
	    path, NULL };
	const struct runtime_call call = { .what = "rmdir", .argv = argv };
	struct fs_meta meta;
	bool made;
	int rc;

	rc = was_made(rt, word, "dir", &made, err);
	if (rc != 0 || !made)
		return rc;
	rc = host_stat(rt->host, path, &meta, err);
	if (rc == 0 && meta.type == FS_DIR)
		rc = all ? host_remove(rt->host, path, err) :
		    runtime_do(rt->host, &call, NULL, err);
	if (rc == 0)
		rc = note_made(rt, word, "dir", "", err);
	return rc;
}
