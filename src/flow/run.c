#include "base/base.h"

#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/secrets.h"
#include "flow/server.h"
#include "flow/upgrade_closed.h"
#include "io/fs.h"
#include "io/host.h"
#include "io/http.h"
#include "io/journal.h"

#define JOB_FILE_MAX (CONF_SIZE_MAX + 1)
#define MARK_BYTES 6
#define SCRATCH ".verify-"	/* and the pid of whoever made it */

/* A secret of the job file, fetched. */
struct run_secret {
	const struct conf_secret *of;
	struct secret *value;
};

/* hosts and servers: parallel to the arrays of the conf, NULL until asked. */
struct run_peers {
	struct host **hosts;
	struct server **servers;
	struct secret **passwords;	/* made on hosts; as servers */
	struct secret **closed;		/* of an upgrade's new server: a server
					 * that is open has its own */
	size_t n_closed;
	struct run_secret *secrets;
	size_t n_secrets;
	const struct endpoint *given;
};

char *
run_key(const char *group, const char *name, const char *what)
{
	return mem_printf("%s.%s.%s", group, name, what);
}

char *
run_local_path(const char *path)
{
	const char *home = getenv("HOME");

	if (!path)
		return NULL;
	return conf_expand_home(path, home && *home ? home : "/root");
}

char *
run_server_url(const struct conf_letta *letta)
{
	if (letta->url)
		return mem_strdup(letta->url);
	if (letta->edge)
		return mem_printf("https://%s", letta->edge->site);
	return mem_printf("http://127.0.0.1:%u", letta->port);
}

int
run_read(const char *path, struct conf **out, struct err *err)
{
	struct buf text = BUF_INIT(JOB_FILE_MAX);
	int rc;

	rc = fs_read(path, &text, NULL, err);
	if (rc == 0)
		rc = buf_check(&text, path, err);
	if (rc != 0)
		err->kind = ERR_USAGE;
	else
		rc = conf_parse(path, buf_cstr(&text), text.len, out, err);
	buf_clear(&text);
	return rc;
}

/* Each secret is fetched once to know that it can be.  ctx: from where. */
static int
fetch_by_kind(const struct conf_secret *secret, struct secret **out,
    struct err *err)
{
	if (secret->lines)
		return secrets_fetch_lines(secret->ref, out, err);
	return secrets_fetch(secret->ref, out, err);
}

static int
try_secret(void *ctx, const struct conf_secret *secret, struct err *err)
{
	const bool *environment = ctx;
	struct secret *value = NULL;
	int rc;

	if (secrets_in_environment(secret->ref) != *environment)
		return 0;
	rc = fetch_by_kind(secret, &value, err);
	secret_free(value);
	return rc;
}

static int
forget_one(void *ctx, const struct conf_secret *secret, struct err *err)
{
	(void)ctx;
	(void)err;
	secrets_forget(secret->ref);
	return 0;
}

/* Two sections may name the same variable: all at once, after the last. */
static int
forget_variables(const struct conf *conf, struct err *err)
{
	return conf_secrets(conf, forget_one, NULL, err);
}

int
run_check(const char *path, struct conf **out, struct err *err)
{
	bool environment = true, elsewhere = false;

	*out = NULL;
	if (run_read(path, out, err) != 0)
		return -1;
	if (conf_secrets(*out, try_secret, &environment, err) == 0 &&
	    forget_variables(*out, err) == 0 &&
	    conf_secrets(*out, try_secret, &elsewhere, err) == 0)
		return 0;
	conf_free(*out);
	*out = NULL;
	return -1;
}

struct fetch {
	struct run_peers *peers;
	bool environment;	/* those of the environment now */
	const struct conf *lenient;	/* of new_may_lack; NULL */
};

