#include "base/base.h"

#include <ctype.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shpath.h"

#define WORD_MAX 4096
#define VARS_MAX 32
#define DEPTH_MAX 4

struct var {
	char *name;
	char *value;
};

struct scan {
	const struct shpath_place *place;
	shpath_fn *each;
	void *ctx;
	unsigned int depth;
	char *cwd;		/* NULL: it cannot be known */
	bool cwd_said;		/* by a cd of the text */
	struct var vars[VARS_MAX];
	size_t n_vars;
	/* The simple command that is being read. */
	bool at_start, is_tool, is_cd, is_setting;
	char redirect;		/* '>', '<', or '&' of >&, before a word */
};

/* A word as it is read. */
struct word {
	struct buf text;
	bool any;		/* also for '' */
	bool unknown;		/* holds an expansion that we do not know */
};

static void scan_text(struct scan *, const char *text, size_t len);

/* They look at files and start none of them. */
static const char *const tools[] = {
	"[", "[[", "awk", "borg", "cat", "chmod", "chown", "cmp", "cp",
	"diff", "du", "echo", "find", "git", "grep", "gunzip", "gzip", "head",
	"kill", "ln", "logger", "logrotate", "ls", "mkdir", "mv", "pgrep",
	"pkill", "printf", "ps", "restic", "rm", "rmdir", "rsync", "scp",
	"sed", "sort", "sqlite3", "stat", "tail", "tar", "tee", "test",
	"touch", "wc", "zip", NULL
};

/* What follows is a command as well. */
static const char *const before[] = {
	"!", "command", "do", "elif", "else", "exec", "if", "nohup", "setsid",
	"then", "time", "until", "while", "{", NULL
};

static const char *const settings[] = {
	"declare", "env", "export", "local", "readonly", "typeset", NULL
};

static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++) {
		if (str_eq(word, *list))
			return true;
	}
	return false;
}

char *
shpath_normal(const char *cwd, const char *word)
{
	char *joined = *word == '/' ? mem_strdup(word) :
	    mem_printf("%s/%s", cwd, word);
	char *out = mem_alloc(strlen(joined) + 2), *end = out;
	const char *at = joined;
	size_t len;

	while (*at) {
		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (len == 2 && memcmp(at, "..", 2) == 0) {
			while (end > out && *--end != '/')
				;
		} else if (len > 0 && !(len == 1 && *at == '.')) {
			*end++ = '/';
			memcpy(end, at, len);
			end += len;
		}
		at += len;
	}
	if (end == out)
		*end++ = '/';
	*end = '\0';
	free(joined);
	return out;
}

bool
shpath_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (str_eq(dir, "/"))
		return true;
	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/');
}

bool
shpath_is_plain(const char *path)
{
	return *path == '/' && path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789._/+@:,=-")] == '\0';
}

static size_t
name_len(const char *s, size_t max)
{
	size_t n = 0;

	if (max == 0 || isdigit((unsigned char)s[0]))
		return 0;
	while (n < max && (isalnum((unsigned char)s[n]) || s[n] == '_'))
		n++;
	return n;
}

static const char *
value_of(const struct scan *scan, const char *name, size_t len)
{
	for (size_t i = scan->n_vars; i-- > 0; ) {
		if (strlen(scan->vars[i].name) == len &&
		    memcmp(scan->vars[i].name, name, len) == 0)
			return scan->vars[i].value;
	}
	if (len == 4 && memcmp(name, "HOME", 4) == 0)
		return scan->place->home;
	if (len == 3 && memcmp(name, "PWD", 3) == 0)
		return scan->cwd;
	return NULL;
}

static void
set_var(struct scan *scan, const char *word, size_t len)
{
	struct var *var = &scan->vars[scan->n_vars];

	for (size_t i = 0; i < scan->n_vars; i++) {
		if (strlen(scan->vars[i].name) == len &&
		    memcmp(scan->vars[i].name, word, len) == 0)
			var = &scan->vars[i];
	}
	if (var == &scan->vars[VARS_MAX])
		return;
	if (var == &scan->vars[scan->n_vars]) {
		scan->n_vars++;
		var->name = mem_strndup(word, len);
	} else
		free(var->value);
	var->value = mem_strdup(word + len + 1);
}

/* The directory of the script, for the ways to ask for it. */
static void
put_substitution(const struct scan *scan, const char *text, size_t len,
    struct word *word)
{
	const char *script = scan->place->script;

	if (script && memmem(text, len, "dirname", 7) &&
	    (memmem(text, len, "$0", 2) ||
	    memmem(text, len, "BASH_SOURCE", 11)))
		buf_add(&word->text, script,
		    (size_t)(strrchr(script, '/') - script));
	else
		word->unknown = true;
}

