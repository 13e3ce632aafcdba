#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/nginx.h"
#include "core/template.h"

#define PORT_SIZE 12
#define NAMES_SIZE 520		/* two DNS names of 253 bytes and a blank */
#define WORD_SIZE 256		/* of a list; longer ones are refused */
#define ID_SIZE 9
#define BLOCKS_MAX 24
#define VALUES_MAX 24
#define CORS_DEFAULT "https://app.letta.com"

const char *const nginx_template_names[NGINX_TEMPLATES] = {
	[NGINX_HTTP] = "http.conf.in",
	[NGINX_TLS] = "tls.conf.in",
	[NGINX_LISTEN] = "listen.conf.in",
	[NGINX_LISTEN_IPV4] = "listen-ipv4.conf.in",
	[NGINX_GENERATION] = "generation.conf.in",
	[NGINX_ACME] = "acme.conf.in",
	[NGINX_UNKNOWN] = "unknown.conf.in",
	[NGINX_SSL] = "ssl.conf.in",
	[NGINX_HEADERS] = "headers.conf.in",
	[NGINX_CORS_MAP] = "cors-map.conf.in",
	[NGINX_CORS_ORIGIN] = "cors-origin.conf.in",
	[NGINX_CORS] = "cors.conf.in",
	[NGINX_PROXY] = "proxy.conf.in",
	[NGINX_SITE] = "site.conf.in",
	[NGINX_STATIC] = "static.conf.in",
	[NGINX_MCP] = "mcp.conf.in",
	[NGINX_ADE_ALLOW] = "ade-allow.conf.in",
	[NGINX_ADE_NETWORK] = "ade-network.conf.in",
	[NGINX_ADE_AUTH] = "ade-auth.conf.in",
};

/*
 * One rendering.  The first failure stays in err, and what comes after it
 * does nothing: so a block can be made where it is used.
 */
struct work {
	const struct nginx_edge *edge;
	const struct nginx_template *templates;
	struct err *err;
	bool failed;
	struct buf blocks[BLOCKS_MAX];
	size_t n_blocks;
	const char *generation;
	char id[ID_SIZE];
	char names[NAMES_SIZE];
	char ade_port[PORT_SIZE];
	char upstream_port[PORT_SIZE];
};

/* The values of one template. */
struct values {
	struct template_value v[VALUES_MAX];
	size_t n;
};

/* FNV-1a, 64 bits (RFC 9923). */
static uint64_t
hash(const void *data, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	const unsigned char *p = data;

	for (; len > 0; len--, p++)
		sum = (sum ^ *p) * UINT64_C(0x100000001b3);
	return sum;
}

static void
add(struct values *values, const char *name, enum template_type type,
    const char *value)
{
	values->v[values->n++] = (struct template_value){ .name = name,
	    .type = type, .value = value };
}

static void
fill(struct work *w, enum nginx_template_id id, const struct values *values,
    struct buf *out)
{
	const struct nginx_template *t = &w->templates[id];

	if (!w->failed && template_fill(t->path, t->text, t->len, values->v,
	    values->n, out, w->err) != 0)
		w->failed = true;
}

static struct buf *
new_block(struct work *w)
{
	struct buf *block = &w->blocks[w->n_blocks++];

	buf_init(block, NGINX_FILE_MAX);
	return block;
}

/* A block made of one template. */
static const char *
block(struct work *w, enum nginx_template_id id, const struct values *values)
{
	struct buf *out = new_block(w);

	fill(w, id, values, out);
	return buf_cstr(out);
}

/* One that has no value, or the id of the site alone. */
static const char *
plain(struct work *w, enum nginx_template_id id)
{
	static const struct values none;

	return block(w, id, &none);
}

static const char *
with_id(struct work *w, enum nginx_template_id id)
{
	struct values values = { .n = 0 };

	add(&values, "id", TEMPLATE_TOKEN, w->id);
	return block(w, id, &values);
}

static const char *
with_text(struct work *w, enum nginx_template_id id, const char *name,
    enum template_type type, const char *value)
{
	struct values values = { .n = 0 };

	add(&values, name, type, value);
	return block(w, id, &values);
}

static const char *
listens(struct work *w, const char *port, const char *parameters)
{
	struct values values = { .n = 0 };

	add(&values, "port", TEMPLATE_PORT, port);
	add(&values, "parameters", TEMPLATE_BLOCK, parameters);
	return block(w, w->edge->ipv4_only ? NGINX_LISTEN_IPV4 :
	    NGINX_LISTEN, &values);
}

