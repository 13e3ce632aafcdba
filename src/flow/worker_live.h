#ifndef FLOW_WORKER_LIVE_H
#define FLOW_WORKER_LIVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct err;
struct host;
struct procs_info;

/*
 * The Brocas and SMCPs that run on a host, by /proc and not by pid files:
 * broca.pid goes away when the signal comes, not when the process ends, and
 * a copied one names a stranger.  A process is one when a word of its command
 * is a path of a file main.py or smcp.py.
 */
struct worker_live {
	pid_t pid;
	uint64_t start;		/* with pid: that very process */
	uid_t uid;
	char *dir;		/* of main.py as the command names it: where
				 * load_dotenv() begins to look */
	char *script;		/* "main.py", "smcp.py" */
	char *cwd;		/* where plugins and settings.json are */
	char *screen;		/* session that holds it, or NULL */
};

struct worker_lives {
	struct worker_live *list;
	size_t n;
	pid_t *pids;		/* every process of the host, sorted */
	size_t n_pids;
};

/*
 * The word of a process' command line that names the main.py or smcp.py which
 * it runs, or NULL: an editor or a pager of one, a shell or a screen that was
 * told to start one, runs none.
 */
const char *worker_live_script(const struct procs_info *);

int worker_live_list(struct host *, struct worker_lives *, struct err *)
    MUST_CHECK;
void worker_live_clear(struct worker_lives *);

#endif /* !FLOW_WORKER_LIVE_H */
