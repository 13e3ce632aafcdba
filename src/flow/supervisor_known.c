#include "base/base.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/supervisor.h"
#include "flow/supervisor_kind.h"
#include "flow/supervisor_known.h"
#include "io/host.h"

/* A fact of the process: one job, one host's answer at a time. */
static struct {
	char *host, *dir;
	uint64_t until_ms;
	struct supervisors found;
} known;

static char *
copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

static void
copy_all(const struct supervisors *from, struct supervisors *to)
{
	const struct supervisor *a;
	struct supervisor *b;

	*to = (struct supervisors){ 0 };
	for (size_t i = 0; i < from->n; i++) {
		a = &from->list[i];
		b = supervisor_add(to, a->kind);
		*b = *a;
		b->name = copy(a->name);
		b->where = copy(a->where);
		b->user = copy(a->user);
		b->text = copy(a->text);
		b->settings = copy(a->settings);
		b->tree = copy(a->tree);
		b->mark = copy(a->mark);
	}
}

bool
supervisor_known(const struct host *host, const char *dir,
    struct supervisors *out)
{
	if (!known.host || !str_eq(known.host, host_name(host)) ||
	    !str_eq(known.dir, dir) || clock_ms() > known.until_ms)
		return false;
	copy_all(&known.found, out);
	return true;
}

void
supervisor_know(const struct host *host, const char *dir,
    const struct supervisors *found)
{
	supervisor_known_forget();
	known.host = mem_strdup(host_name(host));
	known.dir = mem_strdup(dir);
	known.until_ms = clock_ms() + SUPERVISOR_KNOWN_MS;
	copy_all(found, &known.found);
}

static bool
is_same(const struct supervisor *a, const struct supervisor *b)
{
	return a->kind == b->kind && str_eq(a->where, b->where) &&
	    str_eq(a->text, b->text) && a->line == b->line;
}

void
supervisor_know_disabled(const struct host *host, const struct supervisor *s,
    const char *mark)
{
	struct supervisor *one;

	if (!known.host || !str_eq(known.host, host_name(host)))
		return;
	for (size_t i = 0; i < known.found.n; i++) {
		one = &known.found.list[i];
		if (!is_same(one, s))
			continue;
		free(one->mark);
		one->mark = mem_strdup(mark);
		one->disabled = true;
		return;
	}
	supervisor_known_forget();
}

void
supervisor_known_forget(void)
{
	supervisors_clear(&known.found);
	free(known.host);
	free(known.dir);
	known.host = known.dir = NULL;
}
