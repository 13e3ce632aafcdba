#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shpath.h"
#include "flow/worker_live.h"
#include "io/host.h"

#define ANCESTORS_MAX 16

/* A process with what leads to the one that holds it. */
struct kin {
	pid_t pid, ppid;
	char *session;		/* of a screen, or NULL */
};

struct listing {
	struct worker_lives *out;
	struct kin *kin;
	size_t n_kin;
	pid_t *ppids;		/* of out->list */
};

/* The next word of argv; NULL at the end. */
static const char *
next_word(const struct procs_info *info, const char *word)
{
	const char *end = info->argv + info->argv_len;

	if (!word)
		return info->argv_len > 0 ? info->argv : NULL;
	word += strnlen(word, (size_t)(end - word)) + 1;
	return word < end ? word : NULL;
}

/*
 * The name behind -S, -dmS and the like.  A screen that was started without
 * one has its own.
 */
static char *
session_of(const struct procs_info *info)
{
	const char *word = next_word(info, NULL);

	if (!word || (!str_eq(str_base(word), "screen") &&
	    !str_eq(str_base(word), "SCREEN")))
		return NULL;
	while ((word = next_word(info, word)) != NULL) {
		if (*word == '-' && str_ends(word, "S"))
			break;
	}
	if (word)
		word = next_word(info, word);
	return word ? mem_strdup(word) : mem_printf("%ld", (long)info->pid);
}

static void
add(struct listing *l, const struct procs_info *info, const char *word)
{
	struct worker_lives *out = l->out;
	char *path = shpath_normal(info->cwd, word);
	char *slash = strrchr(path, '/');

	out->list = mem_grow(out->list, out->n + 1, sizeof(*out->list));
	l->ppids = mem_grow(l->ppids, out->n + 1, sizeof(*l->ppids));
	l->ppids[out->n] = info->ppid;
	out->list[out->n++] = (struct worker_live){
		.pid = info->pid,
		.start = info->start,
		.uid = info->uid,
		.dir = slash == path ? mem_strdup("/") :
		    mem_strndup(path, (size_t)(slash - path)),
		.script = mem_strdup(slash + 1),
		.cwd = mem_strdup(info->cwd),
	};
	free(path);
}

/* A shell or a screen that was told to start one is none. */
static bool
is_interpreter(const struct procs_info *info)
{
	const char *word = next_word(info, NULL);

	return word && (strstr(str_base(word), "python") ||
	    strstr(str_base(info->exe), "python") ||
	    str_ends(word, ".py"));
}

const char *
worker_live_script(const struct procs_info *info)
{
	const char *word = NULL;

	if (!is_interpreter(info))
		return NULL;
	while ((word = next_word(info, word)) != NULL) {
		if (str_eq(str_base(word), "main.py") ||
		    str_eq(str_base(word), "smcp.py"))
			return word;
	}
	return NULL;
}

static int
each(void *ctx, const struct procs_info *info, struct err *err)
{
	struct listing *l = ctx;
	struct worker_lives *out = l->out;
	const char *script = worker_live_script(info);

	(void)err;
	l->kin = mem_grow(l->kin, l->n_kin + 1, sizeof(*l->kin));
	l->kin[l->n_kin++] = (struct kin){ info->pid, info->ppid,
	    session_of(info) };
	out->pids = mem_grow(out->pids, out->n_pids + 1, sizeof(pid_t));
	out->pids[out->n_pids++] = info->pid;
	if (*info->cwd == '/' && script)
		add(l, info, script);
	return 0;
}

static const struct kin *
find_kin(const struct listing *l, pid_t pid)
{
	for (size_t i = 0; i < l->n_kin; i++) {
		if (l->kin[i].pid == pid)
			return &l->kin[i];
	}
	return NULL;
}

static void
find_screen(const struct listing *l, pid_t ppid, struct worker_live *live)
{
	const struct kin *kin = find_kin(l, ppid);

	for (int i = 0; kin && !live->screen && i < ANCESTORS_MAX; i++) {
		if (kin->session)
			live->screen = mem_strdup(kin->session);
		kin = find_kin(l, kin->ppid);
	}
}

int
worker_live_list(struct host *host, struct worker_lives *out,
    struct err *err)
{
	struct listing l = { .out = out };
	int rc;

	*out = (struct worker_lives){ 0 };
	rc = host_processes(host, NULL, each, &l, err);
	for (size_t i = 0; i < out->n; i++)
		find_screen(&l, l.ppids[i], &out->list[i]);
	for (size_t i = 0; i < l.n_kin; i++)
		free(l.kin[i].session);
	free(l.kin);
	free(l.ppids);
	if (rc != 0)
		worker_live_clear(out);
	return rc;
}

void
worker_live_clear(struct worker_lives *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->list[i].dir);
		free(all->list[i].script);
		free(all->list[i].cwd);
		free(all->list[i].screen);
	}
	free(all->list);
	free(all->pids);
	*all = (struct worker_lives){ 0 };
}