/* The next word of a list; false at its end. */
static bool
next_word(const char **list, char word[static WORD_SIZE])
{
	size_t len = strcspn(*list, " ");

	if (len == 0)
		return false;
	(void)snprintf(word, WORD_SIZE, "%.*s", (int)len, *list);
	*list += len + ((*list)[len] == ' ');
	return true;
}

/* A template for each word of a list, one below the other. */
static const char *
each(struct work *w, enum nginx_template_id id, const char *name,
    enum template_type type, const char *list)
{
	struct buf *out = new_block(w);
	struct values values;
	char word[WORD_SIZE];

	while (next_word(&list, word)) {
		values.n = 0;
		add(&values, name, type, word);
		fill(w, id, &values, out);
	}
	return buf_cstr(out);
}

static const char *
mcp_locations(struct work *w)
{
	const char *list = w->edge->mcp ? w->edge->mcp : "";
	struct buf *out = new_block(w);
	struct values values;
	char word[WORD_SIZE], *colon;

	while (next_word(&list, word)) {
		colon = strrchr(word, ':');
		if (colon)
			*colon = '\0';
		if (out->len > 0)
			buf_char(out, '\n');
		values.n = 0;
		add(&values, "name", TEMPLATE_TOKEN, word);
		add(&values, "port", TEMPLATE_PORT, colon ? colon + 1 : "");
		fill(w, NGINX_MCP, &values, out);
	}
	return buf_cstr(out);
}

/* Default servers of the ports that nobody else has one of. */
static const char *
unknown_names(struct work *w)
{
	static const char parameters[] = " ssl http2 default_server";
	const struct nginx_edge *edge = w->edge;
	struct buf *out = new_block(w);
	struct values values = { .n = 0 };

	if (!edge->foreign_443) {
		add(&values, "listen", TEMPLATE_BLOCK, listens(w, "443",
		    parameters));
		fill(w, NGINX_UNKNOWN, &values, out);
	}
	if (!edge->foreign_ade) {
		if (out->len > 0)
			buf_char(out, '\n');
		values.n = 0;
		add(&values, "listen", TEMPLATE_BLOCK, listens(w, w->ade_port,
		    parameters));
		fill(w, NGINX_UNKNOWN, &values, out);
	}
	return buf_cstr(out);
}

static const char *
ade_access(struct work *w)
{
	const struct nginx_edge *edge = w->edge;
	struct buf *out = new_block(w);

	if (edge->ade_allow)
		buf_str(out, with_text(w, NGINX_ADE_ALLOW, "networks",
		    TEMPLATE_BLOCK, each(w, NGINX_ADE_NETWORK, "network",
		    TEMPLATE_NETWORK, edge->ade_allow)));
	if (edge->ade_allow && edge->htpasswd)
		buf_char(out, '\n');
	if (edge->htpasswd)
		buf_str(out, with_text(w, NGINX_ADE_AUTH, "htpasswd",
		    TEMPLATE_PATH, edge->htpasswd));
	return buf_cstr(out);
}

static const char *
site_locations(struct work *w)
{
	struct values values = { .n = 0 };

	add(&values, "id", TEMPLATE_TOKEN, w->id);
	if (!w->edge->static_root)
		return block(w, NGINX_SITE, &values);
	add(&values, "static", TEMPLATE_PATH, w->edge->static_root);
	return block(w, NGINX_STATIC, &values);
}

static const char *
cors_map(struct work *w)
{
	struct values values = { .n = 0 };

	add(&values, "id", TEMPLATE_TOKEN, w->id);
	add(&values, "origins", TEMPLATE_BLOCK, each(w, NGINX_CORS_ORIGIN,
	    "origin", TEMPLATE_ORIGIN, w->edge->cors ? w->edge->cors :
	    CORS_DEFAULT));
	return block(w, NGINX_CORS_MAP, &values);
}

static const char *
ssl(struct work *w)
{
	struct values values = { .n = 0 };

	add(&values, "id", TEMPLATE_TOKEN, w->id);
	add(&values, "certificate", TEMPLATE_PATH, w->edge->certificate);
	add(&values, "certificate_key", TEMPLATE_PATH,
	    w->edge->certificate_key);
	return block(w, NGINX_SSL, &values);
}

