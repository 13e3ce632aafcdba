#include "base/base.h"

#include <fnmatch.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/nginx_tree.h"

#define MARK "# configuration file "
#define WORD_MAX_BYTES 65536
#define DIRECTIVES_MAX 20000	/* files that include each other have more */
#define DEPTH_MAX 16		/* includes in includes, blocks in blocks */

struct directive {
	char *words[NGINX_TREE_WORDS + 1];
	size_t n_words;
	int parent;
	size_t file;
	size_t line;
};

struct file {
	char *path;
	const char *text;	/* of the caller's, while it is read */
	size_t len;
};

struct nginx_tree {
	struct directive *list;
	int n;
	struct file *files;
	size_t n_files;
};

/* Where the reading stands. */
struct cursor {
	struct nginx_tree *dump;
	size_t file;
	size_t at;
	size_t line;
	unsigned int depth;
};

static int read_block(struct cursor *, int parent, bool inside, struct err *);

static char
peek(const struct cursor *c)
{
	const struct file *file = &c->dump->files[c->file];

	return c->at < file->len ? file->text[c->at] : '\0';
}

static void
step(struct cursor *c)
{
	if (peek(c) == '\n')
		c->line++;
	c->at++;
}

static bool
at_end(const struct cursor *c)
{
	return c->at >= c->dump->files[c->file].len;
}

static void
skip_blanks(struct cursor *c)
{
	while (!at_end(c)) {
		if (peek(c) == '#') {
			while (!at_end(c) && peek(c) != '\n')
				step(c);
		} else if (strchr(" \t\r\n", peek(c)))
			step(c);
		else
			return;
	}
}

/* One word; "${" does not begin a block. */
static char *
read_word(struct cursor *c)
{
	struct buf word = BUF_INIT(WORD_MAX_BYTES);
	char quote = '\0', last = '\0';

	if (peek(c) == '"' || peek(c) == '\'') {
		quote = peek(c);
		step(c);
	}
	for (; !at_end(c); step(c)) {
		if (quote ? peek(c) == quote : strchr(" \t\r\n;", peek(c)) ||
		    (peek(c) == '{' && last != '$'))
			break;
		if (peek(c) == '\\') {
			step(c);
			if (!strchr("\"' \t;{}\\", peek(c)))
				buf_char(&word, '\\');
		}
		last = peek(c);
		buf_char(&word, last);
	}
	if (quote && !at_end(c))
		step(c);
	return word.len > 0 ? buf_take(&word) : mem_strdup("");
}

static int
add(struct cursor *c, int parent)
{
	struct nginx_tree *dump = c->dump;

	dump->list = mem_grow(dump->list, (size_t)dump->n + 1,
	    sizeof(*dump->list));
	dump->list[dump->n] = (struct directive){ .parent = parent,
	    .file = c->file, .line = c->line };
	return dump->n++;
}

static void
add_word(struct nginx_tree *dump, int at, char *take)
{
	struct directive *one = &dump->list[at];

	if (one->n_words < NGINX_TREE_WORDS)
		one->words[one->n_words++] = take;
	else
		free(take);
}

/* A path of `include' is relative to the directory of the first file. */
static int
include(struct cursor *c, int parent, const char *pattern, struct err *err)
{
	const struct nginx_tree *dump = c->dump;
	const char *top = dump->files[0].path, *slash = strrchr(top, '/');
	char *whole = *pattern == '/' ? mem_strdup(pattern) :
	    mem_printf("%.*s/%s", slash ? (int)(slash - top) : 0, top,
	    pattern);
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < dump->n_files; i++) {
		struct cursor inner = { .dump = c->dump, .file = i,
		    .line = 1, .depth = c->depth + 1 };

		if (fnmatch(whole, dump->files[i].path, FNM_PATHNAME) == 0)
			rc = read_block(&inner, parent, false, err);
	}
	free(whole);
	return rc;
}

static int
read_directive(struct cursor *c, int parent, struct err *err)
{
	const struct directive *one;
	int at;

	if (c->dump->n == DIRECTIVES_MAX)
		return err_set(err, ERR_DATA, "%s:%zu: more than %d "
		    "directives", c->dump->files[c->file].path, c->line,
		    DIRECTIVES_MAX);
	at = add(c, parent);
	for (;;) {
		skip_blanks(c);
		if (at_end(c))
			return err_set(err, ERR_DATA, "%s:%zu: a directive "
			    "without end", c->dump->files[c->file].path,
			    c->dump->list[at].line);
		if (peek(c) == ';' || peek(c) == '{')
			break;
		add_word(c->dump, at, read_word(c));
	}
	step(c);
	if (c->dump->files[c->file].text[c->at - 1] == '{') {
		c->depth++;
		return read_block(c, at, true, err);
	}
	one = &c->dump->list[at];
	if (one->n_words == 2 && str_eq(one->words[0], "include"))
		return include(c, parent, one->words[1], err);
	return 0;
}

