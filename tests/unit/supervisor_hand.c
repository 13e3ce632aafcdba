#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/host_named.h"
#include "flow/supervisor.h"
#include "flow/worker_twins.h"

/*
 * flow/supervisor.h by hand, for tests/e2e: no test, and not installed.
 *
 *     supervisor_hand HOST find DIR
 *     supervisor_hand HOST disable|enable DIR MARK
 *     supervisor_hand HOST start DIR
 *     supervisor_hand HOST install|remove FROM_HOME FROM_DIR TO_DIR MARK
 *     supervisor_hand HOST twins DIR DIR now|coming
 *
 * Each is done to all that is found for DIR; install takes what is found for
 * FROM_DIR on the same host.
 */
struct words {
	struct host *host;
	char **argv;		/* behind the verb */
	int argc;
};

static int
one(const struct words *w, const char *verb, const struct supervisor *s,
    struct err *err)
{
	char **a = w->argv;

	if (s->kind == SUPERVISOR_SCREEN)
		return 0;
	if (str_eq(verb, "disable") && w->argc == 2)
		return supervisor_disable(w->host, s, a[1], err);
	if (str_eq(verb, "enable") && w->argc == 2)
		return supervisor_enable(w->host, s, a[1], err);
	if (str_eq(verb, "start"))
		return supervisor_start(w->host, s, err);
	if (str_eq(verb, "install") && w->argc == 4)
		return supervisor_install(w->host, s, a[0], a[1], a[2], a[3],
		    err);
	if (str_eq(verb, "remove") && w->argc == 4)
		return supervisor_remove(w->host, s, a[0], a[1], a[2], a[3],
		    err);
	if (!str_eq(verb, "find"))
		return err_set(err, ERR_USAGE, "unknown verb %s", verb);
	(void)printf("%s\t%s\t%s\t%s\t%s\n", supervisor_word(s->kind),
	    s->where, s->tree ? s->tree : "-", s->disabled ? s->mark : "-",
	    s->name);
	return 0;
}

static int
twins(const struct words *w, struct err *err)
{
	struct buf why = BUF_INIT(65536);
	bool found;
	int rc = worker_twins(w->host, w->argv[0], w->host, w->argv[1],
	    str_eq(w->argv[2], "coming"), &found, &why, err);

	if (rc == 0)
		(void)printf("%s", buf_cstr(&why));
	buf_clear(&why);
	return rc;
}

static int
act(const struct words *w, const char *verb, struct err *err)
{
	struct supervisors all;
	int rc;

	if (str_eq(verb, "twins") && w->argc == 3)
		return twins(w, err);
	rc = supervisor_find(w->host, w->argc == 4 ? w->argv[1] : w->argv[0],
	    &all, err);
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = one(w, verb, &all.list[i], err);
	supervisors_clear(&all);
	return rc;
}

int
main(int argc, char **argv)
{
	struct host_named at;
	struct words words;
	struct err err = ERR_INIT;
	int rc;

	if (argc < 4)
		return 2;
	rc = host_named_open(argv[1], &at, &err);
	if (rc == 0) {
		words = (struct words){ at.host, argv + 3, argc - 3 };
		rc = act(&words, argv[2], &err);
		host_named_close(&at);
	}
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	return rc == 0 ? 0 : err_exit(&err);
}
