#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/conf.h"
#include "core/doctor.h"
#include "core/letta.h"
#include "flow/letta_health.h"
#include "flow/letta_health_part.h"
#include "flow/postgres.h"

#define TEXT_MAX 4096

/* What 0.16.2 brought; a table that is not there at all is no finding. */
static const char missing[] =
    "SELECT w.t || '.' || w.c FROM (VALUES ('runs', 'conversation_id'), "
    "('steps', 'request_id')) AS w (t, c) WHERE EXISTS (SELECT 1 FROM "
    "information_schema.tables i WHERE i.table_schema = 'public' AND "
    "i.table_name = w.t) AND NOT EXISTS (SELECT 1 FROM "
    "information_schema.columns i WHERE i.table_schema = 'public' AND "
    "i.table_name = w.t AND i.column_name = w.c) ORDER BY 1";

static int
look_at_columns(const struct health_look *look, struct postgres *pg,
    struct err *err)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	int rc = postgres_ask(pg, NULL, missing, &out, err);

	if (rc == 0) {
		doctor_judge(look->d, strstr(buf_cstr(&out), "runs."),
		    "schema-runs", postgres_where(pg), "its columns");
		doctor_judge(look->d, strstr(buf_cstr(&out), "steps."),
		    "schema-steps", postgres_where(pg), "its columns");
	}
	buf_clear(&out);
	return rc;
}

static int
look_at(const struct health_look *look, struct postgres *pg,
    const struct letta_health *health, struct err *err)
{
	bool lacks;

	if (postgres_sequence_look(pg, &lacks, err) != 0)
		return -1;
	doctor_judge(look->d, lacks, "letta-sequence", postgres_where(pg),
	    "psql");
	/* Of an older server these columns are to come. */
	return health->caps.version[0] && !health->caps.backward ?
	    look_at_columns(look, pg, err) : 0;
}

int
letta_health_database(const struct health_look *look,
    const struct conf_letta *letta, const struct letta_health *health,
    struct err *err)
{
	struct postgres *pg = NULL;
	int rc;

	rc = postgres_open(&pg, look->run, letta, err);
	if (rc == 0)
		rc = look_at(look, pg, health, err);
	postgres_close(pg);
	if (rc == 0 || err->kind == ERR_INTERRUPTED)
		return rc;
	doctor_unknown(look->d, "letta-sequence", health->url, "%s",
	    err->text);
	err_clear(err);
	return 0;
}
