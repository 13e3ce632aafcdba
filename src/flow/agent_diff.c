#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_hand.h"
#include "flow/bundle.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/fs.h"
#include "io/journal.h"

#define SCRATCH "diff-"		/* and the pid of whoever made it */

static const struct conf_agent the_agent = { .name = "agent" };
static const char *const sides[] = { "source", "target" };

/* A path that is there is one, whatever characters it has. */
static bool
is_path(const char *word)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	if (strstr(word, "://"))
		return false;
	if (fs_stat(word, &meta, &ignored) == 0 && meta.type != FS_NONE)
		return true;
	return !strchr(word, '#');
}

static int
take_place(const char *const **words, int *left, struct agent_place *place,
    struct err *err)
{
	*place = (struct agent_place){ 0 };
	if (*left > 0 && is_path(**words)) {
		place->path = **words;
		(*words)++;
		(*left)--;
		return 0;
	}
	if (*left < 2)
		return err_set(err, ERR_USAGE, "usage: sanctumctl agent diff "
		    "SERVER AGENT SERVER AGENT, where a bundle or an agent "
		    "file may stand for SERVER AGENT");
	place->server = (*words)[0];
	place->id = (*words)[1];
	*words += 2;
	*left -= 2;
	if (!letta_id_ok(place->id, "agent-"))
		return err_set(err, ERR_USAGE, "%s is not the id of an agent "
		    "(agent-UUID); `sanctumctl agent list' shows them",
		    place->id);
	return 0;
}

int
agent_places(const char *const *words, int n,
    struct agent_place places[static 2], struct err *err)
{
	for (int i = 0; i < 2; i++) {
		if (take_place(&words, &n, &places[i], err) != 0)
			return -1;
	}
	if (n > 0)
		return err_set(err, ERR_USAGE, "one word too many: %s",
		    *words);
	return 0;
}

static int
read_place(const struct agent_place *place, const struct endpoint *at,
    const char *side, struct journal *journal, struct err *err)
{
	struct server *server;
	int rc;

	if (place->path)
		return bundle_load(place->path, &the_agent, side, true,
		    journal, err);
	if (endpoint_open(at, &server, err) != 0)
		return -1;
	rc = agent_read_side(server, place->id, &the_agent, side, true,
	    journal, err);
	server_close(server);
	return rc;
}

/* The directory, and the journal in it, that this process has for itself. */
static int
open_scratch(const char *state_dir, char **dir, struct journal **out,
    struct err *err)
{
	char *name = mem_printf(SCRATCH "%ld", (long)getpid());
	char *file = run_state_path(state_dir, name, "journal.db");
	struct err ignored = ERR_INIT;
	char *above;
	int rc;

	*dir = mem_strndup(file, strlen(file) - strlen("/journal.db"));
	above = mem_strndup(*dir, strlen(*dir) - strlen(name) - 1);
	if (fs_sweep(above, fs_is_orphan, SCRATCH, &ignored) != 0)
		err_clear(&ignored);
	rc = journal_open(file, true, out, err);
	free(above);
	free(file);
	free(name);
	return rc;
}

static int
read_both(const struct agent_place places[static 2],
    const struct endpoint ends[static 2], struct journal *journal,
    struct err *err)
{
	for (int i = 0; i < 2; i++) {
		if (read_place(&places[i], &ends[i], sides[i], journal,
		    err) != 0)
			return -1;
	}
	return 0;
}

/* What was read goes with its journal, whatever became of it. */
static int
close_scratch(char *dir, struct journal *journal, int rc, struct err *err)
{
	struct err second = ERR_INIT;

	journal_close(journal);
	if (dir && fs_remove(dir, rc == 0 ? err : &second) != 0)
		rc = -1;
	free(dir);
	return rc;
}

int
agent_diff(const struct agent_place places[static 2], const char *state_dir,
    struct verdict *verdict, struct err *err)
{
	struct endpoint ends[2] = { 0 };
	struct journal *journal = NULL;
	char *dir = NULL;
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		if (places[i].server)
			rc = endpoint_find(places[i].server, &ends[i], err);
	}
	if (rc == 0)
		rc = endpoint_fetch(ends, 2, err);
	if (rc == 0)
		rc = open_scratch(state_dir, &dir, &journal, err);
	if (rc == 0)
		rc = read_both(places, ends, journal, err);
	if (rc == 0)
		rc = agent_compare(&the_agent, journal, AGENT_SINCE_NONE,
		    verdict, err);
	rc = close_scratch(dir, journal, rc, err);
	endpoint_clear(&ends[0]);
	endpoint_clear(&ends[1]);
	return rc;
}

/* The server's side is read as a source: of that, rows come as stored. */
int
agent_diff_own(struct server *server, const char *id, const char *bundle,
    const char *state_dir, enum agent_since since, struct verdict *verdict,
    struct err *err)
{
	struct journal *journal = NULL;
	char *dir = NULL;
	int rc;

	rc = open_scratch(state_dir, &dir, &journal, err);
	if (rc == 0)
		rc = agent_read_side(server, id, &the_agent, sides[0], true,
		    journal, err);
	if (rc == 0)
		rc = bundle_load(bundle, &the_agent, sides[1], true, journal,
		    err);
	if (rc == 0)
		rc = agent_note_one(&the_agent, journal, err);
	if (rc == 0)
		rc = agent_compare(&the_agent, journal, since, verdict, err);
	return close_scratch(dir, journal, rc, err);
}
