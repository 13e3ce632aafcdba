#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/pg_uri.h"
#include "flow/command.h"
#include "flow/compose_service.h"
#include "io/host.h"

#define ASK_MS 60000
#define ACT_MS (UINT64_C(60) * 60 * 1000)
#define OUT_MAX (1024 * 1024)
#define SAID_MAX 400
#define WORDS_MAX 64
#define LABEL "com.docker.compose."
#define FOUND_MAX 2
#define SHORT_ID 12

/* A line of JSON a container, with nothing secret in it. */
#define FORMAT "{\"id\":{{json .ID}},\"image\":{{json .Image}}," \
	"\"state\":{{json .State}},\"names\":{{json .Names}}," \
	"\"replace\":{{json (.Label \"" LABEL "replace\")}}," \
	"\"project\":{{json (.Label \"" LABEL "project\")}}," \
	"\"files\":{{json (.Label \"" LABEL "project.config_files\")}}," \
	"\"directory\":{{json (.Label \"" LABEL "project.working_dir\")}}," \
	"\"env_files\":{{json (.Label \"" LABEL \
	"project.environment_file\")}}}"

/* Behind these words compose quotes a value, or a line of an env file. */
static void
cut_quoted(struct buf *text)
{
	static const char *const words[] = { "with another $.",
	    " in variable name " };
	const char *at;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		at = strstr(buf_cstr(text), words[i]);
		if (at)
			buf_truncate(text, (size_t)(at - text->data) +
			    strlen(words[i]));
	}
}

static int
fail(const struct compose_service *cs, const char *what,
    const struct proc_result *result, struct err *err)
{
	const struct buf *from = result->err_out.len > 0 ? &result->err_out :
	    &result->out;
	struct buf said = BUF_INIT(4 * SAID_MAX), text;

	buf_init_still(&text, OUT_MAX);
	buf_add(&text, buf_cstr(from), from->len);
	cut_quoted(&text);
	command_said(&said, &text, SAID_MAX);
	buf_wipe(&text);
	(void)err_set(err, ERR_FAILED, "%s:%s: docker %s: %s (exit code %d)",
	    host_name(cs->host), cs->file, what, buf_cstr(&said),
	    result->status);
	buf_clear(&said);
	return -1;
}

/* what: the word that says most of argv. */
static int
run(const struct compose_service *cs, const char *const *argv,
    const char *what, bool asks, struct buf *out, struct err *err)
{
	const struct proc_spec spec = { .argv = argv,
	    .timeout_ms = asks ? ASK_MS : ACT_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, OUT_MAX);
	rc = asks ? host_ask(cs->host, &spec, &result, err) :
	    host_run(cs->host, &spec, &result, err);
	if (rc != 0)
		(void)err_ctx(err, "%s:%s: docker %s", host_name(cs->host),
		    cs->file, what);
	else if (result.status != 0)
		rc = fail(cs, what, &result, err);
	else if (out)
		buf_add(out, buf_cstr(&result.out), result.out.len);
	buf_wipe(&result.out);
	proc_result_clear(&result);
	return rc;
}

int
compose_service_docker(const struct compose_service *cs,
    const char *const *words, bool asks, struct buf *out, struct err *err)
{
	const char *argv[WORDS_MAX] = { "docker" };

	for (size_t n = 1; *words && n < WORDS_MAX - 1; n++)
		argv[n] = *words++;
	return run(cs, argv, argv[1], asks, out, err);
}

/* OPTION PART for each part of a list with commas, which is cut up. */
static void
add_each(const char *argv[static WORDS_MAX], size_t *n, const char *option,
    char *list)
{
	char *rest = list, *part;

	while ((part = strsep(&rest, ",")) != NULL) {
		if (*part == '\0' || *n + 2 >= WORDS_MAX)
			continue;
		argv[(*n)++] = option;
		argv[(*n)++] = part;
	}
}

/*
 * docker compose WORDS, of what the container was made with, and of one more
 * file (NULL: none).
 */
