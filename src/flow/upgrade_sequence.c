#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"

/*
 * The one thing that is written to a table of Letta's by SQL.  Its own
 * migrations set it; a schema that was made of its models has no default, and
 * the server then answers 500 to each message.
 */

/* The new server's tables are there, and may be looked at. */
static int
look(const struct upgrade *up, bool *lacks, struct err *err)
{
	struct postgres *pg;
	int rc;

	if (postgres_open(&pg, up->run, up->conf->from, err) != 0)
		return -1;
	rc = postgres_sequence_look(pg, lacks, err);
	postgres_close(pg);
	return rc;
}

static void
say_statements(struct plan_note *note, const char *when)
{
	const char *text = postgres_sequence_text();
	size_t len;

	buf_printf(&note->diff, "    -- %s\n", when);
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		buf_printf(&note->diff, "    %.*s\n", (int)len, text);
	}
}

static int
sequence_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct upgrade up;
	bool rebuilt, lacks;

	*found = PLAN_WAITS;
	plan_say(note, '~', "the default of messages.sequence_id, looked at");
	if (upgrade_open(&up, run, step, err) != 0 ||
	    upgrade_done(&up, &upgrade_database_kind, &rebuilt, err) != 0)
		return -1;
	if (!rebuilt) {
		say_statements(note, "only if the new tables lack it:");
		return 0;
	}
	if (look(&up, &lacks, err) != 0)
		return -1;
	*found = lacks ? PLAN_TODO : PLAN_DONE;
	plan_say(note, '~', lacks ? "messages.sequence_id gets its default" :
	    "messages.sequence_id has its default");
	if (lacks)
		say_statements(note, "it is lacking:");
	return 0;
}

static int
sequence_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct postgres *pg = NULL;
	struct upgrade up;
	bool lacks = false;
	int rc;

	if (upgrade_open(&up, run, step, err) != 0 ||
	    postgres_open(&pg, run, up.conf->from, err) != 0)
		return -1;
	rc = postgres_sequence_look(pg, &lacks, err);
	if (rc == 0 && lacks)
		rc = upgrade_break_glass(&up, err);
	if (rc == 0 && lacks)
		rc = postgres_sequence_set(pg, err);
	if (rc == 0)
		plan_say(note, '~', lacks ? "messages.sequence_id was given "
		    "its default" : "messages.sequence_id has its default");
	postgres_close(pg);
	return rc;
}

/* It goes with the database. */
const struct step_kind upgrade_sequence_kind = {
	.word = "sequence",
	.probe = sequence_probe,
	.act = sequence_act,
};
