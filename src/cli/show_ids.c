#include "base/base.h"

#include "cli/opt.h"
#include "cli/show.h"
#include "cli/show_ids.h"
#include "core/jdoc.h"
#include "flow/restore_ids.h"

struct ids {
	const struct opt *opt;
	size_t n;
};

static void
show_one(void *ctx, const char *from, const char *to, const char *section)
{
	struct ids *ids = ctx;
	struct jdoc *object;

	if (ids->opt->json) {
		object = show_new("agent_id");
		jdoc_set_str(object, "agent", section);
		jdoc_set_str(object, "from", from);
		jdoc_set_str(object, "to", to);
		show_object(object);
	} else {
		if (ids->n == 0)
			(void)printf("agents have other ids now:\n");
		(void)printf("  %s -> %s  %s\n", from, to, section);
	}
	ids->n++;
}

int
show_ids(const struct opt *opt, const char *path, struct err *err)
{
	struct ids ids = { .opt = opt };

	if (restore_ids_read(path, show_one, &ids, err) != 0)
		return -1;
	if (ids.n > 0 && !opt->json)
		(void)printf("they are in %s; a worker whose AGENT_ID is an "
		    "old one follows by\n"
		    "  sanctumctl worker repoint DIR NEW_ID\n", path);
	return 0;
}
