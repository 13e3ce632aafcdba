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