/* Nothing that takes the new server away asks it for anything by these. */
static bool
may_lack(const struct conf *conf, const struct conf_secret *of)
{
	if (!conf || conf->kind != CONF_UPGRADE || conf->n_upgrades == 0)
		return false;
	for (size_t i = 0; i < conf->n_envs; i++) {
		if (of == &conf->envs[i].secret)
			return true;
	}
	return of == &conf->upgrades->to->token;
}

static int
fetch_one(void *ctx, const struct conf_secret *of, struct err *err)
{
	struct fetch *fetch = ctx;
	struct run_peers *peers = fetch->peers;
	struct run_secret *slot;

	if (secrets_in_environment(of->ref) != fetch->environment)
		return 0;
	peers->secrets = mem_grow(peers->secrets, peers->n_secrets + 1,
	    sizeof(*peers->secrets));
	slot = &peers->secrets[peers->n_secrets];
	*slot = (struct run_secret){ .of = of };
	if (fetch_by_kind(of, &slot->value, err) != 0) {
		if (err->kind == ERR_INTERRUPTED ||
		    !may_lack(fetch->lenient, of))
			return -1;
		log_detail("%s; it is not needed for this", err->text);
		err_clear(err);
		return 0;
	}
	peers->n_secrets++;
	return 0;
}

static int
fetch_secrets(struct run *run, bool new_may_lack, struct err *err)
{
	struct fetch fetch = { .peers = run->peers, .environment = true,
		.lenient = new_may_lack ? run->conf : NULL };

	if (conf_secrets(run->conf, fetch_one, &fetch, err) != 0 ||
	    forget_variables(run->conf, err) != 0)
		return -1;
	fetch.environment = false;
	return conf_secrets(run->conf, fetch_one, &fetch, err);
}

static void
put_host(struct buf *text, const struct conf_host *host)
{
	if (host->local)
		buf_str(text, " local");
	else
		buf_printf(text, " %s@%s:%u", host->user ? host->user : "",
		    host->address, host->port);
}

static void
put_worker(struct buf *text, const struct conf_worker *worker,
    const char *server)
{
	buf_printf(text, "worker %s", worker->name);
	put_host(text, worker->from_host);
	buf_printf(text, " %s", worker->from_path);
	put_host(text, worker->to_host);
	buf_printf(text, " %s %s %s", worker->to_path, worker->agent ?
	    worker->agent->name : worker->agent_id, server);
	for (size_t i = 0; worker->trees && worker->trees[i]; i++)
		buf_printf(text, " %s", worker->trees[i]);
	buf_char(text, '\n');
}

/* A server's address, or "bundle:PATH". */
static char *
source_url(const struct conf_agent *agent)
{
	return agent->from ? run_server_url(agent->from) :
	    mem_printf("bundle:%s", agent->bundle);
}

/* A server that we bring up: its facts are by these words. */
static void
put_server(struct buf *text, const struct conf_letta *letta)
{
	if (letta->runtime != CONF_RUNTIME_THERE)
		buf_printf(text, "server %s %s %s\n", letta->name,
		    letta->host->name, letta->runtime == CONF_RUNTIME_VENV ?
		    "venv" : "compose");
}

/* Which server becomes which; its backup belongs to that. */
static void
put_upgrade(struct buf *text, const struct conf_upgrade *upgrade)
{
	const struct conf_letta *from = upgrade->from, *to = upgrade->to;

	buf_printf(text, "upgrade %s", upgrade->name);
	put_host(text, from->host);
	buf_printf(text, " %s %u %s %s %s\n", from->name, from->port,
	    from->version ? from->version : "any",
	    from->service ? from->service : "letta",
	    from->compose ? from->compose : "");
	buf_printf(text, "to %s %u %s\n", to->name, to->port, to->version);
	if (upgrade->backup)
		buf_printf(text, "backup %s\n", upgrade->backup);
}

