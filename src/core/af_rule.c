#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_ids.h"
#include "core/af_reader.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/af_rule_context.h"
#include "core/af_rule_link.h"
#include "core/af_rule_part.h"
#include "core/af_rule_repair.h"
#include "core/af_rule_table.h"
#include "core/af_rule_type.h"
#include "core/jdoc.h"

/* Lists at the top of a file that an import wants. */
static const char *const wanted[] = {
	"agents", "groups", "blocks", "files", "sources", "tools",
	"mcp_servers"
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

struct af_rule {
	struct af_rule_report report;
	struct af_ids ids;		/* of everything in the file */
	struct af_rule_links links;
	bool seen[WANTED];		/* list or not */
	uint64_t agents;

	/* Of the agent at hand. */
	struct af_rule_context context;
	struct af_convert convert;
	bool has_id, has_llm, has_embedding;
	bool is_voice, has_sleeptime;
};

struct af_rule *
af_rule_new(const struct af_rule_report *report)
{
	struct af_rule *rule = mem_zero(1, sizeof(*rule));

	rule->report = *report;
	if (rule->report.targets == 0)
		rule->report.targets = AF_RULE_BOTH;
	return rule;
}

void
af_rule_free(struct af_rule *rule)
{
	if (!rule)
		return;
	af_ids_clear(&rule->ids);
	af_rule_links_clear(&rule->links);
	af_rule_context_clear(&rule->context);
	af_convert_clear(&rule->convert);
	free(rule);
}

/*
 * An id that is text, of whatever form, at member below the place: is it the
 * only one?
 */
static int
add_id(struct af_rule *rule, const char *id, unsigned int flags,
    enum af_rule_id twice, const struct af_rule_place *place,
    const char *member)
{
	if (!id)
		return 0;
	if (rule->ids.n == AF_RULE_IDS_MAX)
		return err_set(place->err, ERR_DATA, "agent file: %s: more "
		    "than %d ids", place->at, AF_RULE_IDS_MAX);
	if (af_ids_add(&rule->ids, af_ids_key(id), flags))
		return 0;
	return af_rule_say_at(place, twice, "%s", member);
}

static int
check_row(struct af_rule *rule, const struct af_part *part, struct jdoc *row,
    const struct af_rule_place *place)
{
	const char *id = jdoc_get_str(row, "id");
	const char *role = jdoc_get_str(row, "role");
	bool is_system = role && str_eq(role, "system");

	if (jdoc_type(row) != JDOC_OBJECT)
		return af_rule_message(row, place);
	if (!af_rule_is_id(jdoc_get(row, "id"), "message") &&
	    af_rule_say_at(place, RULE_ROW_ID, "/id") != 0)
		return -1;
	if (add_id(rule, id, is_system ? AF_IDS_SYSTEM : 0,
	    RULE_ROW_ID_TWICE, place, "/id") != 0)
		return -1;
	af_rule_context_row(&rule->context, id ? af_ids_key(id) : 0, row);
	return af_rule_repair(&rule->convert, row,
	    af_row_look(part->text, part->len), place);
}

static int
check_member(struct af_rule *rule, const struct af_part *part,
    const struct jdoc *value, const struct af_rule_place *place)
{
	const char *key = part->key;

	if (af_rule_member(key, value, place) != 0 ||
	    af_rule_links_member(&rule->links, key, part->agent, value,
	    place->err) != 0)
		return -1;
	if (str_eq(key, "in_context_message_ids"))
		af_rule_context_ids(&rule->context, value);
	rule->has_llm = rule->has_llm || str_eq(key, "llm_config");
	rule->has_embedding = rule->has_embedding ||
	    str_eq(key, "embedding_config");
	rule->has_sleeptime = rule->has_sleeptime ||
	    (str_eq(key, "enable_sleeptime") && jdoc_bool(value));
	rule->is_voice = rule->is_voice || (str_eq(key, "agent_type") &&
	    jdoc_str(value) && str_eq(jdoc_str(value), "voice_convo_agent"));
	if (!str_eq(key, "id"))
		return 0;
	rule->has_id = true;
	return add_id(rule, jdoc_str(value), 0, RULE_ID_TWICE, place, "");
}

static int
check_item(struct af_rule *rule, const struct af_part *part,
    const struct jdoc *item, const struct af_rule_place *place)
{
	if (str_eq(part->key, "agents"))	/* an object would be cut */
		return af_rule_say(place, RULE_AGENT_TYPE);
	if (!af_rule_kind(part->key) && !str_eq(part->key, "skills"))
		return 0;
	if (af_rule_item(part->key, item, place) != 0 ||
	    af_rule_links_item(&rule->links, part->key, part->item, item,
	    place->err) != 0)
		return -1;
	return add_id(rule, jdoc_get_str(item, "id"), 0, RULE_ID_TWICE,
	    place, "/id");
}

static int
check_value(struct af_rule *rule, const struct af_part *part,
    const struct af_rule_place *place, struct err *err)
{
	struct jdoc *value = af_part_parse(part, err);
	int rc = -1;

	if (!value)
		return -1;
	if (af_rule_text(part, place) != 0) {
		jdoc_free(value);
		return -1;
	}
	switch (part->place) {
	case AF_PLACE_TOP:
		rc = af_rule_top(part->key, value, place);
		break;
	case AF_PLACE_ITEM:
		rc = check_item(rule, part, value, place);
		break;
	case AF_PLACE_AGENT:
		rc = check_member(rule, part, value, place);
		break;
	case AF_PLACE_ROW:
		rc = check_row(rule, part, value, place);
		break;
	}
	jdoc_free(value);
	return rc;
}

static void
begin_agent(struct af_rule *rule)
{
	rule->agents++;
	rule->has_id = rule->has_llm = rule->has_embedding = false;
	rule->is_voice = rule->has_sleeptime = false;
	rule->convert.rules.no_summary = rule->report.targets &
	    AF_RULE_0_16_2;
}

/* What only the end of an agent tells. */
static int
end_agent(struct af_rule *rule, const struct af_part *part, struct err *err)
{
	char at[AF_POINTER_MAX];
	struct af_rule_place place = {
		.at = part->at, .report = &rule->report, .err = err,
	};
	int rc;

	if (!rule->has_id && af_rule_say_at(&place, RULE_ID, "/id") != 0)
		return -1;
	if (!rule->has_llm && af_rule_say_at(&place, RULE_LLM_MISSING,
	    "/llm_config") != 0)
		return -1;
	if (!rule->has_embedding && af_rule_say_at(&place,
	    RULE_EMBEDDING_NONE, "/embedding_config") != 0)
		return -1;
	if (rule->is_voice && !rule->has_sleeptime &&
	    af_rule_say_at(&place, RULE_AGENT_KIND, "/agent_type") != 0)
		return -1;
	(void)snprintf(at, sizeof(at), "%s/in_context_message_ids",
	    part->at);
	place.at = at;
	rc = af_rule_context_end(&rule->context, &rule->ids, &place);
	af_rule_context_clear(&rule->context);
	af_convert_clear(&rule->convert);
	return rc;
}

/* Remember a member of the file that it must have. */
static void
see_top(struct af_rule *rule, const char *key)
{
	for (size_t i = 0; i < WANTED; i++)
		rule->seen[i] = rule->seen[i] || str_eq(wanted[i], key);
}

int
af_rule_part(void *ctx, const struct af_part *part, struct err *err)
{
	struct af_rule *rule = ctx;
	struct af_rule_place place = {
		.at = part->at, .report = &rule->report, .err = err,
	};
	bool is_agent = part->place == AF_PLACE_ITEM &&
	    str_eq(part->key, "agents");

	if (part->place == AF_PLACE_TOP)
		see_top(rule, part->key);
	if (part->event == AF_PART_VALUE)
		return check_value(rule, part, &place, err);
	if (is_agent && part->event == AF_PART_BEGIN)
		begin_agent(rule);
	if (is_agent && part->event == AF_PART_END)
		return end_agent(rule, part, err);
	return 0;
}

int
af_rule_end(struct af_rule *rule, struct err *err)
{
	struct af_rule_place place = {
		.at = "", .report = &rule->report, .err = err,
	};
	size_t i;

	for (i = 0; i < WANTED; i++) {
		if (!rule->seen[i] && af_rule_say_at(&place, RULE_TOP_LIST,
		    "/%s", wanted[i]) != 0)
			return -1;
	}
	if (rule->agents != 1 && af_rule_say_at(&place, rule->agents == 0 ?
	    RULE_AGENTS_NONE : RULE_AGENTS_MANY, "/agents") != 0)
		return -1;
	return af_rule_links_end(&rule->links, &rule->ids, &rule->report,
	    err);
}

int
af_rule_file(const char *text, size_t len,
    const struct af_rule_report *report, struct err *err)
{
	struct af_rule *rule = af_rule_new(report);
	struct af_reader_each each = { .part = af_rule_part, .ctx = rule };
	struct af_reader *r = af_reader_new(&each);
	int rc = -1;

	if (af_reader_feed(r, text, len, err) == 0 &&
	    af_reader_end(r, err) == 0)
		rc = af_rule_end(rule, err);
	af_reader_free(r);
	af_rule_free(rule);
	return rc;
}
