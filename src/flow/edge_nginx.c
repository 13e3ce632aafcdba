#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/diff.h"
#include "core/nginx.h"
#include "flow/edge.h"
#include "flow/edge_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/template_file.h"
#include "io/host.h"
#include "io/journal.h"

#define DUMP_MAX (8 * 1024 * 1024)
#define NGINX_TIMEOUT_MS 30000
#define PROVE_TIMEOUT_MS 15000
#define PROVE_PAUSE_MS 100

/* One rendering of the edge's file, and what is there now. */
struct rendering {
	const struct conf_edge *edge;
	struct edge_file file;
	bool tls;		/* what is rendered */
	bool port_80;		/* this port alone is asked for it */
	struct buf wanted;
	char generation[NGINX_GENERATION_SIZE];
};

static int
render(struct rendering *r, struct run *run, struct err *err)
{
	const struct conf_edge *edge = r->edge;
	const char *name = r->tls ? "tls.conf.in" : "http.conf.in";
	char *webroot = edge_webroot(edge);
	struct nginx_edge model = {
		.job = run->conf->name,
		.site = edge->site,
		.ade_name = edge->ade_name,
		.ade_port = edge->ade_port,
		.upstream_port = edge_backend_port(run, edge),
		.webroot = webroot,
	};
	struct buf text = BUF_INIT(EDGE_FILE_MAX);
	char *path = NULL, *certificate = NULL, *key = NULL;
	int rc = 0;

	if (r->tls)
		rc = edge_certificate_paths(run, edge, &certificate, &key,
		    err);
	model.certificate = certificate;
	model.certificate_key = key;
	if (rc == 0)
		rc = template_file_read(name, &path, &text, err);
	if (rc == 0)
		rc = nginx_render(&model, path, buf_cstr(&text), text.len,
		    &r->wanted, r->generation, err);
	buf_clear(&text);
	free(path);
	free(certificate);
	free(key);
	free(webroot);
	return rc;
}

static int
rendering_init(struct rendering *r, struct run *run,
    const struct conf_edge *edge, bool tls, bool port_80, struct err *err)
{
	*r = (struct rendering){
		.edge = edge, .tls = tls, .port_80 = port_80
	};
	buf_init(&r->wanted, EDGE_FILE_MAX);
	if (edge_file_read(&r->file, run, edge, err) != 0)
		return -1;
	return render(r, run, err);
}

static void
rendering_clear(struct rendering *r)
{
	edge_file_clear(&r->file);
	buf_clear(&r->wanted);
}

static bool
is_current(const struct rendering *r)
{
	return r->file.present && r->file.now.len == r->wanted.len &&
	    memcmp(r->file.now.data, r->wanted.data, r->wanted.len) == 0;
}

/* The addresses at which a rendering must answer with its generation. */
static int
serves(const struct rendering *r, struct buf *answers, bool *out,
    struct err *err)
{
	const struct conf_edge *edge = r->edge;
	char *urls[2] = { NULL, NULL };
	struct buf seen = BUF_INIT(256);

	if (!r->port_80) {
		urls[0] = mem_printf("https://%s", edge->site);
		urls[1] = mem_printf("https://%s:%u", edge->ade_name,
		    edge->ade_port);
	} else
		urls[0] = mem_printf("http://%s", edge->site);

	*out = true;
	for (size_t i = 0; i < 2 && urls[i] && *out; i++) {
		buf_clear(&seen);
		if (edge_generation(edge, urls[i], &seen, err) != 0) {
			buf_clear(answers);
			buf_printf(answers, "%s", err->text);
			err_clear(err);
			*out = false;
		} else if (!str_eq(buf_cstr(&seen), r->generation)) {
			buf_clear(answers);
			buf_printf(answers, "%s serves %s", urls[i],
			    seen.len ? "another generation" :
			    "none of our generations");
			*out = false;
		}
	}
	buf_clear(&seen);
	free(urls[0]);
	free(urls[1]);
	return stop_check(err);
}

/* Run an nginx command line; *status and what it said. */
static int
nginx(const struct edge_file *file, const char *const *argv, int *status,
    struct buf *said, struct err *err)
{
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = NGINX_TIMEOUT_MS
	};
	struct proc_result result;
	int rc;

	proc_result_init(&result, 65536);
	rc = host_run(file->host, &spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		(void)err_set(err, ERR_MISSING, "%s: nginx is not there; "
		    "install the package nginx, then run the same command "
		    "again", file->edge->host->name);
	}
	if (rc == 0) {
		*status = result.status;
		buf_clear(said);
		edge_said(said, &result.err_out, 600);
	}
	proc_result_clear(&result);
	return rc;
}

