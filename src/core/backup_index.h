#ifndef CORE_BACKUP_INDEX_H
#define CORE_BACKUP_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/id_table.h"

struct buf;
struct err;
struct jdoc;

/*
 * index.json of a backup: every agent of one server, each with the bundle that
 * it is in, and what of the server no bundle carries.  sanctumctl-backup(5)
 * shows one.
 *
 *     struct backup_index index = { 0 };
 *
 *     backup_index_parse(text, len, &index, err)
 *     for (size_t i = 0; i < index.n_entries; i++) ...
 *     backup_index_clear(&index);
 */
#define BACKUP_FORMAT 1
#define BACKUP_INDEX "index.json"
/* The same of a run that has not come to its end: it wins over the other. */
#define BACKUP_INDEX_PARTIAL "index.partial.json"
#define BACKUP_INDEX_MAX ((size_t)64 * 1024 * 1024)
#define BACKUP_AGENTS "agents/"
#define BACKUP_AGENTS_MAX 100000
#define BACKUP_COUNT_MAX ((uint64_t)1 << 40)
/*
 * An index may have so many arrays and objects, and values: what a text of
 * BACKUP_INDEX_MAX of real agents has, and no more than half a gigabyte as a
 * tree (core/jscan.h), whoever wrote it.
 */
#define BACKUP_INDEX_CONTAINERS 400000
#define BACKUP_INDEX_VALUES 4000000

/*
 * What tells, by few requests, that an agent is as it was.  SHA-256 as text or
 * ids; "" for what there is none of, NULL for what could not be asked: then it
 * is like nothing.
 */
enum backup_mark {
	BACKUP_MARK_STATE,	/* settings, tools; names of variables */
	BACKUP_MARK_CONTEXT,	/* ids of the messages in context */
	BACKUP_MARK_BLOCKS,	/* their values, and who else has them */
	BACKUP_MARK_IDENTITIES,
	BACKUP_MARK_MESSAGE,	/* id of the newest, of any conversation */
	BACKUP_MARK_PASSAGE,	/* id of the newest */
	/*
	 * What a database says of the agent's rows, to whoever may ask it
	 * (struct backup_census); "" when nobody has.
	 */
	BACKUP_MARK_ROWS,
	BACKUP_MARKS
};

struct backup_print {
	char *marks[BACKUP_MARKS];
};

/* One agent.  Texts are owned; NULL where there is none. */
struct backup_entry {
	char *id;
	char *name;
	char *path;		/* "agents/ID"; NULL: there is no bundle */
	char *digest;		/* bundle_digest of it */
	char *read_at;		/* "2026-01-02T03:04:05Z" */
	uint64_t messages, passages, blocks, tools, conversations,
	    identities;
	uint64_t losses;	/* losses.json of the bundle lists them */
	struct backup_print print;	/* as it was when it was read */
	/*
	 * What of it changed between its reading and the end of the backup:
	 * "messages, blocks"; the bundle is of before, or in between.
	 */
	char *changed_during;
	char *failed;		/* why the last run has no new bundle of it */
	bool gone;		/* deleted at the server; the bundle stays */
};

/* A block that more than one agent has. */
struct backup_shared {
	char *block;		/* id */
	char **agents;		/* ids, sorted */
	size_t n_agents;
};

struct backup_index {
	char *program;		/* "sanctumctl 0.1" */
	char *begun_at, *ended_at;	/* ended_at NULL: not come to its end */
	char *server;		/* a name for people */
	char *url;		/* without user and password */
	char *letta;		/* version */
	/*
	 * Agents whose id is not agent-UUID, printable, for people: no bundle
	 * can be named so, and none is read.  NULL: there are none.
	 */
	char *refused;
	struct backup_entry *entries;	/* oldest agent first */
	size_t n_entries;
	struct id_table by_id;		/* of backup_index_find */
	struct backup_shared *shared;
	size_t n_shared;
	/*
	 * An object of lists for people, as the server has them: identities,
	 * tools, mcp_servers (names, without a token), sources, groups,
	 * providers, what no agent has (flow/backup_rest.h); and losses,
	 * [{"what":"...","reason":"..."}].
	 */
	struct jdoc *rest;
};

void backup_index_clear(struct backup_index *);
void backup_entry_clear(struct backup_entry *);

/* A new entry, or the one of this id, emptied but for id. */
struct backup_entry *backup_index_add(struct backup_index *, const char *id);
/* NULL when there is none. */
const struct backup_entry *backup_index_find(const struct backup_index *,
    const char *id);
/* Drop every entry that keep does not want. */
void backup_index_keep(struct backup_index *,
    bool (*keep)(const struct backup_entry *));

void backup_index_write(const struct backup_index *, struct buf *);

/*
 * Nothing of the text is believed.  Fails with ERR_DATA and the place, a byte
 * or a JSON pointer: no JSON, more than the limits above, another format, a
 * member of another type, an id or a path that is none, an agent given twice,
 * a count that is negative, a fraction or beyond BACKUP_COUNT_MAX.
 */
int backup_index_parse(const char *text, size_t len, struct backup_index *,
    struct err *) MUST_CHECK;

#endif /* !CORE_BACKUP_INDEX_H */
