#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/queue.h"

/* Rows that may have to be judged: which of them, a module above decides. */
#define OPEN "(q.status IN ('processing', 'pending') OR q.status = 'held' " \
    "AND q.id IN (SELECT value FROM json_each(?1)))"

/* What is over stays as it is. */
#define NOT_OVER "status NOT IN ('completed', 'failed', 'flushed')"

static const char *const texts[] = {
	[QUEUE_SQL_SCHEMA] =
	    "SELECT t.name, c.name FROM sqlite_master t, "
	    "pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name IN "
	    "('letta_users', 'platform_profiles', 'messages', 'queue')",
	[QUEUE_SQL_COUNTS] =
	    "SELECT status, coalesce(attempts, 0) > 0, count(*) FROM queue "
	    "GROUP BY 1, 2",
	/* A time that is none is an old one, as Broca has it. */
	[QUEUE_SQL_WORKING] =
	    "SELECT count(*) FROM queue WHERE status = 'processing' AND "
	    "(julianday('now') - julianday(replace(timestamp, ' UTC', ''))) * "
	    "86400 < CAST(?1 AS INTEGER)",
	[QUEUE_SQL_PENDING] =
	    "SELECT id FROM queue WHERE status = 'pending' ORDER BY id",
	[QUEUE_SQL_HOLD] =
	    "UPDATE queue SET status = 'held' WHERE status = 'pending' AND "
	    "id IN (SELECT value FROM json_each(?1))",
	[QUEUE_SQL_RELEASE] =
	    "UPDATE queue SET status = 'pending' WHERE status = 'held' AND "
	    "id IN (SELECT value FROM json_each(?1))",
	/* Broca takes the first profile that a scan of the table meets. */
	[QUEUE_SQL_ROWS] =
	    "SELECT q.id, q.status, coalesce(q.attempts, 0), q.timestamp, "
	    "m.id, m.message, m.timestamp, u.letta_identity_id, p.id, "
	    "p.platform, p.platform_user_id, p.username FROM queue q "
	    "LEFT JOIN messages m ON m.id = q.message_id "
	    "LEFT JOIN letta_users u ON u.id = q.letta_user_id "
	    "LEFT JOIN platform_profiles p ON p.id = (SELECT min(id) FROM "
	    "platform_profiles WHERE letta_user_id = q.letta_user_id) "
	    "WHERE " OPEN " ORDER BY q.id",
	/*
	 * By the text of the few that wait: nothing is indexed, and by user
	 * each would be met by all that the user ever wrote.  CROSS JOIN is
	 * the order in which SQLite is to take them.
	 */
	[QUEUE_SQL_TWINS] =
	    "WITH w AS MATERIALIZED (SELECT q.id, q.letta_user_id, m.message "
	    "FROM queue q JOIN messages m ON m.id = q.message_id WHERE " OPEN
	    ") SELECT w.id, o.status, coalesce(o.attempts, 0), o.timestamp, "
	    "n.timestamp FROM messages n CROSS JOIN w ON w.message = "
	    "n.message CROSS JOIN queue o ON o.message_id = n.id WHERE "
	    "o.letta_user_id = w.letta_user_id AND o.id <> w.id "
	    "ORDER BY w.id",
	[QUEUE_SQL_ANSWER] =
	    "UPDATE messages SET agent_response = ?2, processed = 1 WHERE "
	    "id = (SELECT message_id FROM queue WHERE id = ?1 AND " NOT_OVER
	    ")",
	[QUEUE_SQL_COMPLETE] =
	    "UPDATE queue SET status = 'completed' WHERE id = ?1 AND "
	    NOT_OVER,
	[QUEUE_SQL_STATUS] =
	    "UPDATE queue SET status = ?2 WHERE id = ?1 AND " NOT_OVER,
};

const char *
queue_sql(enum queue_sql which)
{
	return texts[which];
}