/* The words of a job file that say what goes where. */
static char *
what_moves(const struct conf *conf)
{
	struct buf text = BUF_INIT(1024 * 1024);
	char *from, *to;

	buf_printf(&text, "kind %s\n", conf_kind_name(conf->kind));
	for (size_t i = 0; i < conf->n_edges; i++) {
		buf_str(&text, "edge");
		put_host(&text, conf->edges[i].host);
		buf_printf(&text, " %s %s:%u\n", conf->edges[i].site,
		    conf->edges[i].ade_name, conf->edges[i].ade_port);
	}
	for (size_t i = 0; i < conf->n_lettas; i++)
		put_server(&text, &conf->lettas[i]);
	for (size_t i = 0; i < conf->n_upgrades; i++)
		put_upgrade(&text, &conf->upgrades[i]);
	for (size_t i = 0; i < conf->n_agents; i++) {
		from = source_url(&conf->agents[i]);
		to = run_server_url(conf->agents[i].to);
		buf_printf(&text, "agent %s %s %s %s\n", conf->agents[i].name,
		    from, conf->agents[i].from_id ?
		    conf->agents[i].from_id : "", to);
		free(from);
		free(to);
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		to = run_server_url(conf->workers[i].server);
		put_worker(&text, &conf->workers[i], to);
		free(to);
	}
	return buf_take(&text);
}

/* A journal belongs to one move; with another one it would do harm. */
static int
check_same_job(struct run *run, bool writer, struct err *err)
{
	char *now = what_moves(run->conf), *before = NULL;
	int rc;

	rc = journal_get(run->journal, "job", &before, err);
	if (rc == 0 && !before && writer)
		rc = journal_put(run->journal, "job", now, err);
	else if (rc == 0 && before && !str_eq(before, now))
		rc = err_set(err, ERR_STALE, "%s: what this job moves is not "
		    "what its journal %s was made for; give the job another "
		    "name in [job], or put the old words back",
		    run->conf->path, journal_path(run->journal));
	free(now);
	free(before);
	return rc;
}

static int
find_mark(struct run *run, bool writer, struct err *err)
{
	unsigned char random[MARK_BYTES];
	char text[2 * MARK_BYTES + 1];
	char *mark = NULL;

	if (journal_get(run->journal, "mark", &mark, err) != 0)
		return -1;
	if (!mark && writer) {
		if (getrandom(random, sizeof(random), 0) !=
		    (ssize_t)sizeof(random))
			return err_sys(err, ERR_FAILED, "getrandom");
		str_hex(random, sizeof(random), text);
		if (journal_put(run->journal, "mark", text, err) != 0)
			return -1;
		mark = mem_strdup(text);
	}
	/* It becomes part of names and paths at the peers. */
	if (mark && (strlen(mark) != 2 * MARK_BYTES ||
	    strspn(mark, "0123456789abcdef") != 2 * MARK_BYTES)) {
		free(mark);
		return err_set(err, ERR_DATA, "%s: the job's mark in it is "
		    "not twelve hexadecimal digits",
		    journal_path(run->journal));
	}
	run->mark = mark ? mark : mem_strdup("");
	return 0;
}

static int
draw_nonce(struct run *run, struct err *err)
{
	unsigned char random[RUN_NONCE_BYTES];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(err, ERR_FAILED, "getrandom");
	str_hex(random, sizeof(random), run->nonce);
	return 0;
}

/* Remove a scratch journal whose process, by its name, is no more. */
static void
sweep_one(void *ctx, const char *name)
{
	const struct run *run = ctx;
	const char *own = journal_path(run->journal);
	char *start = mem_printf("%s" SCRATCH, str_base(own)), *path;

	if (fs_is_orphan(start, name)) {
		path = mem_printf("%.*s%s", (int)(str_base(own) - own), own,
		    name);
		run_scratch_remove(path);
		free(path);
	}
	free(start);
}

static void
sweep_scratch(struct run *run)
{
	char *dir = run_dir(run);
	struct err ignored = ERR_INIT;

	if (fs_list(dir, sweep_one, run, &ignored) != 0)
		err_clear(&ignored);
	free(dir);
}

