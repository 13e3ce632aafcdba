#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_certbot.h"
#include "flow/edge_client.h"
#include "flow/edge_issue.h"
#include "flow/edge_lineage.h"
#include "flow/edge_move.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define DAY_SECONDS 86400

/*
 * The step `certificate'.  edge.HOST.issued says whose the lineage of our
 * name is:
 *
 *     no       not ours
 *     yes      it was not there before, and certbot was asked for it
 *     moving   it comes from certificate_from and may be half here
 *     moved    it is here
 */

static int
get_issued(struct run *run, const struct conf_edge *edge, char **out,
    struct err *err)
{
	char *key = run_key("edge", edge->host->name, "issued");
	int rc = journal_get(run->journal, key, out, err);

	if (rc == 0 && !*out)
		*out = mem_strdup("no");
	free(key);
	return rc;
}

static int
put_issued(struct run *run, const struct conf_edge *edge, const char *value,
    struct err *err)
{
	char *key = run_key("edge", edge->host->name, "issued");
	int rc = journal_put(run->journal, key, value, err);

	free(key);
	return rc;
}

/* Where a certificate is going to come from. */
static void
say_source(const struct conf_edge *edge, struct plan_note *note)
{
	if (edge->certificate_from)
		plan_say(note, '+', "certificate for %s from %s, with its "
		    "key and account", edge->site,
		    edge->certificate_from->name);
	else if (edge->acme_command)
		plan_say(note, '+', "certificate for %s by %s", edge->site,
		    edge->acme_command);
	else
		plan_say(note, '+', "certificate for %s from %s%s",
		    edge->site, edge->acme_server ? edge->acme_server :
		    "certbot's default CA", edge_issue_rehearses(edge) ?
		    ", rehearsed with its staging" : "");
}

static void
say_found(const struct conf_edge *edge, const struct edge_lineage *lineage,
    struct plan_note *note, enum plan_found *found)
{
	int64_t left = lineage->cert.seconds_left;

	*found = edge_lineage_lasts(lineage) ? PLAN_DONE : PLAN_TODO;
	if (*found == PLAN_TODO)
		plan_say(note, '~', "certificate for %s has %" PRId64
		    " hours left", edge->site, left / 3600);
	else if (lineage->adopted)
		plan_say(note, '+', "certificate for %s is that of lineage "
		    "%s, %" PRId64 " days left", edge->site, lineage->name,
		    left / DAY_SECONDS);
	else
		plan_say(note, '+', "certificate for %s has %" PRId64
		    " days left", edge->site, left / DAY_SECONDS);
}

/* Its other names may be served by somebody else's vhost. */
static int
wrong_names(const struct conf_edge *edge, const struct edge_lineage *lineage,
    struct err *err)
{
	if (edge->acme_command)
		return err_set(err, ERR_DATA, "%s:%s: does not name site and "
		    "ade of this job; nothing was changed", edge->host->name,
		    lineage->certificate);
	return err_set(err, ERR_DATA, "%s: the certificate of lineage %s is "
	    "for other names than site and ade of this job; nothing was "
	    "changed (see `certbot certificates' there)", edge->host->name,
	    lineage->name);
}

static int
certificate_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct edge_lineage lineage = { 0 };
	char *issued = NULL;
	int rc;

	*found = PLAN_TODO;
	rc = get_issued(run, edge, &issued, err);
	if (rc == 0)
		rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && (!lineage.present || str_eq(issued, "moving")))
		say_source(edge, note);
	else if (rc == 0 && !lineage.fits)
		rc = wrong_names(edge, &lineage, err);
	else if (rc == 0)
		say_found(edge, &lineage, note, found);
	edge_lineage_clear(&lineage);
	free(issued);
	return rc;
}

/* What a lineage of our name is made of; *there: any of it. */
static int
look_for_parts(struct host *host, const struct conf_edge *edge,
    char *paths[static 3], bool *there, struct err *err)
{
	struct fs_meta metas[3];
	int rc;

	paths[0] = mem_printf(EDGE_LETSENCRYPT "/renewal/%s.conf",
	    edge->site);
	paths[1] = mem_printf(EDGE_LETSENCRYPT "/live/%s", edge->site);
	paths[2] = mem_printf(EDGE_LETSENCRYPT "/archive/%s", edge->site);
	rc = host_stat_all(host, (const char *const *)paths, 3, metas, err);
	*there = rc == 0 && (metas[0].type != FS_NONE ||
	    metas[1].type != FS_NONE || metas[2].type != FS_NONE);
	return rc;
}

/*
 * A certbot that was killed leaves parts of a lineage, and the next one makes
 * SITE-0001 beside them, or refuses (2.1.0, by its storage.py).  They are ours
 * when the journal says that we asked for it while there was nothing; else
 * they are somebody's.
 */
