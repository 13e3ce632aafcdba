#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_losses.h"
#include "flow/upgrade_rebuild.h"

#define TEXT_MAX (16 * 1024 * 1024)

/* Indented, as a note's diff is. */
static void
put_lines(struct buf *out, const char *text)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		buf_str(out, "    ");
		str_printable(out, text, len);
		buf_char(out, '\n');
	}
}

/* All that apply and `rollback' run, in the names of this job. */
static void
put_statements(const struct upgrade_rebuild *r, const char *sql,
    struct buf *out)
{
	const char *name = postgres_database(r->pg);
	char *made = upgrade_aside(&r->up, UPGRADE_NEW);
	char *old = upgrade_aside(&r->up, UPGRADE_OLD);
	char *restored = upgrade_aside(&r->up, UPGRADE_RESTORED);

	postgres_make_text(sql, made, true, out);
	postgres_rename_text(name, old, out);
	buf_str(out, "-- its rows counted once more\n");
	postgres_rename_text(made, name, out);
	postgres_drop_text(old, out);
	buf_str(out, "-- every other database: its sums before and after\n"
	    "-- rollback, with the copy restored into the first:\n");
	postgres_make_text(sql, restored, false, out);
	postgres_swap_text(restored, name, out);
	free(restored);
	free(old);
	free(made);
}

int
upgrade_rebuild_say(const struct upgrade_rebuild *r, struct plan_note *note,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *sql = NULL;
	int rc = upgrade_rebuild_properties(r, &sql, err);

	if (rc == 0) {
		put_statements(r, sql, &text);
		put_lines(&note->diff, buf_cstr(&text));
		if (r->now != 0 && r->now != r->made) {
			buf_str(&note->diff, "    -- gone with it, beside its "
			    "agents:\n");
			rc = upgrade_losses(r->pg, &note->diff, err);
		}
		if (!r->up.run->conf->break_glass)
			buf_str(&note->diff, "    -- not without `break_glass "
			    "= yes' in [job]\n");
	}
	buf_clear(&text);
	free(sql);
	return rc;
}