static int
compose_with(const struct compose_service *cs, const char *more,
    const char *const *words, bool asks, struct buf *out, struct err *err)
{
	const char *argv[WORDS_MAX] = { "docker", "compose" };
	char *files = mem_strdup(cs->project ? cs->files : cs->file);
	char *env_files = mem_strdup(cs->project ? cs->env_files : "");
	char *what = mem_printf("compose %s", words[0]);
	size_t n = 2;
	int rc;

	if (cs->project) {
		argv[n++] = "--project-name";
		argv[n++] = cs->project;
		argv[n++] = "--project-directory";
		argv[n++] = cs->directory;
		add_each(argv, &n, "--file", files);
	} else {
		argv[n++] = "--file";
		argv[n++] = cs->file;
	}
	if (more) {
		argv[n++] = "--file";
		argv[n++] = more;
	}
	add_each(argv, &n, "--env-file", env_files);
	while (*words && n < WORDS_MAX - 1)
		argv[n++] = *words++;
	argv[n] = NULL;
	rc = run(cs, argv, what, asks, out, err);
	free(what);
	free(env_files);
	free(files);
	return rc;
}

static int
compose(const struct compose_service *cs, const char *const *words,
    bool asks, struct buf *out, struct err *err)
{
	return compose_with(cs, NULL, words, asks, out, err);
}

/* The engine, and its plugin, are there. */
static int
check_engine(const struct compose_service *cs, struct err *err)
{
	static const char *const words[] = { "compose", "version", NULL };

	if (compose_service_docker(cs, words, true, NULL, err) == 0)
		return 0;
	if (err->kind != ERR_MISSING && err->kind != ERR_FAILED)
		return -1;
	err->kind = ERR_MISSING;
	return err_ctx(err, "[letta %s] says that `docker compose' runs it",
	    cs->letta->name);
}

static bool
has_part(const char *list, const char *word)
{
	size_t len = strlen(word), part;

	for (; *list; list += part + (list[part] == ',')) {
		part = strcspn(list, ",");
		if (part == len && memcmp(list, word, len) == 0)
			return true;
	}
	return false;
}

char *
compose_service_closed_path(const struct compose_service *cs)
{
	return mem_printf("%s.sanctumctl-%s-closed", cs->file, cs->name);
}

/* What closes it is not one of its files: whoever wants it names it. */
static char *
without_closing(struct compose_service *cs, const char *files)
{
	char *closing = compose_service_closed_path(cs);
	struct buf out = BUF_INIT(OUT_MAX);
	size_t len = strlen(closing), part;
	char *all;

	for (; *files; files += part + (files[part] == ',')) {
		part = strcspn(files, ",");
		if (part == len && memcmp(files, closing, len) == 0) {
			cs->closed = true;
			continue;
		}
		if (out.len > 0)
			buf_char(&out, ',');
		buf_add(&out, files, part);
	}
	all = mem_strdup(buf_cstr(&out));
	buf_clear(&out);
	free(closing);
	return all;
}

static char *
copy(const struct jdoc *doc, const char *key)
{
	const char *text = jdoc_get_str(doc, key);

	return mem_strdup(text ? text : "");
}

/* The containers of our file and service. */
struct found {
	struct jdoc *docs[FOUND_MAX];
	size_t n;
};

/*
 * `up' makes what is to replace a container as SHORTID_NAME, labelled so, ends
 * and removes the first, then renames: killed in between, both are there.  The
 * label says its id, or its name, by the version, and stays for good.
 */
static bool
is_rest(const struct jdoc *doc, const struct jdoc *of)
{
	const char *replaces = jdoc_get_str(doc, "replace");
	const char *names = jdoc_get_str(doc, "names");
	const char *id = jdoc_get_str(of, "id");

	if (!replaces || !*replaces || !id || strlen(id) < SHORT_ID)
		return false;
	return str_eq(replaces, id) || (names &&
	    strncmp(names, id, SHORT_ID) == 0 && names[SHORT_ID] == '_');
}

static int
refuse_many(const struct compose_service *cs, struct err *err)
{
	return err_set(err, ERR_DATA, "%s:%s: there is more than one "
	    "container of the service %s: which of them is meant?  "
	    "See `docker ps --all'; nothing was changed",
	    host_name(cs->host), cs->file, cs->name);
}

/* One line of the engine: it is ours when our file is among its files. */
static int
note_line(const struct compose_service *cs, const char *line, size_t len,
    struct found *found, struct err *err)
{
	struct jdoc *doc = jdoc_parse(line, len, err);
	const char *files;

