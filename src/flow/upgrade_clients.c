#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/client_url.h"
#include "core/conf.h"
#include "flow/client_look.h"
#include "flow/command.h"
#include "flow/edge_service.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/upgrade.h"
#include "flow/upgrade_part.h"
#include "io/fs.h"
#include "io/host.h"

/*
 * Files of clients hold keys and passwords, .bashrc as well as .env, so their
 * text is not kept: "clients.PATH" in the journal is the record of an edit
 * (core/client_url.h), which has places and addresses alone.
 * "clients.files" are the paths with one, a line each; "clients.reload" is
 * "yes" while nginx has to be told of them.
 */
#define FILES "clients.files"
#define RELOAD "clients.reload"
#define LIST_MAX (64 * 1024)
#define SHOWN_MAX 500	/* bytes of paths in a message */
/* Nobody reads these files anew by himself. */
#define RESTART "; start programs that read them again" \
	" (changed units: systemctl daemon-reload first)"

struct clients {
	struct upgrade up;
	struct client_urls urls;
	struct buf paths;		/* those of the job, without links, a
					 * line each */
};

/* One file, and what it becomes. */
struct client {
	char *path;
	bool present;
	struct fs_meta meta;
	struct buf now, after;		/* wiped */
	struct buf record;
	size_t n;			/* places */
};

static bool
is_nginx(const char *path)
{
	return strstr(path, "/nginx/") != NULL;
}

static char *
record_word(const char *path)
{
	return mem_printf("clients.%s", path);
}

/* Whether a list of lines has this one. */
static bool
has_line(const char *list, const char *line, size_t len)
{
	size_t n;

	for (; *list; list += n + (list[n] == '\n')) {
		n = strcspn(list, "\n");
		if (n == len && memcmp(list, line, n) == 0)
			return true;
	}
	return false;
}

/* Where a path of the job leads: sites-enabled is links, a .bashrc may be. */
static int
resolve(struct clients *clients, const char *word, struct err *err)
{
	struct host *host = clients->up.host;
	char *path = conf_expand_home(word, host_facts(host)->home);
	const char *const argv[] = { "readlink", "-e", "--", path, NULL };
	struct buf out = BUF_INIT(LIST_MAX);
	int status = 0, rc;

	rc = command_ask(host, argv, &status, &out, err);
	if (rc == 0 && (status != 0 || out.len == 0))
		rc = err_set(err, ERR_USAGE, "%s:%d: `clients' names %s:%s, "
		    "which is not there; nothing was changed in files of "
		    "clients", clients->up.run->conf->path,
		    clients->up.conf->line, host_name(host), path);
	if (rc == 0 && !has_line(buf_cstr(&clients->paths), buf_cstr(&out),
	    strcspn(buf_cstr(&out), "\n")))
		buf_str(&clients->paths, buf_cstr(&out));
	buf_clear(&out);
	free(path);
	return rc;
}

static void
clients_close(struct clients *clients)
{
	client_urls_clear(&clients->urls);
	buf_clear(&clients->paths);
}

/* close it in any case. */
static int
clients_open(struct clients *clients, struct run *run,
    const struct step *step, struct err *err)
{
	char *words, *word, *rest = NULL;
	int rc;

	*clients = (struct clients){ .urls = { .n = 0 } };
	buf_init(&clients->paths, LIST_MAX);
	if (upgrade_open(&clients->up, run, step, err) != 0)
		return -1;
	client_look_upgrade(&clients->urls, clients->up.conf);
	if (clients->urls.n == 0 || !clients->up.conf->clients)
		return 0;
	words = mem_strdup(clients->up.conf->clients);
	rc = 0;
	for (word = strtok_r(words, " ", &rest); rc == 0 && word;
	    word = strtok_r(NULL, " ", &rest))
		rc = resolve(clients, word, err);
	free(words);
	return rc;
}

static void
client_clear(struct client *client)
{
	free(client->path);
	buf_wipe(&client->now);
	buf_wipe(&client->after);
	buf_clear(&client->record);
}

/* Whether another user may put something else in the place of what is in it. */
static bool
is_of_others(const struct fs_meta *dir, const struct host_facts *we)
{
	if (dir->uid != 0 && dir->uid != we->uid)
		return true;
	if (dir->mode & 01000)
		return false;
	return dir->mode & 0002 || (dir->mode & 0020 && dir->gid != 0 &&
	    dir->gid != we->gid);
}

/*
 * A user who may swap a directory of the path for a link between our look and
 * our write would choose what we replace.
 */
