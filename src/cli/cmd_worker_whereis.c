#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/host_named.h"
#include "flow/worker_whereis.h"

#define LINE_MAX_BYTES 65536

/* What no host shows, for people. */
static const char elsewhere[] =
    "Elsewhere, by hand: the MCP server's address in Letta (Tools), the\n"
    "sender's SSH target of an Otto bridge, tools that name the agent.\n";

struct showing {
	const struct opt *opt;
	const char *host;
};

static void
show_json(const struct showing *showing, const struct worker_holder *holder)
{
	struct jdoc *object = show_new("holder");

	jdoc_set_str(object, "host", showing->host);
	jdoc_set_str(object, "kind", worker_holder_word(holder->kind));
	jdoc_set_str(object, "where", holder->path);
	jdoc_set(object, "line", jdoc_new_int((int64_t)holder->line));
	jdoc_set_str(object, "changed_by",
	    worker_holder_changed_by(holder->kind));
	show_object(object);
}

static int
show(void *ctx, const struct worker_holder *holder, struct err *err)
{
	const struct showing *showing = ctx;
	struct buf where = BUF_INIT(LINE_MAX_BYTES);

	(void)err;
	if (showing->opt->json) {
		show_json(showing, holder);
		return 0;
	}
	str_printable(&where, holder->path, strlen(holder->path));
	if (holder->line > 0)
		buf_printf(&where, ":%zu", holder->line);
	(void)printf("%-11s %s:%s  (%s)\n", worker_holder_word(holder->kind),
	    showing->host, buf_cstr(&where),
	    worker_holder_changed_by(holder->kind));
	buf_clear(&where);
	return 0;
}

static int
run(const struct opt *opt, struct err *err)
{
	struct showing showing = { .opt = opt };
	struct host_named at;
	int rc = 0;

	for (int i = 1; rc == 0 && i < opt->n_words; i++) {
		showing.host = opt->words[i];
		rc = host_named_open(opt->words[i], &at, err);
		if (rc != 0)
			break;
		rc = worker_whereis(at.host, opt->words[0], show, &showing,
		    err);
		host_named_close(&at);
	}
	if (rc == 0 && !opt->json)
		(void)printf("%s", elsewhere);
	return rc;
}

const struct cmd cmd_worker_whereis = {
	.name = "worker whereis",
	.args = "AGENT_ID HOST ...",
	.about = "what holds an agent's id on hosts, and what changes it",
	.min_words = 2,
	.max_words = OPT_WORDS_MAX - 2,
	.run = run,
};