static struct run_peers *
peers_new(const struct conf *conf)
{
	struct run_peers *peers = mem_zero(1, sizeof(*peers));

	peers->hosts = mem_zero(conf->n_hosts, sizeof(struct host *));
	peers->servers = mem_zero(conf->n_lettas, sizeof(struct server *));
	peers->passwords = mem_zero(conf->n_lettas,
	    sizeof(struct secret *));
	return peers;
}

int
run_open_alone(const char *path, struct run **out, struct err *err)
{
	struct run *run = mem_zero(1, sizeof(*run));
	struct conf *conf = NULL;
	int rc = run_read(path, &conf, err);

	run->conf = conf;
	if (rc == 0) {
		run->peers = peers_new(conf);
		rc = fetch_secrets(run, false, err);
	}
	if (rc != 0) {
		run_close(run);
		run = NULL;
	}
	*out = run;
	return rc;
}

int
run_open(const char *path, const struct run_options *options,
    struct run **out, struct err *err)
{
	struct run *run = mem_zero(1, sizeof(*run));
	struct conf *conf = NULL;
	char *file = NULL;
	int rc = -1;

	if (run_read(path, &conf, err) != 0)
		goto out;
	run->conf = conf;
	run->rehearsal = options->rehearsal;
	run->peers = peers_new(conf);
	file = run_state_path(options->state_dir, conf->name,
	    options->rehearsal ? "rehearsal.db" : "journal.db");
	run->peers->given = options->given;
	if (options->secrets && !options->given &&
	    fetch_secrets(run, options->new_may_lack, err) != 0)
		goto out;
	if (journal_open(file, options->writer, &run->journal, err) != 0) {
		if (err->kind == ERR_MISSING)
			(void)err_ctx(err, "job %s was neither planned nor "
			    "applied yet: run `plan' first", conf->name);
		goto out;
	}
	if (draw_nonce(run, err) != 0 ||
	    check_same_job(run, options->writer, err) != 0 ||
	    find_mark(run, options->writer, err) != 0)
		goto out;
	if (options->secrets)
		sweep_scratch(run);
	rc = 0;
out:
	free(file);
	if (rc != 0) {
		run_close(run);
		run = NULL;
	}
	*out = run;
	return rc;
}

void
run_close(struct run *run)
{
	struct conf *conf;

	if (!run)
		return;
	conf = (struct conf *)run->conf;
	if (run->peers)
		run_disconnect(run);
	for (size_t i = 0; run->peers && i < conf->n_lettas; i++)
		server_close(run->peers->servers[i]);
	for (size_t i = 0; run->peers && i < conf->n_lettas; i++)
		secret_free(run->peers->passwords[i]);
	for (size_t i = 0; run->peers && i < run->peers->n_secrets; i++)
		secret_free(run->peers->secrets[i].value);
	if (run->peers) {
		free(run->peers->hosts);
		free(run->peers->servers);
		free(run->peers->passwords);
		free(run->peers->secrets);
		for (size_t i = 0; i < run->peers->n_closed; i++)
			secret_free(run->peers->closed[i]);
		free(run->peers->closed);
	}
	free(run->peers);
	journal_close(run->journal);
	free((char *)run->mark);
	conf_free(conf);
	free(run);
}

int
run_host_open(const struct conf_host *host, struct host **out,
    struct err *err)
{
	char *identity = run_local_path(host->identity_file);
	char *known_hosts = run_local_path(host->user_known_hosts_file);
	struct host_spec spec = {
		.name = host->name,
		.local = host->local,
		.address = host->address,
		.port = host->port,
		.user = host->user,
		.host_key = host->host_key,
		.identity_file = identity,
		.known_hosts_file = known_hosts,
		.transport = host->transport == CONF_TRANSPORT_OPENSSH ?
		    HOST_OPENSSH : HOST_LIBSSH2,
		.silence_ms = (uint64_t)host->silence * 1000,
	};
	int rc = host_open(&spec, out, err);