/* Bytes from "$" on that are one expansion. */
static size_t
put_expansion(const struct scan *scan, const char *s, size_t max,
    struct word *word)
{
	bool braces = max > 1 && s[1] == '{';
	size_t skip = braces ? 2 : 1, n = name_len(s + skip, max - skip), end;
	const char *value;
	unsigned int open = 1;

	if (max > 1 && s[1] == '(') {
		for (end = 2; end < max && open > 0; end++)
			open += s[end] == '(' ? 1U :
			    s[end] == ')' ? -1U : 0U;
		put_substitution(scan, s, end, word);
		return end;
	}
	if (max > 1 && s[1] == '0') {
		buf_str(&word->text, scan->place->script ?
		    scan->place->script : "");
		return 2;
	}
	end = skip + n;
	if (braces) {
		word->unknown |= end >= max || s[end] != '}';
		while (end < max && s[end] != '}')
			end++;
		end += end < max;
	}
	value = n > 0 ? value_of(scan, s + skip, n) : NULL;
	if (value)
		buf_str(&word->text, value);
	else
		word->unknown = true;
	return end;
}

/* One quoted part, or one character; returns the bytes read. */
static size_t
put_piece(const struct scan *scan, const char *s, size_t max, char quote,
    struct word *word)
{
	const char *end;

	word->any = true;
	if (*s == '\'' && quote == 0) {
		end = memchr(s + 1, '\'', max - 1);
		if (!end)
			end = s + max;
		buf_add(&word->text, s + 1, (size_t)(end - s - 1));
		return (size_t)(end - s) + (end < s + max);
	}
	if (*s == '\\' && max > 1) {
		buf_char(&word->text, s[1]);
		return 2;
	}
	if (*s == '$')
		return put_expansion(scan, s, max, word);
	if (*s == '`') {
		end = memchr(s + 1, '`', max - 1);
		end = end ? end + 1 : s + max;
		put_substitution(scan, s, (size_t)(end - s), word);
		return (size_t)(end - s);
	}
	if (*s == '~' && quote == 0 && word->text.len == 0 &&
	    (max == 1 || strchr("/ \t\n;&|)", s[1])))
		buf_str(&word->text, scan->place->home);
	else
		buf_char(&word->text, *s);
	return 1;
}

static size_t
read_word(const struct scan *scan, const char *s, size_t len,
    struct word *word)
{
	size_t at = 0;

	while (at < len && !strchr(" \t\n;&|()<>", s[at])) {
		if (s[at] == '"') {
			word->any = true;
			for (at++; at < len && s[at] != '"'; )
				at += put_piece(scan, s + at, len - at, '"',
				    word);
			at += at < len;
		} else
			at += put_piece(scan, s + at, len - at, 0, word);
	}
	return at;
}

static void
tell(struct scan *scan, enum shpath_role role, const char *word)
{
	char *path;

	if (*word != '/' && !scan->cwd)
		return;
	path = shpath_normal(scan->cwd ? scan->cwd : "/", word);
	scan->each(scan->ctx, role, path);
	free(path);
}

static void
take_cd(struct scan *scan, const char *word)
{
	char *to;

	if (*word == '-')
		return;
	scan->is_cd = false;
	scan->is_tool = true;
	if (*word != '/' && !scan->cwd)
		return;
	tell(scan, SHPATH_CD, word);
	to = shpath_normal(scan->cwd ? scan->cwd : "/", word);
	free(scan->cwd);
	scan->cwd = to;
	scan->cwd_said = true;
}

/* The first word of a command. */
static void
take_command(struct scan *scan, const char *word)
{
	const char *slash = strrchr(word, '/');
	const char *base = slash ? slash + 1 : word;

	if (is_one_of(word, before))
		return;
	scan->at_start = false;
	scan->is_cd = str_eq(word, "cd") || str_eq(word, "pushd");
	scan->is_setting = is_one_of(base, settings);
	scan->is_tool = is_one_of(base, tools);
	if (slash)
		tell(scan, scan->is_tool ? SHPATH_USED : SHPATH_RUN, word);
}

/* A word behind the command: a path, --option=path, or a text of its own. */
static void
take_argument(struct scan *scan, const char *word)
{
	const char *value = strchr(word, '=');

	if (!scan->is_tool && strpbrk(word, " \t\n") &&
	    scan->depth < DEPTH_MAX) {
		struct scan inner = *scan;

		inner.depth++;
		inner.n_vars = 0;
		inner.cwd = scan->cwd ? mem_strdup(scan->cwd) : NULL;
		scan_text(&inner, word, strlen(word));
		free(inner.cwd);
		return;
	}
	if (*word == '-')
		word = value ? value + 1 : "";
	if (*word == '/' || (*word != '\0' && scan->cwd_said) ||
	    (strchr(word, '/') && !strstr(word, "://")))
		tell(scan, scan->is_tool ? SHPATH_USED : SHPATH_RUN, word);
}

