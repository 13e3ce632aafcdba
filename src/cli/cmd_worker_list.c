#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/host_named.h"
#include "flow/worker_find.h"

#define LINE_MAX_BYTES 65536

/* "cron (crontab of ann:3), off"; never the line, which may hold a secret. */
static void
put_supervisor(const struct supervisor *s, struct buf *out)
{
	buf_printf(out, "%s", supervisor_word(s->kind));
	if (s->kind == SUPERVISOR_SCREEN)
		buf_printf(out, " %s", s->name);
	else if (s->line > 0)
		buf_printf(out, " %s:%zu", s->where, s->line);
	else
		buf_printf(out, " %s", s->where);
	if (s->disabled)
		buf_printf(out, " (off, mark %s)", s->mark);
}

static struct jdoc *
supervisors_json(const struct supervisors *all)
{
	struct jdoc *list = jdoc_new_array(), *one;
	const struct supervisor *s;

	for (size_t i = 0; i < all->n; i++) {
		s = &all->list[i];
		one = jdoc_new_object();
		jdoc_set_str(one, "kind", supervisor_word(s->kind));
		jdoc_set_str(one, "where", s->where);
		jdoc_set(one, "line", jdoc_new_int((int64_t)s->line));
		jdoc_set(one, "disabled", jdoc_new_bool(s->disabled));
		jdoc_push(list, one);
	}
	return list;
}

static void
set_text(struct jdoc *object, const char *key, const char *text)
{
	if (text)
		jdoc_set_str(object, key, text);
	else
		jdoc_set_null(object, key);
}

static void
show_json(const char *host, const struct worker_found *one)
{
	struct jdoc *object = show_new("worker"), *pids = jdoc_new_array();
	struct jdoc *traps = jdoc_new_array();

	jdoc_set_str(object, "host", host);
	jdoc_set_str(object, "program", worker_program_word(one->program));
	jdoc_set_str(object, "path", one->dir);
	set_text(object, "env", one->who.env_path);
	set_text(object, "agent_id", one->who.agent_id);
	set_text(object, "endpoint", one->who.endpoint);
	for (size_t i = 0; i < one->n_lives; i++)
		jdoc_push(pids, jdoc_new_int(one->lives[i].pid));
	jdoc_set(object, "pids", pids);
	jdoc_set(object, "supervisors", supervisors_json(&one->supervisors));
	for (size_t i = 0; i < one->n_traps; i++)
		jdoc_push(traps, jdoc_new_str(one->traps[i].text));
	jdoc_set(object, "traps", traps);
	show_object(object);
}

static void
put_line(const char *what, const char *text)
{
	struct buf shown = BUF_INIT(LINE_MAX_BYTES);

	str_printable(&shown, text, strlen(text));
	(void)printf("    %-11s %s\n", what, buf_cstr(&shown));
	buf_clear(&shown);
}

static void
show_processes(const struct worker_found *one)
{
	struct buf text = BUF_INIT(LINE_MAX_BYTES);

	for (size_t i = 0; i < one->n_lives; i++)
		buf_printf(&text, "%s%ld", i > 0 ? ", " : "",
		    (long)one->lives[i].pid);
	put_line("process", one->n_lives > 0 ? buf_cstr(&text) :
	    "none is alive");
	buf_clear(&text);
}

static void
show_text(const struct worker_found *one)
{
	struct buf text = BUF_INIT(LINE_MAX_BYTES);

	str_printable(&text, one->dir, strlen(one->dir));
	(void)printf("%-6s %s\n", worker_program_word(one->program),
	    buf_cstr(&text));
	if (one->program == WORKER_OTTO) {
		buf_clear(&text);
		return;
	}
	put_line("agent", one->who.agent_id ? one->who.agent_id :
	    "not known");
	if (one->who.endpoint)
		put_line("server", one->who.endpoint);
	if (one->who.env_path)
		put_line(".env", one->who.env_path);
	show_processes(one);
	for (size_t i = 0; i < one->supervisors.n; i++) {
		buf_clear(&text);
		put_supervisor(&one->supervisors.list[i], &text);
		put_line("supervisor", buf_cstr(&text));
	}
	for (size_t i = 0; i < one->n_traps; i++)
		put_line("trap", one->traps[i].text);
	buf_clear(&text);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct host_named at;
	struct worker_finds all;
	int rc;

	if (host_named_open(opt->words[0], &at, err) != 0)
		return -1;
	rc = worker_find(at.host, &all, err);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		if (opt->json)
			show_json(opt->words[0], &all.list[i]);
		else
			show_text(&all.list[i]);
	}
	if (rc == 0)
		worker_finds_clear(&all);
	host_named_close(&at);
	return rc;
}

const struct cmd cmd_worker_list = {
	.name = "worker list",
	.args = "HOST",
	.about = "every Broca, SMCP and Otto bridge of a host, what starts "
	    "it, and traps",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