	if (!doc)
		return err_ctx(err, "%s: docker ps", host_name(cs->host));
	files = jdoc_get_str(doc, "files");
	if (files && has_part(files, cs->file)) {
		if (found->n < FOUND_MAX) {
			found->docs[found->n++] = doc;
			return 0;
		}
		jdoc_free(doc);
		return refuse_many(cs, err);
	}
	jdoc_free(doc);
	return 0;
}

static int
take(struct compose_service *cs, const struct found *found, struct err *err)
{
	const struct jdoc *doc = found->docs[0], *rest = found->docs[1];

	if (found->n == 0)
		return 0;
	if (rest && is_rest(doc, rest)) {
		doc = rest;
		rest = found->docs[0];
	}
	if (rest && !is_rest(rest, doc))
		return refuse_many(cs, err);
	cs->container = copy(doc, "id");
	cs->image = copy(doc, "image");
	cs->project = copy(doc, "project");
	cs->directory = copy(doc, "directory");
	cs->files = without_closing(cs, jdoc_get_str(doc, "files"));
	cs->env_files = copy(doc, "env_files");
	cs->running = jdoc_is(doc, "state", "running");
	if (rest)
		cs->rest = copy(rest, "id");
	return 0;
}

static void
forget(struct compose_service *cs)
{
	free(cs->container);
	free(cs->rest);
	free(cs->image);
	free(cs->project);
	free(cs->directory);
	free(cs->files);
	free(cs->env_files);
	*cs = (struct compose_service){ .host = cs->host, .letta = cs->letta,
	    .file = cs->file, .name = cs->name };
}

/* Among all containers of a service with that name, the one of our file. */
static int
look(struct compose_service *cs, struct err *err)
{
	char *label = mem_printf("label=" LABEL "service=%s", cs->name);
	const char *const words[] = { "ps", "--all", "--no-trunc", "--filter",
	    label, "--filter", "label=" LABEL "oneoff=False", "--format",
	    FORMAT, NULL };
	struct buf text = BUF_INIT(OUT_MAX);
	struct found found = { 0 };
	const char *at;
	size_t len;
	int rc;

	forget(cs);
	rc = compose_service_docker(cs, words, true, &text, err);
	for (at = buf_cstr(&text); rc == 0 && *at; at += len + (at[len] != 0))
	{
		len = strcspn(at, "\n");
		if (len > 0)
			rc = note_line(cs, at, len, &found, err);
	}
	if (rc == 0)
		rc = take(cs, &found, err);
	for (size_t i = 0; i < found.n; i++)
		jdoc_free(found.docs[i]);
	buf_clear(&text);
	free(label);
	return rc;
}

static int
open_service(struct compose_service *cs, struct host *host,
    const struct conf_letta *letta, const char *name, struct err *err)
{
	*cs = (struct compose_service){ .host = host, .letta = letta,
	    .file = letta->compose, .name = name };
	if (!cs->file)
		return err_set(err, ERR_USAGE, "[letta %s] has no `compose'",
		    letta->name);
	if (check_engine(cs, err) != 0)
		return -1;
	return look(cs, err);
}

int
compose_service_open(struct compose_service *cs, struct host *host,
    const struct conf_letta *letta, struct err *err)
{
	return open_service(cs, host, letta, letta->service ? letta->service :
	    "letta", err);
}

int
compose_service_open_database(struct compose_service *cs, struct host *host,
    const struct conf_letta *letta, struct err *err)
{
	if (open_service(cs, host, letta, letta->compose_database, err) != 0)
		return -1;
	return cs->running ? 0 : err_set(err, ERR_UNREACHABLE, "%s:%s: the "
	    "service %s, `compose_database' of [letta %s], does not run: "
	    "docker compose -f %s up -d %s", host_name(host), cs->file,
	    cs->name, letta->name, cs->file, cs->name);
}

void
compose_service_recall(struct compose_service *cs, const char *project,
    const char *directory, const char *files, const char *env_files)
{
	if (cs->container)
		return;
	forget(cs);
	cs->project = mem_strdup(project);
	cs->directory = mem_strdup(directory);
	cs->files = mem_strdup(files);
	cs->env_files = mem_strdup(env_files);
}

void
compose_service_close(struct compose_service *cs)
{
	forget(cs);
}

