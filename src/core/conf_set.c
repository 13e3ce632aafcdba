#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_section.h"
#include "core/conf_set.h"
#include "core/conf_value.h"

const char *const conf_set_default_trees[] = { "broca", "smcp", NULL };

/* Say what is wrong with a value, and show it. */
static int
bad_value(const struct conf_place *at, struct err *err, const char *wrong)
{
	return conf_section_fail(at->doc->path, at->line, err,
	    "`%s' in [%s] %s: `%s'", at->key, at->section->label, wrong,
	    at->value);
}

/* The same for a value that may hold a password. */
static int
bad_hidden(const struct conf_place *at, struct err *err, const char *wrong)
{
	return conf_section_fail(at->doc->path, at->line, err,
	    "`%s' in [%s] %s", at->key, at->section->label, wrong);
}

/* The same for one word out of few. */
static int
bad_word(const struct conf_place *at, struct err *err, const char *word,
    const char *const *known)
{
	char hint[CONF_HINT_SIZE], list[64] = "";
	size_t used = 0;
	int n;

	for (size_t i = 0; known[i] && used < sizeof(list); i++) {
		n = snprintf(list + used, sizeof(list) - used, "%s%s",
		    i > 0 ? ", " : "", known[i]);
		used += n > 0 ? (size_t)n : 0;
	}
	return conf_section_fail(at->doc->path, at->line, err,
	    "`%s' in [%s]: `%s' is not known%s; known: %s", at->key,
	    at->section->label, word, conf_section_hint(word, known, hint),
	    list);
}

static void
store(const struct conf_place *at, size_t field, const void *pointer)
{
	memcpy((char *)at->object + field, &pointer, sizeof(pointer));
}

/* Store what the section [TYPE name] fills into field. */
static int
store_section(const struct conf_place *at, size_t field,
    enum conf_type_id type, const char *name, struct err *err)
{
	const void *object = conf_section_refer(at->doc, at->section, at->key,
	    at->line, type, name, err);

	if (!object)
		return -1;
	store(at, field, object);
	return 0;
}

int
conf_set_text(const struct conf_place *at, struct err *err)
{
	const char *wrong = at->check(at->value);

	if (wrong)
		return bad_value(at, err, wrong);
	store(at, at->field, at->value);
	return 0;
}

/* The place of the value among words, or -1. */
static int
find_word(const struct conf_place *at, const char *const *words,
    struct err *err)
{
	for (int i = 0; words[i]; i++) {
		if (str_eq(at->value, words[i]))
			return i;
	}
	return bad_word(at, err, at->value, words);
}

int
conf_set_word(const struct conf_place *at, struct err *err)
{
	int place = find_word(at, at->words, err);

	if (place < 0)
		return -1;
	memcpy((char *)at->object + at->field, &place, sizeof(place));
	return 0;
}

int
conf_set_yes_no(const struct conf_place *at, struct err *err)
{
	static const char *const words[] = { "no", "yes", NULL };
	int place = find_word(at, words, err);
	bool yes = place == 1;

	if (place < 0)
		return -1;
	memcpy((char *)at->object + at->field, &yes, sizeof(yes));
	return 0;
}

int
conf_set_url(const struct conf_place *at, struct err *err)
{
	const char *wrong = conf_value_url(at->value);

	if (wrong)
		return bad_hidden(at, err, wrong);
	store(at, at->field, at->value);
	return 0;
}

int
conf_set_base_url(const struct conf_place *at, struct err *err)
{
	if (conf_set_url(at, err) != 0)
		return -1;
	if (str_ends(at->value, "/"))
		at->value[strlen(at->value) - 1] = '\0';
	return 0;
}

int
conf_set_port(const struct conf_place *at, struct err *err)
{
	unsigned int port;

	if (!conf_value_port(at->value, &port))
		return bad_value(at, err,
		    "is not a number from 1 to 65535");
	memcpy((char *)at->object + at->field, &port, sizeof(port));
	return 0;
}

int
conf_set_host(const struct conf_place *at, struct err *err)
{
	return store_section(at, at->field, CONF_TYPE_HOST, at->value, err);
}

int
conf_set_letta(const struct conf_place *at, struct err *err)
{
	return store_section(at, at->field, CONF_TYPE_LETTA, at->value, err);
}

int
conf_set_host_path(const struct conf_place *at, struct err *err)
{
	char *path = strchr(at->value, ':');
	const char *wrong;

	if (!path)
		return bad_value(at, err, "is not HOST:PATH");
	wrong = conf_value_path(path + 1);
	if (wrong)
		return bad_value(at, err, wrong);
	*path++ = '\0';
	store(at, at->path_field, path);
	return store_section(at, at->field, CONF_TYPE_HOST, at->value, err);
}

