#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/nginx.h"
#include "core/template.h"

#define PORT_SIZE 12
#define NAMES_SIZE 520		/* two DNS names of 253 bytes and a blank */
#define VALUES_MAX 10

/* What the values point to while they are used. */
struct values {
	struct template_value v[VALUES_MAX];
	size_t n;
	char names[NAMES_SIZE];
	char ade_port[PORT_SIZE];
	char upstream_port[PORT_SIZE];
};

/* FNV-1a, 64 bits (RFC 9923). */
static uint64_t
hash_add(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (; len > 0; len--, p++)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	return hash;
}

/* The NUL of each string is hashed too, so that no two lists run together. */
static void
make_generation(const struct values *values, const char *text, size_t len,
    char generation[static NGINX_GENERATION_SIZE])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const struct template_value *v;

	for (v = values->v; v < values->v + values->n; v++) {
		hash = hash_add(hash, v->name, strlen(v->name) + 1);
		hash = hash_add(hash, v->value, strlen(v->value) + 1);
	}
	hash = hash_add(hash, text, len);
	(void)snprintf(generation, NGINX_GENERATION_SIZE, "%016" PRIx64,
	    hash);
}

static void
add(struct values *values, const char *name, enum template_type type,
    const char *value)
{
	values->v[values->n++] = (struct template_value){ .name = name,
	    .type = type, .value = value };
}

/*
 * nginx warns of a name that one server lists twice, so equal names are
 * listed once.  A name too long for its room is cut here and then refused by
 * its type.
 */
static void
collect(const struct nginx_edge *edge, struct values *values)
{
	if (strcasecmp(edge->site, edge->ade_name) == 0)
		(void)snprintf(values->names, sizeof(values->names), "%s",
		    edge->site);
	else
		(void)snprintf(values->names, sizeof(values->names), "%s %s",
		    edge->site, edge->ade_name);
	(void)snprintf(values->ade_port, sizeof(values->ade_port), "%u",
	    edge->ade_port);
	(void)snprintf(values->upstream_port, sizeof(values->upstream_port),
	    "%u", edge->upstream_port);

	add(values, "job", TEMPLATE_TOKEN, edge->job);
	add(values, "site", TEMPLATE_HOSTNAME, edge->site);
	add(values, "names", TEMPLATE_HOSTNAMES, values->names);
	add(values, "webroot", TEMPLATE_PATH, edge->webroot);
	if (!edge->certificate)
		return;
	add(values, "ade_name", TEMPLATE_HOSTNAME, edge->ade_name);
	add(values, "ade_port", TEMPLATE_PORT, values->ade_port);
	add(values, "upstream_port", TEMPLATE_PORT, values->upstream_port);
	add(values, "certificate", TEMPLATE_PATH, edge->certificate);
	add(values, "certificate_key", TEMPLATE_PATH, edge->certificate_key);
}

int
nginx_render(const struct nginx_edge *edge, const char *template_path,
    const char *template_text, size_t len, struct buf *out,
    char generation[static NGINX_GENERATION_SIZE], struct err *err)
{
	struct values values = { .n = 0 };

	if (!edge->certificate != !edge->certificate_key)
		return err_set(err, ERR_USAGE, "edge %s: a certificate and "
		    "its key go together", edge->site);
	if (edge->ade_port == 80 || edge->ade_port == 443 ||
	    edge->ade_port == edge->upstream_port)
		return err_set(err, ERR_USAGE, "edge %s: port %u is taken: "
		    "80 and 443 by the site, %u by Letta", edge->site,
		    edge->ade_port, edge->upstream_port);
	collect(edge, &values);
	make_generation(&values, template_text, len, generation);
	add(&values, "generation", TEMPLATE_TOKEN, generation);
	return template_fill(template_path, template_text, len, values.v,
	    values.n, out, err);
}
