#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/renewal.h"
#include "flow/edge.h"
#include "flow/edge_lineage.h"
#include "flow/edge_move.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define FILE_MAX 65536
#define COMMAND_MS 30000

/* The order in which they come here: what makes it a lineage is last. */
enum { CERT, CHAIN, PRIVKEY, FULLCHAIN, N_FILES };

static const char *const file_names[N_FILES] = {
	"cert", "chain", "privkey", "fullchain"
};

static const struct {
	const char *name;
	mode_t mode;
} account_files[] = {
	{ "meta.json", 0644 },
	{ "regr.json", 0644 },
	{ "private_key.json", 0400 },
};

/* One lineage on its way; files hold a key and are wiped. */
struct move {
	struct run *run;
	const struct conf_edge *edge;
	struct host *from, *to;
	struct buf files[N_FILES];
	struct renewal renewal;
	char *account;		/* its directory, the same on both hosts */
};

static int
read_renewal(struct move *m, const char *name, struct err *err)
{
	char *path = mem_printf(EDGE_LETSENCRYPT "/renewal/%s.conf", name);
	char *below = NULL;
	struct buf text = BUF_INIT(FILE_MAX);
	int rc;

	rc = host_read(m->from, path, &text, NULL, err);
	if (rc == 0 && renewal_read(buf_cstr(&text), &m->renewal, err) != 0)
		rc = err_ctx(err, "%s:%s", host_name(m->from), path);
	if (rc == 0) {
		below = renewal_account_dir(&m->renewal);
		if (!below)
			rc = err_set(err, ERR_DATA, "%s:%s: no account "
			    "belongs to its server", host_name(m->from),
			    path);
	}
	if (rc == 0)
		m->account = mem_printf(EDGE_LETSENCRYPT "/accounts/%s",
		    below);
	free(below);
	buf_clear(&text);
	free(path);
	return rc;
}

static int
read_files(struct move *m, const char *name, struct err *err)
{
	char *path;
	int rc = 0;

	for (size_t i = 0; i < N_FILES && rc == 0; i++) {
		path = mem_printf(EDGE_LETSENCRYPT "/live/%s/%s.pem", name,
		    file_names[i]);
		buf_init_still(&m->files[i], FILE_MAX);
		rc = host_read(m->from, path, &m->files[i], NULL, err);
		free(path);
	}
	return rc;
}

static int
check_key(const struct move *m, const char *name, struct err *err)
{
	const struct buf *cert = &m->files[FULLCHAIN];
	const struct buf *key = &m->files[PRIVKEY];
	bool own = false;
	int rc;

	rc = cert_key_matches(cert->data, cert->len, key->data, key->len,
	    &own, err);
	if (rc == 0 && !own)
		rc = err_set(err, ERR_DATA, "the key is not that of the "
		    "certificate");
	if (rc != 0)
		return err_ctx(err, "%s:" EDGE_LETSENCRYPT "/live/%s",
		    host_name(m->from), name);
	return 0;
}

/* Which lineage of the old host it is, and whether it will do here. */
static int
choose(const struct move *m, struct edge_lineage *lineage, struct err *err)
{
	const struct conf_edge *edge = m->edge;
	const char *from = edge->certificate_from->name;
	size_t want = strcasecmp(edge->site, edge->ade_name) == 0 ? 1 : 2;

	if (edge_lineage_find(lineage, m->run, edge, edge->certificate_from,
	    err) != 0)
		return -1;
	if (!lineage->present)
		return err_set(err, ERR_MISSING, "certificate_from = %s: no "
		    "lineage of certbot there names %s and %s and lasts for "
		    "a day; nothing was changed", from, edge->site,
		    edge->ade_name);
	if (!lineage->fits || lineage->cert.n_names != want)
		return err_set(err, ERR_DATA, "certificate_from = %s: lineage "
		    "%s there is for other names than site and ade of this "
		    "job; nothing was changed", from, lineage->name);
	if (!edge_lineage_lasts(lineage))
		return err_set(err, ERR_DATA, "certificate_from = %s: lineage "
		    "%s there has less than a day left; renew it there "
		    "first, or leave certificate_from out", from,
		    lineage->name);
	return 0;
}

static int
make_dirs(const struct move *m, struct err *err)
{
	static const struct {
		const char *below;
		mode_t mode;
		bool of_site;
	} dirs[] = {
		{ "", 0755, false },
		{ "/accounts", 0700, false },
		{ "/renewal", 0755, false },
		{ "/archive", 0700, false },
		{ "/archive/", 0755, true },
		{ "/live", 0700, false },
		{ "/live/", 0755, true },
	};
	char *path;
	int rc = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == 0;
	    i++) {
		path = mem_printf(EDGE_LETSENCRYPT "%s%s", dirs[i].below,
		    dirs[i].of_site ? m->edge->site : "");
		rc = host_mkdirs(m->to, path, dirs[i].mode, err);
		free(path);
	}
	return rc;
}

static int
put(struct host *host, const char *path, const struct buf *text, mode_t mode,
    struct err *err)
{
	const struct fs_meta meta = {
		.mode = mode, .uid = (uid_t)-1, .gid = (gid_t)-1
	};

	return host_replace(host, path, buf_cstr(text), text->len, &meta,
	    err);
}

