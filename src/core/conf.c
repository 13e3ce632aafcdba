#include "base/base.h"

#include <ini.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_check.h"
#include "core/conf_env.h"
#include "core/conf_section.h"
#include "core/conf_value.h"

#define TEXT(macro) TEXT_OF(macro)
#define TEXT_OF(word) #word

/*
 * A job file on its way through inih.  inih calls read_line for each line and
 * take_key for each key in it.  As Debian 12 builds inih 55 (seen), take_key
 * is not told the line, nothing tells of a section without keys, a section's
 * name is cut at 49 bytes, a line at 199, and an indented line is given to
 * the key above as one more value.  So read_line counts the lines, takes the
 * headers itself, and lets nothing through that inih would cut or join; what
 * is left to inih is key, value and comment of one line.
 */
struct reading {
	struct conf_doc *doc;
	const char *next, *end;		/* what is still to be read */
	int line;			/* of what was read last */
	int failed_line;		/* 0: err is not filled */
	struct err *err;
};

/* Remember that err is filled: nothing more is read. */
static void
fail(struct reading *in)
{
	in->failed_line = in->line;
}

static void
fail_with(struct reading *in, const char *what)
{
	(void)conf_section_fail(in->doc->path, in->line, in->err, "%s", what);
	fail(in);
}

/* UTF-8 without control bytes: what a message may show as it is. */
static bool
is_printable(const char *s)
{
	size_t len = strlen(s);
	struct buf shown = BUF_INIT(6 * (CONF_LINE_MAX + 1));
	bool same;

	str_printable(&shown, s, len);
	same = !shown.full && shown.len == len;
	buf_clear(&shown);
	return same;
}

/* "[TYPE NAME]", maybe with a comment behind. */
static void
take_header(struct reading *in, const char *line)
{
	char header[CONF_LINE_MAX + 1];
	const char *close = strchr(line, ']');
	const char *rest;
	size_t len;

	if (!close) {
		fail_with(in, "a section's `[' without its `]'");
		return;
	}
	rest = close + 1 + strspn(close + 1, " \t");
	if (*rest && (*rest != ';' || rest == close + 1)) {
		fail_with(in, "text behind a section's `]'");
		return;
	}
	line += 1 + strspn(line + 1, " \t");
	len = line < close ? (size_t)(close - line) : 0;
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	(void)snprintf(header, sizeof(header), "%.*s", (int)len, line);
	if (len == 0)
		fail_with(in, "a section without a name: `[]'");
	else if (!is_printable(header))
		fail_with(in, "a section's name holds a control byte or "
		    "is not UTF-8");
	else if (conf_section_begin(in->doc, in->line, header, in->err) != 0)
		fail(in);
}

/* Whether a line of len bytes has one that no text has. */
static bool
has_control(const char *s, size_t len)
{
	for (; len > 0; s++, len--) {
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	}
	return false;
}

/* inih's fgets: the next line in room, with "\n"; NULL at the end. */
static char *
read_line(char *room, int size, void *ctx)
{
	struct reading *in = ctx;
	const char *start = in->next, *stop;
	size_t len, blanks;

	if (in->failed_line != 0 || start == in->end || size < 2)
		return NULL;
	stop = memchr(start, '\n', (size_t)(in->end - start));
	len = (size_t)((stop ? stop : in->end) - start);
	in->next = stop ? stop + 1 : in->end;
	in->line++;
	if (len > 0 && start[len - 1] == '\r')
		len--;

	for (blanks = 0; blanks < len; blanks++) {
		if (start[blanks] != ' ' && start[blanks] != '\t')
			break;
	}
	(void)snprintf(room, (size_t)size, "\n");
	if (has_control(start, len))
		fail_with(in, "a NUL or another control byte");
	else if (blanks == len || start[blanks] == ';' ||
	    start[blanks] == '#')
		return room;	/* a comment may be of any length */
	else if (blanks > 0)
		fail_with(in, "a line that begins with a blank: a value does "
		    "not go on over lines");
	else if (len > CONF_LINE_MAX || len + 2 > (size_t)size)
		fail_with(in, "a line longer than " TEXT(CONF_LINE_MAX)
		    " bytes");
	if (in->failed_line != 0)
		return NULL;

	memcpy(room, start, len);
	room[len] = '\0';
	if (room[0] == '[')
		take_header(in, room);
	room[len] = '\n';
	room[len + 1] = '\0';
	return in->failed_line != 0 ? NULL : room;
}

/* What is wrong with a value of any key, or NULL.  Shows none of it. */
static const char *
check_value(const char *value)
{
	if (*value == '\0' || *value == ';')
		return "has no value";
	if (*value == '"' || *value == '\'')
		return "begins with a quote: values are written without";
	if (strstr(value, " #") || strstr(value, "\t#"))
		return "has a `#' in it: a comment behind a value begins "
		    "with ` ;'";
	if (!is_printable(value))
		return "holds a control byte or is not UTF-8";
	return NULL;
}

