#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/command.h"
#include "flow/port_owner.h"
#include "io/host.h"

#define TABLE_MAX (4 * 1024 * 1024)
#define GENERATIONS 32		/* more than any service has */

struct found {
	struct port_owner *out;
	unsigned long inode;
};

static int
note_listener(void *ctx, const struct listener *one, struct err *err)
{
	struct found *found = ctx;

	(void)err;
	found->out->listens = true;
	found->inode = one->inode;
	if (one->loopback && found->out->open)
		return 0;
	found->out->open = !one->loopback;
	(void)snprintf(found->out->address, sizeof(found->out->address),
	    "%s", one->address);
	return 0;
}

int
port_owner_listeners(struct host *host, unsigned int port,
    int (*each)(void *ctx, const struct listener *, struct err *), void *ctx,
    struct err *err)
{
	static const char *const tables[] = { "/proc/net/tcp6",
	    "/proc/net/tcp" };
	struct buf text = BUF_INIT(TABLE_MAX);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2; i++) {
		buf_clear(&text);
		rc = host_read(host, tables[i], &text, NULL, err);
		if (rc == 0) {
			rc = listener_each(buf_cstr(&text), port, each, ctx,
			    err);
		} else if (err->kind == ERR_MISSING) {
			err_clear(err);		/* no IPv6 there */
			rc = 0;
		}
	}
	buf_clear(&text);
	return rc;
}

/* "/proc/4711/fd/9": of several, whose parent opened it, the least. */
static pid_t
least_pid(const char *text)
{
	long pid, least = 0;

	for (; *text; text += strcspn(text, "\n") + 1) {
		if (sscanf(text, "/proc/%ld/fd/", &pid) == 1 && pid > 0 &&
		    (least == 0 || pid < least))
			least = pid;
		if (!strchr(text, '\n'))
			break;
	}
	return (pid_t)least;
}

static int
find_holder(struct host *host, struct found *found, struct err *err)
{
	char *link = mem_printf("socket:\\[%lu\\]", found->inode);
	/* It fails for processes that end meanwhile: what is found counts. */
	const char *const argv[] = { "find", "/proc", "-mindepth", "3",
	    "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "-lname", link,
	    NULL };
	struct buf text = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc;

	rc = command_ask(host, argv, &status, &text, err);
	if (rc == 0)
		found->out->pid = least_pid(buf_cstr(&text));
	buf_clear(&text);
	free(link);
	return rc;
}

struct process {
	pid_t pid, ppid;
	uint64_t start;
};

struct processes {
	struct process *list;
	size_t n;
};

static int
add_process(void *ctx, const struct procs_info *info, struct err *err)
{
	struct processes *all = ctx;

	(void)err;
	all->list = mem_grow(all->list, all->n + 1, sizeof(*all->list));
	all->list[all->n++] = (struct process){ info->pid, info->ppid,
	    info->start };
	return 0;
}

static const struct process *
find_process(const struct processes *all, pid_t pid)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->list[i].pid == pid)
			return &all->list[i];
	}
	return NULL;
}

int
port_owner_find(struct host *host, unsigned int port, struct port_owner *out,
    struct err *err)
{
	struct found found = { .out = out };
	struct processes all = { 0 };
	const struct process *one;
	int rc;

	*out = (struct port_owner){ 0 };
	rc = port_owner_listeners(host, port, note_listener, &found, err);
	if (rc == 0 && out->listens)
		rc = find_holder(host, &found, err);
	if (rc == 0 && out->pid != 0)
		rc = host_processes(host, NULL, add_process, &all, err);
	one = find_process(&all, out->pid);
	out->pid = one ? one->pid : 0;
	out->start = one ? one->start : 0;
	free(all.list);
	return rc;
}

static bool
descends(const struct processes *all, pid_t pid, pid_t ancestor)
{
	const struct process *one;

	for (int i = 0; i < GENERATIONS; i++) {
		if (pid == ancestor)
			return true;
		one = find_process(all, pid);
		if (!one || one->ppid <= 1)
			return false;
		pid = one->ppid;
	}
	return false;
}

int
port_owner_descends(struct host *host, pid_t pid, pid_t ancestor, bool *out,
    struct err *err)
{
	struct processes all = { 0 };
	int rc;

	rc = host_processes(host, NULL, add_process, &all, err);
	*out = rc == 0 && descends(&all, pid, ancestor);
	free(all.list);
	return rc;
}

int
port_owner_family(struct host *host, const pid_t *pids, size_t n,
    struct buf *out, struct err *err)
{
	struct processes all = { 0 };
	const struct process *one;
	bool ours;
	int rc;

	rc = host_processes(host, NULL, add_process, &all, err);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		one = &all.list[i];
		ours = false;
		for (size_t j = 0; j < n; j++)
			ours |= pids[j] != 0 &&
			    descends(&all, one->pid, pids[j]);
		if (ours)
			buf_printf(out, "%s%ld:%" PRIu64, out->len > 0 ? " " :
			    "", (long)one->pid, one->start);
	}
	free(all.list);
	return rc;
}

int
port_owner_lives(struct host *host, const char *words, pid_t *out,
    struct err *err)
{
	bool there = false;
	uint64_t start;
	long pid;
	int at;

	*out = 0;
	while (!there && sscanf(words, "%ld:%" SCNu64 " %n", &pid, &start,
	    &at) == 2) {
		if (host_signal(host, (pid_t)pid, start, 0, &there, err) != 0)
			return -1;
		if (there)
			*out = (pid_t)pid;
		words += at;
	}
	return 0;
}
