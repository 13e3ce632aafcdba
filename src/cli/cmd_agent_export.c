#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/agent_hand.h"
#include "flow/bundle.h"

static void
show_json(const char *path, const struct bundle_figures *figures)
{
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{ "messages", figures->messages },
		{ "passages", figures->passages },
		{ "blocks", figures->blocks },
		{ "identities", figures->identities },
		{ "conversations", figures->conversations },
		{ "changes", figures->changes },
		{ "losses", figures->losses },
		{ "files", figures->files },
		{ "bytes", figures->bytes },
	};
	struct jdoc *object = show_new("export");

	jdoc_set_str(object, "path", path);
	jdoc_set_str(object, "form", bundle_is_af(path) ? "agent file" :
	    "bundle");
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		jdoc_set(object, counts[i].key,
		    jdoc_new_int((int64_t)counts[i].count));
	show_object(object);
}

static void
show_text(const char *path, const struct bundle_figures *figures)
{
	if (bundle_is_af(path))
		(void)printf("%s: %" PRIu64 " messages, %" PRIu64 " bytes\n",
		    path, figures->messages, figures->bytes);
	else
		(void)printf("%s: %" PRIu64 " messages, %" PRIu64
		    " passages, %" PRIu64 " conversations in %" PRIu64
		    " files, %" PRIu64 " bytes\n%" PRIu64 " rows would be "
		    "changed on the way into another server "
		    "(originals/changes.jsonl)\n%" PRIu64 " things that no "
		    "server gives away (losses.json)\n", path,
		    figures->messages, figures->passages,
		    figures->conversations, figures->files, figures->bytes,
		    figures->changes, figures->losses);
	(void)printf("next: sanctumctl agent lint %s\n", path);
}

static int
run(const struct opt *opt, struct err *err)
{
	const char *path = opt->words[2];
	struct bundle_figures figures;

	if (agent_export(opt->words[0], opt->words[1], path, opt->state_dir,
	    &figures, err) != 0)
		return -1;
	if (opt->json)
		show_json(path, &figures);
	else
		show_text(path, &figures);
	return 0;
}

const struct cmd cmd_agent_export = {
	.name = "agent export",
	.args = "SERVER AGENT DIR|FILE.af",
	.about = "write all of an agent to a directory, or a plain agent "
	    "file",
	.min_words = 3,
	.max_words = 3,
	.run = run,
};