/* inih's handler: 1 to go on, 0 for an error. */
static int
take_key(void *ctx, const char *inih_section, const char *key,
    const char *value)
{
	struct reading *in = ctx;
	const char *wrong;

	(void)inih_section;
	/* What is no key may be a value that lost its key: do not show it. */
	if (conf_section_is_env(in->doc) ? !conf_env_is_key(key) :
	    *key == '\0' ||
	    key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0') {
		fail_with(in, conf_section_is_env(in->doc) ?
		    "what stands before `=' is neither a variable's name nor "
		    "NAME@TREE" :
		    "what stands before `=' is not a key: a-z, 0-9 and _");
		return 0;
	}
	wrong = check_value(value);
	if (wrong) {
		(void)conf_section_fail(in->doc->path, in->line, in->err,
		    "`%s' %s", key, wrong);
		fail(in);
		return 0;
	}
	if (conf_section_add(in->doc, in->line, key, value, in->err) != 0) {
		fail(in);
		return 0;
	}
	return 1;
}

/* Bring the text into the sections of doc. */
static int
read_text(struct conf_doc *doc, const char *text, size_t len,
    struct err *err)
{
	struct reading in = { .doc = doc, .next = text, .end = text + len,
	    .err = err };
	int bad_line;

	if (len > CONF_SIZE_MAX)
		return conf_section_fail(doc->path, 1, err,
		    "larger than %d bytes", CONF_SIZE_MAX);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		in.next += 3;
	bad_line = ini_parse_stream(read_line, &in, take_key, &in);

	/*
	 * inih reads on after a line that it could not take, so the first
	 * error may be its own although a later one is ours.
	 */
	if (bad_line > 0 &&
	    (in.failed_line == 0 || bad_line < in.failed_line))
		return conf_section_fail(doc->path, bad_line, err,
		    "neither [section] nor `key = value'");
	if (bad_line < 0)
		return conf_section_fail(doc->path, 1, err,
		    "inih failed: %d", bad_line);
	return in.failed_line != 0 ? -1 : 0;
}

int
conf_parse(const char *path, const char *text, size_t len,
    struct conf **out, struct err *err)
{
	struct conf *conf = mem_zero(1, sizeof(*conf));
	struct conf_doc *doc = conf_section_new(path, conf);

	conf->doc = doc;
	conf->path = doc->path;
	conf->max_freeze = CONF_MAX_FREEZE;
	if (read_text(doc, len > 0 ? text : "", len, err) != 0 ||
	    conf_section_fill(doc, err) != 0 ||
	    conf_check_all(doc, err) != 0) {
		conf_free(conf);
		return -1;
	}
	*out = conf;
	return 0;
}

void
conf_free(struct conf *conf)
{
	if (!conf)
		return;
	free(conf->hosts);
	free(conf->lettas);
	free(conf->edges);
	free(conf->agents);
	free(conf->workers);
	free(conf->upgrades);
	for (size_t i = 0; i < conf->n_envs; i++) {
		free((char *)(uintptr_t)conf->envs[i].key);
		free((char *)(uintptr_t)conf->envs[i].value);
		free((char *)(uintptr_t)conf->envs[i].secret.ref);
	}
	free(conf->envs);
	conf_section_free(conf->doc);
	free(conf);
}

const char *
conf_kind_name(enum conf_kind kind)
{
	switch (kind) {
	case CONF_AGENT:
		return "agent";
	case CONF_WORKERS:
		return "workers";
	case CONF_UPGRADE:
		return "upgrade";
	case CONF_GREENFIELD:
	default:
		return "greenfield";
	}
}

const struct conf_edge *
conf_find_edge(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_edges; i++) {
		if (str_eq(conf->edges[i].host->name, name))
			return &conf->edges[i];
	}
	return NULL;
}

const struct conf_letta *
conf_find_letta(const struct conf *conf, const struct conf_edge *edge)
{
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (conf->lettas[i].edge == edge)
			return &conf->lettas[i];
	}
	return NULL;
}

bool
conf_worker_has(const struct conf_worker *worker, const char *name)
{
	for (const char *const *tree = worker->trees; *tree; tree++) {
		if (str_eq(*tree, name))
			return true;
	}
	return false;
}

/*
 * The i-th of all: tokens and databases of servers, edges, workers, lines of
 * [env].
 */
static const struct conf_secret *
secret_at(const struct conf *conf, size_t i)
{
	if (i < conf->n_lettas)
		return &conf->lettas[i].token;
	i -= conf->n_lettas;
	if (i < conf->n_lettas)
		return &conf->lettas[i].database;
	i -= conf->n_lettas;
	if (i < conf->n_lettas)
		return &conf->lettas[i].database_admin;
	i -= conf->n_lettas;
	if (i < conf->n_edges)
		return &conf->edges[i].ade_auth;
	i -= conf->n_edges;
	if (i < conf->n_workers)
		return &conf->workers[i].smcp_token;
	return &conf->envs[i - conf->n_workers].secret;
}

int
conf_secrets(const struct conf *conf,
    int (*each)(void *ctx, const struct conf_secret *, struct err *),
    void *ctx, struct err *err)
{
	const struct conf_secret *secret;
	const size_t n = 3 * conf->n_lettas + conf->n_edges +
	    conf->n_workers + conf->n_envs;

	for (size_t i = 0; i < n; i++) {
		secret = secret_at(conf, i);
		if (secret->ref && each(ctx, secret, err) != 0)
			return err_ctx(err, "%s:%d", conf->path,
			    secret->line);
	}
	return 0;
}

char *
conf_expand_home(const char *path, const char *home)
{
	if (path[0] == '~' && path[1] == '/')
		return mem_printf("%s%s", home, path + 1);
	return mem_strdup(path);
}
