#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/compose_edit.h"
#include "core/compose_look.h"
#include "core/conf.h"
#include "flow/compose_service.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_closed.h"
#include "flow/upgrade_compose.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

/*
 * A compose file often holds passwords, so the journal keeps the one value
 * that is replaced, as it stood there, and no more: with it the file is made
 * again byte for byte, and lines that somebody has edited since stay.
 */
#define WAS "compose.was"
#define NOW "compose.now"

#define UP_MS (UINT64_C(10) * 60 * 1000)
#define DEAD_MS 20000
#define PAUSE_MS 500

/* The file on the host, and where its image stands. */
struct file {
	struct host *host;
	const char *path, *service;
	char *where;
	struct fs_meta meta;
	struct buf text;
	struct compose_edit at;
};

int
upgrade_compose_open(struct upgrade *up, struct compose_service *cs,
    struct run *run, const struct step *step, struct err *err)
{
	*cs = (struct compose_service){ 0 };
	if (upgrade_open(up, run, step, err) != 0)
		return -1;
	return upgrade_compose_find(up, cs, err);
}

int
upgrade_compose_image(const struct upgrade *up,
    const struct compose_service *cs, char **out, struct err *err)
{
	const struct conf_letta *to = up->conf->to;
	char *now;

	if (to->image) {
		*out = mem_strdup(to->image);
		return 0;
	}
	*out = NULL;
	if (compose_service_image(cs, &now, err) != 0)
		return -1;
	*out = compose_edit_tagged(now, to->version);
	free(now);
	return 0;
}

/* What is replaced whole would be a file then, and the other one stay. */
static int
refuse_link(const struct file *file, struct err *err)
{
	struct fs_meta meta;

	if (host_stat(file->host, file->path, &meta, err) != 0)
		return -1;
	return meta.type != FS_SYMLINK ? 0 : err_set(err, ERR_DATA, "%s: is a "
	    "symbolic link, and would become a file: give the path that it "
	    "leads to as `compose'; nothing was changed", file->where);
}

static int
file_read(struct file *file, const struct compose_service *cs,
    struct err *err)
{
	*file = (struct file){ .host = cs->host, .path = cs->file,
	    .service = cs->name, .where = mem_printf("%s:%s",
	    host_name(cs->host), cs->file) };
	buf_init_still(&file->text, COMPOSE_EDIT_MAX);
	if (refuse_link(file, err) != 0)
		return -1;
	if (host_read(cs->host, cs->file, &file->text, &file->meta, err)
	    != 0 || buf_check(&file->text, file->where, err) != 0)
		return -1;
	return compose_edit_find(file->where, buf_cstr(&file->text),
	    file->text.len, file->service, &file->at, err);
}

static void
file_clear(struct file *file)
{
	compose_edit_clear(&file->at);
	buf_wipe(&file->text);
	free(file->where);
}

/* Its rights and owners stay, too. */
static int
file_write(const struct file *file, const char *raw, struct err *err)
{
	struct buf out;
	int rc;

	buf_init_still(&out, COMPOSE_EDIT_MAX);
	rc = compose_edit_replace(file->where, buf_cstr(&file->text),
	    file->text.len, file->service, raw, &out, err);
	if (rc == 0)
		rc = host_replace(file->host, file->path, out.data, out.len,
		    &file->meta, err);
	buf_wipe(&out);
	return rc;
}

/* The line alone: passwords may stand around it, or before it in its line. */
static void
show_line(const struct file *file, const char *raw, struct plan_note *note)
{
	const char *text = buf_cstr(&file->text);
	size_t from = file->at.from;

	while (from > 0 && text[from - 1] != '\n')
		from--;
	if (!file->at.alone || str_eq(raw, file->at.raw))
		return;
	buf_printf(&note->diff, "--- %s\n+++ %s\n@@ -%zu +%zu @@\n",
	    file->path, file->path, file->at.line, file->at.line);
	for (size_t i = 0; i < 2; i++) {
		buf_char(&note->diff, i == 0 ? '-' : '+');
		str_printable(&note->diff, text + from, file->at.from - from);
		str_printable(&note->diff, i == 0 ? file->at.raw : raw,
		    strlen(i == 0 ? file->at.raw : raw));
		buf_char(&note->diff, '\n');
	}
}