static int
clear_parts(struct run *run, const struct conf_edge *edge, bool ours,
    struct err *err)
{
	char *paths[3] = { NULL, NULL, NULL };
	struct host *host;
	bool there = false;
	int rc;

	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = look_for_parts(host, edge, paths, &there, err);
	if (rc == 0 && there && !ours)
		rc = err_set(err, ERR_DATA, "%s: there are parts of a lineage "
		    "%s without a certificate (%s, live/ or archive/); "
		    "nothing was changed; remove them there (`certbot "
		    "delete --cert-name %s'), then run the same command "
		    "again", edge->host->name, edge->site, paths[0],
		    edge->site);
	for (size_t i = 0; i < 3; i++) {
		if (rc == 0 && there)
			rc = host_remove(host, paths[i], err);
		free(paths[i]);
	}
	return rc;
}

/*
 * After a failure that left no lineage, one that comes to be later is the
 * work of somebody else, and cancel must not delete it.  When it cannot be
 * told, it counts as ours.
 */
static void
disown(struct run *run, const struct conf_edge *edge)
{
	struct err ignored = ERR_INIT;
	struct edge_lineage lineage;
	struct host *host;
	char *paths[3] = { NULL, NULL, NULL };
	bool there = true;

	if (edge_lineage_find(&lineage, run, edge, edge->host, &ignored) ==
	    0 && run_host(run, edge->host, &host, &ignored) == 0 &&
	    look_for_parts(host, edge, paths, &there, &ignored) == 0 &&
	    !there && put_issued(run, edge, "no", &ignored) != 0)
		err_clear(&ignored);
	for (size_t i = 0; i < 3; i++)
		free(paths[i]);
	edge_lineage_clear(&lineage);
}

/* Our name has no certificate yet: whoever makes it, it is ours then. */
static int
bring(struct run *run, const struct conf_edge *edge, const char *issued,
    struct buf *unknown, struct err *err)
{
	bool ours = !str_eq(issued, "no");
	int rc;

	if (edge->acme_command)
		return edge_client_run(run, edge, err);
	if (clear_parts(run, edge, ours, err) != 0)
		return -1;
	if (edge->certificate_from) {
		if (put_issued(run, edge, "moving", err) != 0 ||
		    edge_move_lineage(run, edge, err) != 0)
			return -1;
		return put_issued(run, edge, "moved", err);
	}
	rc = put_issued(run, edge, "yes", err);
	if (rc == 0) {
		rc = edge_issue(run, edge, true, unknown, err);
		if (rc != 0)
			disown(run, edge);
	}
	return rc;
}

/* It is there and runs out. */
static int
renew(struct run *run, const struct conf_edge *edge, struct buf *unknown,
    struct err *err)
{
	if (edge->acme_command)
		return edge_client_run(run, edge, err);
	return edge_issue(run, edge, false, unknown, err);
}

static int
certificate_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	struct buf unknown = BUF_INIT(4096);
	struct edge_lineage lineage = { 0 };
	char *issued = NULL;
	int rc;

	rc = get_issued(run, edge, &issued, err);
	if (rc == 0)
		rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && (!lineage.present || str_eq(issued, "moving")))
		rc = bring(run, edge, issued, &unknown, err);
	else if (rc == 0)
		rc = renew(run, edge, &unknown, err);
	edge_lineage_clear(&lineage);
	if (rc == 0)
		rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	if (rc == 0 && (!lineage.present || !lineage.fits))
		rc = err_set(err, ERR_FAILED, "%s: it was said to be done, "
		    "but %s does not name what was asked for",
		    edge->host->name, lineage.certificate);
	if (rc == 0)
		plan_say(note, '+', "certificate for %s%s%s, %" PRId64
		    " days%s", edge->site, edge->certificate_from ?
		    " from " : "", edge->certificate_from ?
		    edge->certificate_from->name : "",
		    lineage.cert.seconds_left / DAY_SECONDS,
		    buf_cstr(&unknown));
	edge_lineage_clear(&lineage);
	buf_clear(&unknown);
	free(issued);
	return rc;
}

static int
delete_lineage(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	const char *argv[] = {
		"certbot", "delete", "--non-interactive", "--cert-name",
		edge->site, NULL
	};
	struct edge_lineage lineage;
	bool own;
	int rc;

	rc = edge_lineage_find(&lineage, run, edge, edge->host, err);
	own = rc == 0 && lineage.present && !lineage.adopted;
	edge_lineage_clear(&lineage);
	if (rc == 0 && own)
		rc = edge_certbot_run(run, edge, argv, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);		/* its package was taken away */
		rc = 0;
	}
	/* Also what a kill has left, of certbot or of a move. */
	if (rc == 0)
		rc = clear_parts(run, edge, true, err);
	if (rc == 0)
		rc = edge_move_forget(run, edge, err);
	return rc;
}

/* A lineage that was there before this job stays. */
static int
certificate_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_edge *edge = step->subject;
	char *issued = NULL;
	bool ours;
	int rc;

	rc = get_issued(run, edge, &issued, err);
	ours = rc == 0 && !str_eq(issued, "no");
	if (ours)
		rc = delete_lineage(run, edge, err);
	if (rc == 0)
		rc = put_issued(run, edge, "no", err);
	if (rc == 0)
		plan_say(note, '-', "certificate for %s %s", edge->site,
		    ours ? "deleted" : "kept as it was");
	free(issued);
	return rc;
}

const struct step_kind edge_certificate_kind = {
	.word = "certificate",
	.probe = certificate_probe,
	.act = certificate_act,
	.undo = certificate_undo,
};