static int
test_configuration(const struct rendering *r, struct err *err)
{
	static const char *const argv[] = { "nginx", "-t", "-q", NULL };
	struct buf said = BUF_INIT(65536 * 4);
	int status, rc;

	rc = nginx(&r->file, argv, &status, &said, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, ERR_FAILED, "%s: nginx -t refuses %s: %s",
		    r->edge->host->name, r->file.path, buf_cstr(&said));
	buf_clear(&said);
	return rc;
}

/*
 * Let a running nginx read its files again.  *status is not 0 when none runs,
 * and when it refuses what it reads: it then serves what it did.
 */
static int
signal_reload(const struct edge_file *file, int *status, struct buf *said,
    struct err *err)
{
	static const char *const argv[] = { "nginx", "-s", "reload", NULL };

	return nginx(file, argv, status, said, err);
}

/*
 * How many files nginx's configuration is made of, but for ours: whether
 * somebody has added a site since is told by it.
 */
static int
count_foreign(const struct edge_file *file, size_t *count, struct err *err)
{
	static const char head[] = "# configuration file ";
	static const char *const argv[] = { "nginx", "-T", "-q", NULL };
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = NGINX_TIMEOUT_MS
	};
	struct proc_result result;
	const char *line;
	int rc;

	*count = 0;
	proc_result_init(&result, DUMP_MAX);
	rc = host_run(file->host, &spec, &result, err);
	for (line = buf_cstr(&result.out); rc == 0 && line;) {
		line = strstr(line, head);
		if (!line)
			break;
		line += strlen(head);
		*count += !str_starts(line, file->path);
	}
	proc_result_clear(&result);
	return rc;
}

/* Reload a running nginx; start one that does not run. */
static int
reload(const struct rendering *r, struct run *run, struct err *err)
{
	static const char *const by_systemd[] = {
		"systemctl", "start", "nginx.service", NULL
	};
	static const char *const by_hand[] = { "nginx", NULL };
	struct buf said = BUF_INIT(65536 * 4);
	struct fs_meta systemd;
	char *key = NULL, *value;
	size_t foreign;
	int status, rc;

	rc = signal_reload(&r->file, &status, &said, err);
	if (rc != 0 || status == 0)
		goto out;

	key = run_key("edge", r->edge->host->name, "started");
	rc = count_foreign(&r->file, &foreign, err);
	if (rc == 0) {
		value = mem_printf("yes:%zu", foreign);
		rc = journal_put(run->journal, key, value, err);
		free(value);
	}
	if (rc == 0)
		rc = host_stat(r->file.host, "/run/systemd/system", &systemd,
		    err);
	if (rc == 0)
		rc = nginx(&r->file, systemd.type == FS_DIR ? by_systemd :
		    by_hand, &status, &said, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, ERR_FAILED, "%s: nginx does not start: %s",
		    r->edge->host->name, buf_cstr(&said));
out:
	free(key);
	buf_clear(&said);
	return rc;
}

/* Wait until this rendering, and no older worker process, answers. */
static int
prove(const struct rendering *r, struct err *err)
{
	uint64_t deadline_ms = clock_ms() + PROVE_TIMEOUT_MS;
	struct buf answers = BUF_INIT(2048);
	bool served = false;
	int rc;

	do {
		rc = serves(r, &answers, &served, err);
		if (rc == 0 && !served)
			clock_sleep_ms(PROVE_PAUSE_MS);
	} while (rc == 0 && !served && clock_left_ms(deadline_ms) > 0);
	if (rc == 0 && !served)
		rc = err_set(err, ERR_FAILED, "%s: nginx took the new "
		    "configuration but does not serve it (%s); see "
		    "/var/log/nginx/error.log there", r->edge->host->name,
		    buf_cstr(&answers));
	buf_clear(&answers);
	return rc;
}

/*
 * The new rendering has failed: what the file held before comes back.  The
 * first failure is what the caller hears of.  When nothing is kept, nothing
 * was changed: the file served once as it is.
 */
