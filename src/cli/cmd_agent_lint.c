#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "cli/cmd.h"
#include "cli/lint_bundle.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "core/lint.h"
#include "flow/lint_path.h"

/* How many findings of one rule are shown to a person. */
#define SHOWN 10

/* All that was found is put right by our import; or not all. */
#define EXIT_REPAIRED 3
#define EXIT_LEFT 14

/* On which servers, when it is not on both. */
static const char *
only_on(const struct af_rule_finding *finding)
{
	if (finding->targets == AF_RULE_0_16_2)
		return " on 0.16.2";
	return finding->targets == AF_RULE_0_16_8 ? " on 0.16.8" : "";
}

static void
found_json(const struct af_rule_finding *finding)
{
	struct jdoc *object = show_new("finding");
	struct jdoc *targets = jdoc_new_array();

	if (finding->targets & AF_RULE_0_16_2)
		jdoc_push(targets, jdoc_new_str("0.16.2"));
	if (finding->targets & AF_RULE_0_16_8)
		jdoc_push(targets, jdoc_new_str("0.16.8"));
	jdoc_set_str(object, "rule", finding->rule);
	jdoc_set_str(object, "at", finding->at);
	jdoc_set_str(object, "what", finding->what);
	jdoc_set_str(object, "effect",
	    af_rule_effect_word(finding->effect));
	jdoc_set(object, "servers", targets);
	jdoc_set(object, "repaired", jdoc_new_bool(finding->repaired));
	show_object(object);
}

static int
found(void *ctx, const struct af_rule_finding *finding, uint64_t nth,
    struct err *err)
{
	const struct opt *opt = ctx;

	(void)err;
	if (opt->json)
		found_json(finding);
	else if (nth < SHOWN)
		(void)printf("%s: %s (%s%s%s)\n", finding->at, finding->what,
		    af_rule_effect_text(finding->effect), only_on(finding),
		    finding->repaired ? "; import repairs it" : "");
	return 0;
}

static int
exit_code(const struct lint_result *result)
{
	if (result->found == 0)
		return 0;
	return result->repaired == result->found ? EXIT_REPAIRED : EXIT_LEFT;
}

static void
result_json(const struct opt *opt, const struct lint_result *result)
{
	struct jdoc *object = show_new("lint"), *rules = jdoc_new_array();
	struct jdoc *rule;

	for (size_t i = 0; i < result->n_kinds; i++) {
		rule = jdoc_new_object();
		jdoc_set_str(rule, "rule", result->kinds[i].rule);
		jdoc_set_str(rule, "effect",
		    af_rule_effect_word(result->kinds[i].effect));
		jdoc_set(rule, "found",
		    jdoc_new_int((int64_t)result->kinds[i].found));
		jdoc_set(rule, "repaired",
		    jdoc_new_int((int64_t)result->kinds[i].repaired));
		jdoc_push(rules, rule);
	}
	jdoc_set_str(object, "path", opt->words[0]);
	jdoc_set(object, "agents", jdoc_new_int((int64_t)result->agents));
	jdoc_set(object, "messages",
	    jdoc_new_int((int64_t)result->messages));
	jdoc_set(object, "found", jdoc_new_int((int64_t)result->found));
	jdoc_set(object, "repaired",
	    jdoc_new_int((int64_t)result->repaired));
	jdoc_set(object, "notices", jdoc_new_int((int64_t)result->notices));
	jdoc_set(object, "rules", rules);
	show_object(object);
}

static void
result_text(const struct opt *opt, const struct lint_result *result)
{
	const struct lint_kind *kind = result->kinds;

	for (size_t i = 0; i < result->n_kinds; i++, kind++) {
		if (kind->found > SHOWN)
			(void)printf("and %" PRIu64 " more of %s\n",
			    kind->found - SHOWN, kind->rule);
	}
	(void)printf("%s: %" PRIu64 " messages; ", opt->words[0],
	    result->messages);
	if (result->found == 0)
		(void)printf("fit for import\n");
	else
		(void)printf("%" PRIu64 " found, of which an import by "
		    "sanctumctl repairs %s\n", result->found,
		    result->repaired == result->found ? "all" :
		    result->repaired == 0 ? "none" : "some");
	if (result->found != result->repaired)
		(void)printf("what it does not repair: %" PRIu64 "\n",
		    result->found - result->repaired);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct lint_watch watch = {
		.found = found, .ctx = (void *)(uintptr_t)opt,
	};
	struct lint_result result;

	if (lint_path_is_dir(opt->words[0]))
		return lint_bundle(opt, err);
	if (opt->for_version && af_rule_target(opt->for_version,
	    &watch.targets, err) != 0)
		return -1;
	if (lint_path(opt->words[0], &watch, &result, err) != 0)
		return -1;
	if (opt->json)
		result_json(opt, &result);
	else
		result_text(opt, &result);
	return exit_code(&result);
}

const struct cmd cmd_agent_lint = {
	.name = "agent lint",
	.args = "FILE|DIR",
	.about = "what an import would do with an agent file; is a bundle "
	    "sound?",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
