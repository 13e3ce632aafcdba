#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/shpath.h"
#include "flow/account.h"
#include "flow/worker_identity.h"
#include "flow/worker_live.h"
#include "flow/worker_twins.h"
#include "io/host.h"

#define LOOKS 3
#define LOOK_MS 500

/* A Broca that is live, or is to be. */
struct face {
	const struct host *host;
	char *dir;
	pid_t pid;		/* 0: not yet */
	uint64_t start;
	bool moved;		/* it is the worker's that moves */
	bool ends;		/* before the one that is to be is started */
	struct worker_identity who;
};

struct faces {
	struct face *list;
	size_t n;
};

static void
clear(struct faces *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->list[i].dir);
		worker_identity_clear(&all->list[i].who);
	}
	free(all->list);
}

static int
add(struct faces *all, struct host *host, const char *dir,
    const struct worker_live *live, bool moved, struct err *err)
{
	struct face face = { .host = host, .pid = live ? live->pid : 0,
	    .start = live ? live->start : 0, .moved = moved };

	if (worker_identity_read(host, dir, "main.py", live, &face.who,
	    err) != 0)
		return -1;
	face.dir = mem_strdup(dir);
	all->list = mem_grow(all->list, all->n + 1, sizeof(*all->list));
	all->list[all->n++] = face;
	return 0;
}

static bool
is_below(const struct worker_live *live, const char *dir)
{
	return dir && (shpath_below(live->dir, dir) ||
	    shpath_below(live->cwd, dir));
}

/* dir, other: of the worker on this host; other may be NULL. */
static int
add_host(struct faces *all, struct host *host, const char *dir,
    const char *other, struct err *err)
{
	struct worker_lives lives;
	const struct worker_live *live;
	int rc = worker_live_list(host, &lives, err);

	for (size_t i = 0; rc == 0 && i < lives.n; i++) {
		live = &lives.list[i];
		if (str_eq(live->script, "main.py"))
			rc = add(all, host, live->dir, live,
			    is_below(live, dir) || is_below(live, other),
			    err);
	}
	if (rc == 0)
		worker_live_clear(&lives);
	return rc;
}

/* The one that is to be started, unless it runs already. */
static int
add_coming(struct faces *all, struct host *host, const char *to_dir,
    struct err *err)
{
	char *broca = mem_printf("%s/broca", to_dir), *main_py;
	struct fs_meta meta;
	const char *dir = broca;
	int rc;

	for (size_t i = 0; i < all->n; i++) {
		if (all->list[i].host == host && all->list[i].pid != 0 &&
		    shpath_below(all->list[i].dir, to_dir)) {
			free(broca);
			return 0;
		}
	}
	main_py = mem_printf("%s/main.py", broca);
	rc = host_stat(host, main_py, &meta, err);
	if (rc == 0 && meta.type == FS_NONE)
		dir = to_dir;
	if (rc == 0)
		rc = add(all, host, dir, NULL, true, err);
	free(main_py);
	free(broca);
	return rc;
}

static void
say(const struct face *face, struct buf *out)
{
	struct buf name = BUF_INIT(1024);

	buf_printf(&name, "%s:%s", host_name(face->host), face->dir);
	str_printable(out, buf_cstr(&name), name.len);
	buf_clear(&name);
	if (face->pid != 0)
		buf_printf(out, " (pid %ld)", (long)face->pid);
	else
		buf_str(out, " (to be started)");
}

/* Two [host] sections may lead to one machine. */
static bool
is_one(const struct face *a, const struct face *b)
{
	return a->pid == b->pid && a->start == b->start &&
	    str_eq(a->dir, b->dir) && str_eq(host_facts(a->host)->hostname,
	    host_facts(b->host)->hostname);
}

/* The source's is gone by the time when the target's comes. */
static bool
never_meet(const struct face *a, const struct face *b)
{
	return (a->ends && b->pid == 0) || (b->ends && a->pid == 0);
}

static bool
compare(const struct face *a, const struct face *b, struct buf *why)
{
	bool token = worker_identity_same_token(&a->who, &b->who);
	bool agent = worker_identity_same_agent(&a->who, &b->who);

	if ((!a->moved && !b->moved) || (!token && !agent) || is_one(a, b) ||
	    never_meet(a, b))
		return false;
	say(a, why);
	buf_str(why, " and ");
	say(b, why);
	buf_printf(why, " have one %s\n", token && agent ?
	    "Telegram token and one agent" : token ? "Telegram token" :
	    "agent");
	return true;
}

static void
end_those_of(struct faces *all, const struct host *from, const char *dir)
{
	for (size_t i = 0; i < all->n; i++)
		all->list[i].ends = all->list[i].host == from &&
		    all->list[i].pid != 0 &&
		    shpath_below(all->list[i].dir, dir);
}

/* to_path NULL: nothing is to be started, nor is the worker's there. */
static int
look_once(struct host *from, const char *from_path, struct host *to,
    const char *to_path, bool if_started, bool from_ends, bool *found,
    struct buf *why, struct err *err)
{
	struct faces all = { 0 };
	int rc;

	*found = false;
	rc = add_host(&all, from, from_path, from == to ? to_path : NULL,
	    err);
	if (rc == 0 && from != to)
		rc = add_host(&all, to, to_path, NULL, err);
	if (rc == 0 && if_started)
		rc = add_coming(&all, to, to_path, err);
	if (from_ends)
		end_those_of(&all, from, from_path);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		for (size_t j = i + 1; j < all.n; j++)
			*found |= compare(&all.list[i], &all.list[j], why);
	}
	clear(&all);
	return rc == 0 ? 0 : err_ctx(err, "look for a second live Broca");
}

/*
 * What cron starts each minute sees the pid file and ends: a twin is what is
 * there at the last look, too.
 */
static int
find_twins(struct host *from, const char *from_path, struct host *to,
    const char *to_path, bool if_started, bool from_ends, bool *found,
    struct buf *why, struct err *err)
{
	const size_t before = why->len;

	for (int looks = 1;; looks++) {
		if (look_once(from, from_path, to, to_path, if_started,
		    from_ends, found, why, err) != 0)
			return -1;
		if (!*found || looks == LOOKS)
			return 0;
		buf_truncate(why, before);
		clock_sleep_ms(LOOK_MS);
		if (stop_check(err) != 0)
			return -1;
	}
}

int
worker_twins(struct host *from, const char *from_dir, struct host *to,
    const char *to_dir, bool if_started, bool *found, struct buf *why,
    struct err *err)
{
	char *from_path = account_dir(from, from_dir);
	char *to_path = account_dir(to, to_dir);
	int rc;

	rc = find_twins(from, from_path, to, to_path, if_started, false,
	    found, why, err);
	free(from_path);
	free(to_path);
	return rc;
}

int
worker_twins_before(struct host *from, const char *from_dir,
    struct host *to, const char *staging, bool *found, struct buf *why,
    struct err *err)
{
	char *from_path = account_dir(from, from_dir);
	char *path = staging ? account_dir(to, staging) : NULL;
	int rc;

	rc = find_twins(from, from_path, to, path, staging != NULL, true,
	    found, why, err);
	free(from_path);
	free(path);
	return rc;
}
