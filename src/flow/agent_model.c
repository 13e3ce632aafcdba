#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/af_model.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/agent_model.h"
#include "flow/server.h"

#define MODELS_PATH "/v1/models/"
#define EMBEDDINGS_PATH "/v1/models/embedding"
#define SHOWN_MAX 100
#define NEAR 3

/* One of the two, model or embedding. */
struct kind {
	const char *word;
	const char *key;		/* in the job file */
	const char *path;
	struct jdoc *(*make)(const struct jdoc *config,
	    const struct jdoc *offered);
	const char *without;		/* what then does not work */
};

static const struct kind model_kind = {
	"model", "model", MODELS_PATH, af_model_llm,
	"the agent cannot answer"
};
static const struct kind embedding_kind = {
	"embedding", "embedding", EMBEDDINGS_PATH, af_model_embedding,
	"archival memory may not take or find a passage"
};

static int
not_offered(const struct kind *kind, const struct server *to,
    const struct conf_agent *agent, const char *asked,
    const struct jdoc *offered, struct err *err)
{
	struct buf near = BUF_INIT(4096);

	af_model_near(offered, asked, NEAR, &near);
	(void)err_set(err, ERR_USAGE, "[agent %s] %s = %s: %s does not offer "
	    "it; %s%s", agent->name, kind->key, asked, to->name,
	    near.len > 0 ? "near are: " : "it offers none",
	    buf_cstr(&near));
	buf_clear(&near);
	return -1;
}

/* "model openai/gpt-4o: " and what becomes of it. */
static void
say(const struct kind *kind, const char *handle, const struct jdoc *config,
    const struct jdoc *made, struct buf *lines)
{
	struct buf changes = BUF_INIT(64 * 1024);

	if (!lines)
		return;
	if (made)
		af_model_diff(config, made, &changes);
	if (made && changes.len == 0)
		return;
	buf_printf(lines, "%s ", kind->word);
	shown_text(lines, handle, strlen(handle), SHOWN_MAX);
	if (made)
		buf_printf(lines, ", as the target has it:\n%s",
		    buf_cstr(&changes));
	else
		buf_printf(lines, ": the target does not offer it, so %s "
		    "until it does; or choose another with `%s ='\n",
		    kind->without, kind->key);
	buf_clear(&changes);
}

static int
choose(const struct kind *kind, struct server *to,
    const struct conf_agent *agent, const struct jdoc *config,
    const char *asked, struct jdoc **out, struct buf *lines,
    struct err *err)
{
	const char *handle = asked ? asked : af_model_handle(config);
	struct jdoc *offered = NULL;
	const struct jdoc *found;
	int rc;

	*out = NULL;
	/* A configuration without a handle names its endpoint itself. */
	if (!handle)
		return 0;
	rc = server_get_doc(to, kind->path, kind->word, &offered, err);
	found = rc == 0 ? af_model_find(offered, handle) : NULL;
	if (rc == 0 && !found && asked)
		rc = not_offered(kind, to, agent, asked, offered, err);
	if (rc == 0) {
		if (found)
			*out = kind->make(config, found);
		say(kind, handle, config, *out, lines);
	}
	jdoc_free(offered);
	return rc;
}

int
agent_model_choose(struct server *to, const struct conf_agent *agent,
    const struct af_shell *shell, struct agent_model *model,
    struct buf *lines, struct err *err)
{
	*model = (struct agent_model){ 0 };
	if (choose(&model_kind, to, agent, shell->llm_config, agent->model,
	    &model->llm_config, lines, err) != 0 ||
	    choose(&embedding_kind, to, agent, shell->embedding_config,
	    agent->embedding, &model->embedding_config, lines, err) != 0) {
		agent_model_clear(model);
		return -1;
	}
	return 0;
}

void
agent_model_clear(struct agent_model *model)
{
	jdoc_free(model->llm_config);
	jdoc_free(model->embedding_config);
	*model = (struct agent_model){ 0 };
}
