#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/nginx_scratch.h"
#include "core/verdict.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_hand.h"
#include "flow/edge_place.h"
#include "flow/edge_render.h"
#include "flow/edge_service.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/host.h"

#define MAIN_MAX (4 * 1024 * 1024)

static const struct fs_meta file_meta = { .mode = 0644 };

static int
render_to(const struct conf *conf, const struct conf_edge *edge, bool tls,
    const char *dir, void (*each)(void *, const char *, const char *),
    void *ctx, struct err *err)
{
	static const struct edge_place anywhere;
	const struct fs_meta meta = { .mode = 0644, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *path = mem_printf("%s/%s.%s.conf", dir, edge->site,
	    tls ? "tls" : "http");
	struct edge_text text;
	int rc;

	rc = edge_render(conf, edge, tls, &anywhere, &text, err);
	if (rc == 0)
		rc = fs_replace(path, buf_cstr(&text.text), text.text.len,
		    &meta, err);
	if (rc == 0)
		each(ctx, path, text.generation);
	edge_text_clear(&text);
	free(path);
	return rc;
}

int
edge_hand_render(const struct conf *conf, const struct conf_edge *edge,
    const char *dir, void (*each)(void *, const char *, const char *),
    void *ctx, struct err *err)
{
	if (fs_mkdirs(dir, 0755, err) != 0)
		return -1;
	if (render_to(conf, edge, false, dir, each, ctx, err) != 0)
		return -1;
	return render_to(conf, edge, true, dir, each, ctx, err);
}

/* The two files of a test; `nginx -t' of them in between. */
struct trial {
	struct host *host;
	const struct conf_edge *edge;
	char *main_path;	/* nginx.conf's */
	char *conf_path;	/* for -c */
	char *vhost_path;	/* the rendering, which no include finds */
};

static int
dump(const struct trial *t, struct proc_result *result, struct err *err)
{
	static const char *const argv[] = { "nginx", "-T", "-q", NULL };
	const struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};

	if (host_ask(t->host, &spec, result, err) != 0)
		return err_ctx(err, "%s: nginx", t->edge->host->name);
	return 0;
}

static int
write_files(struct trial *t, const struct edge_text *text, struct err *err)
{
	struct buf main_text = BUF_INIT(MAIN_MAX);
	char *live = edge_path(t->edge);
	struct proc_result result;
	int rc;

	proc_result_init(&result, EDGE_DUMP_MAX);
	rc = dump(t, &result, err);
	if (rc == 0)
		rc = nginx_scratch(buf_cstr(&result.out), result.out.len,
		    live, t->vhost_path, &main_text, &t->main_path, err);
	if (rc == 0) {
		t->conf_path = mem_printf("%s.sanctumctl-test",
		    t->main_path);
		rc = host_replace(t->host, t->vhost_path,
		    buf_cstr(&text->text), text->text.len, &file_meta, err);
	}
	if (rc == 0)
		rc = host_replace(t->host, t->conf_path,
		    buf_cstr(&main_text), main_text.len, &file_meta, err);
	proc_result_clear(&result);
	buf_clear(&main_text);
	free(live);
	return rc;
}

static int
test_files(const struct trial *t, struct verdict *verdict, struct err *err)
{
	const char *const argv[] = { "nginx", "-t", "-q", "-c",
	    t->conf_path, NULL };
	const struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};
	struct proc_result result;
	struct buf said = BUF_INIT(65536);
	int rc;

	proc_result_init(&result, 65536);
	rc = host_run(t->host, &spec, &result, err);
	if (rc == 0 && result.status != 0) {
		command_said(&said, &result.err_out, 600);
		verdict_add(verdict, "nginx -t", VERDICT_DIFFERENT, 1, 0,
		    "%s", buf_cstr(&said));
	} else if (rc == 0)
		verdict_add(verdict, "nginx -t", VERDICT_SAME, 1, 1,
		    "takes the rendering beside what is there");
	buf_clear(&said);
	proc_result_clear(&result);
	return rc;
}

static int
remove_files(const struct trial *t, struct err *err)
{
	if (t->conf_path && host_remove(t->host, t->conf_path, err) != 0)
		return -1;
	return host_remove(t->host, t->vhost_path, err);
}

static int
try_out(struct host *host, const struct conf_edge *edge,
    const struct edge_text *text, struct verdict *verdict, struct err *err)
{
	struct trial t = { .host = host, .edge = edge };
	struct err second = ERR_INIT;
	int rc;

	t.vhost_path = mem_printf("/etc/nginx/sanctumctl-%s.test",
	    edge->site);
	rc = write_files(&t, text, err);
	if (rc == 0)
		rc = test_files(&t, verdict, err);
	if (remove_files(&t, rc == 0 ? err : &second) != 0)
		rc = -1;
	free(t.vhost_path);
	free(t.conf_path);
	free(t.main_path);
	return rc;
}

/* Whether the live file is the rendering. */
static int
compare_live(struct host *host, const struct conf_edge *edge,
    const struct edge_text *text, struct verdict *verdict, struct err *err)
{
	char *path = edge_path(edge);
	struct buf now = BUF_INIT(NGINX_FILE_MAX);
	bool same;
	int rc;

	rc = host_read(host, path, &now, NULL, err);
	same = rc == 0 && now.len == text->text.len &&
	    memcmp(buf_cstr(&now), buf_cstr(&text->text), now.len) == 0;
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
		verdict_add(verdict, "live file", VERDICT_DIFFERENT, 1, 0,
		    "%s is not there yet", path);
	} else if (rc == 0)
		verdict_add(verdict, "live file", same ? VERDICT_SAME :
		    VERDICT_DIFFERENT, 1, same, "%s %s", path, same ?
		    "is the rendering" : "is another one; `plan' shows the "
		    "difference");
	buf_clear(&now);
	free(path);
	return rc;
}

static int
test_edge(struct run *run, struct host *host, const struct conf_edge *edge,
    struct verdict *own, struct err *err)
{
	struct edge_place place;
	struct edge_text text = { .generation = "" };
	bool there, lasts;
	int rc;

	rc = edge_place_look(host, edge, &place, err);
	if (rc == 0 && *place.broken)
		rc = err_set(err, ERR_FAILED, "%s: nginx refuses a file that "
		    "is not ours: %s", edge->host->name, place.broken);
	if (rc == 0)
		rc = edge_certificate(run, edge, &there, &lasts, err);
	if (rc == 0 && there)
		rc = edge_place_certificate(run, edge, &place, err);
	if (rc == 0)
		rc = edge_render(run->conf, edge, there, &place, &text, err);
	if (rc == 0)
		rc = try_out(host, edge, &text, own, err);
	if (rc == 0)
		rc = compare_live(host, edge, &text, own, err);
	edge_text_clear(&text);
	return rc;
}

int
edge_hand_test(struct run *run, const struct conf_edge *edge,
    struct verdict *verdict, struct err *err)
{
	char *prefix = mem_printf("edge.%s", edge->host->name);
	struct verdict own = { 0 };
	struct host *host;
	int rc;

	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = test_edge(run, host, edge, &own, err);
	verdict_add_all(verdict, prefix, &own);
	verdict_clear(&own);
	free(prefix);
	return rc == 0 ? edge_verify(run, edge, verdict, err) : -1;
}
