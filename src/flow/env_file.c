#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/dotenv.h"
#include "flow/env_file.h"
#include "flow/host_word.h"
#include "io/host.h"

int
env_file_read(const struct host_word *at, struct buf *text, struct err *err)
{
	if (host_read(at->host, at->path, text, NULL, err) != 0)
		return -1;
	return buf_check(text, at->where, err);
}

int
env_file_get(const struct host_word *at, const char *key, struct buf *value,
    bool *set, struct err *err)
{
	struct buf text;
	enum dotenv_found found = DOTENV_ABSENT;
	int rc;

	buf_init_still(&text, ENV_FILE_MAX);
	rc = env_file_read(at, &text, err);
	if (rc == 0 && dotenv_get(buf_cstr(&text), text.len, key, NULL,
	    value, &found, err) != 0)
		rc = err_ctx(err, "%s", at->where);
	*set = found == DOTENV_VALUE;
	buf_wipe(&text);
	return rc;
}

/* What is there; a new file is for its owner alone. */
static int
read_old(const struct host_word *at, struct buf *text, struct fs_meta *meta,
    struct err *err)
{
	if (host_stat(at->host, at->path, meta, err) != 0)
		return -1;
	if (meta->type == FS_NONE) {
		*meta = (struct fs_meta){ .mode = 0600, .uid = (uid_t)-1,
		    .gid = (gid_t)-1 };
		return 0;
	}
	if (meta->type != FS_FILE)
		return err_set(err, ERR_DATA, "%s is not a regular file; name "
		    "the file that a symlink leads to", at->where);
	return env_file_read(at, text, err);
}

int
env_file_set(const struct host_word *at, const char *key, const char *value,
    unsigned int *disagree, bool *changed, struct err *err)
{
	struct buf old, new = BUF_INIT(ENV_FILE_MAX);
	struct fs_meta meta;
	int rc;

	buf_init_still(&old, ENV_FILE_MAX);
	rc = read_old(at, &old, &meta, err);
	if (rc == 0) {
		buf_add(&new, buf_cstr(&old), old.len);
		rc = dotenv_set(&new, at->where, key, value, disagree, err);
	}
	*changed = rc == 0 && (old.len != new.len ||
	    memcmp(buf_cstr(&old), buf_cstr(&new), new.len) != 0);
	if (*changed)
		rc = host_replace(at->host, at->path, new.data, new.len,
		    &meta, err);
	buf_wipe(&old);
	buf_wipe(&new);
	return rc;
}