static const struct column {
	const char *table, *column;
} columns[] = {
	{ "letta_users", "id" },
	{ "letta_users", "created_at" },
	{ "letta_users", "last_active" },
	{ "letta_users", "letta_identity_id" },
	{ "letta_users", "letta_block_id" },
	{ "letta_users", "agent_preferences" },
	{ "letta_users", "custom_instructions" },
	{ "letta_users", "is_active" },
	{ "platform_profiles", "id" },
	{ "platform_profiles", "letta_user_id" },
	{ "platform_profiles", "platform" },
	{ "platform_profiles", "platform_user_id" },
	{ "platform_profiles", "username" },
	{ "platform_profiles", "display_name" },
	{ "platform_profiles", "metadata" },
	{ "platform_profiles", "created_at" },
	{ "platform_profiles", "last_active" },
	{ "messages", "id" },
	{ "messages", "letta_user_id" },
	{ "messages", "platform_profile_id" },
	{ "messages", "role" },
	{ "messages", "message" },
	{ "messages", "timestamp" },
	{ "messages", "processed" },
	{ "messages", "agent_response" },
	{ "queue", "id" },
	{ "queue", "letta_user_id" },
	{ "queue", "message_id" },
	{ "queue", "status" },
	{ "queue", "attempts" },
	{ "queue", "timestamp" },
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

void
queue_schema_see(struct queue_schema *schema, const char *table,
    const char *column)
{
	bool ours = false;

	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (!str_eq(columns[i].table, table))
			continue;
		ours = true;
		if (str_eq(columns[i].column, column)) {
			schema->seen |= UINT64_C(1) << i;
			return;
		}
	}
	schema->more += ours;
}

int
queue_schema_check(const struct queue_schema *schema, struct err *err)
{
	struct buf missing = BUF_INIT(4096);

	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (!(schema->seen & UINT64_C(1) << i))
			buf_printf(&missing, "%s%s.%s",
			    missing.len ? ", " : "", columns[i].table,
			    columns[i].column);
	}
	if (missing.len == 0)
		return 0;
	(void)err_set(err, ERR_DATA, "this is no database of a Broca that is "
	    "known here: it has no %s", buf_cstr(&missing));
	buf_clear(&missing);
	return -1;
}

bool
queue_time(const char *text, struct stamp *out)
{
	static const char utc[] = " UTC";
	char *bare;
	bool good;

	if (!text)
		return false;
	if (!str_ends(text, utc))
		return stamp_parse(text, out);
	bare = mem_strndup(text, strlen(text) - strlen(utc));
	good = stamp_parse(bare, out);
	free(bare);
	return good;
}

bool
queue_maybe_sent(const char *status, const char *attempts, const char *time,
    const char *message_time)
{
	struct stamp row, message;

	if (!status || !attempts || !str_eq(attempts, "0") ||
	    (!str_eq(status, "pending") && !str_eq(status, QUEUE_HELD)))
		return true;
	return !queue_time(time, &row) || !queue_time(message_time, &message) ||
	    row.unix_s - message.unix_s > QUEUE_REQUEUED_S;
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Python's str.title() of ASCII: a letter is large unless behind one. */
static void
add_title(struct buf *out, const char *word)
{
	bool inside = false;

	for (; *word; word++) {
		char c = *word;

		if (inside && is_upper(c))
			c = (char)(c - 'A' + 'a');
		else if (!inside && is_lower(c))
			c = (char)(c - 'a' + 'A');
		inside = is_upper(c) || is_lower(c);
		buf_char(out, c);
	}
}

static bool
is_ascii(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s > 0x7f)
			return false;
	}
	return true;
}

static bool
is_set(const char *s)
{
	return s && *s;
}

bool
queue_wire(struct buf *out, const char *platform, const char *user_id,
    const char *username, const char *text)
{
	if (!text || (is_set(user_id) && is_set(platform) &&
	    !is_ascii(platform)))
		return false;
	if (is_set(username) || is_set(user_id))
		buf_char(out, '[');
	if (is_set(username))
		buf_printf(out, "Username: @%s%s", username,
		    is_set(user_id) ? ", " : "");
	if (is_set(user_id)) {
		add_title(out, is_set(platform) ? platform : "Platform");
		buf_printf(out, " ID: %s", user_id);
	}
	if (is_set(username) || is_set(user_id))
		buf_str(out, "] ");
	buf_str(out, text);
	return !out->full;
}