int
conf_set_kind(const struct conf_place *at, struct err *err)
{
	static const char *const names[] = { "agent", "workers",
	    "greenfield", "upgrade", NULL };
	static const enum conf_kind kinds[] = { CONF_AGENT, CONF_WORKERS,
	    CONF_GREENFIELD, CONF_UPGRADE };
	struct conf *conf = at->object;
	int place = find_word(at, names, err);

	if (place < 0)
		return -1;
	conf->kind = kinds[place];
	return 0;
}

int
conf_set_seconds(const struct conf_place *at, struct err *err)
{
	unsigned int seconds;
	uint64_t number;

	if (!str_u64(at->value, CONF_SECONDS_MAX, &number) || number == 0)
		return bad_value(at, err,
		    "is not a number of seconds from 1 to 86400");
	seconds = (unsigned int)number;
	memcpy((char *)at->object + at->field, &seconds, sizeof(seconds));
	return 0;
}

int
conf_set_switch(const struct conf_place *at, struct err *err)
{
	struct conf *conf = at->object;
	int place = find_word(at, at->words, err);

	conf->manual_switch = place == 1;
	return place < 0 ? -1 : 0;
}

int
conf_set_version(const struct conf_place *at, struct err *err)
{
	struct conf_letta *letta = at->object;
	const char *wrong = conf_value_version(at->value);

	if (str_eq(at->value, "latest"))
		return conf_section_fail(at->doc->path, at->line, err,
		    "`latest' is not a version: what it means changes under "
		    "you; write the one you tested, such as 0.16.2");
	if (wrong)
		return bad_value(at, err, wrong);
	letta->version = at->value;
	return 0;
}

int
conf_set_secret(const struct conf_place *at, struct err *err)
{
	const struct conf_secret secret = {
		.ref = at->value, .line = at->line
	};
	const char *wrong = conf_value_secret(at->value);

	if (wrong)
		return bad_hidden(at, err, wrong);
	memcpy((char *)at->object + at->field, &secret, sizeof(secret));
	return 0;
}

int
conf_set_ade(const struct conf_place *at, struct err *err)
{
	struct conf_edge *edge = at->object;
	char *port = strrchr(at->value, ':');
	const char *wrong;

	if (!port || !conf_value_port(port + 1, &edge->ade_port))
		return bad_value(at, err,
		    "is not NAME:PORT, such as ade.example.org:8283");
	*port = '\0';
	wrong = conf_value_dns(at->value);
	if (wrong)
		return bad_value(at, err, wrong);
	edge->ade_name = at->value;
	return 0;
}

int
conf_set_agent_from(const struct conf_place *at, struct err *err)
{
	static const char bundle[] = "bundle:";
	struct conf_agent *agent = at->object;
	char *id = strchr(at->value, ':');
	const char *wrong;

	if (str_starts(at->value, bundle)) {
		agent->bundle = at->value + strlen(bundle);
		wrong = conf_value_path(agent->bundle);
		return wrong ? bad_value(at, err, wrong) : 0;
	}
	if (!id || !conf_value_is_agent_id(id + 1))
		return bad_value(at, err, "is neither LETTA:agent-UUID (the "
		    "id in lower case, as the server writes it) nor "
		    "bundle:PATH");
	*id++ = '\0';
	agent->from_id = id;
	return store_section(at, offsetof(struct conf_agent, from),
	    CONF_TYPE_LETTA, at->value, err);
}

int
conf_set_worker_agent(const struct conf_place *at, struct err *err)
{
	struct conf_worker *worker = at->object;

	if (conf_value_is_agent_id(at->value)) {
		worker->agent_id = at->value;
		return 0;
	}
	if (at->doc->conf->kind == CONF_WORKERS)
		return bad_value(at, err, "is not an id, agent-UUID in lower "
		    "case, which a job of kind workers needs");
	return store_section(at, offsetof(struct conf_worker, agent),
	    CONF_TYPE_AGENT, at->value, err);
}

int
conf_set_trees(const struct conf_place *at, struct err *err)
{
	static const char *const known[] = { "broca", "smcp", "otto", NULL };
	const char **trees = at->section->trees;
	struct conf_worker *worker = at->object;
	char *word = at->value;
	size_t n = 0, i, len;

	for (; *word; word += len) {
		len = strcspn(word, " ");
		if (word[len] != '\0')
			word[len++] = '\0';
		if (*word == '\0')
			continue;
		for (i = 0; known[i] && !str_eq(known[i], word); i++)
			;
		if (!known[i])
			return bad_word(at, err, word, known);
		for (i = 0; i < n; i++) {
			if (str_eq(trees[i], word))
				return conf_section_fail(at->doc->path,
				    at->line, err, "`%s' in [%s] has `%s' "
				    "twice", at->key, at->section->label,
				    word);
		}
		/* No word comes twice: there are at most as many as known. */
		trees[n++] = word;
	}
	trees[n] = NULL;
	worker->trees = trees;
	return 0;
}
