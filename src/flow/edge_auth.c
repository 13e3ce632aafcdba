#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge_auth.h"
#include "flow/edge_place.h"
#include "flow/edge_render.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define USERS_MAX (64 * 1024 + 2)
#define GROUP_DEFAULT "www-data"	/* of Debian's nginx */
#define FILE_MODE 0640

/* What crypt(3) and nginx's own schemes begin with, but for {PLAIN}. */
static bool
is_hashed(const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t left;

	if (!colon || colon == line)
		return false;
	left = len - (size_t)(++colon - line);
	return left > 12 && (*colon == '$' ||
	    strncmp(colon, "{SHA}", 5) == 0 ||
	    strncmp(colon, "{SSHA}", 6) == 0);
}

/* The file's text; wiped by its owner. */
static int
make(struct run *run, const struct conf_edge *edge, struct buf *out,
    struct err *err)
{
	const struct secret *users = run_secret(run, &edge->ade_auth);
	const char *at;
	size_t len, n = 0;

	if (!users)
		return err_set(err, ERR_USAGE, "ade_auth of [edge %s] was not "
		    "fetched", edge->host->name);
	for (at = secret_bytes(users); *at; at += len + (at[len] == '\n')) {
		len = strcspn(at, "\n");
		n++;
		if (!is_hashed(at, len))
			return err_set(err, ERR_USAGE, "ade_auth of [edge "
			    "%s], line %zu: not NAME:HASH as `htpasswd -B' "
			    "or `openssl passwd -6' makes it",
			    edge->host->name, n);
		buf_add(out, at, len);
		buf_char(out, '\n');
	}
	return 0;
}

static int
worker_group(struct host *host, const struct conf_edge *edge,
    const struct edge_place *place, gid_t *out, struct err *err)
{
	const char *name = *place->group ? place->group : GROUP_DEFAULT;
	const char *const argv[] = { "getent", "group", name, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = 20000 };
	struct proc_result result;
	unsigned long gid = 0;
	bool found;
	int rc;

	proc_result_init(&result, 65536);
	rc = host_ask(host, &spec, &result, err);
	found = rc == 0 && result.status == 0 && sscanf(
	    buf_cstr(&result.out), "%*[^:]:%*[^:]:%lu", &gid) == 1;
	if (rc == 0 && !found)
		rc = err_set(err, ERR_FAILED, "%s: nginx's workers are of "
		    "the group %s, which is not there", edge->host->name,
		    name);
	*out = (gid_t)gid;
	proc_result_clear(&result);
	return rc;
}

static char *
fact(const struct conf_edge *edge)
{
	return run_key("edge", edge->host->name, "htpasswd");
}

static int
is_ours(struct run *run, const struct conf_edge *edge, bool *out,
    struct err *err)
{
	char *key = fact(edge), *value = NULL;
	int rc;

	rc = journal_get(run->journal, key, &value, err);
	*out = value && str_eq(value, "yes");
	free(value);
	free(key);
	return rc;
}

static int
look(struct host *host, const char *path, const struct buf *wanted, gid_t gid,
    bool *out, struct err *err)
{
	struct buf now;
	struct fs_meta meta;
	int rc;

	buf_init_still(&now, USERS_MAX);
	rc = host_read(host, path, &now, &meta, err);
	*out = rc == 0 && now.len == wanted->len &&
	    memcmp(buf_cstr(&now), buf_cstr(wanted), now.len) == 0 &&
	    meta.mode == FILE_MODE && meta.uid == 0 && meta.gid == gid;
	if (rc != 0 && (err->kind == ERR_MISSING || err->kind == ERR_DATA)) {
		err_clear(err);
		rc = 0;
	}
	buf_wipe(&now);
	return rc;
}

int
edge_auth_look(struct run *run, struct host *host,
    const struct conf_edge *edge, const struct edge_place *place, bool *out,
    struct err *err)
{
	char *path = edge_htpasswd_path(edge);
	struct buf wanted;
	bool ours = false;
	gid_t gid = 0;
	int rc;

	buf_init_still(&wanted, USERS_MAX);
	*out = true;
	if (!edge->ade_auth.ref) {
		rc = is_ours(run, edge, &ours, err);
		*out = !ours;
	} else {
		rc = make(run, edge, &wanted, err);
		if (rc == 0)
			rc = worker_group(host, edge, place, &gid, err);
		if (rc == 0)
			rc = look(host, path, &wanted, gid, out, err);
	}
	buf_wipe(&wanted);
	free(path);
	return rc;
}

int
edge_auth_set(struct run *run, struct host *host,
    const struct conf_edge *edge, const struct edge_place *place,
    struct err *err)
{
	struct fs_meta meta = { .mode = FILE_MODE };
	char *path, *key;
	struct buf wanted;
	int rc;

	if (!edge->ade_auth.ref)
		return edge_auth_undo(run, host, edge, err);
	path = edge_htpasswd_path(edge);
	key = fact(edge);
	buf_init_still(&wanted, USERS_MAX);
	rc = make(run, edge, &wanted, err);
	if (rc == 0)
		rc = worker_group(host, edge, place, &meta.gid, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, "yes", err);
	if (rc == 0)
		rc = host_replace(host, path, buf_cstr(&wanted), wanted.len,
		    &meta, err);
	buf_wipe(&wanted);
	free(key);
	free(path);
	return rc;
}

int
edge_auth_undo(struct run *run, struct host *host,
    const struct conf_edge *edge, struct err *err)
{
	char *path = edge_htpasswd_path(edge), *key = fact(edge);
	bool ours;
	int rc;

	rc = is_ours(run, edge, &ours, err);
	if (rc == 0 && ours) {
		rc = host_remove(host, path, err);
		if (rc == 0)
			rc = journal_put(run->journal, key, "no", err);
	}
	free(key);
	free(path);
	return rc;
}
