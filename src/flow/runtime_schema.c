#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "flow/runtime_venv.h"
#include "flow/share_file.h"
#include "flow/upgrade.h"
#include "io/host.h"

#define PROGRAM_MAX (64 * 1024)
#define TEXT_MAX (16 * 1024)
#define URI_MAX 4096
#define CREATE_MS 300000
#define WORD_MAX 512
#define LINE(key, value) key "=" value,

/* What share/letta/database.py says of the database. */
struct seen {
	uint64_t tables, agents;
	char vector[16], sequence[16], lacks[WORD_MAX];
};

int
runtime_schema_program(const struct runtime *rt, const char *verb,
    const struct buf *uri, bool asks, struct buf *out, struct err *err)
{
	static const char *const env[] = { "HOME=" RUNTIME_HOME,
	    "LETTA_DIR=" RUNTIME_HOME "/.letta", RUNTIME_ENV_QUIET(LINE)
	    NULL };
	struct buf program = BUF_INIT(PROGRAM_MAX);
	char *path = NULL, *dir = runtime_venv_dir(rt);
	char *python = mem_printf("%s/bin/python", dir);
	const char *argv[] = { python, "-IBc", NULL, verb, NULL };
	struct runtime_call call = { .what = "look at the database",
	    .argv = argv, .env = env, .account = RUNTIME_ACCOUNT,
	    .input = buf_cstr(uri), .input_len = uri->len,
	    .timeout_ms = CREATE_MS, .asks = asks };
	int rc;

	rc = share_file_read("letta/database.py", &path, &program, err);
	argv[2] = buf_cstr(&program);
	if (rc == 0)
		rc = runtime_do(rt->host, &call, out, err);
	buf_clear(&program);
	free(python);
	free(dir);
	free(path);
	return rc;
}

/* The same for the server's own database. */
static int
run_program(const struct runtime *rt, const char *verb, bool asks,
    struct buf *out, struct err *err)
{
	struct buf uri;
	bool known = false;
	int rc;

	buf_init_still(&uri, URI_MAX);
	rc = runtime_database_uri(rt, &uri, &known, err);
	if (rc == 0 && !known)
		rc = err_set(err, ERR_FAILED, "%s: no database was made yet",
		    host_name(rt->host));
	if (rc == 0)
		rc = runtime_schema_program(rt, verb, &uri, asks, out, err);
	buf_wipe(&uri);
	return rc;
}

/* "tables=42\nvector=installed\n...": the value of one line. */
static void
value_of(const char *text, const char *name, char *out, size_t size)
{
	size_t len, n = strlen(name);

	out[0] = '\0';
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len > n && strncmp(text, name, n) == 0 && text[n] == '=')
			(void)snprintf(out, size, "%.*s", (int)(len - n - 1),
			    text + n + 1);
	}
}

static int
look(const struct runtime *rt, const char *verb, struct seen *seen,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char tables[24], agents[24];
	int rc;

	rc = run_program(rt, verb, true, &text, err);
	if (rc == 0) {
		value_of(buf_cstr(&text), "tables", tables, sizeof(tables));
		value_of(buf_cstr(&text), "agents", agents, sizeof(agents));
		value_of(buf_cstr(&text), "vector", seen->vector,
		    sizeof(seen->vector));
		value_of(buf_cstr(&text), "sequence", seen->sequence,
		    sizeof(seen->sequence));
		value_of(buf_cstr(&text), "lacks", seen->lacks,
		    sizeof(seen->lacks));
		if (!str_u64(tables, UINT64_MAX, &seen->tables) ||
		    !str_u64(agents, UINT64_MAX, &seen->agents))
			rc = err_set(err, ERR_DATA, "%s: what was asked of "
			    "the database was not answered",
			    host_name(rt->host));
	}
	buf_clear(&text);
	return rc;
}

/* One that holds tables is looked at, and never written to. */
static int
judge(const struct runtime *rt, const struct seen *seen, struct err *err)
{
	char lacks[2 * WORD_MAX];
	struct buf shown = BUF_INIT(sizeof(lacks));

	if (seen->tables == 0 && str_eq(seen->vector, "missing"))
		return err_set(err, ERR_FAILED, "the database of [letta %s]: "
		    "its PostgreSQL has no pgvector; install the package "
		    "postgresql-N-pgvector there", rt->letta->name);
	if (seen->tables == 0)
		return 0;
	if (str_eq(seen->sequence, "none"))
		return err_set(err, ERR_STALE, "the database of [letta %s] "
		    "holds %" PRIu64 " tables, and none of Letta's; nothing "
		    "was changed.  Give an empty database", rt->letta->name,
		    seen->tables);
	if (*seen->lacks) {
		str_printable(&shown, seen->lacks, strlen(seen->lacks));
		(void)snprintf(lacks, sizeof(lacks), "%s", buf_cstr(&shown));
		buf_clear(&shown);
		return err_set(err, ERR_STALE, "the database of [letta %s] "
		    "is of another version than %s: it lacks %s; nothing was "
		    "changed.  Bring it to that version by Letta's own "
		    "migrations (alembic upgrade head), after a backup",
		    rt->letta->name, rt->letta->version, lacks);
	}
	if (!str_eq(seen->sequence, "ok"))
		return err_set(err, ERR_STALE, "the database of [letta %s]: "
		    "messages.sequence_id has no default, so no message can "
		    "be stored; nothing was changed.  Run Letta's migrations "
		    "(alembic upgrade head), or, after a backup: CREATE "
		    "SEQUENCE messages_sequence_id_seq OWNED BY "
		    "messages.sequence_id; SELECT setval("
		    "'messages_sequence_id_seq', (SELECT coalesce(max("
		    "sequence_id), 1) FROM messages)); ALTER TABLE messages "
		    "ALTER COLUMN sequence_id SET DEFAULT nextval("
		    "'messages_sequence_id_seq');", rt->letta->name);
	return 0;
}

