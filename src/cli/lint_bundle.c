#include "base/base.h"

#include "cli/lint_bundle.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/bundle.h"

#define EXIT_FOUND 14

struct finding {
	const struct opt *opt;
	uint64_t found;
};

static int
show_finding(void *ctx, const char *file, const char *what, struct err *err)
{
	struct finding *f = ctx;
	struct jdoc *object;

	(void)err;
	f->found++;
	if (f->opt->json) {
		object = show_new("bundle_finding");
		jdoc_set_str(object, "file", file);
		jdoc_set_str(object, "what", what);
		show_object(object);
	} else
		(void)printf("%s: %s\n", file, what);
	return 0;
}

static void
show_json(const struct finding *f, const struct bundle_figures *figures)
{
	struct jdoc *object = show_new("bundle");

	jdoc_set_str(object, "path", f->opt->words[0]);
	jdoc_set(object, "messages",
	    jdoc_new_int((int64_t)figures->messages));
	jdoc_set(object, "passages",
	    jdoc_new_int((int64_t)figures->passages));
	jdoc_set(object, "conversations",
	    jdoc_new_int((int64_t)figures->conversations));
	jdoc_set(object, "changes", jdoc_new_int((int64_t)figures->changes));
	jdoc_set(object, "found", jdoc_new_int((int64_t)f->found));
	show_object(object);
}

static void
show_text(const struct finding *f, const struct bundle_figures *figures)
{
	(void)printf("%s: %" PRIu64 " messages, %" PRIu64 " passages, %"
	    PRIu64 " conversations; %" PRIu64 " rows would be changed on the "
	    "way in; ", f->opt->words[0], figures->messages,
	    figures->passages, figures->conversations, figures->changes);
	if (f->found == 0)
		(void)printf("sound\n");
	else
		(void)printf("%" PRIu64 " faults\n", f->found);
}

int
lint_bundle(const struct opt *opt, struct err *err)
{
	struct finding f = { .opt = opt };
	struct bundle_figures figures;

	if (bundle_check(opt->words[0], show_finding, &f, &figures, err) != 0)
		return -1;
	if (opt->json)
		show_json(&f, &figures);
	else
		show_text(&f, &figures);
	return f.found > 0 ? EXIT_FOUND : 0;
}