int
compose_service_active(struct compose_service *cs, bool *out,
    struct err *err)
{
	int rc = look(cs, err);

	*out = rc == 0 && cs->running;
	return rc;
}

/* Two that are both stale `up' would make anew under one name. */
static int
remove_rest(struct compose_service *cs, struct err *err)
{
	const char *const words[] = { "rm", "--force", cs->rest, NULL };

	if (!cs->rest)
		return 0;
	if (compose_service_docker(cs, words, false, NULL, err) != 0)
		return -1;
	free(cs->rest);
	cs->rest = NULL;
	return 0;
}

int
compose_service_stop(struct compose_service *cs, struct err *err)
{
	const char *const words[] = { "stop", cs->name, NULL };

	if (remove_rest(cs, err) != 0)
		return -1;
	return compose(cs, words, false, NULL, err);
}

static int
start(struct compose_service *cs, const char *more, struct err *err)
{
	const char *const words[] = { "up", "--detach", "--no-deps",
	    cs->name, NULL };

	if (remove_rest(cs, err) != 0)
		return -1;
	return compose_with(cs, more, words, false, NULL, err);
}

int
compose_service_start(struct compose_service *cs, struct err *err)
{
	return start(cs, NULL, err);
}

int
compose_service_start_closed(struct compose_service *cs, struct err *err)
{
	char *path = compose_service_closed_path(cs);
	int rc = start(cs, path, err);

	free(path);
	return rc;
}

int
compose_service_config(const struct compose_service *cs, struct jdoc **out,
    const struct jdoc **service, struct err *err)
{
	static const char *const words[] = { "config", "--format", "json",
	    NULL };
	struct buf text;
	int rc;

	*out = NULL;
	*service = NULL;
	buf_init_still(&text, OUT_MAX);
	rc = compose(cs, words, true, &text, err);
	if (rc == 0) {
		*out = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = *out ? 0 : err_ctx(err, "%s:%s: docker compose config",
		    host_name(cs->host), cs->file);
	}
	buf_wipe(&text);
	if (rc == 0)
		*service = jdoc_get(jdoc_get(*out, "services"), cs->name);
	if (rc == 0 && jdoc_type(*service) != JDOC_OBJECT)
		rc = err_set(err, ERR_MISSING, "%s:%s: has no service %s",
		    host_name(cs->host), cs->file, cs->name);
	return rc;
}

static int
image_of(const struct compose_service *cs, const struct jdoc *service,
    const char **out, struct err *err)
{
	*out = jdoc_get_str(service, "image");
	return *out && **out ? 0 : err_set(err, ERR_DATA, "%s:%s: the "
	    "service %s has no `image'; nothing was changed",
	    host_name(cs->host), cs->file, cs->name);
}

int
compose_service_image(const struct compose_service *cs, char **out,
    struct err *err)
{
	const struct jdoc *service;
	struct jdoc *config;
	const char *image;
	int rc;

	*out = NULL;
	rc = compose_service_config(cs, &config, &service, err);
	if (rc == 0)
		rc = image_of(cs, service, &image, err);
	if (rc == 0)
		*out = mem_strdup(image);
	jdoc_free(config);
	return rc;
}

/* There is one, and `up' would make the same of it again. */
static int
check_container(const struct compose_service *cs, const char *image,
    struct err *err)
{
	if (!cs->container)
		return err_set(err, ERR_MISSING, "%s:%s: docker knows no "
		    "container of the service %s that was made with this "
		    "file: is `compose' in [letta %s] the path that `docker "
		    "compose ls' shows?  Nothing was changed",
		    host_name(cs->host), cs->file, cs->name,
		    cs->letta->name);
	if (str_eq(cs->image, image))
		return 0;
	return err_set(err, ERR_DATA, "%s:%s: the container of the service "
	    "%s was made of the image %s, and its files say %s now, so that "
	    "a rollback would start another server than this one.  Give what "
	    "runs a tag (docker tag %s REPOSITORY:VERSION) and name that in "
	    "the file; nothing was changed", host_name(cs->host), cs->file,
	    cs->name, cs->image, image, cs->image);
}