/* What the file is to say, as it says it. */
static int
wanted(const struct upgrade *up, const struct compose_service *cs,
    const struct file *file, char **raw, struct err *err)
{
	char *image;

	*raw = NULL;
	if (upgrade_compose_image(up, cs, &image, err) != 0)
		return -1;
	*raw = compose_edit_raw(&file->at, image);
	free(image);
	return 0;
}

static bool
is_chosen(const struct file *file)
{
	return strchr(file->at.image, '$') != NULL;
}

static void
say(const struct file *file, const char *raw, struct plan_note *note)
{
	plan_say(note, '~', "%s:%zu: image: %s -> %s%s", file->path,
	    file->at.line, file->at.raw, raw, is_chosen(file) ? " (its "
	    "variable does not choose it any more)" : "");
}

static int
look(struct upgrade *up, struct compose_service *cs, struct file *file,
    char **raw, struct err *err)
{
	*raw = NULL;
	if (file_read(file, cs, err) != 0)
		return -1;
	return wanted(up, cs, file, raw, err);
}

/* Whether the new version answers; "" is nobody. */
static int
answers(const struct upgrade *up, bool *out,
    char version[static RUNTIME_VERSION_SIZE], struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };

	*out = false;
	if (runtime_version(&rt, version, err) != 0)
		return -1;
	*out = str_eq(version, up->conf->to->version);
	return 0;
}

/* Its container is closed, or open, as it is to be, and no file is left. */
static int
is_settled(const struct upgrade *up, const struct compose_service *cs,
    bool *out, struct err *err)
{
	bool close, file;

	if (upgrade_closed_wanted(up->run, up->conf->to, &close, err) != 0 ||
	    upgrade_closed_file_is_there(up, &file, err) != 0)
		return -1;
	*out = close ? cs->closed : !cs->closed && !file;
	return 0;
}

static int
probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	char version[RUNTIME_VERSION_SIZE], *raw = NULL;
	struct file file = { 0 };
	struct compose_service cs;
	struct upgrade up;
	struct err ignored = ERR_INIT;
	bool up_now = false, settled = false;
	int rc;

	*found = PLAN_TODO;
	rc = upgrade_compose_open(&up, &cs, run, step, err);
	if (rc == 0)
		rc = look(&up, &cs, &file, &raw, err);
	if (rc == 0) {
		say(&file, raw, note);
		show_line(&file, raw, note);
	}
	if (rc == 0)
		rc = is_settled(&up, &cs, &settled, err);
	/* What is wrong with it is for the act to say, after a wait. */
	if (rc == 0 && settled && str_eq(raw, file.at.raw) && cs.running &&
	    answers(&up, &up_now, version, &ignored) == 0 && up_now)
		*found = PLAN_DONE;
	/* Once it was made the steps after it ask it, and it is down. */
	else if (rc == 0)
		rc = upgrade_begun(&up, &upgrade_compose_kind,
		    &run->backend_down, err);
	compose_service_close(&cs);
	file_clear(&file);
	free(raw);
	return rc;
}

/* Another file of the project may name an image, too. */
static int
check_effect(const struct compose_service *cs, const struct file *file,
    const char *raw, struct err *err)
{
	char *image, *said;
	int rc = 0;

	if (compose_service_image(cs, &image, err) != 0)
		return -1;
	said = compose_edit_raw(&file->at, image);
	if (!str_eq(said, raw))
		rc = err_set(err, ERR_DATA, "%s:%zu: says %s, and all its "
		    "files together say %s: which of %s names it?  Give "
		    "`compose' that one, after `letta rollback'", file->where,
		    file->at.line, raw, image, cs->files ? cs->files :
		    cs->file);
	free(said);
	free(image);
	return rc;
}

/* Killed after the first of the two, `was' is what is there. */
static int
edit(const struct upgrade *up, const struct file *file, const char *raw,
    struct err *err)
{
	char *was = NULL;
	int rc = upgrade_get(up, WAS, &was, err);

