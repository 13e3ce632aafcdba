#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/letta.h"
#include "flow/doctor_url.h"
#include "flow/doctor_users.h"
#include "flow/worker_users_db.h"
#include "io/host.h"
#include "io/http.h"

/* What the server answers for one id; 0: no answer. */
static int
status_of(const struct doctor_site *site, const char *path, long *status,
    struct err *err)
{
	const struct doctor_request how = { .token = true };
	struct http_reply reply = { .body = BUF_INIT(DOCTOR_ANSWER_MAX) };
	int rc;

	rc = doctor_request(site, &how, "GET", path, NULL, DOCTOR_ASK_MS,
	    &reply, err);
	*status = rc == 0 ? reply.status : 0;
	buf_clear(&reply.body);
	return rc;
}

static int
look_at_id(const struct doctor_site *site, const char *where,
    const char *trap, const char *kind, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	long status = 404;
	int rc = 0;

	if (id) {
		buf_printf(&path, "/v1/%s/", kind);
		str_url(&path, id);
		rc = status_of(site, buf_cstr(&path), &status, err);
	}
	buf_clear(&path);
	if (rc != 0)
		return doctor_url_pass(site, trap, err);
	if (status == 200 || status == 404)
		doctor_judge(site->d, status == 404, trap, where,
		    "%s is not at %s", id ? id : "NULL", site->url);
	else
		doctor_unknown(site->d, trap, where, "%s answers %ld",
		    site->url, status);
	return 0;
}

static int
look_at(const struct doctor_site *site, const char *where,
    const struct worker_users *users, struct err *err)
{
	const struct worker_user *one = users->list;

	for (size_t i = 0; i < users->n && i < DOCTOR_USERS_MAX; i++, one++) {
		if (look_at_id(site, where, "worker-user-block", "blocks",
		    one->block, err) != 0 || look_at_id(site, where,
		    "worker-user-identity", "identities", one->identity,
		    err) != 0)
			return -1;
	}
	return 0;
}

int
doctor_users(const struct doctor_site *site, struct host *host,
    const char *dir, struct err *err)
{
	char *path = mem_printf("%s/broca/sanctum.db", dir);
	char *where = mem_printf("%s:%s", host_name(host), path);
	struct worker_users users = { 0 };
	struct fs_meta meta = { .type = FS_NONE };
	int rc = 0;

	if (site->token)
		rc = host_stat(host, path, &meta, err);
	if (rc == 0 && meta.type == FS_FILE)
		rc = worker_users_load(host, path, &users, err);
	rc = rc != 0 ? doctor_url_pass(site, "worker-user-block", err) :
	    look_at(site, where, &users, err);
	worker_users_clear(&users);
	free(where);
	free(path);
	return rc;
}
