#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_index.h"
#include "core/backup_print.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/agent_order.h"
#include "flow/backup_agent.h"
#include "flow/bundle.h"
#include "flow/bundle_dir.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/fs.h"
#include "io/fs_link.h"
#include "io/journal.h"

#define NEW ".new"	/* behind the id: a bundle on its way */
#define PRINT_KEY "backup.print"

static const struct conf_agent the_agent = { .name = "agent" };

/* DIR/agents/ID and what follows. */
static char *
place_of(const char *dir, const char *id, const char *behind)
{
	return mem_printf("%s/" BACKUP_AGENTS "%s%s", dir, id, behind);
}

static char *
print_text(const struct backup_print *print)
{
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < BACKUP_MARKS; i++)
		buf_printf(&text, "%s\n", print->marks[i] ?
		    print->marks[i] : "?");
	return buf_take(&text);
}

/* Note what the agent is like; *other: the journal is of another print. */
static int
note_print(struct journal *journal, const struct backup_print *print,
    bool *other, struct err *err)
{
	char *now = print_text(print), *then = NULL;
	int rc = journal_get(journal, PRINT_KEY, &then, err);

	*other = then && !str_eq(then, now);
	if (rc == 0 && !then)
		rc = journal_put(journal, PRINT_KEY, now, err);
	free(then);
	free(now);
	return rc;
}

/* A journal of the agent as it was once is thrown away, and made anew. */
static int
open_journal(const char *file, const struct backup_print *print,
    struct journal **out, struct err *err)
{
	char *dir = mem_strndup(file, (size_t)(strrchr(file, '/') - file));
	bool other = false;
	int rc;

	rc = journal_open(file, true, out, err);
	if (rc == 0)
		rc = note_print(*out, print, &other, err);
	if (rc == 0 && other) {
		journal_close(*out);
		*out = NULL;
		rc = fs_remove(dir, err);
		if (rc == 0)
			rc = journal_open(file, true, out, err);
		if (rc == 0)
			rc = note_print(*out, print, &other, err);
	}
	free(dir);
	return rc;
}