	if (rc == 0 && !was)
		rc = upgrade_put(up, WAS, file->at.raw, err);
	free(was);
	if (rc == 0)
		rc = upgrade_put(up, NOW, raw, err);
	if (rc == 0 && !str_eq(raw, file->at.raw))
		rc = file_write(file, raw, err);
	fault_point("upgrade_compose_written");
	return rc;
}

static int
check_alive(struct compose_service *cs, uint64_t *dead_ms, struct err *err)
{
	bool active;

	if (compose_service_active(cs, &active, err) != 0)
		return -1;
	if (active)
		*dead_ms = 0;
	else if (*dead_ms == 0)
		*dead_ms = clock_ms() + DEAD_MS;
	if (active || clock_left_ms(*dead_ms) > 0)
		return 0;
	/* Its log is not shown: older images print their database's URI. */
	return err_set(err, ERR_FAILED, "%s:%s: the service %s does not stay "
	    "up: see `docker compose -f %s logs %s', then run the same "
	    "command again, or `letta rollback'", host_name(cs->host), cs->file,
	    cs->name, cs->file, cs->name);
}

static int
await(const struct upgrade *up, struct compose_service *cs, struct err *err)
{
	uint64_t end_ms = clock_ms() + UP_MS, dead_ms = 0;
	char version[RUNTIME_VERSION_SIZE];
	bool ready = false;

	for (;;) {
		/* While it starts it may answer anything. */
		if (answers(up, &ready, version, err) != 0) {
			if (err->kind != ERR_DATA || clock_left_ms(end_ms)
			    == 0)
				return -1;
			err_clear(err);
		}
		if (ready)
			return 0;
		if (*version || clock_left_ms(end_ms) == 0)
			return err_set(err, ERR_FAILED, "%s:127.0.0.1:%u: %s "
			    "answers, not Letta %s, though the container was "
			    "made anew; see `docker ps'",
			    host_name(up->host), up->conf->to->port,
			    *version ? version : "nobody",
			    up->conf->to->version);
		if (check_alive(cs, &dead_ms, err) != 0 ||
		    stop_check(err) != 0)
			return -1;
		clock_sleep_ms(PAUSE_MS);
	}
}

/* A server that takes no password would be open all the same. */
static int
check_closed(const struct upgrade *up, struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };
	unsigned int status;

	if (runtime_ask(&rt, RUNTIME_GUARDED, NULL, &status, NULL, err) != 0)
		return -1;
	return status == 401 ? 0 : err_set(err, ERR_FAILED, "%s:127.0.0.1:%u"
	    ": GET " RUNTIME_GUARDED " without a header answers %u, not 401, "
	    "though LETTA_SERVER_SECURE is true: clients would see agents "
	    "that are not restored yet.  Is the image one of Letta's?",
	    host_name(up->host), up->conf->to->port, status);
}

/* As it is to be: with the file that closes it, or without any. */
static int
start(const struct upgrade *up, struct compose_service *cs, struct err *err)
{
	bool close;

	if (upgrade_closed_wanted(up->run, up->conf->to, &close, err) != 0)
		return -1;
	if (close)
		return upgrade_closed_file_make(up, cs, err) != 0 ||
		    upgrade_compose_start_closed(up, cs, err) != 0 ||
		    await(up, cs, err) != 0 ? -1 : check_closed(up, err);
	if (upgrade_compose_start(up, cs, err) != 0 ||
	    await(up, cs, err) != 0)
		return -1;
	fault_point("upgrade_compose_started");
	return upgrade_closed_file_remove(up, cs, err);
}

static int
act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct file file = { 0 };
	struct compose_service cs;
	struct upgrade up;
	char *raw = NULL;
	int rc;

	rc = upgrade_compose_open(&up, &cs, run, step, err);
	if (rc == 0)
		rc = look(&up, &cs, &file, &raw, err);
	if (rc == 0)
		rc = edit(&up, &file, raw, err);
	if (rc == 0)
		rc = check_effect(&cs, &file, raw, err);
	if (rc == 0)
		rc = start(&up, &cs, err);
	if (rc == 0)
		plan_say(note, '~', "%s:%zu: image: %s; Letta %s answers",
		    file.path, file.at.line, raw, up.conf->to->version);
	compose_service_close(&cs);
	file_clear(&file);
	free(raw);
	return rc;
}