/* The key of the account, unless the new host has that account already. */
static int
copy_account(struct move *m, struct err *err)
{
	char *fact = run_key("edge", m->edge->host->name, "account"), *path;
	struct fs_meta there;
	struct buf text;
	int rc;

	rc = host_stat(m->to, m->account, &there, err);
	if (rc == 0 && there.type == FS_NONE)
		rc = journal_put(m->run->journal, fact, m->account, err);
	if (rc == 0)
		rc = host_mkdirs(m->to, m->account, 0700, err);
	for (size_t i = 0; rc == 0 &&
	    i < sizeof(account_files) / sizeof(account_files[0]); i++) {
		path = mem_printf("%s/%s", m->account, account_files[i].name);
		buf_init_still(&text, FILE_MAX);
		rc = host_stat(m->to, path, &there, err);
		if (rc == 0 && there.type == FS_NONE)
			rc = host_read(m->from, path, &text, NULL, err);
		if (rc == 0 && there.type == FS_NONE)
			rc = put(m->to, path, &text, account_files[i].mode,
			    err);
		buf_wipe(&text);
		free(path);
	}
	free(fact);
	return rc;
}

static int
write_renewal(const struct move *m, struct err *err)
{
	const struct conf_edge *edge = m->edge;
	const char *domains[] = { edge->site, edge->ade_name };
	char *webroot = edge_webroot(edge);
	char *path = mem_printf(EDGE_LETSENCRYPT "/renewal/%s.conf",
	    edge->site);
	struct buf text = BUF_INIT(FILE_MAX);
	int rc;

	renewal_render(&m->renewal, edge->site, webroot, domains,
	    strcasecmp(edge->site, edge->ade_name) == 0 ? 1 : 2, &text);
	rc = put(m->to, path, &text, 0644, err);
	buf_clear(&text);
	free(path);
	free(webroot);
	return rc;
}

/* live/SITE/NAME.pem is a link into the archive: certbot insists on it. */
static int
link_live(const struct move *m, const char *name, struct err *err)
{
	char *to = mem_printf("../../archive/%s/%s1.pem", m->edge->site,
	    name);
	char *path = mem_printf(EDGE_LETSENCRYPT "/live/%s/%s.pem",
	    m->edge->site, name);
	const char *argv[] = { "ln", "-sfn", to, path, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = COMMAND_MS };
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_run(m->to, &spec, &result, err);
	if (rc == 0 && result.status != 0) {
		edge_said(&shown, &result.err_out, 300);
		rc = err_set(err, ERR_FAILED, "%s: ln: %s", host_name(m->to),
		    buf_cstr(&shown));
	}
	buf_clear(&shown);
	proc_result_clear(&result);
	free(path);
	free(to);
	return rc;
}

static int
write_lineage(struct move *m, struct err *err)
{
	char *path;
	int rc;

	rc = make_dirs(m, err);
	for (size_t i = 0; i < N_FILES && rc == 0; i++) {
		path = mem_printf(EDGE_LETSENCRYPT "/archive/%s/%s1.pem",
		    m->edge->site, file_names[i]);
		rc = put(m->to, path, &m->files[i], i == PRIVKEY ? 0600 :
		    0644, err);
		free(path);
	}
	if (rc == 0)
		rc = copy_account(m, err);
	if (rc == 0)
		rc = write_renewal(m, err);
	for (size_t i = 0; i < N_FILES && rc == 0; i++)
		rc = link_live(m, file_names[i], err);
	return rc;
}

int
edge_move_lineage(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct move m = { .run = run, .edge = edge };
	struct edge_lineage lineage = { 0 };
	int rc;

	rc = choose(&m, &lineage, err);
	if (rc == 0)
		rc = run_host(run, edge->certificate_from, &m.from, err);
	if (rc == 0)
		rc = run_host(run, edge->host, &m.to, err);
	if (rc == 0)
		rc = read_renewal(&m, lineage.name, err);
	if (rc == 0)
		rc = read_files(&m, lineage.name, err);
	if (rc == 0)
		rc = check_key(&m, lineage.name, err);
	if (rc == 0)
		rc = write_lineage(&m, err);
	for (size_t i = 0; i < N_FILES; i++)
		buf_wipe(&m.files[i]);
	free(m.account);
	edge_lineage_clear(&lineage);
	return rc;
}

/* Whether a lineage is renewed by it: one that somebody made here since. */
static int
is_used(struct host *host, const char *account, bool *out, struct err *err)
{
	char *line = mem_printf("account = %s", str_base(account));
	const char *argv[] = { "grep", "-rqsxF", "--", line,
	    EDGE_LETSENCRYPT "/renewal", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = COMMAND_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_ask(host, &spec, &result, err);
	*out = rc == 0 && result.status == 0;
	proc_result_clear(&result);
	free(line);
	return rc;
}

int
edge_move_forget(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	char *fact = run_key("edge", edge->host->name, "account");
	char *account = NULL;
	struct host *host;
	bool used = false;
	int rc;

	rc = journal_get(run->journal, fact, &account, err);
	if (rc == 0 && account && *account) {
		rc = run_host(run, edge->host, &host, err);
		if (rc == 0)
			rc = is_used(host, account, &used, err);
		if (rc == 0 && !used)
			rc = host_remove(host, account, err);
		if (rc == 0)
			rc = journal_put(run->journal, fact, "", err);
	}
	free(account);
	free(fact);
	return rc;
}
