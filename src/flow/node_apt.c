#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "flow/node_step.h"
#include "io/host.h"

#define APT_MS (30 * 60 * 1000)
#define LOCK_MS 180000		/* for another apt to end */
#define POLL_MS 2000
#define SAID_MAX (1024 * 1024)
#define SHOWN_MAX 700
#define NAMES_MAX (NODE_PACKAGES_MAX + 16)

/* Why apt-get ended, in its own words: the lines that begin with "E:". */
static void
last_words(const struct buf *said, struct buf *out)
{
	const char *at = said->len ? said->data : "", *end;

	for (; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		if (!str_starts(at, "E:") && !str_starts(at, "dpkg:"))
			continue;
		if (out->len > 0)
			buf_str(out, " / ");
		str_printable(out, at, (size_t)(end - at));
	}
	if (out->len == 0 && said->len > 0) {
		at = said->data + (said->len > 300 ? said->len - 300 : 0);
		str_printable(out, at, strlen(at));
	}
}

static bool
is_locked(const char *said)
{
	return strstr(said, "Could not get lock") ||
	    strstr(said, "Unable to acquire the dpkg frontend lock") ||
	    strstr(said, "Unable to lock directory");
}

/* One run; *said is what it wrote to stderr. */
static int
run_once(struct host *host, const char *const *argv, int *status,
    struct buf *said, struct err *err)
{
	const struct proc_spec spec = { .argv = argv, .timeout_ms = APT_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, SAID_MAX);
	rc = host_run(host, &spec, &result, err);
	*status = result.status;
	buf_truncate(said, 0);
	if (rc == 0)
		buf_add(said, buf_cstr(&result.err_out), result.err_out.len);
	if (rc == 0)
		log_debug("%s: %s", host_name(host), buf_cstr(&result.out));
	proc_result_clear(&result);
	return rc;
}

/* What an apt that was killed has left, dpkg must end first. */
static int
repair(struct host *host, struct err *err)
{
	static const char *const argv[] = { "env", "LC_ALL=C",
	    "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confold",
	    "--configure", "-a", NULL };
	struct buf said = BUF_INIT(SAID_MAX);
	int status, rc;

	log_info("%s: dpkg was interrupted: dpkg --configure -a",
	    host_name(host));
	rc = run_once(host, argv, &status, &said, err);
	buf_clear(&said);
	return rc;
}

static int
fail(struct host *host, const char *what, const struct buf *said,
    bool locked, struct err *err)
{
	struct buf shown = BUF_INIT(SHOWN_MAX);

	last_words(said, &shown);
	(void)err_set(err, locked ? ERR_AGAIN : ERR_FAILED, "%s: apt-get %s: "
	    "%s%s; %s", host_name(host), what, buf_cstr(&shown),
	    shown.full ? "..." : "", locked ? "another one is at work there: "
	    "run the same command again when it has ended" :
	    "nothing of the job was set up; put that right, then run the "
	    "same command again");
	buf_clear(&shown);
	return -1;
}

/* Until it can: its lock is free, and nothing is half done. */
static int
apt(struct host *host, const char *what, const char *const *argv,
    struct err *err)
{
	const uint64_t deadline_ms = clock_ms() + LOCK_MS;
	struct buf said = BUF_INIT(SAID_MAX);
	bool repaired = false, waited = false;
	int status = 0, rc;

	for (;;) {
		rc = stop_check(err);
		if (rc == 0)
			rc = run_once(host, argv, &status, &said, err);
		if (rc != 0 || status == 0)
			break;
		if (!repaired && strstr(buf_cstr(&said),
		    "dpkg was interrupted")) {
			repaired = true;
			rc = repair(host, err);
			if (rc == 0)
				continue;
			break;
		}
		if (!is_locked(buf_cstr(&said)) ||
		    clock_left_ms(deadline_ms) == 0) {
			rc = fail(host, what, &said,
			    is_locked(buf_cstr(&said)), err);
			break;
		}
		if (!waited)
			log_info("%s: another apt or dpkg is at work; waiting "
			    "for it, %d s at most", host_name(host),
			    LOCK_MS / 1000);
		waited = true;
		clock_sleep_ms(POLL_MS);
	}
	fault_point("node_apt");
	buf_clear(&said);
	return rc;
}

/* "postgresql-15-pgvector" of "postgresql-*-pgvector": the newest there is. */
static int
resolve(struct host *host, const char *pattern, char **out, struct err *err)
{
	static const char script[] = "apt-cache pkgnames \"${1%%\\**}\" | "
	    "grep -x -- \"${1%%\\**}[0-9]*${1##*\\*}\" | sort -V | tail -n 1";
	const char *const argv[] = { "sh", "-c", script, "sh", pattern,
	    NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = APT_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, SAID_MAX);
	rc = host_ask(host, &spec, &result, err);
	if (rc == 0 && result.out.len < 2)
		rc = err_set(err, ERR_MISSING, "%s: apt knows no package %s",
		    host_name(host), pattern);
	if (rc == 0)
		*out = mem_strndup(buf_cstr(&result.out),
		    strcspn(buf_cstr(&result.out), "\n"));
	proc_result_clear(&result);
	return rc;
}

static int
run_on(struct host *host, const char *verb, const char *const *names,
    bool download, struct err *err)
{
	const char *argv[NAMES_MAX + 16] = { "env", "LC_ALL=C",
	    "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o",
	    "Dpkg::Options::=--force-confold", "-o",
	    "DPkg::Lock::Timeout=120", "--no-install-recommends", verb };
	size_t n = 12;

	if (download)
		argv[n++] = "--download-only";
	argv[n++] = "--";
	for (size_t i = 0; names[i] && n < NAMES_MAX; i++)
		argv[n++] = names[i];
	argv[n] = NULL;
	return apt(host, verb, argv, err);
}

int
node_apt_update(struct host *host, struct err *err)
{
	static const char *const update[] = { "env", "LC_ALL=C", "apt-get",
	    "-q", "-o", "APT::Update::Error-Mode=any", "update", NULL };

	log_info("%s: apt-get update", host_name(host));
	return apt(host, "update", update, err);
}

int
node_apt_install(struct host *host, const char *const *names,
    struct err *err)
{
	const char *plain[NODE_PACKAGES_MAX + 1] = { NULL };
	char *made[NODE_PACKAGES_MAX] = { NULL };
	size_t n = 0;
	int rc = 0;

	for (; rc == 0 && names[n] && n < NODE_PACKAGES_MAX; n++) {
		if (strchr(names[n], '*'))
			rc = resolve(host, names[n], &made[n], err);
		plain[n] = made[n] ? made[n] : names[n];
	}
	if (rc == 0) {
		log_info("%s: apt-get fetches %zu packages and what they "
		    "need", host_name(host), n);
		rc = run_on(host, "install", plain, true, err);
	}
	if (rc == 0) {
		log_info("%s: apt-get installs them", host_name(host));
		rc = run_on(host, "install", plain, false, err);
	}
	for (size_t i = 0; i < NODE_PACKAGES_MAX; i++)
		free(made[i]);
	return rc;
}

int
node_apt_purge(struct host *host, const char *const *names, struct err *err)
{
	return run_on(host, "purge", names, false, err);
}
