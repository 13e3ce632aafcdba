#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/run.h"
#include "io/host.h"

#define ASK_MS 10000

/*
 * The first program of ss's "users:((\"apache2\",pid=12,fd=4),...)", NULL when
 * there is none, or every one is nginx.  Changes the text.
 */
static const char *
stranger(char *text, const char **pid)
{
	static const char mark[] = "((\"";
	char *name = text, *end;

	while ((name = strstr(name, mark)) != NULL) {
		name += strlen(mark);
		end = strchr(name, '"');
		if (!end)
			return NULL;
		*end = '\0';
		*pid = end + 1;
		if (str_starts(*pid, ",pid="))
			*pid += strlen(",pid=");
		if (!str_eq(name, "nginx"))
			return name;
		name = end + 1;
	}
	return NULL;
}

int
edge_port_check(struct run *run, const struct conf_edge *edge,
    unsigned int port, struct err *err)
{
	char *filter = mem_printf("sport = :%u", port), *text;
	const char *argv[] = { "ss", "-H", "-ltnp", filter, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	const char *name, *pid = "";
	struct buf shown = BUF_INIT(1024);
	struct proc_result result;
	struct host *host;
	int rc;

	proc_result_init(&result, 65536);
	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_ask(host, &spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	} else if (rc == 0) {
		text = mem_strdup(buf_cstr(&result.out));
		name = stranger(text, &pid);
		if (name) {
			str_printable(&shown, name, strlen(name));
			rc = err_set(err, ERR_FAILED, "%s: port %u is taken "
			    "by %s (process %.*s), not by nginx; stop it or "
			    "move it to another port, then run the same "
			    "command again", edge->host->name, port,
			    buf_cstr(&shown), (int)strspn(pid, "0123456789"),
			    pid);
		}
		free(text);
	}
	buf_clear(&shown);
	proc_result_clear(&result);
	free(filter);
	return rc;
}