/* The new bundle takes the place of the one that is there, at once. */
static int
put_in_place(const char *made, const char *place, struct err *err)
{
	struct fs_meta meta;

	if (fs_stat(place, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return fs_rename(made, place, 0, err);
	if (fs_rename(made, place, 1, err) != 0)
		return -1;
	fault_point("backup_bundle_exchanged");
	return fs_remove(made, err);
}

static void
write_answer(const struct bundle_figures *figures, const char *digest,
    struct buf *answer)
{
	struct jdoc *doc = jdoc_new_object();
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{ "messages", figures->messages },
		{ "passages", figures->passages },
		{ "blocks", figures->blocks },
		{ "conversations", figures->conversations },
		{ "identities", figures->identities },
		{ "losses", figures->losses },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		jdoc_set(doc, counts[i].key,
		    jdoc_new_int((int64_t)counts[i].count));
	jdoc_set_str(doc, "digest", digest);
	jdoc_write(doc, answer);
	jdoc_free(doc);
}

static int
write_bundle(const struct endpoint *at, const struct server *server,
    const char *id, struct journal *journal, const char *dir,
    struct buf *answer, struct err *err)
{
	const struct bundle_about about = {
		.server = at->name,
		.url = at->url,
		.letta = server->caps.version,
		.agent_id = id,
	};
	char *made = place_of(dir, id, NEW), *place = place_of(dir, id, "");
	struct bundle_figures figures;
	char *digest = NULL;
	int rc;

	rc = fs_remove(made, err);
	if (rc == 0)
		rc = bundle_write(journal, &the_agent, "source", &about,
		    made, &figures, err);
	fault_point("backup_bundle_written");
	if (rc == 0)
		rc = bundle_digest(made, &digest, err);
	if (rc == 0)
		rc = put_in_place(made, place, err);
	fault_point("backup_bundle_placed");
	if (rc == 0)
		write_answer(&figures, digest, answer);
	free(digest);
	free(place);
	free(made);
	return rc;
}

/* Whether what failed is this machine's: a journal, or a bundle. */
static bool
is_here(const struct err *err, const char *journal_file, bool read)
{
	if (err->kind == ERR_INTERRUPTED || err->kind == ERR_LOCKED)
		return true;
	return err->kind == ERR_FAILED &&
	    (read || strstr(err->text, journal_file));
}

int
backup_agent_read(const struct endpoint *at, const char *id,
    const struct backup_print *print, const char *dir, const char *state_dir,
    struct buf *answer, bool *here, struct err *err)
{
	struct journal *journal = NULL;
	struct server *server = NULL;
	char *name = NULL, *file = NULL;
	bool read = false;
	int rc;

	*here = false;
	if (!letta_id_ok(id, "agent-"))
		return err_set(err, ERR_DATA, "its id is not agent-UUID");
	if (agent_order_name("backup", (const char *const[]){ at->url, id,
	    NULL }, &name, err) != 0)
		return -1;
	file = run_state_path(state_dir, name, "journal.db");
	rc = endpoint_open(at, &server, err);
	if (rc == 0)
		rc = open_journal(file, print, &journal, err);
	if (rc == 0)
		rc = agent_read_side(server, id, &the_agent, "source", false,
		    journal, err);
	read = rc == 0;
	if (rc == 0)
		rc = write_bundle(at, server, id, journal, dir, answer, err);
	*here = rc != 0 && is_here(err, file, read);
	journal_close(journal);
	server_close(server);
	/* What was read is in the bundle now, and would only grow old. */
	if (rc == 0) {
		*strrchr(file, '/') = '\0';
		rc = fs_remove(file, err);
		*here = rc != 0;
	}
	free(file);
	free(name);
	return rc;
}

int
backup_agent_take(const struct buf *answer, struct backup_entry *entry,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(buf_cstr(answer), answer->len, err);
	char now[CLOCK_TEXT_SIZE];
	const char *digest = jdoc_get_str(doc, "digest");

	if (!doc)
		return -1;
	clock_utc(now);
	free(entry->path);
	free(entry->digest);
	free(entry->read_at);
	entry->path = mem_printf(BACKUP_AGENTS "%s", entry->id);
	entry->digest = mem_strdup(digest ? digest : "");
	entry->read_at = mem_strdup(now);
	entry->messages = (uint64_t)jdoc_int(jdoc_get(doc, "messages"));
	entry->passages = (uint64_t)jdoc_int(jdoc_get(doc, "passages"));
	entry->blocks = (uint64_t)jdoc_int(jdoc_get(doc, "blocks"));
	entry->conversations = (uint64_t)jdoc_int(jdoc_get(doc,
	    "conversations"));
	entry->identities = (uint64_t)jdoc_int(jdoc_get(doc, "identities"));
	entry->losses = (uint64_t)jdoc_int(jdoc_get(doc, "losses"));
	jdoc_free(doc);
	return 0;
}

/* Every file by its sum; rows are not parsed. */
static int
sum_all(const struct bundle_dir *dir, struct err *err)
{
	for (size_t i = 0; i < dir->manifest.n_files; i++) {
		if (bundle_dir_sum(dir, &dir->manifest.files[i], err) != 0)
			return -1;
	}
	return 0;
}

/* ERR_DATA and ERR_MISSING are no failures: it does not hold. */
int
backup_agent_holds(const char *dir, const struct backup_entry *entry,
    bool *out, struct err *err)
{
	struct bundle_dir bundle;
	char *path;
	int rc;

	*out = false;
	if (!entry->path || !entry->digest)
		return 0;
	path = place_of(dir, entry->id, "");
	rc = bundle_dir_open(path, &bundle, err);
	if (rc == 0) {
		rc = sum_all(&bundle, err);
		*out = rc == 0 && str_eq(bundle.digest, entry->digest);
		bundle_dir_close(&bundle);
	}
	free(path);
	if (rc == 0 || (err->kind != ERR_DATA && err->kind != ERR_MISSING))
		return rc;
	err_clear(err);
	return 0;
}

/* One file of the bundle, with the folder that it is in. */
static int
link_file(const char *from, const char *to, const char *path,
    struct err *err)
{
	char *old = mem_printf("%s/%s", from, path);
	char *new = mem_printf("%s/%s", to, path), *slash;
	int rc;

	slash = strrchr(new, '/');
	*slash = '\0';
	rc = fs_mkdirs(new, 0700, err);
	*slash = '/';
	if (rc == 0)
		rc = fs_link(old, new, err);
	free(old);
	free(new);
	return rc;
}

static int
link_all(const struct bundle_dir *bundle, const char *to, struct err *err)
{
	const struct bundle_manifest *m = &bundle->manifest;
	int rc = fs_mkdirs(to, 0700, err);

	for (size_t i = 0; i < m->n_files && rc == 0; i++)
		rc = link_file(bundle->path, to, m->files[i].path, err);
	if (rc == 0)
		rc = link_file(bundle->path, to, BUNDLE_MANIFEST, err);
	return rc == 0 ? fs_sync_dir(to, err) : -1;
}

static bool
is_ours_alone(const char *path, enum fs_type type, mode_t mode)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	return fs_stat(path, &meta, &ignored) == 0 && meta.type == type &&
	    meta.mode == mode && meta.uid == geteuid();
}

/* A link to what others may write to would be theirs to change later. */
static bool
may_link(const char *from, const struct bundle_dir *bundle)
{
	const struct bundle_manifest *m = &bundle->manifest;
	char *real = realpath(from, NULL), *path, *end;
	char *agents = mem_printf("%s/agents", from);
	bool may = real && is_ours_alone(real, FS_DIR, 0700) &&
	    is_ours_alone(agents, FS_DIR, 0700) &&
	    is_ours_alone(bundle->path, FS_DIR, 0700);

	for (size_t i = 0; i <= m->n_files && may; i++) {
		path = mem_printf("%s/%s", bundle->path, i < m->n_files ?
		    m->files[i].path : BUNDLE_MANIFEST);
		may = is_ours_alone(path, FS_FILE, 0600);
		end = strrchr(path, '/');
		*end = '\0';
		may = may && is_ours_alone(path, FS_DIR, 0700);
		free(path);
	}
	free(agents);
	free(real);
	return may;
}

int
backup_agent_link(const char *from, const char *dir,
    const struct backup_entry *entry, bool *taken, struct err *err)
{
	char *old, *made, *place;
	struct bundle_dir bundle;
	int rc;

	if (backup_agent_holds(from, entry, taken, err) != 0)
		return -1;
	if (!*taken)
		return 0;
	old = place_of(from, entry->id, "");
	made = place_of(dir, entry->id, NEW);
	place = place_of(dir, entry->id, "");
	rc = fs_remove(made, err);
	if (rc == 0)
		rc = bundle_dir_open(old, &bundle, err);
	if (rc == 0) {
		*taken = may_link(from, &bundle);
		if (*taken)
			rc = link_all(&bundle, made, err);
		bundle_dir_close(&bundle);
	}
	if (rc == 0 && *taken)
		rc = put_in_place(made, place, err);
	fault_point("backup_bundle_linked");
	free(old);
	free(made);
	free(place);
	return rc;
}

/* "agent-UUID.new" and ".agent-UUID.new.partial-PID". */
static bool
is_rest(const void *ctx, const char *name)
{
	(void)ctx;
	return (str_starts(name, "agent-") && str_ends(name, NEW)) ||
	    (str_starts(name, ".agent-") && strstr(name, NEW ".partial-"));
}

int
backup_agent_sweep(const char *dir, struct err *err)
{
	char *path = mem_printf("%s/" BACKUP_AGENTS, dir);
	int rc = fs_sweep(path, is_rest, NULL, err);

	free(path);
	return rc;
}
