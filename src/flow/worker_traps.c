#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shpath.h"
#include "flow/command.h"
#include "flow/worker_find.h"
#include "io/host.h"

/* worker_find.h: each of these was met in a real tree, or is a run of one. */

static void
trap(struct worker_found *one, const char *id, char *take_text)
{
	one->traps = mem_grow(one->traps, one->n_traps + 1,
	    sizeof(*one->traps));
	one->traps[one->n_traps++] = (struct worker_trap){ .id = id,
	    .text = take_text };
}

static void
look_at_env(struct worker_found *one)
{
	const struct worker_identity *who = &one->who;

	if (one->program == WORKER_SMCP) {
		if (one->n_lives > 0 && !who->agent_id)
			trap(one, "smcp-agent-id",
			    mem_strdup("its process has no "
			    "LETTA_AGENT_ID: it loads the secrets of all "
			    "agents of the server"));
		return;
	}
	if (!who->env_path)
		trap(one, "worker-env-missing",
		    mem_strdup("no .env up to /"));
	else if (who->env_unreadable)
		trap(one, "worker-env-unreadable",
		    mem_printf("%s: the effective .env cannot be read "
		    "by this account", who->env_path));
	else if (who->env_above)
		trap(one, "worker-env-above",
		    mem_printf("the effective .env is above the tree: "
		    "%s", who->env_path));
	if (who->env_path && !who->env_unreadable && !who->debug_set)
		trap(one, "worker-debug-mode",
		    mem_strdup("DEBUG_MODE is missing, which means on: "
		    "messages are echoed and marked as answered"));
	if (who->process_wins)
		trap(one, "worker-process-env",
		    mem_strdup("the environment of its process has "
		    "another AGENT_ID than the .env, and wins"));
	if (who->database)
		trap(one, "worker-database-elsewhere",
		    mem_printf("sanctum.db is elsewhere: %s",
		    who->database));
}

static bool
is_listed(const struct worker_lives *lives, pid_t pid)
{
	for (size_t i = 0; i < lives->n_pids; i++) {
		if (lives->pids[i] == pid)
			return true;
	}
	return false;
}

static bool
is_its_own(const struct worker_found *one, pid_t pid)
{
	for (size_t i = 0; i < one->n_lives; i++) {
		if (one->lives[i].pid == pid)
			return true;
	}
	return false;
}

/* Broca asks whether any process has that pid, and then does not start. */
static void
look_at_pid(struct host *host, const struct worker_lives *lives,
    struct worker_found *one)
{
	char *path = mem_printf("%s/run/broca.pid", one->dir);
	struct buf text = BUF_INIT(64);
	struct err ignored = ERR_INIT;
	uint64_t pid;

	if (host_read(host, path, &text, NULL, &ignored) == 0) {
		while (text.len > 0 && strchr(" \r\n", text.data[text.len -
		    1]))
			buf_truncate(&text, text.len - 1);
		if (str_u64(buf_cstr(&text), INT_MAX, &pid) &&
		    is_listed(lives, (pid_t)pid) &&
		    !is_its_own(one, (pid_t)pid))
			trap(one, "worker-pid-foreign",
			    mem_printf("%s names pid %llu, which is "
			    "alive and not this Broca: it will not start",
			    path, (unsigned long long)pid));
	}
	buf_clear(&text);
	free(path);
}

/* Directories agent-ID with an .env of their own, which nobody reads. */
static void
look_at_agents_below(struct host *host, struct worker_found *one)
{
	char *below = mem_printf("%s/agent-*/.env", one->dir);
	const char *const argv[] = { "find", "-H", one->dir, "-mindepth", "2",
	    "-maxdepth", "2", "-path", below, "-print0", NULL };
	struct buf out = BUF_INIT(65536);
	struct err ignored = ERR_INIT;
	int status;

	if (command_run(host, argv, NULL, 0, &status, &out, NULL,
	    &ignored) == 0 && out.len > 0)
		trap(one, "worker-code-root",
		    mem_printf("a shared code root: %s is below it, "
		    "which main.py does not read, and sanctum.db is one for "
		    "all", out.data));
	buf_clear(&out);
	free(below);
}

static void
look_at_processes(struct worker_found *one)
{
	for (size_t i = 0; i < one->n_lives; i++) {
		if (one->program == WORKER_BROCA &&
		    !str_eq(one->lives[i].cwd, one->dir) &&
		    !str_eq(one->lives[i].cwd, one->real))
			trap(one, "worker-cwd",
			    mem_printf("pid %ld works in %s: its "
			    "plugins, settings.json and run are there",
			    (long)one->lives[i].pid, one->lives[i].cwd));
	}
	if (one->n_lives > 1)
		trap(one, "worker-processes",
		    mem_printf("%zu processes run this tree",
		    one->n_lives));
}

/* Two trees with one code root, or two live ones that are twins. */
static void
compare(struct worker_found *one, const struct worker_found *other)
{
	if (str_eq(one->real, other->real))
		trap(one, "worker-code-root",
		    mem_printf("a shared code root: %s runs the same "
		    "main.py and has the same sanctum.db", other->dir));
	if (one->n_lives == 0 || other->n_lives == 0)
		return;
	if (worker_identity_same_agent(&one->who, &other->who))
		trap(one, "worker-split-brain",
		    mem_printf("split brain: %s is live with the same "
		    "agent", other->dir));
	if (worker_identity_same_token(&one->who, &other->who))
		trap(one, "worker-split-brain",
		    mem_printf("split brain: %s is live with the same "
		    "Telegram token", other->dir));
}

int
worker_find_traps(struct host *host, struct worker_finds *all,
    struct err *err)
{
	struct worker_found *one;

	(void)err;
	for (size_t i = 0; i < all->n; i++) {
		one = &all->list[i];
		if (one->program == WORKER_OTTO)
			continue;
		look_at_env(one);
		look_at_processes(one);
		if (one->program != WORKER_BROCA)
			continue;
		look_at_pid(host, &all->lives, one);
		look_at_agents_below(host, one);
		for (size_t k = 0; k < all->n; k++) {
			if (k != i && all->list[k].program == WORKER_BROCA)
				compare(one, &all->list[k]);
		}
	}
	return 0;
}