/*
 * Tables that were compared with the models of this version are not compared
 * anew each time: Letta's Python takes seconds to say what they are.  A
 * database of ours is then asked by its own psql.
 */
static int
glance(const struct runtime *rt, struct seen *seen, struct err *err)
{
	static const char sql[] = "SELECT 'tables=' || count(*) FROM "
	    "information_schema.tables WHERE table_schema = 'public';\n"
	    "SELECT 'sequence=' || count(*) FROM information_schema.columns "
	    "WHERE table_name = 'messages' AND column_name = 'sequence_id' "
	    "AND column_default IS NOT NULL;\n"
	    "SELECT 'agents=' || count(*) FROM agents;\n";
	struct buf text = BUF_INIT(TEXT_MAX);
	struct runtime_pg pg;
	char word[24];
	int rc;

	if (rt->letta->database.ref)
		return look(rt, "glance", seen, err);
	rc = runtime_pg_find(rt, &pg, err);
	if (rc == 0)
		rc = runtime_pg_sql(rt, &pg, "letta", sql, true, &text, err);
	value_of(buf_cstr(&text), "tables", word, sizeof(word));
	if (!str_u64(word, UINT64_MAX, &seen->tables))
		seen->tables = 0;
	value_of(buf_cstr(&text), "agents", word, sizeof(word));
	if (!str_u64(word, UINT64_MAX, &seen->agents))
		seen->agents = 0;
	value_of(buf_cstr(&text), "sequence", word, sizeof(word));
	(void)snprintf(seen->sequence, sizeof(seen->sequence), "%s",
	    str_eq(word, "1") ? "ok" : "missing");
	buf_clear(&text);
	return rc;
}

/* As little as can be asked; *seen is judged to be right on success. */
static int
look_and_judge(const struct runtime *rt, struct seen *seen, struct err *err)
{
	struct err ignored = ERR_INIT;
	char *fits = NULL;
	bool same;

	if (runtime_get(rt, "schema.fits", &fits, err) != 0)
		return -1;
	same = fits && str_eq(fits, rt->letta->version);
	free(fits);
	if (same && glance(rt, seen, &ignored) == 0 && seen->tables > 0 &&
	    judge(rt, seen, &ignored) == 0)
		return 0;
	*seen = (struct seen){ 0 };
	if (look(rt, "look", seen, err) != 0 || judge(rt, seen, err) != 0)
		return -1;
	return seen->tables == 0 ? 0 : runtime_put(rt, "schema.fits",
	    rt->letta->version, err);
}

/*
 * Neither Python nor database are there before their steps; of an upgrade it
 * is the old server's until then.
 */
static int
can_look(const struct runtime *rt, bool *out, struct err *err)
{
	char *dir = runtime_venv_dir(rt);
	struct buf uri;
	struct fs_meta meta;
	bool rebuilt;
	int rc;

	buf_init_still(&uri, URI_MAX);
	*out = false;
	rc = upgrade_rebuilt(rt->run, &rebuilt, err);
	if (rc == 0)
		rc = host_stat(rt->host, dir, &meta, err);
	if (rc == 0 && rebuilt && meta.type == FS_DIR)
		rc = runtime_database_uri(rt, &uri, out, err);
	buf_wipe(&uri);
	free(dir);
	return rc;
}

static int
schema_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct seen seen = { 0 };
	struct runtime rt;
	bool can;

	*found = PLAN_WAITS;
	plan_say(note, '+', "tables of an empty database; the default of "
	    "messages.sequence_id, looked at");
	if (runtime_open(&rt, run, step, err) != 0 ||
	    can_look(&rt, &can, err) != 0)
		return -1;
	if (!can)
		return 0;
	if (look_and_judge(&rt, &seen, err) != 0)
		return -1;
	*found = seen.tables > 0 ? PLAN_DONE : PLAN_TODO;
	if (seen.tables > 0)
		plan_say(note, '+', "%" PRIu64 " tables, %" PRIu64 " agents, "
		    "messages.sequence_id has its default", seen.tables,
		    seen.agents);
	return 0;
}

static int
schema_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct seen seen = { 0 };
	struct runtime rt;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    look_and_judge(&rt, &seen, err) != 0)
		return -1;
	if (seen.tables == 0 &&
	    (run_program(&rt, "create", false, NULL, err) != 0 ||
	    look_and_judge(&rt, &seen, err) != 0))
		return -1;
	if (seen.tables == 0)
		return err_set(err, ERR_FAILED, "%s: the tables were made, "
		    "and are not there", host_name(rt.host));
	plan_say(note, '+', "%" PRIu64 " tables, messages.sequence_id has "
	    "its default", seen.tables);
	return 0;
}

/* The tables go with the database, or stay with it. */
const struct step_kind runtime_schema_kind = {
	.word = "schema",
	.probe = schema_probe,
	.act = schema_act,
};
