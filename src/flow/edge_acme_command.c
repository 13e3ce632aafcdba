#include "base/base.h"

#include <strings.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_acme_command.h"
#include "flow/run.h"
#include "io/host.h"

#define WORDS_MAX 64
#define VARIABLES_MAX 8
#define OUTPUT_MAX 65536
#define TIMEOUT_MS 600000

/* The strings of env, which the caller frees up to the NULL. */
static void
make_env(const struct conf_edge *edge, const char *webroot,
    const char *env[static VARIABLES_MAX])
{
	bool one = strcasecmp(edge->site, edge->ade_name) == 0;
	size_t n = 0;

	env[n++] = mem_printf("SANCTUM_DOMAINS=%s%s%s", edge->site,
	    one ? "" : " ", one ? "" : edge->ade_name);
	env[n++] = mem_printf("SANCTUM_EMAIL=%s", edge->acme_email);
	env[n++] = mem_printf("SANCTUM_WEBROOT=%s", webroot);
	env[n++] = mem_printf("SANCTUM_CERTIFICATE=%s", edge->certificate);
	env[n++] = mem_printf("SANCTUM_CERTIFICATE_KEY=%s",
	    edge->certificate_key);
	env[n++] = mem_printf("SANCTUM_ACME_SERVER=%s",
	    edge->acme_server ? edge->acme_server : "");
	env[n++] = mem_printf("SANCTUM_ACME_CA_FILE=%s",
	    edge->acme_ca_file ? edge->acme_ca_file : "");
	env[n] = NULL;
}

static int
run_client(struct host *host, const struct proc_spec *spec, struct err *err)
{
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	int rc;

	proc_result_init(&result, OUTPUT_MAX);
	rc = host_run(host, spec, &result, err);
	if (rc == 0 && result.status != 0) {
		command_said(&shown, result.err_out.len > 0 ? &result.err_out :
		    &result.out, 600);
		rc = err_set(err, result.status == EX_TEMPFAIL ? ERR_AGAIN :
		    ERR_FAILED, "%s: acme_command %s ended with exit code "
		    "%d: %s", host_name(host), spec->argv[0], result.status,
		    buf_cstr(&shown));
	}
	if (rc != 0 && err->kind == ERR_AGAIN)
		(void)err_transient(err);
	buf_clear(&shown);
	proc_result_clear(&result);
	return rc;
}

/* The key is there, and its owner's alone. */
static int
check_key(struct host *host, const struct conf_edge *edge, struct err *err)
{
	const char *path = edge->certificate_key;
	struct fs_meta meta;
	struct buf text;
	int rc;

	/* Through a link, as nginx reads it: many clients leave one. */
	buf_init_still(&text, OUTPUT_MAX);
	rc = host_read(host, path, &text, &meta, err);
	buf_wipe(&text);
	if (rc != 0)
		return err_ctx(err, "after acme_command");
	if ((meta.mode & 07) != 0)
		return err_set(err, ERR_FAILED, "%s:%s: acme_command has "
		    "left the key readable for everybody (mode %04o); make "
		    "it 0600, as it should", host_name(host), path,
		    (unsigned int)meta.mode);
	return 0;
}

int
edge_acme_command_run(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	const char *argv[WORDS_MAX + 1] = { NULL };
	const char *env[VARIABLES_MAX];
	struct proc_spec spec = {
		.argv = argv, .env = env, .timeout_ms = TIMEOUT_MS
	};
	char *words = mem_strdup(edge->acme_command), *rest = NULL, *word;
	char *webroot = edge_webroot(edge);
	struct host *host;
	size_t n = 0;
	int rc;

	for (word = strtok_r(words, " \t", &rest); word && n < WORDS_MAX;
	    word = strtok_r(NULL, " \t", &rest))
		argv[n++] = word;
	make_env(edge, webroot, env);
	rc = run_host(run, edge->host, &host, err);
	if (rc == 0)
		rc = host_mkdirs(host, webroot, 0755, err);
	if (rc == 0)
		rc = run_client(host, &spec, err);
	if (rc == 0)
		rc = check_key(host, edge, err);
	for (n = 0; env[n]; n++)
		free((char *)env[n]);
	free(webroot);
	free(words);
	return rc;
}