	free(identity);
	free(known_hosts);
	return rc;
}

int
run_host(struct run *run, const struct conf_host *host, struct host **out,
    struct err *err)
{
	struct host **slot = &run->peers->hosts[host - run->conf->hosts];

	if (!*slot && run_host_open(host, slot, err) != 0)
		return -1;
	*out = *slot;
	return 0;
}

void
run_disconnect(struct run *run)
{
	for (size_t i = 0; i < run->conf->n_hosts; i++) {
		host_close(run->peers->hosts[i]);
		run->peers->hosts[i] = NULL;
	}
}

const struct secret *
run_secret(struct run *run, const struct conf_secret *of)
{
	for (size_t i = 0; i < run->peers->n_secrets; i++) {
		if (run->peers->secrets[i].of == of)
			return run->peers->secrets[i].value;
	}
	return NULL;
}

/* A closed server's, looked for each time: `open' ends it. */
static int
closed_token(struct run *run, const struct conf_letta *letta,
    const struct secret **out, struct err *err)
{
	struct run_peers *peers = run->peers;
	struct secret *now;

	*out = NULL;
	if (upgrade_closed_password(run, letta, &now, err) != 0)
		return -1;
	for (size_t i = 0; now && i < peers->n_closed && !*out; i++) {
		if (str_eq(secret_bytes(now), secret_bytes(peers->closed[i])))
			*out = peers->closed[i];
	}
	if (!now || *out) {
		secret_free(now);
		return 0;
	}
	peers->closed = mem_grow(peers->closed, peers->n_closed + 1,
	    sizeof(*peers->closed));
	*out = peers->closed[peers->n_closed++] = now;
	return 0;
}

int
run_token(struct run *run, const struct conf_letta *letta,
    const struct secret **out, struct err *err)
{
	struct secret **made = &run->peers->passwords[letta -
	    run->conf->lettas];
	struct host *host;
	bool ready;

	if (run->peers->given) {
		*out = run->peers->given->token;
		return 0;
	}
	if (closed_token(run, letta, out, err) != 0)
		return -1;
	if (*out)
		return 0;
	*out = letta->token.ref ? run_secret(run, &letta->token) : *made;
	if (*out || letta->token.ref ||
	    letta->runtime == CONF_RUNTIME_THERE || !run->journal)
		return 0;
	if (runtime_is_ready(run, letta, &ready, err) != 0)
		return -1;
	if (!ready)
		return 0;
	if (run_host(run, letta->host, &host, err) != 0 ||
	    runtime_password(host, made, err) != 0)
		return -1;
	*out = *made;
	return 0;
}

int
run_server(struct run *run, const struct conf_letta *letta,
    struct server **out, struct err *err)
{
	struct server **slot = &run->peers->servers[letta - run->conf->lettas];
	char *url = run_server_url(letta);
	char *ca_file = run_local_path(letta->ca_file);
	struct http_spec spec = {
		.url = url,
		.ca_file = ca_file,
		.connect_to = letta->edge ? letta->edge->connect_to : NULL,
	};
	int rc = 0;

	if (run->peers->given)
		spec.connect_to = run->peers->given->connect_to;
	if (!*slot)
		rc = run_token(run, letta, &spec.token, err);
	if (!*slot && rc == 0)
		rc = server_open(&spec, letta->name, letta->version, slot,
		    err);
	if (rc == 0)
		*out = *slot;
	free(ca_file);
	free(url);
	return rc;
}

char *
run_scratch_path(const struct run *run)
{
	return mem_printf("%s" SCRATCH "%ld", journal_path(run->journal),
	    (long)getpid());
}

void
run_scratch_remove(const char *path)
{
	static const char *const endings[] = { "", "-wal", "-shm", ".lock" };
	struct err ignored = ERR_INIT;
	char *name;

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		name = mem_printf("%s%s", path, endings[i]);
		if (fs_remove(name, &ignored) != 0)
			err_clear(&ignored);
		free(name);
	}
}
