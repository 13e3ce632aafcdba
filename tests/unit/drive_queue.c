#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_back.h"
#include "io/host.h"

/*
 * For tests/e2e/test_queue.py: one call of flow/worker_queue.h on the job's
 * first worker, whose hosts are this machine.
 *
 *     drive_queue JOB STATE WORD MOVE|REVERSE DB [DB2]
 */

struct drive {
	struct run *run;
	const struct conf_worker *worker;
	enum worker_way way;
	struct host *host;
	const char *db, *db2;
	struct plan_note note;
};

static int
drive(struct drive *d, const char *word, struct err *err)
{
	if (str_eq(word, "hold"))
		return worker_queue_hold(d->run, d->worker, d->way, d->host,
		    d->db, err);
	if (str_eq(word, "release"))
		return worker_queue_release(d->run, d->worker, d->way,
		    d->host, d->db, err);
	if (str_eq(word, "judge"))
		return worker_queue_judge(d->run, d->worker, d->way, d->host,
		    d->db, &d->note, err);
	if (str_eq(word, "back") && d->db2)
		return worker_queue_back(d->run, d->worker, d->host, d->db,
		    d->host, d->db2, true, &d->note, err);
	return err_set(err, ERR_USAGE, "no such word: %s", word);
}

int
main(int argc, char **argv)
{
	struct run_options options = { .writer = true, .secrets = true };
	struct err err = ERR_INIT;
	struct drive d = { .note = { .summary = BUF_INIT(4096),
		.diff = BUF_INIT(1024 * 1024) } };
	int rc;

	if (argc < 6)
		return 2;
	options.state_dir = argv[2];
	d.way = str_eq(argv[4], "REVERSE") ? WORKER_REVERSE : WORKER_MOVE;
	d.db = argv[5];
	d.db2 = argc > 6 ? argv[6] : NULL;
	rc = run_open(argv[1], &options, &d.run, &err);
	if (rc == 0) {
		d.worker = &d.run->conf->workers[0];
		rc = run_host(d.run, d.worker->from_host, &d.host, &err);
	}
	if (rc == 0)
		rc = drive(&d, argv[3], &err);
	if (rc == 0)
		(void)printf("%s\n%s", buf_cstr(&d.note.summary),
		    buf_cstr(&d.note.diff));
	else
		(void)fprintf(stderr, "%s\n", err.text);
	buf_clear(&d.note.summary);
	buf_clear(&d.note.diff);
	run_close(d.run);
	return rc == 0 ? 0 : err_exit(&err);
}