/* The directives of a file, or of a block up to its brace. */
static int
read_block(struct cursor *c, int parent, bool inside, struct err *err)
{
	if (c->depth > DEPTH_MAX)
		return err_set(err, ERR_DATA, "%s:%zu: nested too deep",
		    c->dump->files[c->file].path, c->line);
	for (;;) {
		skip_blanks(c);
		if (at_end(c) && !inside)
			return 0;
		if (at_end(c))
			return err_set(err, ERR_DATA, "%s: a block without "
			    "end", c->dump->files[c->file].path);
		if (peek(c) == '}') {
			step(c);
			c->depth -= inside;
			return 0;
		}
		if (read_directive(c, parent, err) != 0)
			return -1;
	}
}

/* The files of the text; false when there is none. */
static bool
cut(struct nginx_tree *dump, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *stop, *name;
	struct file *file = NULL;

	for (; at < end; at = stop) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop + 1 : end;
		if ((size_t)(stop - at) > strlen(MARK) + 2 &&
		    memcmp(at, MARK, strlen(MARK)) == 0 &&
		    stop[-2] == ':') {
			name = at + strlen(MARK);
			dump->files = mem_grow(dump->files,
			    dump->n_files + 1, sizeof(*dump->files));
			file = &dump->files[dump->n_files++];
			*file = (struct file){ .text = stop, .path =
			    mem_strndup(name, (size_t)(stop - 2 - name)) };
		} else if (file)
			file->len = (size_t)(stop - file->text);
	}
	return dump->n_files > 0;
}

int
nginx_tree_read(const char *text, size_t len, struct nginx_tree **out,
    struct err *err)
{
	struct nginx_tree *dump = mem_zero(1, sizeof(*dump));
	struct cursor c = { .dump = dump, .line = 1 };
	int rc;

	*out = NULL;
	if (!cut(dump, text, len))
		rc = err_set(err, ERR_DATA, "nginx -T named no file");
	else
		rc = read_block(&c, NGINX_TREE_ROOT, false, err);
	for (size_t i = 0; i < dump->n_files; i++)
		dump->files[i].text = NULL;
	if (rc == 0)
		*out = dump;
	else
		nginx_tree_free(dump);
	return rc;
}

void
nginx_tree_free(struct nginx_tree *dump)
{
	if (!dump)
		return;
	for (int i = 0; i < dump->n; i++)
		for (size_t k = 0; k < dump->list[i].n_words; k++)
			free(dump->list[i].words[k]);
	for (size_t i = 0; i < dump->n_files; i++)
		free(dump->files[i].path);
	free(dump->files);
	free(dump->list);
	free(dump);
}

int
nginx_tree_n(const struct nginx_tree *dump)
{
	return dump->n;
}

int
nginx_tree_next(const struct nginx_tree *dump, int block, int after,
    const char *name)
{
	for (int i = after + 1; i < dump->n; i++) {
		if (dump->list[i].parent == block &&
		    dump->list[i].n_words > 0 && (!name ||
		    str_eq(dump->list[i].words[0], name)))
			return i;
	}
	return -1;
}

const char *const *
nginx_tree_words(const struct nginx_tree *dump, int at)
{
	return (const char *const *)dump->list[at].words;
}

size_t
nginx_tree_n_words(const struct nginx_tree *dump, int at)
{
	return dump->list[at].n_words;
}

int
nginx_tree_parent(const struct nginx_tree *dump, int at)
{
	return dump->list[at].parent;
}

const char *
nginx_tree_file(const struct nginx_tree *dump, int at)
{
	return dump->files[dump->list[at].file].path;
}

size_t
nginx_tree_line(const struct nginx_tree *dump, int at)
{
	return dump->list[at].line;
}

const char *
nginx_tree_value(const struct nginx_tree *dump, int block, const char *name)
{
	for (;;) {
		int at = nginx_tree_next(dump, block, -1, name);

		if (at >= 0)
			return dump->list[at].n_words > 1 ?
			    dump->list[at].words[1] : "";
		if (block == NGINX_TREE_ROOT)
			return NULL;
		block = dump->list[block].parent;
	}
}
