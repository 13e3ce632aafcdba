#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_place.h"
#include "flow/edge_service.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define SAID_MAX (65536 * 4)
#define LOG_PATH "/var/log/nginx/error.log"
#define LOG_MAX (256 * 1024)

/* Run an nginx command line; *status and what it said. */
static int
nginx(struct host *host, const struct conf_edge *edge,
    const char *const *argv, int *status, struct buf *said, struct err *err)
{
	struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};
	struct proc_result result;
	int rc;

	proc_result_init(&result, 65536);
	rc = host_run(host, &spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		(void)err_set(err, ERR_MISSING, "%s: nginx is not there; "
		    "install the package nginx, then run the same command "
		    "again", edge->host->name);
	}
	if (rc == 0) {
		*status = result.status;
		buf_clear(said);
		edge_said(said, &result.err_out, 600);
	}
	proc_result_clear(&result);
	return rc;
}

int
edge_service_test(struct host *host, const struct conf_edge *edge,
    const char *path, struct err *err)
{
	static const char *const argv[] = { "nginx", "-t", "-q", NULL };
	struct buf said = BUF_INIT(SAID_MAX);
	int status, rc;

	rc = nginx(host, edge, argv, &status, &said, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, ERR_FAILED, "%s: nginx -t refuses %s: %s",
		    edge->host->name, path, buf_cstr(&said));
	buf_clear(&said);
	return rc;
}

int
edge_service_signal(struct host *host, const struct conf_edge *edge,
    int *status, struct buf *said, struct err *err)
{
	static const char *const argv[] = { "nginx", "-s", "reload", NULL };

	return nginx(host, edge, argv, status, said, err);
}

static int
start(struct host *host, const struct conf_edge *edge, struct err *err)
{
	static const char *const by_systemd[] = {
		"systemctl", "start", "nginx.service", NULL
	};
	static const char *const by_hand[] = { "nginx", NULL };
	struct buf said = BUF_INIT(SAID_MAX);
	struct fs_meta systemd;
	int status, rc;

	rc = host_stat(host, "/run/systemd/system", &systemd, err);
	if (rc == 0)
		rc = nginx(host, edge, systemd.type == FS_DIR ? by_systemd :
		    by_hand, &status, &said, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, ERR_FAILED, "%s: nginx does not start: %s",
		    edge->host->name, buf_cstr(&said));
	buf_clear(&said);
	return rc;
}

int
edge_service_reload(struct run *run, struct host *host,
    const struct conf_edge *edge, struct err *err)
{
	struct buf said = BUF_INIT(SAID_MAX);
	char *key, *value;
	size_t foreign;
	int status = 0, rc;

	rc = edge_service_signal(host, edge, &status, &said, err);
	buf_clear(&said);
	if (rc != 0 || status == 0)
		return rc;
	if (edge_place_count(host, edge, &foreign, err) != 0)
		return -1;
	key = run_key("edge", edge->host->name, "started");
	value = mem_printf("yes:%zu", foreign);
	rc = journal_put(run->journal, key, value, err);
	free(value);
	free(key);
	return rc == 0 ? start(host, edge, err) : -1;
}

int
edge_service_settle(struct run *run, struct host *host,
    const struct conf_edge *edge, struct err *err)
{
	static const char *const quit[] = { "nginx", "-s", "quit", NULL };
	char *key = run_key("edge", edge->host->name, "started");
	struct buf said = BUF_INIT(SAID_MAX);
	char *started = NULL, *now = NULL;
	size_t foreign = 0;
	bool ours;
	int status, rc;

	rc = journal_get(run->journal, key, &started, err);
	if (rc == 0)
		rc = edge_place_count(host, edge, &foreign, err);
	now = mem_printf("yes:%zu", foreign);
	ours = started && str_eq(started, now);
	if (rc == 0 && ours)
		rc = nginx(host, edge, quit, &status, &said, err);
	else if (rc == 0)
		rc = edge_service_signal(host, edge, &status, &said, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);		/* its package was taken away */
		rc = 0;
	}
	if (rc == 0 && ours)
		rc = journal_put(run->journal, key, "no", err);
	free(now);
	free(started);
	free(key);
	buf_clear(&said);
	return rc;
}

int
edge_service_log_end(struct host *host, uint64_t *out, struct err *err)
{
	struct fs_meta meta;

	*out = 0;
	if (host_stat(host, LOG_PATH, &meta, err) != 0)
		return -1;
	if (meta.type == FS_FILE)
		*out = meta.size_bytes;
	return 0;
}

/* "2026/11/21 10:00:00 [emerg] 12#12: bind() to ...": what is behind it. */
static void
take_emerg(const char *log, struct buf *said)
{
	static const char word[] = "[emerg] ";
	const char *at = strstr(log, word), *text;
	struct buf line = BUF_INIT(4096);

	if (!at)
		return;
	text = at + strlen(word);
	at = strstr(text, ": ");
	if (at && at < text + strcspn(text, "\n"))
		text = at + 2;
	buf_add(&line, text, strcspn(text, "\n"));
	edge_said(said, &line, 600);
	buf_clear(&line);
}

int
edge_service_log_says(struct host *host, uint64_t from, struct buf *said,
    bool *final, struct err *err)
{
	char *first = mem_printf("+%" PRIu64, from + 1);
	const char *const argv[] = { "tail", "-c", first, LOG_PATH, NULL };
	const struct proc_spec spec = {
		.argv = argv, .timeout_ms = EDGE_NGINX_TIMEOUT_MS
	};
	struct proc_result result;
	const char *log;
	int rc;

	proc_result_init(&result, LOG_MAX);
	rc = host_ask(host, &spec, &result, err);
	log = buf_cstr(&result.out);
	/* It tries to bind five times, half a second apart (1.22.1, seen). */
	*final = rc == 0 && strstr(log, "[emerg]") != NULL &&
	    (!strstr(log, " bind() to ") ||
	    strstr(log, "still could not bind()") != NULL);
	if (rc == 0)
		take_emerg(log, said);
	proc_result_clear(&result);
	free(first);
	return rc;
}