static void
put_back(const struct rendering *r, struct run *run, struct err *err)
{
	const struct edge_file *file = &r->file;
	struct buf said = BUF_INIT(65536 * 4);
	struct err second = ERR_INIT;
	char *kept = NULL;
	int status = 0, rc;

	rc = edge_file_kept(file, run, "former", &kept, &second);
	if (rc == 0 && kept)
		rc = edge_file_restore(file, kept, &second);
	if (rc == 0 && kept)
		rc = edge_file_forget(file, run, "former", &second);
	if (rc == 0 && kept)
		rc = signal_reload(file, &status, &said, &second);
	if (rc != 0)
		(void)err_ctx(err, "and %s could not be put back (%s)",
		    file->path, second.text);
	else if (!kept)
		(void)err_ctx(err, "%s is as it was", file->path);
	else if (status != 0)
		(void)err_ctx(err, "%s is what it was, but nginx does not "
		    "read it again (%s)", file->path, buf_cstr(&said));
	else
		(void)err_ctx(err, "the former configuration is back in "
		    "service");
	buf_clear(&said);
	free(kept);
}

/*
 * Write, test, reload, prove.  After a signal no host does anything more for
 * us, so the file stays: the journal says that the step has begun.
 */
static int
put_in_service(struct run *run, const struct rendering *r, struct err *err)
{
	bool written = is_current(r) || edge_file_put(&r->file,
	    r->wanted.data, r->wanted.len, err) == 0;

	if (written && test_configuration(r, err) == 0 &&
	    reload(r, run, err) == 0 && prove(r, err) == 0)
		return edge_file_forget(&r->file, run, "former", err);
	if (stop_asked())
		return err_ctx(err, "%s:%s is not proven to serve; the next "
		    "`apply' proves it or puts the former one back",
		    r->edge->host->name, r->file.path);
	if (written)
		put_back(r, run, err);
	return -1;
}

/*
 * What is current at the start may be what a killed act has left: `former' is
 * then kept already.
 */
static int
serve(struct run *run, const struct rendering *r, struct err *err)
{
	const struct edge_file *file = &r->file;
	char *webroot = edge_webroot(r->edge);
	int rc;

	rc = edge_file_keep(file, run, "before", err);
	if (rc == 0 && !is_current(r))
		rc = edge_file_keep(file, run, "former", err);
	if (rc == 0)
		rc = host_mkdirs(file->host, webroot, 0755, err);
	if (rc == 0)
		rc = put_in_service(run, r, err);
	free(webroot);
	return rc;
}

static int
probe(struct run *run, struct rendering *r, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct edge_file *file = &r->file;
	struct buf answers = BUF_INIT(2048);
	bool served = false;
	int rc = 0;

	if (is_current(r))
		rc = serves(r, &answers, &served, err);
	if (rc == 0 && served) {
		plan_say(note, '+', "nginx serves %s",
		    r->port_80 ? "port 80" : "the site and the ADE port");
		*found = PLAN_DONE;
		/* A stop between its proof and the journal. */
		rc = edge_file_forget(file, run, "former", err);
	} else if (rc == 0) {
		plan_say(note, file->present ? '~' : '+',
		    "%s:%s, reload nginx", r->edge->host->name, file->path);
		*found = PLAN_TODO;
		rc = diff_unified(file->present ? file->path : "/dev/null",
		    buf_cstr(&file->now), file->now.len, file->path,
		    buf_cstr(&r->wanted), r->wanted.len, &note->diff, err);
	}
	buf_clear(&answers);
	return rc;
}

static int
act(struct run *run, struct rendering *r, struct plan_note *note,
    struct err *err)
{
	if (serve(run, r, err) != 0)
		return -1;
	plan_say(note, r->file.present ? '~' : '+', "%s in service, "
	    "generation %s", r->file.path, r->generation);
	return 0;
}

/*
 * Port 80 alone is only needed until there is a certificate that lasts.  One
 * that runs out serves on meanwhile: the TLS rendering answers the challenge
 * too, and a certbot that fails must not take the site down.
 */
static int
http_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct rendering r;
	bool there, lasts;
	int rc;

	if (edge_certificate(run, edge, &there, &lasts, err) != 0)
		return -1;
	if (lasts) {
		plan_say(note, '+', "not needed: there is a certificate");
		*found = PLAN_DONE;
		return 0;
	}
	rc = rendering_init(&r, run, edge, there, true, err);
	if (rc == 0)
		rc = probe(run, &r, note, found, err);
	rendering_clear(&r);
	return rc;
}