/* A name that the service has within the networks of its project. */
static bool
is_named(const struct jdoc *service, const char *name, const char *host)
{
	const struct jdoc *aliases;
	struct jdoc_member network = { 0 };

	if (str_eq(host, name) || jdoc_is(service, "container_name", host))
		return true;
	while (jdoc_next(jdoc_get(service, "networks"), &network)) {
		aliases = jdoc_get(network.value, "aliases");
		for (size_t i = 0; i < jdoc_len(aliases); i++) {
			if (str_eq(jdoc_str(jdoc_at(aliases, i)), host))
				return true;
		}
	}
	return false;
}

/* Else a database would be dropped that this server does not use. */
static int
check_uri(const struct compose_service *cs, const struct jdoc *config,
    const struct pg_uri *used, const char *database, struct err *err)
{
	const char *other = cs->letta->compose_database;
	const struct jdoc *service = jdoc_get(jdoc_get(config, "services"),
	    other ? other : "");

	if (!str_eq(used->database, database))
		return err_set(err, ERR_STALE, "%s:%s: the database of the "
		    "service %s is %.100s, by its LETTA_PG_URI, and %.100s "
		    "by [letta %s]: give its URI as `database'; nothing was "
		    "changed", host_name(cs->host), cs->file, cs->name,
		    used->database, database, cs->letta->name);
	if (!other || (used->host && is_named(service, other, used->host)))
		return 0;
	return err_set(err, ERR_STALE, "%s:%s: the database of the service "
	    "%s is on %.100s, by its LETTA_PG_URI, and `compose_database' of "
	    "[letta %s] is %s: name the service that it uses, or leave the "
	    "key out and give `database'; nothing was changed",
	    host_name(cs->host), cs->file, cs->name, used->host ? used->host :
	    "a socket of its own", cs->letta->name, other);
}

int
compose_service_check_database(const struct compose_service *cs,
    const char *database, struct err *err)
{
	const struct jdoc *service;
	struct pg_uri used = { 0 };
	struct jdoc *config;
	const char *uri;
	int rc;

	rc = compose_service_config(cs, &config, &service, err);
	if (rc == 0) {
		uri = jdoc_get_str(jdoc_get(service, "environment"),
		    "LETTA_PG_URI");
		rc = pg_uri_parse(uri ? uri : "", uri ? strlen(uri) : 0, &used,
		    err);
		if (rc != 0)
			(void)err_ctx(err, "%s:%s: LETTA_PG_URI of the "
			    "service %s", host_name(cs->host), cs->file,
			    cs->name);
	}
	if (rc == 0)
		rc = check_uri(cs, config, &used, database, err);
	pg_uri_clear(&used);
	jdoc_free(config);
	return rc;
}

static int
check_database(const struct compose_service *cs, const struct jdoc *config,
    const struct jdoc *service, struct err *err)
{
	const char *uri = jdoc_get_str(jdoc_get(service, "environment"),
	    "LETTA_PG_URI"), *other = cs->letta->compose_database;

	if (!uri || !*uri)
		return err_set(err, ERR_DATA, "%s:%s: the service %s sets no "
		    "LETTA_PG_URI, so its image runs a PostgreSQL within the "
		    "same container, which stops with it and cannot be "
		    "rebuilt.  Give the database a service of its own "
		    "(pg_dump from the one, pg_restore into the other), set "
		    "LETTA_PG_URI, then run this again; nothing was changed",
		    host_name(cs->host), cs->file, cs->name);
	if (!other)
		return 0;
	if (str_eq(other, cs->name))
		return err_set(err, ERR_USAGE, "[letta %s]: "
		    "`compose_database' is the service of Letta itself",
		    cs->letta->name);
	if (!jdoc_has(jdoc_get(config, "services"), other))
		return err_set(err, ERR_MISSING, "%s:%s: has no service %s, "
		    "which `compose_database' in [letta %s] names",
		    host_name(cs->host), cs->file, other, cs->letta->name);
	return 0;
}

int
compose_service_check(const struct compose_service *cs, struct err *err)
{
	const struct jdoc *service;
	struct jdoc *config;
	const char *image;
	int rc;

	rc = compose_service_config(cs, &config, &service, err);
	if (rc == 0)
		rc = image_of(cs, service, &image, err);
	if (rc == 0)
		rc = check_container(cs, image, err);
	if (rc == 0)
		rc = check_database(cs, config, service, err);
	jdoc_free(config);
	return rc;
}
