#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/postgres_part.h"

#define SAID_MAX 256

/* In one transaction, and nobody inserts between number and default. */
static const char set_sql[] =
    "BEGIN;\n"
    "LOCK TABLE public.messages IN SHARE ROW EXCLUSIVE MODE;\n"
    "CREATE SEQUENCE IF NOT EXISTS public.messages_sequence_id_seq OWNED "
    "BY public.messages.sequence_id;\n"
    "SELECT setval('public.messages_sequence_id_seq', "
    "(SELECT coalesce(max(sequence_id), 0) + 1 FROM public.messages), "
    "false);\n"
    "ALTER TABLE public.messages ALTER COLUMN sequence_id SET DEFAULT "
    "nextval('public.messages_sequence_id_seq');\n"
    "COMMIT;\n";

const char *
postgres_sequence_text(void)
{
	return set_sql;
}

int
postgres_sequence_look(struct postgres *pg, bool *lacks, struct err *err)
{
	static const char sql[] = "SELECT column_default IS NULL AND "
	    "is_identity = 'NO' FROM information_schema.columns WHERE "
	    "table_schema = 'public' AND table_name = "
	    "'messages' AND column_name = 'sequence_id'";
	struct buf said = BUF_INIT(SAID_MAX);
	int rc = postgres_ask(pg, NULL, sql, &said, err);

	*lacks = rc == 0 && str_starts(buf_cstr(&said), "t");
	buf_clear(&said);
	return rc;
}

int
postgres_sequence_set(struct postgres *pg, struct err *err)
{
	return postgres_do(pg, NULL, set_sql, err);
}
