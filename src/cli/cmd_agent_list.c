#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent_list.h"
#include "flow/endpoint.h"
#include "flow/server.h"

#define LINE_MAX_BYTES 65536

static const char *
last_update(const struct letta_agent *agent)
{
	const char *at = jdoc_get_str(agent->state, "updated_at");

	return at ? at : "";
}

static void
show_json(const struct letta_agent *agent)
{
	struct jdoc *object = show_new("agent");

	jdoc_set_str(object, "id", agent->id);
	jdoc_set_str(object, "name", agent->name ? agent->name : "");
	jdoc_set_str(object, "agent_type",
	    agent->agent_type ? agent->agent_type : "");
	jdoc_set(object, "in_context",
	    jdoc_new_int((int64_t)jdoc_len(agent->message_ids)));
	jdoc_set_str(object, "updated_at", last_update(agent));
	show_object(object);
}

/* The name last: it may be of any length and width. */
static void
show_text(const struct letta_agent *agent)
{
	const char *const texts[] = {
		agent->id, agent->agent_type ? agent->agent_type : "",
		last_update(agent), agent->name ? agent->name : ""
	};
	struct buf shown[4];

	for (size_t i = 0; i < 4; i++) {
		buf_init(&shown[i], LINE_MAX_BYTES);
		str_printable(&shown[i], texts[i], strlen(texts[i]));
	}
	(void)printf("%s  %-16s %5zu  %-20.19s %s\n", buf_cstr(&shown[0]),
	    buf_cstr(&shown[1]), jdoc_len(agent->message_ids),
	    buf_cstr(&shown[2]), buf_cstr(&shown[3]));
	for (size_t i = 0; i < 4; i++)
		buf_clear(&shown[i]);
}

static int
show_agent(void *ctx, const struct letta_agent *agent, struct err *err)
{
	const struct opt *opt = ctx;

	(void)err;
	if (opt->json)
		show_json(agent);
	else
		show_text(agent);
	return 0;
}

static int
run(const struct opt *opt, struct err *err)
{
	struct server *server = NULL;
	struct endpoint at;
	int rc;

	if (endpoint_find(opt->words[0], &at, err) != 0)
		return -1;
	rc = endpoint_fetch(&at, 1, err);
	if (rc == 0)
		rc = endpoint_open(&at, &server, err);
	if (rc == 0)
		rc = agent_list(server, show_agent, (void *)(uintptr_t)opt,
		    err);
	server_close(server);
	endpoint_clear(&at);
	return rc;
}

const struct cmd cmd_agent_list = {
	.name = "agent list",
	.args = "SERVER",
	.about = "every agent of a server: id, type, rows in context, last "
	    "change, name",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
