#include "base/base.h"

#include <strings.h>

#include "base/str.h"
#include "core/nginx_dump.h"

#define WORD_SIZE 256
#define WORDS_MAX 24		/* of a directive; more are not looked at */
#define PORTS_MAX 16		/* of a server; likewise */
#define HEAD "# configuration file "

struct listening {
	unsigned int port;
	bool every;		/* address */
	bool is_default;
};

struct scan {
	const char *at, *end;
	size_t line;
	char path[256];
	bool own;		/* in the edge's file */
	size_t depth, server_depth;	/* 0: in no server */
	/* One directive. */
	char words[WORDS_MAX][WORD_SIZE];
	size_t n_words;
	/* One server. */
	size_t server_line;
	struct listening ports[PORTS_MAX];
	size_t n_ports;
	bool listens, named, same;
	const char *own_path;
	const struct nginx_edge *edge;
	struct nginx_dump *out;
};

static void
mark(const struct scan *s, char place[static NGINX_DUMP_PLACE_SIZE])
{
	if (!*place)
		(void)snprintf(place, NGINX_DUMP_PLACE_SIZE, "%s:%zu",
		    s->path, s->server_line);
}

/* "PATH:" of a head line; the lines behind it are counted anew. */
static void
begin_file(struct scan *s, const char *line, size_t len)
{
	(void)snprintf(s->path, sizeof(s->path), "%.*s",
	    (int)(len > 0 ? len - 1 : 0), line);
	s->own = str_eq(s->path, s->own_path);
	s->out->n_foreign += !s->own;
	s->line = 0;
	s->depth = s->server_depth = s->n_words = 0;
}

static void
skip_comment(struct scan *s)
{
	const char *begin = s->at;

	while (s->at < s->end && *s->at != '\n')
		s->at++;
	if ((size_t)(s->at - begin) > strlen(HEAD) &&
	    memcmp(begin, HEAD, strlen(HEAD)) == 0)
		begin_file(s, begin + strlen(HEAD),
		    (size_t)(s->at - begin) - strlen(HEAD));
}

/*
 * A word, quoted or not, that does not begin with a NUL, which ends one as
 * blanks do; `${name}' has braces that open no block.
 */
static void
take_word(struct scan *s)
{
	const char quote = strchr("'\"", *s->at) ? *s->at : '\0';
	char *word = s->words[s->n_words < WORDS_MAX ? s->n_words :
	    WORDS_MAX - 1];
	size_t len = 0;

	s->at += quote != '\0';
	for (; s->at < s->end; s->at++) {
		if (quote ? *s->at == quote :
		    strchr(" \t\r\n;", *s->at) != NULL ||
		    (*s->at == '{' && s->at[-1] != '$'))
			break;
		s->line += *s->at == '\n';
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		if (len + 1 < WORD_SIZE)
			word[len++] = *s->at;
	}
	s->at += quote && s->at < s->end;
	word[len] = '\0';
	s->n_words += s->n_words < WORDS_MAX;
}

/* "443", "*:443", "192.0.2.1:443", "[::]:443", "192.0.2.1", "unix:/x". */
static void
add_port(struct scan *s)
{
	struct listening *one = &s->ports[s->n_ports];
	const char *word = s->words[1], *colon = strrchr(word, ':');
	uint64_t port;
	bool bare;

	s->listens = true;
	if (s->n_ports == PORTS_MAX || str_starts(word, "unix:"))
		return;
	if (colon && colon[1] != '\0' && !strchr(colon, ']'))
		bare = false;
	else
		bare = true;
	if (!str_u64(bare ? word : colon + 1, 65535, &port))
		port = 80;
	else if (bare)
		colon = word;
	*one = (struct listening){ .port = (unsigned int)port };
	one->every = colon == word || str_starts(word, "*") ||
	    str_starts(word, "[::]") || str_starts(word, "0.0.0.0");
	for (size_t i = 2; i < s->n_words; i++)
		one->is_default = one->is_default ||
		    str_eq(s->words[i], "default_server") ||
		    str_eq(s->words[i], "default");
	s->n_ports++;
}

static void
add_names(struct scan *s)
{
	for (size_t i = 1; i < s->n_words; i++) {
		const char *name = s->words[i];

		s->named = s->named || (*name && !str_eq(name, "_"));
		s->same = s->same || strcasecmp(name, s->edge->site) == 0 ||
		    strcasecmp(name, s->edge->ade_name) == 0;
	}
}

static void
end_directive(struct scan *s)
{
	const char *word = s->n_words > 1 ? s->words[0] : "";

	if (s->depth == 0 && str_eq(word, "user"))
		(void)snprintf(s->out->group, sizeof(s->out->group), "%.63s",
		    s->words[s->n_words > 2 ? 2 : 1]);
	else if (s->server_depth > 0 && s->depth == s->server_depth) {
		if (str_eq(word, "listen"))
			add_port(s);
		else if (str_eq(word, "server_name"))
			add_names(s);
	}
	s->n_words = 0;
}

static void
judge_port(const struct scan *s, const struct listening *one)
{
	struct nginx_dump *out = s->out;

	if (s->same && (one->port == 80 || one->port == 443 ||
	    one->port == s->edge->ade_port))
		mark(s, out->same_name);
	if (!one->every)
		return;
	if (one->port == 443 && (one->is_default || !s->named))
		mark(s, one->is_default ? out->default_443 :
		    out->nameless_443);
	if (one->port == s->edge->ade_port && (one->is_default || !s->named))
		mark(s, one->is_default ? out->default_ade :
		    out->nameless_ade);
}

static void
end_server(struct scan *s)
{
	static const struct listening implied = { .port = 80, .every = true };

	if (!s->own && !s->listens)
		judge_port(s, &implied);
	for (size_t i = 0; !s->own && i < s->n_ports; i++)
		judge_port(s, &s->ports[i]);
	s->server_depth = 0;
}

static void
begin_block(struct scan *s)
{
	s->depth++;
	if (s->server_depth == 0 && s->n_words == 1 &&
	    str_eq(s->words[0], "server")) {
		s->server_depth = s->depth;
		s->server_line = s->line;
		s->n_ports = 0;
		s->listens = s->named = s->same = false;
	}
	s->n_words = 0;
}

static void
end_block(struct scan *s)
{
	if (s->server_depth > 0 && s->depth == s->server_depth)
		end_server(s);
	s->depth -= s->depth > 0;
	s->n_words = 0;
}

static void
step(struct scan *s)
{
	switch (*s->at) {
	case '\n':
		s->line++;
		break;
	case ' ': case '\t': case '\r': case '\0':
		break;
	case '#':
		skip_comment(s);
		return;
	case ';':
		end_directive(s);
		break;
	case '{':
		begin_block(s);
		break;
	case '}':
		end_block(s);
		break;
	default:
		take_word(s);
		return;
	}
	s->at++;
}

void
nginx_dump_read(const char *text, size_t len, const char *own_path,
    const struct nginx_edge *edge, struct nginx_dump *out)
{
	struct scan s = { .at = text, .end = text + len, .edge = edge,
	    .own_path = own_path, .out = out };

	*out = (struct nginx_dump){ 0 };
	while (s.at < s.end)
		step(&s);
}
