#include "base/base.h"

#include <fnmatch.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/nginx_scratch.h"

#define HEAD "# configuration file "

struct scratch {
	const char *dump;
	const char *live;
	const char *scratch;
	const char *dir;	/* of the main file, without a slash behind */
	struct buf *out;
	bool found;
};

/* The next head line from at on; its path in *path, what is behind it. */
static const char *
next_file(const char *at, char **path)
{
	const char *end;
	size_t len;

	while ((at = strstr(at, HEAD)) != NULL) {
		at += strlen(HEAD);
		len = strcspn(at, "\n");
		end = at + len;
		if (len > 1 && end[-1] == ':' && *end) {
			*path = mem_strndup(at, len - 1);
			return end + 1;
		}
	}
	return NULL;
}

static void
add_include(struct scratch *s, const char *path)
{
	buf_printf(s->out, "\tinclude %s;\n", path);
}

/* What the pattern took in, in nginx's order, and the scratch file. */
static void
expand(struct scratch *s, const char *pattern)
{
	const char *at = s->dump;
	char *path;

	while ((at = next_file(at, &path)) != NULL) {
		if (fnmatch(pattern, path, FNM_PATHNAME) == 0 &&
		    !str_eq(path, s->live))
			add_include(s, path);
		free(path);
	}
	add_include(s, s->scratch);
	s->found = true;
}

/* "include PATTERN;" alone on its line, as every distribution writes it. */
static void
add_line(struct scratch *s, const char *line, size_t len)
{
	char *copy = mem_strndup(line, len), *pattern = NULL;
	char name[PATH_MAX] = "";

	if (sscanf(copy, " include %4095[^; \t]", name) == 1)
		pattern = *name == '/' ? mem_strdup(name) :
		    mem_printf("%s/%s", s->dir, name);
	if (pattern && fnmatch(pattern, s->live, FNM_PATHNAME) == 0)
		expand(s, pattern);
	else
		buf_printf(s->out, "%s\n", copy);
	free(pattern);
	free(copy);
}

int
nginx_scratch(const char *dump, size_t len, const char *live,
    const char *scratch, struct buf *out, char **main_path, struct err *err)
{
	struct scratch s = { .dump = dump, .live = live, .scratch = scratch,
	    .out = out };
	const char *at, *end;
	char *dir;
	size_t n;

	*main_path = NULL;
	at = next_file(dump, main_path);
	if (!at || strlen(dump) != len || !strchr(*main_path, '/'))
		return err_set(err, ERR_DATA, "`nginx -T' prints no "
		    "configuration");
	end = strstr(at, "\n" HEAD);
	dir = mem_strndup(*main_path,
	    (size_t)(strrchr(*main_path, '/') - *main_path));
	s.dir = dir;
	for (; *at && (!end || at <= end); at += n + (at[n] == '\n')) {
		n = strcspn(at, "\n");
		add_line(&s, at, n);
	}
	free(dir);
	if (!s.found)
		return err_set(err, ERR_DATA, "%s includes nothing that would "
		    "take in %s: it needs a line `include "
		    "/etc/nginx/conf.d/*.conf;' in its http block",
		    *main_path, live);
	return buf_check(out, *main_path, err);
}
