#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/restore_conf.h"

#define PREFIX "agent-"
#define NAME_PART 24		/* with a UUID it is still a section's name */
#define ID_PART 8

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* Letters and digits of a name, "-" for each run of anything else. */
static void
put_slug(const char *name, char out[static NAME_PART + 1])
{
	size_t len = 0;

	for (; *name && len < NAME_PART; name++) {
		if (is_plain(*name))
			out[len++] = *name;
		else if (len > 0 && out[len - 1] != '-')
			out[len++] = '-';
	}
	while (len > 0 && out[len - 1] == '-')
		len--;
	out[len] = '\0';
	if (len == 0)
		(void)snprintf(out, NAME_PART + 1, "agent");
}

static void
name_section(struct restore_conf_agent *agent, int id_len)
{
	const char *id = agent->id;
	char slug[NAME_PART + 1];

	put_slug(agent->name, slug);
	if (str_starts(id, PREFIX))
		id += strlen(PREFIX);
	(void)snprintf(agent->section, sizeof(agent->section), "%s-%.*s",
	    slug, id_len, id);
}

static int
by_section(const void *a, const void *b)
{
	const struct restore_conf_agent *const *x = a, *const *y = b;

	return strcmp((*x)->section, (*y)->section);
}

void
restore_conf_sections(struct restore_conf *conf)
{
	struct restore_conf_agent **sorted = mem_zero(conf->n_agents + 1,
	    sizeof(*sorted));
	bool as_before = false, as_next;

	for (size_t i = 0; i < conf->n_agents; i++) {
		name_section(&conf->agents[i], ID_PART);
		sorted[i] = &conf->agents[i];
	}
	qsort(sorted, conf->n_agents, sizeof(struct restore_conf_agent *),
	    by_section);
	for (size_t i = 0; i < conf->n_agents; i++) {
		as_next = i + 1 < conf->n_agents &&
		    str_eq(sorted[i]->section, sorted[i + 1]->section);
		if (as_before || as_next)
			name_section(sorted[i], CONF_NAME_MAX - NAME_PART);
		as_before = as_next;
	}
	free(sorted);
}

static void
put_key(struct buf *text, const char *key, const char *value)
{
	if (value)
		buf_printf(text, "%s = %s\n", key, value);
}

void
restore_conf_write(const struct restore_conf *conf, struct buf *text)
{
	buf_printf(text, "; written by `sanctumctl letta restore'\n"
	    "[job]\nkind = agent\nname = %s\n\n[letta target]\n", conf->job);
	put_key(text, "url", conf->url);
	put_key(text, "version", conf->version);
	put_key(text, "ca_file", conf->ca_file);
	put_key(text, "token", conf->token);
	for (size_t i = 0; i < conf->n_agents; i++) {
		buf_printf(text, "\n[agent %s]\nfrom = bundle:%s\n"
		    "to = target\n", conf->agents[i].section,
		    conf->agents[i].bundle);
		put_key(text, "tools", conf->tools);
	}
}
