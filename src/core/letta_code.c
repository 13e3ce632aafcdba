#include "base/base.h"

#include "core/letta.h"
#include "core/letta_code.h"

/* Gravest first. */
const struct letta_code_need letta_code_needs[] = {
	/*
	 * letta-ai/letta-code, commit ef7d8c98 of 2026-01-13: each session
	 * begins with conversations.create; v0.13.0 is the first release with
	 * it.  letta-ai/letta: the migration 27de0f58e076, which makes the
	 * table, is in tag 0.16.2 and not in 0.16.1.
	 */
	{ "0.13.0", "0.16.2", true,
	    "no session begins: the server has no conversations",
	    "letta-ai/letta-code v0.13.0, src/index.ts; letta-ai/letta "
	    "0.16.2, alembic 27de0f58e076 (read); 0.11.3 answers "
	    "/v1/conversations/ with 404 (run)" },
	/*
	 * letta-ai/letta-code, commit 95c0d8ae of 2026-03-10, released with
	 * v0.18.0: src/startup-docker-check.ts, MINIMUM_DOCKER_VERSION; the
	 * same in v0.30.29.
	 */
	{ "0.18.0", "0.16.6", false,
	    "each start warns, and tells to pull letta/letta:latest, which "
	    "is an upgrade by accident",
	    "letta-ai/letta-code v0.18.0 to v" LETTA_CODE_READ
	    ", src/startup-docker-check.ts (read)" },
};

const size_t letta_code_n_needs =
    sizeof(letta_code_needs) / sizeof(*letta_code_needs);

static bool
is_at_least(const struct letta_caps *caps, const char *version)
{
	struct letta_caps least;

	letta_caps_of(version, &least);
	if (caps->major != least.major)
		return caps->major > least.major;
	if (caps->minor != least.minor)
		return caps->minor > least.minor;
	return caps->patch >= least.patch;
}

bool
letta_code_met(const struct letta_code_need *need,
    const struct letta_caps *server)
{
	return is_at_least(server, need->server);
}

const struct letta_code_need *
letta_code_unmet(const char *version, const struct letta_caps *server)
{
	const struct letta_code_need *need = letta_code_needs;
	struct letta_caps code;

	letta_caps_of(version, &code);
	for (; code.version[0] && need < letta_code_needs +
	    letta_code_n_needs; need++) {
		if (is_at_least(&code, need->since) &&
		    !letta_code_met(need, server))
			return need;
	}
	return NULL;
}