static int
check_place(const struct upgrade *up, const char *path, struct err *err)
{
	char *dir = mem_strdup(path), *end;
	bool root = false;
	struct fs_meta meta;
	int rc = 0;

	while (rc == 0 && !root && (end = strrchr(dir, '/')) != NULL) {
		root = end == dir;
		end[root] = '\0';
		rc = host_stat(up->host, dir, &meta, err);
		if (rc == 0 && meta.type != FS_NONE &&
		    (meta.type != FS_DIR ||
		    is_of_others(&meta, host_facts(up->host))))
			rc = err_set(err, ERR_USAGE, "%s:%s: its directory %s "
			    "is not ours alone (uid %u, mode %04o): others "
			    "could lead our write elsewhere; take it out of "
			    "`clients' and edit it as its owner",
			    host_name(up->host), path, dir,
			    (unsigned int)meta.uid, (unsigned int)meta.mode);
	}
	free(dir);
	return rc;
}

/* clear it in any case; a file that is not there is a success. */
static int
client_read(const struct upgrade *up, const char *path,
    struct client *client, struct err *err)
{
	*client = (struct client){ .path = mem_strdup(path) };
	buf_init_still(&client->now, CLIENT_URL_TEXT_MAX);
	buf_init_still(&client->after, 2 * CLIENT_URL_TEXT_MAX);
	buf_init(&client->record, 2 * CLIENT_URL_RECORD_MAX);
	if (check_place(up, path, err) != 0)
		return -1;
	if (host_read(up->host, path, &client->now, &client->meta, err)
	    != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
		return 0;
	}
	client->present = true;
	if (buf_check(&client->now, path, err) != 0)
		return -1;
	if (strlen(buf_cstr(&client->now)) != client->now.len)
		return err_set(err, ERR_DATA, "%s:%s: has NUL bytes in "
		    "it, so it is no text and was left as it is; take it out "
		    "of `clients'", host_name(up->host), path);
	return 0;
}

/* What this text becomes: of now, or of what now was before our own edit. */
static int
client_edit(const struct clients *clients, struct client *client,
    const struct buf *text, struct err *err)
{
	char *where;
	int rc = 0;

	if (!client_url_is_env(client->path)) {
		client->n = client_url_edit(buf_cstr(text), text->len,
		    &clients->urls, &client->after, &client->record);
	} else {
		where = mem_printf("%s:%s", host_name(clients->up.host),
		    client->path);
		rc = client_url_edit_env(buf_cstr(text), text->len, where,
		    &clients->urls, &client->after, &client->record,
		    &client->n, err);
		free(where);
	}
	if (rc == 0 && buf_check(&client->after, client->path, err) != 0)
		rc = -1;
	return rc == 0 ? buf_check(&client->record, client->path, err) : -1;
}

/* Each line of a list; the list is the callee's to cut. */
static char *
next_line(char **rest)
{
	char *line = *rest, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*rest = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

struct others {
	const struct clients *clients;
	struct plan_note *note;
	size_t n;
};

static int
tell_other(void *ctx, const char *path, size_t line, const char *address,
    struct err *err)
{
	struct others *others = ctx;
	size_t len = strlen(path);

	(void)err;
	if (has_line(buf_cstr(&others->clients->paths), path, len))
		return 0;
	buf_str(&others->note->diff, "    not changed: ");
	str_printable(&others->note->diff, path, len);
	buf_printf(&others->note->diff, ":%zu: %s\n", line, address);
	others->n++;
	return 0;
}

/* Count the places, and show them when there is a note. */
static int
look(const struct clients *clients, struct plan_note *note, size_t *places,
    size_t *files, struct err *err)
{
	char *list = mem_strdup(buf_cstr(&clients->paths)), *rest = list;
	struct client client;
	char *path;
	int rc = 0;

	*places = *files = 0;
	while (rc == 0 && (path = next_line(&rest)) != NULL) {
		rc = client_read(&clients->up, path, &client, err);
		if (rc == 0 && client.present)
			rc = client_edit(clients, &client, &client.now, err);
		*places += client.n;
		*files += client.n > 0;
		if (rc == 0 && client.n > 0)
			client_url_show(path, buf_cstr(&client.now),
			    client.now.len, buf_cstr(&client.record),
			    &note->diff);
		client_clear(&client);
	}
	free(list);
	return rc;
}

static int
clients_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct clients clients;
	struct others others = { .clients = &clients, .note = note };
	char *reload = NULL;
	size_t places = 0, files = 0;
	bool cut = false;
	int rc;

	rc = clients_open(&clients, run, step, err);
	if (rc == 0)
		rc = look(&clients, note, &places, &files, err);
	if (rc == 0)
		rc = client_look(clients.up.host, &clients.urls, tell_other,
		    &others, &cut, err);
	if (cut)
		buf_printf(&note->diff, "    not looked at: files behind the "
		    "first %d that name the old address\n", CLIENT_LOOK_MAX);
	if (rc == 0)
		rc = upgrade_get(&clients.up, RELOAD, &reload, err);
	*found = places > 0 || reload ? PLAN_TODO : PLAN_DONE;
	if (rc == 0 && clients.urls.n == 0)
		plan_say(note, '~', "the address stays as it is");
	else if (rc == 0 && others.n > 0)
		plan_say(note, '~', "%zu addresses in %zu files; %zu lines "
		    "of others name the old one, and are not in `clients'%s",
		    places, files, others.n, cut ? "; not all files were "
		    "looked at" : "");
	else if (rc == 0)
		plan_say(note, '~', "%zu addresses in %zu files", places,
		    files);
	free(reload);
	clients_close(&clients);
	return rc;
}