/* was: as the file has said it; now: as we have. */
static int
take_back(const struct file *file, const char *was, const char *now,
    struct err *err)
{
	if (str_eq(file->at.raw, was))
		return 0;
	if (str_eq(file->at.raw, now))
		return file_write(file, was, err);
	return err_set(err, ERR_STALE, "%s:%zu: says image: %s, which is "
	    "neither what this job found there nor what it wrote.  Write "
	    "`%s' there, then run the same command again; the service %s is "
	    "stopped", file->where, file->at.line, file->at.raw, was,
	    file->service);
}

/*
 * The new server is stopped first: what is undone next is its database.  The
 * old one is started by `stop' taken back.
 */
static int
undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct file file = { 0 };
	char *was = NULL, *now = NULL;
	struct compose_service cs;
	struct upgrade up;
	int rc;

	rc = upgrade_compose_open(&up, &cs, run, step, err);
	if (rc == 0)
		rc = upgrade_get(&up, WAS, &was, err);
	if (rc == 0)
		rc = upgrade_get(&up, NOW, &now, err);
	if (rc == 0 && was && now)
		rc = upgrade_compose_stop(&up, &cs, err);
	if (rc == 0 && was && now)
		rc = file_read(&file, &cs, err);
	if (rc == 0 && was && now)
		rc = take_back(&file, was, now, err);
	if (rc == 0)
		rc = upgrade_closed_file_remove(&up, &cs, err);
	if (rc == 0)
		rc = upgrade_put(&up, NOW, "", err);
	if (rc == 0)
		rc = upgrade_put(&up, WAS, "", err);
	if (rc == 0 && was)
		plan_say(note, '-', "%s: image: %s, as it was", cs.file, was);
	compose_service_close(&cs);
	file_clear(&file);
	free(now);
	free(was);
	return rc;
}

const struct step_kind upgrade_compose_kind = {
	.word = "compose",
	.probe = probe,
	.act = act,
	.undo = undo,
};

static int
check_job(const struct upgrade *up, struct err *err)
{
	const struct conf_letta *from = up->conf->from, *to = up->conf->to;

	if (to->port != from->port)
		return err_set(err, ERR_USAGE, "%s: [letta %s] has port %u, "
		    "and [letta %s] %u: the ports of a service of compose "
		    "stay as they are", up->run->conf->path, to->name,
		    to->port, from->name, from->port);
	if (to->image && !compose_look_pinned(to->image))
		return err_set(err, ERR_USAGE, "%s: [letta %s]: the image %s "
		    "is not pinned: give it a tag or a digest",
		    up->run->conf->path, to->name, to->image);
	return 0;
}

int
upgrade_compose_look(const struct upgrade *up, struct err *err)
{
	struct file file = { 0 };
	struct compose_service cs = { 0 };
	bool begun = false;
	int rc;

	rc = check_job(up, err);
	if (rc == 0)
		rc = upgrade_begun(up, &upgrade_compose_kind, &begun, err);
	if (rc == 0)
		rc = upgrade_compose_find(up, &cs, err);
	/* From then on it is what this job makes of it. */
	if (rc == 0 && !begun)
		rc = compose_service_check(&cs, err);
	if (rc == 0)
		rc = file_read(&file, &cs, err);
	if (rc == 0 && !begun && !is_chosen(&file))
		rc = check_effect(&cs, &file, file.at.raw, err);
	compose_service_close(&cs);
	file_clear(&file);
	return rc;
}

int
upgrade_compose_same(const struct upgrade *up, const char *database,
    struct err *err)
{
	struct compose_service cs = { 0 };
	int rc;

	rc = upgrade_compose_find(up, &cs, err);
	if (rc == 0)
		rc = compose_service_check_database(&cs, database, err);
	compose_service_close(&cs);
	return rc;
}
