#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_auth.h"
#include "flow/edge_place.h"
#include "flow/edge_prove.h"
#include "flow/edge_reach.h"
#include "flow/edge_render.h"
#include "flow/edge_service.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/host.h"

#define ASIDE ".edited"		/* no *.conf, which nginx reads */

static const struct fs_meta file_meta = { .mode = 0644 };

/* The edge's file on the host, whose key and path are its own. */
struct edge_file {
	struct host_file f;
	const struct conf_edge *edge;
	char *key, *path;
};

/* One rendering of it, and what is there now. */
struct rendering {
	const struct conf_edge *edge;
	struct edge_file file;
	struct edge_place place;
	struct edge_text text;
	bool tls;		/* what is rendered */
	bool port_80;		/* this port alone is asked for it */
	bool auth_done;		/* the ADE's users are as they must be */
	bool no_static;		/* its directory is not there */
};

static int
file_read(struct edge_file *file, struct run *run,
    const struct conf_edge *edge, struct err *err)
{
	*file = (struct edge_file){
		.edge = edge,
		.key = mem_printf("edge.%s", edge->host->name),
		.path = edge_path(edge),
	};
	return host_file_read(&file->f, run, edge->host, file->key,
	    file->path, err);
}

static void
file_clear(struct edge_file *file)
{
	host_file_clear(&file->f);
	free(file->key);
	free(file->path);
}

/* nginx takes a root that is not there, and answers 404. */
static int
look_at_static(struct rendering *r, struct err *err)
{
	const char *root = r->edge->static_root;
	struct fs_meta meta;

	if (!r->tls || !root)
		return 0;
	if (host_stat(r->file.f.host, root, &meta, err) != 0)
		return -1;
	r->no_static = meta.type == FS_NONE;
	return 0;
}

static int
rendering_init(struct rendering *r, struct run *run,
    const struct conf_edge *edge, bool tls, bool port_80, struct err *err)
{
	*r = (struct rendering){
		.edge = edge, .tls = tls, .port_80 = port_80,
		.auth_done = true,
	};
	if (file_read(&r->file, run, edge, err) != 0 ||
	    edge_place_look(r->file.f.host, edge, &r->place, err) != 0 ||
	    look_at_static(r, err) != 0)
		return -1;
	if (tls && edge_place_certificate(run, edge, &r->place, err) != 0)
		return -1;
	if (tls && edge_auth_look(run, r->file.f.host, edge, &r->place,
	    &r->auth_done, err) != 0)
		return -1;
	return edge_render(run->conf, edge, tls, &r->place, &r->text, err);
}

static void
rendering_clear(struct rendering *r)
{
	file_clear(&r->file);
	edge_text_clear(&r->text);
}

static bool
is_current(const struct rendering *r)
{
	return host_file_is(&r->file.f, buf_cstr(&r->text.text),
	    r->text.text.len, &file_meta);
}

static struct edge_proof
proof_of(const struct rendering *r)
{
	return (struct edge_proof){
		.edge = r->edge,
		.host = r->file.f.host,
		.generation = r->text.generation,
		.port_80 = r->port_80,
		.ipv6 = r->place.ipv6_loopback,
	};
}

/*
 * The new rendering has failed: what the file held before comes back.  The
 * first failure is what the caller hears of.  When nothing is kept, nothing
 * was changed: the file served once as it is.
 */
