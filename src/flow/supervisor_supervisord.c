#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/supervisord.h"
#include "flow/command.h"
#include "flow/supervisor_kind.h"

#define OURS "sanctumctl-"

/*
 * supervisorctl.  A supervisord that does not run has nothing to be told;
 * a program that is as wanted already is no failure.  gone: nor is one that
 * is not there any more.
 */
static int
tell(struct host *host, const char *verb, const char *name, bool gone,
    struct err *err)
{
	const char *const argv[] = { "supervisorctl", verb, name, NULL };
	struct buf said = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct buf shown = BUF_INIT(1024);
	int status, rc;

	rc = command_run(host, argv, NULL, 0, &status, &said, NULL, err);
	if (rc == 0 && (status != 0 || strstr(buf_cstr(&said), "ERROR")) &&
	    status != 127 && !strstr(buf_cstr(&said), "no such file") &&
	    !strstr(buf_cstr(&said), "refused") &&
	    !(gone && strstr(buf_cstr(&said), "no such group")) &&
	    !strstr(buf_cstr(&said), "already started") &&
	    !strstr(buf_cstr(&said), "not running")) {
		str_printable(&shown, said.data ? said.data : "",
		    said.len > 200 ? 200 : said.len);
		rc = err_set(err, ERR_FAILED, "%s: supervisorctl %s %s: %s",
		    host_name(host), verb, name, buf_cstr(&shown));
	}
	buf_clear(&shown);
	buf_clear(&said);
	return rc;
}

static int
edit(struct host *host, const struct supervisor *s, const char *mark,
    int (*change)(struct buf *, const char *, const char *, bool *,
    struct err *), bool off, struct err *err)
{
	struct buf text = BUF_INIT(2 * SUPERVISOR_TEXT_MAX);
	struct fs_meta meta;
	bool changed = false;
	int rc = host_read(host, s->where, &text, &meta, err);

	if (rc == 0)
		rc = change(&text, s->name, mark, &changed, err);
	if (rc == 0 && changed) {
		rc = host_replace(host, s->where, buf_cstr(&text), text.len,
		    &meta, err);
		fault_point("supervisord");
	}
	buf_wipe(&text);
	if (rc != 0)
		return err_ctx(err, "%s: %s", host_name(host), s->where);
	/* Also when it was changed before: that run may have ended here. */
	return tell(host, "update", s->name, off, err);
}

static int
disable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	return edit(host, s, mark, supervisord_disable, true, err);
}

static int
enable(struct host *host, const struct supervisor *s, const char *mark,
    struct err *err)
{
	return edit(host, s, mark, supervisord_enable, false, err);
}

/* A file of its own where this host keeps them; NULL: it keeps none. */
static char *
goal_path(struct host *host, const struct supervisor *s)
{
	static const char *const places[][2] = {
		{ "/etc/supervisor/conf.d", "conf" },
		{ "/etc/supervisord.d", "ini" },
		{ "/etc/supervisor.d", "ini" },
	};
	struct fs_meta meta;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (host_stat(host, places[i][0], &meta, &ignored) == 0 &&
		    meta.type == FS_DIR)
			return mem_printf("%s/" OURS "%s.%s", places[i][0],
			    s->name, places[i][1]);
	}
	return NULL;
}

static int
install(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	char *path = goal_path(host, s);
	int rc;

	if (!path || strchr(s->name, '/'))
		rc = err_set(err, ERR_MISSING, "%s: no directory for programs "
		    "of supervisord; is it installed?", host_name(host));
	else {
		buf_printf(&text, "; " OURS "%s\n", goal->mark);
		shpath_rewrite(s->text, strlen(s->text), &goal->move, &text);
		rc = buf_check(&text, path, err);
		if (rc == 0)
			rc = host_replace(host, path, text.data, text.len,
			    &meta, err);
		fault_point("supervisord");
	}
	if (rc == 0)
		rc = tell(host, "update", s->name, false, err);
	buf_wipe(&text);
	free(path);
	return rc;
}

static int
take_out(struct host *host, const struct supervisor *s,
    const struct supervisor_goal *goal, struct err *err)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	char *path = goal_path(host, s);
	char *first = mem_printf("; " OURS "%s\n", goal->mark);
	struct err missing = ERR_INIT;
	int rc = 0;

	if (path && host_read(host, path, &text, NULL, &missing) == 0 &&
	    str_starts(buf_cstr(&text), first)) {
		rc = host_remove(host, path, err);
		fault_point("supervisord");
		if (rc == 0)
			rc = tell(host, "update", s->name, true, err);
	}
	buf_wipe(&text);
	free(first);
	free(path);
	return rc;
}

static int
start(struct host *host, const struct supervisor *s, struct err *err)
{
	return tell(host, "start", s->name, false, err);
}

static void
look_at_program(struct supervisor_look *look, const char *path,
    const struct supervisord_program *p)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct supervisor *s;
	char *tree = NULL;

	if (p->directory)
		buf_printf(&text, "cd %s\n", p->directory);
	buf_str(&text, p->command ? p->command : "");
	if (supervisor_starts(look, buf_cstr(&text), text.len,
	    look->own.home, NULL, &tree)) {
		s = supervisor_add(look->out, SUPERVISOR_SUPERVISORD);
		s->name = mem_strdup(p->name);
		s->where = mem_strdup(path);
		s->text = mem_strdup(p->text);
		s->tree = tree;
		s->line = p->line;
		s->disabled = p->disabled;
		s->mark = p->mark ? mem_strdup(p->mark) : NULL;
	}
	buf_wipe(&text);
}

static void
look_at(struct supervisor_look *look, const char *path)
{
	struct buf text = BUF_INIT(SUPERVISOR_TEXT_MAX);
	struct supervisord_program p;
	struct err failed = ERR_INIT;
	size_t at = 0;

	if (host_read(look->host, path, &text, NULL, &failed) != 0) {
		if (failed.kind != ERR_MISSING)
			log_warn("%s", failed.text);
		return;
	}
	while (supervisord_next(buf_cstr(&text), text.len, &at, &p)) {
		look_at_program(look, path, &p);
		supervisord_program_clear(&p);
	}
	buf_wipe(&text);
}

/* A file that is named is found, too: what is not there costs no question. */
static int
find(struct supervisor_look *look, struct err *err)
{
	static const char *const places[] = { "/etc/supervisord.conf",
	    "/etc/supervisor/supervisord.conf", "/etc/supervisor/conf.d",
	    "/etc/supervisord.d", "/etc/supervisor.d", NULL };
	size_t n;
	char **files = supervisor_files_of(look->host, places, "f", "*", &n);

	(void)err;
	for (size_t i = 0; i < n; i++) {
		if (str_ends(files[i], ".conf") || str_ends(files[i], ".ini"))
			look_at(look, files[i]);
	}
	supervisor_files_free(files, n);
	return 0;
}

const struct supervisor_ops supervisor_supervisord = {
	.find = find,
	.disable = disable,
	.enable = enable,
	.install = install,
	.remove = take_out,
	.start = start,
};