/* The journal knows a file before it is changed. */
static int
note_file(const struct upgrade *up, const char *path, struct err *err)
{
	char *files = NULL, *all;
	int rc = upgrade_get(up, FILES, &files, err);

	all = mem_printf("%s%s\n", files ? files : "", path);
	if (rc == 0 && !has_line(files ? files : "", path, strlen(path)))
		rc = upgrade_put(up, FILES, all, err);
	free(all);
	free(files);
	return rc;
}

/* With an earlier edit of ours in it, the record has to say both. */
static int
edit_anew(const struct clients *clients, struct client *client,
    const char *record, struct err *err)
{
	struct buf former;
	size_t left;
	int rc = 0;

	buf_init_still(&former, 2 * CLIENT_URL_TEXT_MAX);
	if (record && client_url_revert(buf_cstr(&client->now),
	    client->now.len, record, &former, &left)) {
		buf_wipe(&client->after);
		buf_init_still(&client->after, 2 * CLIENT_URL_TEXT_MAX);
		buf_clear(&client->record);
		rc = client_edit(clients, client, &former, err);
	}
	buf_wipe(&former);
	return rc;
}

static int
write_client(const struct clients *clients, struct client *client,
    struct err *err)
{
	const struct upgrade *up = &clients->up;
	char *word = record_word(client->path), *record = NULL;
	int rc;

	rc = upgrade_get(up, word, &record, err);
	if (rc == 0)
		rc = edit_anew(clients, client, record, err);
	if (rc == 0)
		rc = note_file(up, client->path, err);
	if (rc == 0)
		rc = upgrade_put(up, word, buf_cstr(&client->record), err);
	if (rc == 0 && is_nginx(client->path))
		rc = upgrade_put(up, RELOAD, "yes", err);
	if (rc == 0)
		rc = host_replace(up->host, client->path,
		    buf_cstr(&client->after), client->after.len,
		    &client->meta, err);
	free(record);
	free(word);
	return rc;
}

/*
 * *left: addresses that stay, since somebody has edited the file; the record
 * stays with them.
 */
static int
put_back(const struct upgrade *up, const char *path, size_t *left,
    struct err *err)
{
	char *word = record_word(path), *record = NULL;
	struct client client;
	int rc;

	*left = 0;
	rc = client_read(up, path, &client, err);
	if (rc == 0)
		rc = upgrade_get(up, word, &record, err);
	if (rc == 0 && record && client.present &&
	    client_url_revert(buf_cstr(&client.now), client.now.len, record,
	    &client.after, left)) {
		rc = buf_check(&client.after, path, err);
		if (rc == 0)
			rc = host_replace(up->host, path,
			    buf_cstr(&client.after), client.after.len,
			    &client.meta, err);
	}
	if (rc == 0 && record && *left == 0)
		rc = upgrade_put(up, word, "", err);
	free(record);
	free(word);
	client_clear(&client);
	return rc;
}

/* Files that are as they were, and those in which something stays. */
struct gone_back {
	size_t n, n_left;
	struct buf left;	/* "PATH (2), PATH (1)" */
};

static void
note_left(struct gone_back *back, const char *path, size_t n)
{
	back->n_left++;
	if (back->left.len > SHOWN_MAX)
		return;
	buf_str(&back->left, back->left.len > 0 ? ", " : "");
	str_printable(&back->left, path, strlen(path));
	buf_printf(&back->left, " (%zu)", n);
}

/* Those of nginx, or all; clear back->left in any case. */
static int
put_back_all(const struct upgrade *up, bool nginx_alone,
    struct gone_back *back, struct err *err)
{
	char *files = NULL, *rest, *path;
	size_t left;
	int rc;

