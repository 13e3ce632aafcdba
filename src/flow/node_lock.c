#include "base/base.h"

#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/node_lock.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/lookup.h"

#define TEXT_MAX 4096
#define TRIES 5
/* What a file holds; each is "" or 0 where it does not say. */
struct holder {
	struct jdoc *doc;
	const char *host, *job, *mark, *since, *run;
	int64_t pid;
};

static const char *
word_of(const struct jdoc *doc, const char *key)
{
	const char *word = jdoc_get_str(doc, key);

	return word ? word : "";
}

/* *there is false when there is no lock; one that says nothing is a lock. */
static int
read_holder(struct host *host, struct holder *out, bool *there,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct err ignored = ERR_INIT;
	int rc;

	*out = (struct holder){ 0 };
	rc = host_read(host, NODE_LOCK_PATH, &text, NULL, err);
	*there = rc == 0;
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (*there)
		out->doc = jdoc_parse(buf_cstr(&text), text.len, &ignored);
	out->host = word_of(out->doc, "host");
	out->job = word_of(out->doc, "job");
	out->mark = word_of(out->doc, "mark");
	out->since = word_of(out->doc, "since");
	out->run = word_of(out->doc, "run");
	if (jdoc_type(jdoc_get(out->doc, "pid")) == JDOC_NUMBER)
		out->pid = jdoc_int(jdoc_get(out->doc, "pid"));
	buf_clear(&text);
	return rc;
}

static void
holder_clear(struct holder *holder)
{
	jdoc_free(holder->doc);
}

/* On this very machine one can look; a number may be another's by now. */
static bool
is_no_more(const struct holder *holder)
{
	char self[LOOKUP_OWN_SIZE];

	lookup_own_name(self);
	return str_eq(holder->host, self) && holder->pid > 0 &&
	    holder->pid <= INT_MAX && kill((pid_t)holder->pid, 0) != 0 &&
	    errno == ESRCH;
}

static int
refuse(struct host *host, const struct holder *holder, struct err *err)
{
	struct buf who = BUF_INIT(2048);
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%" PRId64, holder->pid);
	str_printable(&who, holder->job, strlen(holder->job));
	buf_str(&who, " (pid ");
	buf_str(&who, pid);
	buf_str(&who, " on ");
	str_printable(&who, holder->host, strlen(holder->host));
	buf_str(&who, ", since ");
	str_printable(&who, holder->since, strlen(holder->since));
	(void)err_set(err, ERR_LOCKED, "%s is being changed by the job %s)%s; "
	    "nothing was touched.  Wait for it; if it was killed, run that "
	    "job again, or see that it is no more and remove %s there",
	    host_name(host), buf_cstr(&who), is_no_more(holder) ?
	    ", whose process is no more" : "", NODE_LOCK_PATH);
	buf_clear(&who);
	return -1;
}

static void
write_text(const struct run *run, struct buf *text)
{
	struct jdoc *doc = jdoc_new_object();
	char self[LOOKUP_OWN_SIZE], now[CLOCK_TEXT_SIZE];

	lookup_own_name(self);
	clock_utc(now);
	jdoc_set_str(doc, "host", self);
	jdoc_set_str(doc, "job", run->conf->name);
	jdoc_set_str(doc, "mark", run->mark);
	jdoc_set(doc, "pid", jdoc_new_int((int64_t)getpid()));
	jdoc_set_str(doc, "since", now);
	jdoc_set_str(doc, "run", run->nonce);
	jdoc_write(doc, text);
	buf_char(text, '\n');
	jdoc_free(doc);
}

/* One try.  *again: somebody has given it back in between. */
static int
try_once(struct run *run, struct host *host, const char *temporary,
    bool *again, struct err *err)
{
	const struct fs_meta meta = {
		.type = FS_FILE, .mode = 0644, .uid = 0, .gid = 0
	};
	struct buf text = BUF_INIT(TEXT_MAX);
	struct holder holder;
	bool there;
	int rc;

	*again = false;
	write_text(run, &text);
	rc = read_holder(host, &holder, &there, err);
	if (rc == 0 && there && !str_eq(holder.mark, run->mark)) {
		rc = refuse(host, &holder, err);
	} else if (rc == 0 && there) {
		log_info("%s: the lock of this job's last run is taken over",
		    host_name(host));
		rc = host_replace(host, NODE_LOCK_PATH, buf_cstr(&text),
		    text.len, &meta, err);
	} else if (rc == 0) {
		rc = host_replace(host, temporary, buf_cstr(&text), text.len,
		    &meta, err);
		if (rc == 0)
			rc = host_rename(host, temporary, NODE_LOCK_PATH, 0,
			    err);
		*again = rc != 0 && err->kind == ERR_FAILED;
	}
	holder_clear(&holder);
	buf_clear(&text);
	return rc;
}

/* NULL: the job changes no node. */
static const struct conf_host *
node_of(const struct conf *conf)
{
	switch (conf->kind) {
	case CONF_GREENFIELD:
		return conf->edges[0].host;
	case CONF_UPGRADE:
		return conf->upgrades[0].from->host;
	case CONF_AGENT:
	case CONF_WORKERS:
		break;
	}
	return NULL;
}

int
node_lock_take(struct node_lock *lock, struct run *run, struct err *err)
{
	struct err second = ERR_INIT;
	char *temporary;
	struct host *host;
	bool again = true;
	int rc;

	*lock = (struct node_lock){ 0 };
	if (!node_of(run->conf))
		return 0;
	if (run_host(run, node_of(run->conf), &host, err) != 0)
		return -1;
	temporary = mem_printf("%s-%s", NODE_LOCK_PATH, run->mark);
	rc = -1;
	for (int i = 0; i < TRIES && rc != 0 && again; i++) {
		err_clear(err);
		rc = try_once(run, host, temporary, &again, err);
	}
	/* A loser's, or that of a run that was killed between the two. */
	if (rc != 0 && host_remove(host, temporary, &second) != 0)
		err_clear(&second);
	lock->held = rc == 0;
	free(temporary);
	return rc;
}

static int
drop(struct run *run, struct err *err)
{
	struct holder holder;
	struct host *host;
	bool there;
	int rc;

	if (run_host(run, node_of(run->conf), &host, err) != 0)
		return -1;
	rc = read_holder(host, &holder, &there, err);
	if (rc == 0 && there && str_eq(holder.run, run->nonce))
		rc = host_remove(host, NODE_LOCK_PATH, err);
	holder_clear(&holder);
	return rc;
}

void
node_lock_drop(struct node_lock *lock, struct run *run)
{
	struct err err = ERR_INIT;
	int rc;

	if (!lock->held)
		return;
	lock->held = false;
	stop_hold();
	rc = drop(run, &err);
	/* A line that was cut: once more over a new one. */
	if (rc != 0 && err.kind == ERR_UNREACHABLE) {
		err_clear(&err);
		run_disconnect(run);
		rc = drop(run, &err);
	}
	stop_release();
	if (rc != 0)
		log_warn("the lock %s stays on the node; the next run of this "
		    "job takes it over, others are refused until then: %s",
		    NODE_LOCK_PATH, err.text);
}