/* What both phases have. */
static void
add_common(struct work *w, struct values *values)
{
	const struct nginx_edge *edge = w->edge;

	add(values, "job", TEMPLATE_TOKEN, edge->job);
	add(values, "site", TEMPLATE_HOSTNAME, edge->site);
	add(values, "names", TEMPLATE_HOSTNAMES, w->names);
	add(values, "generation", TEMPLATE_TOKEN, w->generation);
	add(values, "listen_http", TEMPLATE_BLOCK, listens(w, "80", ""));
	add(values, "generation_location", TEMPLATE_BLOCK, with_text(w,
	    NGINX_GENERATION, "generation", TEMPLATE_TOKEN, w->generation));
	add(values, "acme_location", TEMPLATE_BLOCK, with_text(w, NGINX_ACME,
	    "webroot", TEMPLATE_PATH, edge->webroot));
}

static void
add_tls(struct work *w, struct values *values)
{
	const struct nginx_edge *edge = w->edge;

	add(values, "id", TEMPLATE_TOKEN, w->id);
	add(values, "ade_name", TEMPLATE_HOSTNAME, edge->ade_name);
	add(values, "upstream_port", TEMPLATE_PORT, w->upstream_port);
	add(values, "cors_map", TEMPLATE_BLOCK, cors_map(w));
	add(values, "unknown_names", TEMPLATE_BLOCK, unknown_names(w));
	add(values, "listen_site", TEMPLATE_BLOCK, listens(w, "443",
	    " ssl http2"));
	add(values, "listen_ade", TEMPLATE_BLOCK, listens(w, w->ade_port,
	    " ssl http2"));
	add(values, "ssl", TEMPLATE_BLOCK, ssl(w));
	add(values, "headers", TEMPLATE_BLOCK, plain(w, NGINX_HEADERS));
	add(values, "cors", TEMPLATE_BLOCK, with_id(w, NGINX_CORS));
	add(values, "proxy", TEMPLATE_BLOCK, with_id(w, NGINX_PROXY));
	add(values, "mcp_locations", TEMPLATE_BLOCK, mcp_locations(w));
	add(values, "site_locations", TEMPLATE_BLOCK, site_locations(w));
	add(values, "ade_access", TEMPLATE_BLOCK, ade_access(w));
}

/*
 * nginx warns of a name that one server lists twice, so equal names are
 * listed once.  A name too long for its room is cut here and then refused by
 * its type.
 */
static void
make_texts(struct work *w)
{
	const struct nginx_edge *edge = w->edge;
	const bool one = strcasecmp(edge->site, edge->ade_name) == 0;

	(void)snprintf(w->names, sizeof(w->names), "%s%s%s", edge->site,
	    one ? "" : " ", one ? "" : edge->ade_name);
	(void)snprintf(w->ade_port, sizeof(w->ade_port), "%u",
	    edge->ade_port);
	(void)snprintf(w->upstream_port, sizeof(w->upstream_port), "%u",
	    edge->upstream_port);
	(void)snprintf(w->id, sizeof(w->id), "%08" PRIx32,
	    (uint32_t)hash(edge->site, strlen(edge->site)));
}

static int
render(const struct nginx_edge *edge, const struct nginx_template *templates,
    const char *generation, struct buf *out, struct err *err)
{
	struct work w = { .edge = edge, .templates = templates, .err = err,
	    .generation = generation };
	struct values values = { .n = 0 };

	make_texts(&w);
	add_common(&w, &values);
	if (edge->certificate)
		add_tls(&w, &values);
	fill(&w, edge->certificate ? NGINX_TLS : NGINX_HTTP, &values, out);
	for (size_t i = 0; i < w.n_blocks; i++)
		buf_clear(&w.blocks[i]);
	return w.failed ? -1 : 0;
}

/* Rendered with no generation first, which its sum is made of. */
int
nginx_render(const struct nginx_edge *edge,
    const struct nginx_template templates[static NGINX_TEMPLATES],
    struct buf *out, char generation[static NGINX_GENERATION_SIZE],
    struct err *err)
{
	struct buf draft = BUF_INIT(NGINX_FILE_MAX);
	int rc;

	if (!edge->certificate != !edge->certificate_key)
		return err_set(err, ERR_USAGE, "edge %s: a certificate and "
		    "its key go together", edge->site);
	if (edge->ade_port == 80 || edge->ade_port == 443 ||
	    edge->ade_port == edge->upstream_port)
		return err_set(err, ERR_USAGE, "edge %s: port %u is taken: "
		    "80 and 443 by the site, %u by Letta", edge->site,
		    edge->ade_port, edge->upstream_port);
	rc = render(edge, templates, "0", &draft, err);
	if (rc == 0) {
		(void)snprintf(generation, NGINX_GENERATION_SIZE, "%016"
		    PRIx64, hash(buf_cstr(&draft), draft.len));
		rc = render(edge, templates, generation, out, err);
	}
	buf_clear(&draft);
	return rc;
}
