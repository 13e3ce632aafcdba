#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/pg_tally.h"
#include "flow/postgres.h"
#include "flow/postgres_census.h"
#include "flow/upgrade_others.h"
#include "flow/upgrade_part.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define WORDS_MAX 2048

#define SUMS "database.others"
#define REPORTED "database.acknowledged"

static int
sums(struct postgres *pg, struct buf *out, struct err *err)
{
	int rc = postgres_others(pg, out, err);

	/* A fact that is "" is none: an end that every text has. */
	buf_char(out, '\n');
	return rc == 0 ? buf_check(out, "sums of the other databases", err) :
	    -1;
}

int
upgrade_others_keep(const struct upgrade *up, struct postgres *pg,
    struct err *err)
{
	struct buf now = BUF_INIT(TEXT_MAX);
	int rc = sums(pg, &now, err);

	if (rc == 0)
		rc = upgrade_put(up, SUMS, buf_cstr(&now), err);
	buf_clear(&now);
	return rc;
}

/* The database of a line's name, which is quoted where it has odd bytes. */
static size_t
database_len(const struct pg_tally_line *line)
{
	size_t len = (size_t)line->name_len, i = 0;

	if (len == 0 || line->name[0] != '"') {
		while (i < len && line->name[i] != '.' && line->name[i] !=
		    ' ')
			i++;
		return i;
	}
	for (i = 1; i < len; i++) {
		if (line->name[i] != '"')
			continue;
		if (i + 1 == len || line->name[i + 1] != '"')
			return i + 1;
		i++;
	}
	return len;
}

static bool
has_line(const char *lines, const char *line, size_t len)
{
	for (; *lines; lines += strcspn(lines, "\n"), lines += *lines != 0) {
		if (strcspn(lines, "\n") == len &&
		    strncmp(lines, line, len) == 0)
			return true;
	}
	return false;
}

/* What was found by comparing. */
struct seen {
	const char *before;	/* what was reported until now */
	struct buf reported;	/* and with what is now */
	bool is_news;
};

static void
note_moved(void *ctx, enum pg_tally_moved moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	const struct pg_tally_line *line = is ? is : was;
	size_t len = database_len(line);
	struct seen *seen = ctx;

	(void)moved;
	if (!has_line(seen->before, line->name, len) ||
	    ((size_t)line->name_len == len + strlen(POSTGRES_DEFINED) &&
	    strncmp(line->name + len, POSTGRES_DEFINED,
	    strlen(POSTGRES_DEFINED)) == 0))
		seen->is_news = true;
	if (has_line(buf_cstr(&seen->reported), line->name, len))
		return;
	buf_add(&seen->reported, line->name, len);
	buf_char(&seen->reported, '\n');
}

/* How each of them was looked at. */
struct counts {
	size_t summed, measured, unread;
};

static void
count_one(void *ctx, enum pg_tally_moved moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	size_t tail = strlen(POSTGRES_MEASURED);
	struct counts *n = ctx;

	(void)moved;
	(void)was;
	if (str_starts(is->mark, POSTGRES_UNREAD))
		n->unread++;
	else if ((size_t)is->mark_len > tail && strncmp(is->mark +
	    is->mark_len - tail, POSTGRES_MEASURED, tail) == 0)
		n->measured++;
	else
		n->summed++;
}

/* "are as they were" is said of what was compared alone. */
static void
put_words(const char *now, const char *reported, struct buf *out)
{
	struct counts n = { 0 };
	size_t len;

	(void)pg_tally_compare("", now, count_one, &n);
	buf_printf(out, "of the other databases %zu sums compared", n.summed);
	if (n.measured > 0)
		buf_printf(out, ", %zu large tables counted and measured "
		    "alone", n.measured);
	if (n.unread > 0)
		buf_printf(out, ", %zu not readable and not compared",
		    n.unread);
	if (!*reported) {
		buf_str(out, ": as they were");
		return;
	}
	buf_str(out, ": as they were but for what was reported of");
	for (; *reported; reported += len + (reported[len] != '\0')) {
		len = strcspn(reported, "\n");
		buf_char(out, ' ');
		str_printable(out, reported, len);
	}
}

static int
report(const struct upgrade *up, struct postgres *pg, const char *now,
    const struct seen *seen, const struct buf *moved, struct err *err)
{
	if (upgrade_put(up, SUMS, now, err) != 0 ||
	    upgrade_put(up, REPORTED, buf_cstr(&seen->reported), err) != 0)
		return -1;
	return err_set(err, ERR_VERDICT, "%s: another database of its server "
	    "is not as it was before the rebuild: %s.  Nothing but the "
	    "statements that `plan' shows was run.  Look who writes there; if "
	    "that is its own client, run the same command again",
	    postgres_where(pg), buf_cstr(moved));
}

/* What there was, what there is, and what differs. */
static int
look(const struct upgrade *up, struct postgres *pg, char **before,
    struct buf *now, struct buf *moved, size_t *n, struct err *err)
{
	int rc = upgrade_get(up, SUMS, before, err);

	*n = 0;
	if (rc == 0 && *before)
		rc = sums(pg, now, err);
	if (rc == 0 && *before)
		*n = postgres_census_moved(*before, buf_cstr(now), moved);
	return rc;
}

int
upgrade_others_compare(const struct upgrade *up, struct postgres *pg,
    struct buf *words, struct err *err)
{
	struct buf now = BUF_INIT(TEXT_MAX), moved = BUF_INIT(WORDS_MAX);
	struct seen seen = { .before = "" };
	char *before = NULL, *known = NULL;
	size_t n;
	int rc;

	buf_init(&seen.reported, TEXT_MAX);
	rc = look(up, pg, &before, &now, &moved, &n, err);
	if (rc == 0)
		rc = upgrade_get(up, REPORTED, &known, err);
	if (rc == 0 && known) {
		seen.before = known;
		buf_str(&seen.reported, known);
	}
	if (rc == 0 && n > 0)
		(void)pg_tally_compare(before, buf_cstr(&now), note_moved,
		    &seen);
	if (rc == 0 && seen.is_news)
		rc = report(up, pg, buf_cstr(&now), &seen, &moved, err);
	else if (rc == 0 && before)
		put_words(buf_cstr(&now), seen.before, words);
	else if (rc == 0)
		buf_str(words, "the other databases were not compared");
	buf_clear(&seen.reported);
	free(known);
	free(before);
	buf_clear(&moved);
	buf_clear(&now);
	return rc;
}

void
upgrade_others_tell(const struct upgrade *up, struct postgres *pg)
{
	struct buf now = BUF_INIT(TEXT_MAX), moved = BUF_INIT(WORDS_MAX);
	struct err err = ERR_INIT;
	char *before = NULL;
	size_t n;

	if (look(up, pg, &before, &now, &moved, &n, &err) != 0)
		log_warn("%s: whether the other databases of its server are "
		    "as before the way back was not compared: %s",
		    postgres_where(pg), err.text);
	else if (n > 0)
		log_warn("%s: another database of its server is not as it "
		    "was before the way back, which touches none of them: "
		    "%s; look who writes there", postgres_where(pg),
		    buf_cstr(&moved));
	free(before);
	buf_clear(&moved);
	buf_clear(&now);
}
