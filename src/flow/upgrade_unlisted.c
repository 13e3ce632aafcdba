#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/letta_answer.h"
#include "core/shown.h"
#include "flow/agent_list.h"
#include "flow/backup.h"
#include "flow/endpoint.h"
#include "flow/postgres.h"
#include "flow/postgres_inventory.h"
#include "flow/server.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_unlisted.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define NAMED_MAX 380		/* bytes of agents in a message */
#define FIELD_MAX 60

/* A line of postgres_owners, whose text it borrows. */
struct owned {
	const char *id, *name, *user, *organization, *messages;
	bool seen;		/* is in a backup, or will be */
};

struct owners {
	struct owned *agents;	/* by id */
	size_t n;
	size_t unseen;
};

static void
add_line(struct owners *all, char *line)
{
	struct owned *one;

	all->agents = mem_grow(all->agents, all->n + 1,
	    sizeof(*all->agents));
	one = &all->agents[all->n++];
	*one = (struct owned){ .id = strsep(&line, "\t") };
	one->name = strsep(&line, "\t");
	one->user = strsep(&line, "\t");
	one->organization = strsep(&line, "\t");
	one->messages = line;
	all->unseen++;
}

/* text is cut up, and lives as long as they do. */
static int
read_owners(struct postgres *pg, struct buf *text, struct owners *all,
    struct err *err)
{
	char *rest, *line;

	if (postgres_owners(pg, text, err) != 0)
		return -1;
	rest = text->data;
	while (rest && (line = strsep(&rest, "\n")) != NULL) {
		if (*line)
			add_line(all, line);
	}
	return 0;
}

static int
by_id(const void *key, const void *member)
{
	return strcmp(key, ((const struct owned *)member)->id);
}

static void
see(struct owners *all, const char *id)
{
	struct owned *one = all->n == 0 ? NULL : bsearch(id, all->agents,
	    all->n, sizeof(*all->agents), by_id);

	if (!one || one->seen)
		return;
	one->seen = true;
	all->unseen--;
}

static int
see_listed(void *ctx, const struct letta_agent *agent, struct err *err)
{
	(void)err;
	see(ctx, agent->id);
	return 0;
}

static int
ask_server(const struct endpoint *at, struct owners *all, struct err *err)
{
	struct server *server;
	int rc;

	if (endpoint_open(at, &server, err) != 0)
		return -1;
	rc = agent_list(server, see_listed, all, err);
	server_close(server);
	return rc;
}

static void
see_left(const struct upgrade *up, struct owners *all)
{
	for (size_t i = 0; up->conf->leave && i < all->n; i++) {
		if (str_has_word(up->conf->leave, all->agents[i].id))
			see(all, all->agents[i].id);
	}
}

static void
put_field(struct buf *out, const char *text)
{
	shown_text(out, text ? text : "", text ? strlen(text) : 0, FIELD_MAX);
}

/* "agent-... (Sage) of user-... (Ann) in org-..., 12 messages" */
static void
put_owned(struct buf *out, const struct owned *one)
{
	put_field(out, one->id);
	buf_str(out, " (");
	put_field(out, one->name);
	buf_str(out, ") of ");
	put_field(out, one->user);
	buf_str(out, " in ");
	put_field(out, one->organization);
	buf_printf(out, ", %s messages", one->messages ? one->messages : "?");
}

static int
refuse(const struct upgrade *up, struct postgres *pg,
    const struct owners *all, struct err *err)
{
	struct buf who = BUF_INIT(TEXT_MAX);
	size_t named = 0;

	for (size_t i = 0; i < all->n && who.len < NAMED_MAX; i++) {
		if (all->agents[i].seen)
			continue;
		if (named++ > 0)
			buf_str(&who, "; ");
		put_owned(&who, &all->agents[i]);
	}
	if (named < all->unseen)
		buf_printf(&who, "; and %zu more", all->unseen - named);
	(void)err_set(err, ERR_PARTIAL, "%s: has %zu agents that the server "
	    "does not list, so they are in no backup and would go with the "
	    "database: %s.  Export each as its user (GET "
	    "/v1/agents/ID/export with the header `user_id'), or move it to "
	    "the organization that is listed; then write `leave = ID' into "
	    "[upgrade %s].  Nothing was changed", postgres_where(pg),
	    all->unseen, buf_cstr(&who), up->conf->name);
	buf_clear(&who);
	return -1;
}

/*
 * The database first: an agent that is deleted behind that is in the index,
 * and one that is made is not asked for.
 */
int
upgrade_unlisted_check(const struct upgrade *up, struct postgres *pg,
    const struct backup_index *index, const struct endpoint *at,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct owners all = { 0 };
	int rc;

	rc = read_owners(pg, &text, &all, err);
	for (size_t i = 0; rc == 0 && index && i < index->n_entries; i++) {
		if (!index->entries[i].gone)
			see(&all, index->entries[i].id);
	}
	if (rc == 0)
		see_left(up, &all);
	if (rc == 0 && all.unseen > 0 && at)
		rc = ask_server(at, &all, err);
	if (rc == 0 && all.unseen > 0)
		rc = refuse(up, pg, &all, err);
	free(all.agents);
	buf_clear(&text);
	return rc;
}

int
upgrade_unlisted_check_backup(const struct upgrade *up, struct postgres *pg,
    struct err *err)
{
	char *dir = upgrade_backup_dir(up);
	struct backup_index index = { 0 };
	int rc = backup_index_read(dir, &index, err);

	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (rc == 0)
		rc = upgrade_unlisted_check(up, pg, &index, NULL, err);
	backup_index_clear(&index);
	free(dir);
	return rc;
}
