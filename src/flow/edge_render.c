#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_place.h"
#include "flow/edge_render.h"
#include "flow/template_file.h"

char *
edge_path(const struct conf_edge *edge)
{
	return mem_printf("/etc/nginx/conf.d/sanctumctl-%s.conf",
	    edge->site);
}

char *
edge_htpasswd_path(const struct conf_edge *edge)
{
	return mem_printf("/etc/nginx/sanctumctl-%s.htpasswd", edge->site);
}

/* Before there is one: where it is going to be. */
static char *
certificate_path(const struct conf_edge *edge)
{
	return edge->certificate ? mem_strdup(edge->certificate) :
	    mem_printf("/etc/letsencrypt/live/%s/fullchain.pem", edge->site);
}

static char *
key_path(const struct conf_edge *edge)
{
	return edge->certificate_key ? mem_strdup(edge->certificate_key) :
	    mem_printf("/etc/letsencrypt/live/%s/privkey.pem", edge->site);
}

/* All templates, since any may be asked for; two passes over few bytes. */
static int
read_templates(const struct conf *conf, struct buf *texts, char **paths,
    struct nginx_template *out, struct err *err)
{
	char *name;
	int rc;

	for (size_t i = 0; i < NGINX_TEMPLATES; i++) {
		buf_init(&texts[i], NGINX_FILE_MAX);
		name = mem_printf("nginx/%s", nginx_template_names[i]);
		rc = template_file_read(conf, name, &paths[i], &texts[i],
		    err);
		free(name);
		if (rc != 0)
			return -1;
		out[i] = (struct nginx_template){ .path = paths[i],
		    .text = buf_cstr(&texts[i]), .len = texts[i].len };
	}
	return 0;
}

static int
render(const struct conf *conf, const struct nginx_edge *model,
    struct edge_text *out, struct err *err)
{
	struct nginx_template templates[NGINX_TEMPLATES];
	struct buf texts[NGINX_TEMPLATES] = { 0 };
	char *paths[NGINX_TEMPLATES] = { NULL };
	int rc;

	rc = read_templates(conf, texts, paths, templates, err);
	if (rc == 0)
		rc = nginx_render(model, templates, &out->text,
		    out->generation, err);
	for (size_t i = 0; i < NGINX_TEMPLATES; i++) {
		buf_clear(&texts[i]);
		free(paths[i]);
	}
	return rc;
}

unsigned int
edge_upstream_port(const struct conf *conf, const struct conf_edge *edge)
{
	const struct conf_letta *letta = conf_find_letta(conf, edge);

	return letta ? letta->port : 18283;
}

int
edge_render(const struct conf *conf, const struct conf_edge *edge, bool tls,
    const struct edge_place *place, struct edge_text *out, struct err *err)
{
	char *certificate = *place->certificate ?
	    mem_strdup(place->certificate) : certificate_path(edge);
	char *key = *place->certificate_key ?
	    mem_strdup(place->certificate_key) : key_path(edge);
	char *webroot = edge_webroot(edge);
	char *htpasswd = edge->ade_auth.ref ? edge_htpasswd_path(edge) :
	    NULL;
	const struct nginx_edge model = {
		.job = conf->name,
		.site = edge->site,
		.ade_name = edge->ade_name,
		.ade_port = edge->ade_port,
		.upstream_port = edge_upstream_port(conf, edge),
		.webroot = webroot,
		.certificate = tls ? certificate : NULL,
		.certificate_key = tls ? key : NULL,
		.cors = edge->cors,
		.ade_allow = edge->ade_allow,
		.mcp = edge->mcp,
		.static_root = edge->static_root,
		.htpasswd = htpasswd,
		.ipv4_only = place->ipv4_only,
		.foreign_443 = place->foreign_443,
		.foreign_ade = place->foreign_ade,
	};
	int rc;

	*out = (struct edge_text){ .generation = "" };
	buf_init(&out->text, NGINX_FILE_MAX);
	rc = render(conf, &model, out, err);
	free(certificate);
	free(key);
	free(webroot);
	free(htpasswd);
	return rc;
}

void
edge_text_clear(struct edge_text *text)
{
	buf_clear(&text->text);
}