static int
http_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct rendering r;
	bool there, lasts;
	int rc;

	/* Told before anything is changed; a reload hides it. */
	if (edge_port_check(run, step->subject, 80, err) != 0 ||
	    edge_certificate(run, step->subject, &there, &lasts, err) != 0)
		return -1;
	rc = rendering_init(&r, run, step->subject, there, true, err);
	if (rc == 0)
		rc = act(run, &r, note, err);
	rendering_clear(&r);
	return rc;
}

static int
tls_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	struct rendering r;
	int rc;

	rc = rendering_init(&r, run, step->subject, true, false, err);
	if (rc == 0)
		rc = probe(run, &r, note, found, err);
	rendering_clear(&r);
	return rc;
}

static int
tls_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct rendering r;
	int rc;

	rc = rendering_init(&r, run, step->subject, true, false, err);
	if (rc == 0)
		rc = act(run, &r, note, err);
	rendering_clear(&r);
	return rc;
}

/*
 * Stop an nginx that this job started and that serves nobody else's file
 * since; else let it read what is there.  One that does not run any more has
 * nothing to read: its exit code tells no more than that.
 */
static int
settle(struct run *run, const struct edge_file *file, struct err *err)
{
	static const char *const quit[] = { "nginx", "-s", "quit", NULL };
	char *key = run_key("edge", file->edge->host->name, "started");
	struct buf said = BUF_INIT(65536 * 4);
	char *started = NULL, *now = NULL;
	size_t foreign = 0;
	bool ours;
	int status, rc;

	rc = journal_get(run->journal, key, &started, err);
	if (rc == 0)
		rc = count_foreign(file, &foreign, err);
	now = mem_printf("yes:%zu", foreign);
	ours = started && str_eq(started, now);
	if (rc == 0 && ours)
		rc = nginx(file, quit, &status, &said, err);
	else if (rc == 0)
		rc = signal_reload(file, &status, &said, err);
	if (rc == 0 && ours)
		rc = journal_put(run->journal, key, "no", err);
	free(now);
	free(started);
	free(key);
	buf_clear(&said);
	return rc;
}

/* The webroot, and the directory around it when no other site has one. */
static int
remove_webroot(const struct edge_file *file, struct err *err)
{
	const char *argv[] = {
		"rmdir", "--ignore-fail-on-non-empty", EDGE_WEBROOTS, NULL
	};
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = NGINX_TIMEOUT_MS
	};
	char *webroot = edge_webroot(file->edge);
	struct proc_result result;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_remove(file->host, webroot, err);
	if (rc == 0)
		rc = host_run(file->host, &spec, &result, err);
	proc_result_clear(&result);
	free(webroot);
	return rc;
}

/*
 * Both steps wrote the one file, so its undo is the same, but that the one of
 * `http', which runs last, has the journal forget: a further apply begins
 * with what it then finds.
 */
static int
undo(struct run *run, const struct edge_file *file, bool last,
    struct plan_note *note, struct err *err)
{
	char *before = NULL;
	int rc;

	rc = edge_file_kept(file, run, "before", &before, err);
	if (rc == 0 && before && !edge_file_holds(file, before))
		rc = edge_file_restore(file, before, err);
	if (rc == 0 && before)
		rc = settle(run, file, err);
	if (rc == 0 && last)
		rc = remove_webroot(file, err);
	if (rc == 0)
		rc = edge_file_forget(file, run, "former", err);
	if (rc == 0 && last)
		rc = edge_file_forget(file, run, "before", err);
	if (rc == 0)
		plan_say(note, '-', "%s:%s %s", file->edge->host->name,
		    file->path, !before ? "was not touched" :
		    edge_file_was_absent(before) ? "is gone" :
		    "is what it was before");
	free(before);
	return rc;
}

static int
nginx_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct edge_file file;
	int rc;

	rc = edge_file_read(&file, run, step->subject, err);
	if (rc == 0)
		rc = undo(run, &file, step->kind == &edge_http_kind, note,
		    err);
	edge_file_clear(&file);
	return rc;
}

const struct step_kind edge_http_kind = {
	.word = "http",
	.probe = http_probe,
	.act = http_act,
	.undo = nginx_undo,
};

const struct step_kind edge_tls_kind = {
	.word = "tls",
	.probe = tls_probe,
	.act = tls_act,
	.undo = nginx_undo,
};