static void
take_word(struct scan *scan, const struct word *got)
{
	const char *word = buf_cstr(&got->text);
	size_t name = name_len(word, strlen(word));
	char redirect = scan->redirect;

	scan->redirect = 0;
	if (got->unknown || got->text.full ||
	    strlen(word) != got->text.len) {
		if (scan->is_cd) {
			free(scan->cwd);
			scan->cwd = NULL;
		}
		scan->at_start = scan->is_cd = false;
	} else if (redirect) {
		if (*word != '\0' && redirect != '&')
			tell(scan, redirect == '>' ? SHPATH_OUTPUT :
			    SHPATH_USED, word);
	} else if (name > 0 && word[name] == '=' &&
	    (scan->at_start || scan->is_setting))
		set_var(scan, word, name);
	else if (scan->at_start || scan->is_setting)
		take_command(scan, word);
	else if (scan->is_cd)
		take_cd(scan, word);
	else if (*word != '\0')
		take_argument(scan, word);
}

static void
begin_command(struct scan *scan)
{
	scan->at_start = true;
	scan->is_tool = scan->is_cd = scan->is_setting = false;
	scan->redirect = 0;
}

/* One byte that ends a word, or a comment; returns the bytes read. */
static size_t
take_break(struct scan *scan, const char *s, size_t max)
{
	const char *end;

	if (*s == '#') {
		end = memchr(s, '\n', max);
		return end ? (size_t)(end - s) : max;
	}
	if (*s == '<' || *s == '>')
		scan->redirect = *s;
	else if (*s == '&' && scan->redirect)
		scan->redirect = '&';	/* >&2 */
	else if (*s == '&' && max > 1 && s[1] == '>')
		return 1;		/* &> */
	else if (strchr("\n;&|()", *s))
		begin_command(scan);
	return 1;
}

static void
scan_text(struct scan *scan, const char *text, size_t len)
{
	struct word word = { .text = BUF_INIT(WORD_MAX) };
	size_t at = 0;

	begin_command(scan);
	while (at < len) {
		if (text[at] == '\\' && at + 1 < len && text[at + 1] == '\n')
			at += 2;
		else if (text[at] == '#' || (text[at] != '\0' &&
		    strchr(" \t\n;&|()<>", text[at])))
			at += take_break(scan, text + at, len - at);
		else {
			word.any = word.unknown = false;
			buf_truncate(&word.text, 0);
			word.text.full = false;
			at += text[at] == '\0' ? 1 :
			    read_word(scan, text + at, len - at, &word);
			if (word.any || word.text.len > 0)
				take_word(scan, &word);
		}
	}
	buf_clear(&word.text);
	for (size_t i = 0; i < scan->n_vars; i++) {
		free(scan->vars[i].name);
		free(scan->vars[i].value);
	}
}

void
shpath_each(const char *text, size_t len, const struct shpath_place *place,
    shpath_fn *each, void *ctx)
{
	struct scan scan = {
		.place = place,
		.each = each,
		.ctx = ctx,
		.cwd = mem_strdup(place->cwd ? place->cwd : place->home),
	};

	scan_text(&scan, text, len);
	free(scan.cwd);
}

/* Bytes at s that are `dir' written as one of the ways to write it. */
static size_t
written(const char *s, size_t max, const char *dir, const char *home,
    bool *from_home)
{
	static const char *const ways[] = { "~", "$HOME", "${HOME}",
	    "%h" };
	size_t len = strlen(dir), n;
	const char *rest;

	*from_home = false;
	if (len <= max && memcmp(s, dir, len) == 0)
		return len;
	if (!shpath_below(dir, home) || str_eq(home, "/"))
		return 0;
	rest = dir + strlen(home);
	len = strlen(rest);
	*from_home = true;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		n = strlen(ways[i]);
		if (n + len <= max && memcmp(s, ways[i], n) == 0 &&
		    memcmp(s + n, rest, len) == 0)
			return n + len;
	}
	return 0;
}

static bool
in_name(char c)
{
	return isalnum((unsigned char)c) || strchr("._-", c);
}

void
shpath_rewrite(const char *text, size_t len, const struct shpath_move *move,
    struct buf *out)
{
	char *kept = shpath_below(move->from_dir, move->from_home) ?
	    mem_printf("%s%s", move->to_home, move->from_dir +
	    strlen(move->from_home)) : NULL;
	bool from_home, stays = kept && str_eq(kept, move->to_dir);
	size_t at = 0, n;

	while (at < len) {
		n = at > 0 && (in_name(text[at - 1]) || text[at - 1] == '/') ?
		    0 : written(text + at, len - at, move->from_dir,
		    move->from_home, &from_home);
		if (n > 0 && at + n < len && text[at + n] != '\0' &&
		    in_name(text[at + n]))
			n = 0;
		if (n > 0 && !(from_home && stays))
			buf_str(out, move->to_dir);
		else
			buf_add(out, text + at, n > 0 ? n : 1);
		at += n > 0 ? n : 1;
	}
	free(kept);
}
