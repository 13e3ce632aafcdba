#include "base/base.h"

#include "core/queue_back.h"

#define MARK(table) "max((SELECT coalesce(max(id), 0) FROM " table "), " \
    "coalesce((SELECT seq FROM sqlite_sequence WHERE name = '" table \
    "'), 0))"

#define OVER "('completed', 'failed', 'flushed')"
#define OLD_ROW "q.id <= CAST(?1 AS INTEGER) AND (q.id IN (SELECT value " \
    "FROM json_each(?2)) OR q.status NOT IN " OVER " OR q.timestamp > ?3)"

#define USERS "id, created_at, last_active, letta_identity_id, " \
    "letta_block_id, agent_preferences, custom_instructions, is_active"
#define PROFILES "id, letta_user_id, platform, platform_user_id, username, " \
    "display_name, metadata, created_at, last_active"
#define MESSAGES "id, letta_user_id, platform_profile_id, role, message, " \
    "timestamp, processed, agent_response"
#define ROWS "id, letta_user_id, message_id, status, attempts, timestamp"

/* Column n of a row of the list. */
#define J(n) "json_extract(j.value, '$[" #n "]')"
#define SIX J(0) ", " J(1) ", " J(2) ", " J(3) ", " J(4) ", " J(5)
#define EIGHT SIX ", " J(6) ", " J(7)
#define EACH " FROM json_each(?1) j WHERE "
#define NEW(table, same) "NOT EXISTS (SELECT 1 FROM " table " o WHERE " \
    "o.id = " J(0) same ")"

static const char *const texts[] = {
	[QUEUE_BACK_MARKS] = "SELECT " MARK("letta_users") ", "
	    MARK("platform_profiles") ", " MARK("messages") ", "
	    MARK("queue") ", (SELECT coalesce(max(timestamp), '') FROM queue)",
	[QUEUE_BACK_OPEN] = "SELECT id FROM queue WHERE status NOT IN " OVER,

	[QUEUE_BACK_NEW_USERS] = "SELECT " USERS " FROM letta_users WHERE "
	    "id > CAST(?1 AS INTEGER) ORDER BY id",
	[QUEUE_BACK_NEW_PROFILES] = "SELECT " PROFILES " FROM "
	    "platform_profiles WHERE id > CAST(?1 AS INTEGER) ORDER BY id",
	[QUEUE_BACK_NEW_MESSAGES] = "SELECT " MESSAGES " FROM messages WHERE "
	    "id > CAST(?1 AS INTEGER) ORDER BY id",
	[QUEUE_BACK_NEW_ROWS] = "SELECT " ROWS " FROM queue WHERE "
	    "id > CAST(?1 AS INTEGER) ORDER BY id",
	[QUEUE_BACK_OLD_USERS] = "SELECT id, last_active, agent_preferences, "
	    "custom_instructions, is_active FROM letta_users WHERE "
	    "id <= CAST(?1 AS INTEGER)",
	[QUEUE_BACK_OLD_PROFILES] = "SELECT id, username, display_name, "
	    "metadata, last_active FROM platform_profiles WHERE "
	    "id <= CAST(?1 AS INTEGER)",
	[QUEUE_BACK_OLD_ROWS] = "SELECT q.id, q.status, q.attempts, "
	    "q.timestamp FROM queue q WHERE " OLD_ROW,
	[QUEUE_BACK_OLD_ANSWERS] = "SELECT m.id, m.processed, "
	    "m.agent_response FROM messages m WHERE m.agent_response IS NOT "
	    "NULL AND m.id IN (SELECT q.message_id FROM queue q WHERE "
	    OLD_ROW ")",

	[QUEUE_BACK_ADD_USERS] = "INSERT INTO letta_users (" USERS ") SELECT "
	    EIGHT EACH NEW("letta_users", " AND o.created_at IS " J(1)
	    " AND o.letta_identity_id IS " J(3)),
	[QUEUE_BACK_ADD_PROFILES] = "INSERT INTO platform_profiles (" PROFILES
	    ") SELECT " EIGHT ", " J(8) EACH NEW("platform_profiles",
	    " AND o.platform IS " J(2) " AND o.platform_user_id IS " J(3)),
	[QUEUE_BACK_ADD_MESSAGES] = "INSERT INTO messages (" MESSAGES
	    ") SELECT " EIGHT EACH NEW("messages", " AND o.letta_user_id IS "
	    J(1) " AND o.message IS " J(4) " AND o.timestamp IS " J(5)),
	[QUEUE_BACK_ADD_ROWS] = "INSERT INTO queue (" ROWS ") SELECT " SIX
	    EACH NEW("queue", " AND o.letta_user_id IS " J(1)
	    " AND o.message_id IS " J(2)),
	[QUEUE_BACK_SET_USERS] = "UPDATE letta_users SET last_active = " J(1)
	    ", agent_preferences = " J(2) ", custom_instructions = " J(3)
	    ", is_active = " J(4) EACH "letta_users.id = " J(0),
	[QUEUE_BACK_SET_PROFILES] = "UPDATE platform_profiles SET username = "
	    J(1) ", display_name = " J(2) ", metadata = " J(3)
	    ", last_active = " J(4) EACH "platform_profiles.id = " J(0),
	[QUEUE_BACK_SET_ROWS] = "UPDATE queue SET status = " J(1)
	    ", attempts = " J(2) ", timestamp = " J(3) EACH
	    "queue.id = " J(0),
	[QUEUE_BACK_SET_ANSWERS] = "UPDATE messages SET processed = " J(1)
	    ", agent_response = " J(2) EACH "messages.id = " J(0),
	[QUEUE_BACK_FLUSH] = "UPDATE queue SET status = 'flushed' WHERE "
	    "status NOT IN " OVER " AND id IN (SELECT value FROM "
	    "json_each(?1))",
};

const char *
queue_back_sql(enum queue_back_sql which)
{
	return texts[which];
}