static void
put_back(const struct rendering *r, struct run *run, struct err *err)
{
	const struct host_file *file = &r->file.f;
	struct buf said = BUF_INIT(8192);
	struct err second = ERR_INIT;
	char *kept = NULL;
	int status = 0, rc;

	rc = host_file_kept(file, run, "former", &kept, &second);
	if (rc == 0 && kept)
		rc = host_file_restore(file, kept, &second);
	if (rc == 0 && kept)
		rc = host_file_forget(file, run, "former", &second);
	if (rc == 0 && kept)
		rc = edge_service_signal(file->host, r->edge, &status, &said,
		    &second);
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
 * The reload and its proof; nginx's log from here on is about it.
 */
static int
reload_and_prove(struct run *run, const struct rendering *r, struct err *err)
{
	struct host *host = r->file.f.host;
	struct edge_proof proof = proof_of(r);
	uint64_t log_end;

	if (edge_service_test(host, r->edge, r->file.path, err) != 0 ||
	    edge_service_log_end(host, &log_end, err) != 0 ||
	    edge_service_reload(run, host, r->edge, err) != 0)
		return -1;
	return edge_prove(&proof, log_end, err);
}

static int
write_file(struct run *run, const struct rendering *r, struct err *err)
{
	if (is_current(r))
		return 0;
	if (host_file_note_ours(&r->file.f, run, buf_cstr(&r->text.text),
	    r->text.text.len, err) != 0)
		return -1;
	return host_file_put(&r->file.f, buf_cstr(&r->text.text),
	    r->text.text.len, &file_meta, err);
}

/*
 * Users come after the file that asks for them is in service, and go after it
 * does not any more: a failure before leaves them as they were, and in between
 * nginx lets nobody in (403).
 */
static int
finish(struct run *run, const struct rendering *r, struct err *err)
{
	if (host_file_forget(&r->file.f, run, "former", err) != 0)
		return -1;
	if (r->auth_done)
		return 0;
	return edge_auth_set(run, r->file.f.host, r->edge, &r->place, err);
}

/*
 * Write, test, reload, prove.  After a signal no host does anything more for
 * us, so the file stays: the journal says that the step has begun.
 */
static int
put_in_service(struct run *run, const struct rendering *r, struct err *err)
{
	bool written = write_file(run, r, err) == 0;

	if (written && reload_and_prove(run, r, err) == 0)
		return finish(run, r, err);
	if (stop_asked())
		return err_ctx(err, "%s:%s is not proven to serve; the next "
		    "`apply' proves it or puts the former one back",
		    r->edge->host->name, r->file.path);
	if (!written)
		return err_ctx(err, "%s is as it was", r->file.path);
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
	const struct host_file *file = &r->file.f;
	char *webroot = edge_webroot(r->edge);
	int rc;

	rc = host_file_keep(file, run, "before", err);
	if (rc == 0 && !is_current(r))
		rc = host_file_keep(file, run, "former", err);
	if (rc == 0)
		rc = host_mkdirs(file->host, webroot, 0755, err);
	if (rc == 0)
		rc = put_in_service(run, r, err);
	free(webroot);
	return rc;
}

/*
 * Another file that nginx refuses keeps it from reading ours, too.  Nothing
 * is begun then; but what a killed act has left is settled first.
 */
static int
check_neighbours(const struct rendering *r, struct run *run, struct err *err)
{
	char *former = NULL;
	int rc;

	if (!*r->place.broken)
		return 0;
	rc = host_file_kept(&r->file.f, run, "former", &former, err);
	if (rc == 0 && !former)
		rc = err_set(err, ERR_FAILED, "%s: nginx refuses a file that "
		    "is not ours: %s; mend it, then run the same command "
		    "again; nothing was changed", r->edge->host->name,
		    r->place.broken);
	free(former);
	return rc;
}

static const char *
static_note(const struct rendering *r)
{
	return r->no_static ? "; the directory of `static' is not there yet" :
	    "";
}

static int
say_todo(const struct rendering *r, struct plan_note *note, struct err *err)
{
	const struct host_file *file = &r->file.f;

	plan_say(note, file->present ? '~' : '+', "%s:%s, reload nginx%s%s",
	    r->edge->host->name, r->file.path, r->auth_done ? "" :
	    "; users of the ADE", static_note(r));
	return host_file_note(file, buf_cstr(&r->text.text),
	    r->text.text.len, note, err);
}

static int
probe(struct run *run, struct rendering *r, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	struct edge_proof proof = proof_of(r);
	struct buf answers = BUF_INIT(2048);
	bool served = false;
	int rc;

	rc = check_neighbours(r, run, err);
	if (rc == 0 && is_current(r) && r->auth_done)
		rc = edge_serves(&proof, &answers, &served, err);
	if (rc == 0 && served) {
		plan_say(note, '+', "nginx serves %s%s",
		    r->port_80 ? "port 80" : "the site and the ADE port",
		    static_note(r));
		*found = PLAN_DONE;
		/* A stop between its proof and the journal. */
		rc = host_file_forget(&r->file.f, run, "former", err);
	} else if (rc == 0) {
		*found = PLAN_TODO;
		rc = say_todo(r, note, err);
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
	plan_say(note, r->file.f.present ? '~' : '+', "%s in service, "
	    "generation %s", r->file.path, r->text.generation);
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
	    edge_reach_resolves(run, step->subject, err) != 0 ||
	    edge_certificate(run, step->subject, &there, &lasts, err) != 0)
		return -1;
	rc = rendering_init(&r, run, step->subject, there, true, err);
	if (rc == 0)
		rc = act(run, &r, note, err);
	if (rc != 0)
		edge_reach_explain(run, step->subject, err);
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

/* The webroot, and the directory around it when no other site has one. */
static int
remove_webroot(struct host *host, const struct conf_edge *edge,
    struct err *err)
{
	const char *argv[] = {
		"rmdir", "--ignore-fail-on-non-empty", EDGE_WEBROOTS, NULL
	};
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};
	char *webroot = edge_webroot(edge);
	struct proc_result result;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_remove(host, webroot, err);
	if (rc == 0)
		rc = host_run(host, &spec, &result, err);
	proc_result_clear(&result);
	free(webroot);
	return rc;
}

/*
 * What somebody has edited in it goes to a name that nginx does not read: it
 * cannot stay, since its certificate goes.
 */
static int
put_aside(const struct host_file *f, struct run *run, bool *edited,
    struct err *err)
{
	bool ours = true;
	char *path;
	int rc = 0;

	if (f->present)
		rc = host_file_is_ours(f, run, &ours, err);
	*edited = rc == 0 && !ours;
	if (!*edited)
		return rc;
	path = mem_printf("%s" ASIDE, f->path);
	rc = host_replace(f->host, path, buf_cstr(&f->now), f->now.len,
	    &f->meta, err);
	free(path);
	return rc;
}

static void
say_undone(const struct edge_file *file, const char *before, bool edited,
    struct plan_note *note)
{
	plan_say(note, '-', "%s:%s %s%s%s%s", file->edge->host->name,
	    file->path, !before ? "was not touched" :
	    host_file_was_absent(before) ? "is gone" :
	    "is what it was before", edited ? "; as somebody edited it, it "
	    "is in " : "", edited ? file->path : "", edited ? ASIDE : "");
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
	const struct host_file *f = &file->f;
	bool edited = false, changed;
	char *before = NULL;
	int rc;

	rc = host_file_kept(f, run, "before", &before, err);
	changed = rc == 0 && before && !host_file_holds(f, before);
	if (changed)
		rc = put_aside(f, run, &edited, err);
	if (rc == 0 && changed)
		rc = host_file_restore(f, before, err);
	if (rc == 0 && before)
		rc = edge_service_settle(run, f->host, file->edge, err);
	if (rc == 0)
		rc = edge_auth_undo(run, f->host, file->edge, err);
	if (rc == 0 && last)
		rc = remove_webroot(f->host, file->edge, err);
	if (rc == 0)
		rc = host_file_forget(f, run, "former", err);
	if (rc == 0 && last)
		rc = host_file_forget(f, run, "before", err);
	if (rc == 0)
		say_undone(file, before, edited, note);
	free(before);
	return rc;
}

static int
nginx_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct edge_file file;
	int rc;

	rc = file_read(&file, run, step->subject, err);
	if (rc == 0)
		rc = undo(run, &file, step->kind == &edge_http_kind, note,
		    err);
	file_clear(&file);
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