	*back = (struct gone_back){ .left = BUF_INIT(LIST_MAX) };
	rc = upgrade_get(up, FILES, &files, err);
	rest = files;
	while (rc == 0 && (path = next_line(&rest)) != NULL) {
		if (nginx_alone && !is_nginx(path))
			continue;
		if (is_nginx(path))
			rc = upgrade_put(up, RELOAD, "yes", err);
		if (rc == 0)
			rc = put_back(up, path, &left, err);
		if (rc == 0 && left > 0)
			note_left(back, path, left);
		else
			back->n += rc == 0;
	}
	free(files);
	return rc;
}

/* A running nginx reads what `nginx -t' takes. */
static int
reload(const struct upgrade *up, struct err *err)
{
	const struct conf_edge edge = { .host = up->conf->from->host };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc;

	rc = edge_service_test(up->host, &edge, "what `clients' names", err);
	if (rc == 0)
		rc = edge_service_signal(up->host, &edge, &status, &said,
		    err);
	buf_clear(&said);
	/* Its files alone are here. */
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	return rc == 0 ? upgrade_put(up, RELOAD, "", err) : -1;
}

static int
refused(const struct upgrade *up, struct err *err)
{
	struct err second = ERR_INIT;
	struct gone_back back;

	if (put_back_all(up, true, &back, &second) != 0 ||
	    upgrade_put(up, RELOAD, "", &second) != 0)
		err_clear(&second);
	else
		(void)err_ctx(err, "the %zu nginx files are as they were, "
		    "other files of clients have the new address", back.n);
	buf_clear(&back.left);
	return -1;
}

static int
clients_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct clients clients;
	struct client client;
	char *list = NULL, *rest, *path, *wanted = NULL;
	size_t places = 0, files = 0;
	int rc;

	rc = clients_open(&clients, run, step, err);
	list = mem_strdup(buf_cstr(&clients.paths));
	rest = list;
	while (rc == 0 && (path = next_line(&rest)) != NULL) {
		rc = client_read(&clients.up, path, &client, err);
		if (rc == 0 && client.present)
			rc = client_edit(&clients, &client, &client.now, err);
		if (rc == 0 && client.n > 0) {
			places += client.n;
			files++;
			rc = write_client(&clients, &client, err);
		}
		client_clear(&client);
	}
	if (rc == 0)
		rc = upgrade_get(&clients.up, RELOAD, &wanted, err);
	if (rc == 0 && wanted && reload(&clients.up, err) != 0)
		rc = refused(&clients.up, err);
	if (rc == 0)
		plan_say(note, '~', "%zu addresses in %zu files%s%s", places,
		    files, wanted ? "; nginx has read its own" : "",
		    files > 0 ? RESTART : "");
	free(wanted);
	free(list);
	clients_close(&clients);
	return rc;
}

/* What nginx does not take is not by us: its files are what they were. */
static int
reload_back(const struct upgrade *up, struct plan_note *note,
    struct err *err)
{
	char *wanted = NULL;
	int rc = upgrade_get(up, RELOAD, &wanted, err);

	if (rc == 0 && wanted)
		rc = reload(up, err);
	free(wanted);
	if (rc == 0 || err->kind != ERR_FAILED)
		return rc;
	buf_str(&note->diff, "    not read by nginx: ");
	str_printable(&note->diff, err->text, strlen(err->text));
	buf_char(&note->diff, '\n');
	err_clear(err);
	return upgrade_put(up, RELOAD, "", err);
}

static int
clients_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct gone_back back = { .n = 0 };
	struct upgrade up;
	int rc;

	rc = upgrade_open(&up, run, step, err);
	if (rc == 0)
		rc = put_back_all(&up, false, &back, err);
	if (rc == 0)
		rc = reload_back(&up, note, err);
	if (rc == 0 && back.n_left > 0)
		rc = err_set(err, ERR_PARTIAL, "%s: somebody has edited files "
		    "of clients, and new addresses of Letta stay in them: %s. "
		    " Write the old one there, then run the same command "
		    "again; %zu other files have it", host_name(up.host),
		    buf_cstr(&back.left), back.n);
	if (rc == 0)
		rc = upgrade_put(&up, FILES, "", err);
	if (rc == 0)
		plan_say(note, '~', "%zu files name the old address again"
		    "%s", back.n, back.n > 0 ? RESTART : "");
	buf_clear(&back.left);
	return rc;
}

const struct step_kind upgrade_clients_kind = {
	.word = "clients",
	.probe = clients_probe,
	.act = clients_act,
	.undo = clients_undo,
	.may_leave = true,
};
