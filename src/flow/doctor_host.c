#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/nginx_look.h"
#include "core/nginx_tree.h"
#include "flow/doctor_host.h"
#include "flow/doctor_part.h"
#include "io/host.h"

char *
doctor_place(const struct doctor_at *at, const char *path)
{
	return path ? mem_printf("%s:%s", at->name, path) :
	    mem_strdup(at->name);
}

int
doctor_ask(const struct doctor_at *at, const char *const *argv, int *status,
    struct buf *out, struct buf *said, struct err *err)
{
	const struct proc_spec spec = { .argv = argv,
	    .timeout_ms = DOCTOR_RUN_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, DOCTOR_TEXT_MAX);
	rc = host_ask(at->host, &spec, &result, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		result.status = 127;
		rc = 0;
	}
	if (rc == 0) {
		*status = result.status;
		if (out && result.out.len > 0)
			buf_add(out, result.out.data, result.out.len);
		if (said && result.err_out.len > 0)
			buf_add(said, result.err_out.data,
			    result.err_out.len);
	}
	proc_result_clear(&result);
	return rc;
}

int
doctor_pass(const struct doctor_at *at, const char *id, struct err *err)
{
	char *place;

	if (err->kind == ERR_INTERRUPTED || err->kind == ERR_UNREACHABLE)
		return -1;
	place = doctor_place(at, NULL);
	doctor_unknown(at->d, id, place, "%s", err->text);
	free(place);
	err_clear(err);
	return 0;
}

bool
doctor_read(const struct doctor_at *at, const char *path, struct buf *out)
{
	struct err ignored = ERR_INIT;

	return host_read(at->host, path, out, NULL, &ignored) == 0;
}

char *
doctor_setting(const char *text, const char *key)
{
	size_t key_len = strlen(key), len;
	const char *line, *at;

	for (line = text; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		at = line + strspn(line, " \t");
		if (strncmp(at, key, key_len) != 0)
			continue;
		at += key_len;
		at += strspn(at, " \t");
		if (*at != '=')
			continue;
		at++;
		at += strspn(at, " \t");
		return mem_strndup(at, strcspn(at, "\r\n"));
	}
	return NULL;
}

int
doctor_host(struct doctor *d, struct host *host, const char *name,
    unsigned int letta_port, bool no_redis, struct err *err)
{
	struct doctor_at at = { .d = d, .host = host, .name = name,
	    .no_redis = no_redis };
	size_t n = 0;
	int rc = 0;

	for (; nginx_look_ports[n]; n++)
		at.letta_ports[n] = nginx_look_ports[n];
	at.letta_ports[n] = letta_port;

	/* nginx comes first: the others ask what it leads to. */
	if (doctor_nginx(&at, err) != 0 ||
	    doctor_certificates(&at, err) != 0 ||
	    doctor_services(&at, err) != 0 ||
	    doctor_workers(&at, err) != 0 || doctor_machine(&at, err) != 0)
		rc = -1;
	nginx_tree_free(at.nginx);
	return rc;
}
