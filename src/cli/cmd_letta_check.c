#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/backup.h"

#define EXIT_FOUND 1
#define WHAT_MAX 4096

struct checking {
	const struct opt *opt;
	uint64_t found;
};

static int
found(void *ctx, const char *file, const char *what, struct err *err)
{
	struct checking *c = ctx;
	struct jdoc *object;

	(void)err;
	c->found++;
	if (c->opt->json) {
		object = show_new("backup_finding");
		jdoc_set_str(object, "file", file);
		jdoc_set_str(object, "what", what);
		show_object(object);
	} else
		(void)printf("%s: %s\n", *file ? file : ".", what);
	return 0;
}

/* What the index says is a file's word: a server wrote it, or anybody. */
static void
tell(struct checking *c, const char *what, struct err *err)
{
	struct buf shown = BUF_INIT(2 * WHAT_MAX);

	shown_text(&shown, what, strlen(what), WHAT_MAX);
	(void)found(c, BACKUP_INDEX, buf_cstr(&shown), err);
	buf_clear(&shown);
}

/* What is sound may lack an agent all the same. */
static int
find_lacking(struct checking *c, const char *dir, struct err *err)
{
	const struct backup_entry *entry;
	struct backup_index index;
	char *what;

	if (backup_index_read(dir, &index, err) != 0) {
		err_clear(err);		/* was told as a finding */
		return 0;
	}
	for (size_t i = 0; i < index.n_entries; i++) {
		entry = &index.entries[i];
		if (entry->gone || (!entry->failed && !entry->changed_during))
			continue;
		what = mem_printf("%s %s: %s", entry->id, entry->failed ?
		    "could not be read" : "changed while it was read",
		    entry->failed ? entry->failed : entry->changed_during);
		tell(c, what, err);
		free(what);
	}
	if (index.refused) {
		what = mem_printf("agents that were not read, as their id is "
		    "not agent-UUID: %s", index.refused);
		tell(c, what, err);
		free(what);
	}
	backup_index_clear(&index);
	return 0;
}

static void
show_result(const struct opt *opt, const char *dir, uint64_t n,
    const struct backup_figures *f)
{
	struct jdoc *object;

	if (!opt->json) {
		(void)printf("%s: %" PRIu64 " agents, %" PRIu64 " messages, "
		    "%" PRIu64 " passages in %" PRIu64 " files, %" PRIu64
		    " bytes; %" PRIu64 " findings\n", dir, f->agents,
		    f->messages, f->passages, f->files, f->bytes, n);
		return;
	}
	object = show_new("backup_check");
	jdoc_set_str(object, "path", dir);
	jdoc_set(object, "agents", jdoc_new_int((int64_t)f->agents));
	jdoc_set(object, "messages", jdoc_new_int((int64_t)f->messages));
	jdoc_set(object, "passages", jdoc_new_int((int64_t)f->passages));
	jdoc_set(object, "files", jdoc_new_int((int64_t)f->files));
	jdoc_set(object, "bytes", jdoc_new_int((int64_t)f->bytes));
	jdoc_set(object, "findings", jdoc_new_int((int64_t)n));
	show_object(object);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct checking c = { .opt = opt };
	const char *dir = opt->words[0];
	struct backup_figures figures;

	if (backup_check(dir, found, &c, &figures, err) != 0 ||
	    find_lacking(&c, dir, err) != 0)
		return -1;
	show_result(opt, dir, c.found, &figures);
	return c.found > 0 ? EXIT_FOUND : 0;
}

const struct cmd cmd_letta_check = {
	.name = "letta check",
	.args = "DIR",
	.about = "is a backup whole and sound?  asks no server",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
