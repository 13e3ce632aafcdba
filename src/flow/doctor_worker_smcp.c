#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/nginx_look.h"
#include "flow/doctor_part.h"
#include "flow/doctor_worker_part.h"
#include "flow/worker_find.h"
#include "io/host.h"

#define PORT 8000		/* MCP_PORT, when none is given */

/* What a live SMCP was started with. */
struct smcp {
	pid_t pid;
	bool require_auth;
	struct buf env;		/* "NAME=value", NUL after each */
};

static int
note_argv(void *ctx, const struct procs_info *info, struct err *err)
{
	struct smcp *smcp = ctx;
	const char *word, *end = info->argv + info->argv_len;

	(void)err;
	if (info->pid != smcp->pid)
		return 0;
	for (word = info->argv; word < end; word += strlen(word) + 1)
		smcp->require_auth = smcp->require_auth ||
		    str_eq(word, "--require-auth");
	return 0;
}

static const char *
value_of(const struct smcp *smcp, const char *name)
{
	const char *at = buf_cstr(&smcp->env), *end = at + smcp->env.len;
	size_t len = strlen(name);

	for (; at < end; at += strlen(at) + 1) {
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return at + len + 1;
	}
	return "";
}

static bool
is_off(const char *value)
{
	return str_eq(value, "0") || strcasecmp(value, "false") == 0 ||
	    strcasecmp(value, "no") == 0;
}

static bool
is_on(const char *value)
{
	return *value && !is_off(value);
}

/* Behind nginx every client comes from the loopback. */
static void
look_at_auth(const struct doctor_at *at, const struct worker_found *one,
    const struct smcp *smcp)
{
	const struct nginx_look look = { .dump = at->nginx,
	    .host = at->name, .doctor = at->d,
	    .letta_ports = at->letta_ports };
	const char *text = value_of(smcp, "MCP_PORT");
	uint64_t port = PORT;

	if (*text && !str_u64(text, 65535, &port))
		port = PORT;
	DOCTOR_JUDGE(at, one->dir, is_on(value_of(smcp,
	    "MCP_AUTH_DISABLED")), "smcp-auth-off", "in the environment of "
	    "pid %ld", (long)smcp->pid);
	if (at->nginx && nginx_look_passes(&look, (unsigned int)port))
		DOCTOR_JUDGE(at, one->dir, !smcp->require_auth &&
		    !is_off(value_of(smcp, "MCP_AUTH_ALLOW_LOOPBACK")),
		    "smcp-auth-bypass", "nginx passes to port %" PRIu64
		    ", and pid %ld has neither --require-auth nor "
		    "MCP_AUTH_ALLOW_LOOPBACK=0", port, (long)smcp->pid);
}

static int
look_at_process(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	static const char *const names[] = { "MCP_AUTH_ALLOW_LOOPBACK",
	    "MCP_AUTH_DISABLED", "MCP_PORT", NULL };
	struct smcp smcp = { .pid = one->lives[0].pid,
	    .env = BUF_INIT(65536) };
	int rc;

	rc = host_processes(at->host, NULL, note_argv, &smcp, err);
	if (rc == 0)
		rc = host_process_env(at->host, smcp.pid,
		    one->lives[0].start, names, &smcp.env, err);
	if (rc == 0)
		look_at_auth(at, one, &smcp);
	buf_wipe(&smcp.env);
	return rc == 0 ? 0 : doctor_pass(at, "smcp-auth-bypass", err);
}

/* Only a .env of its own directory is taken for one that was meant for it. */
static void
look_at_env(const struct doctor_at *at, const struct worker_found *one)
{
	char *path = mem_printf("%s/.env", one->dir);
	struct buf text;

	buf_init_still(&text, DOTENV_MAX_BYTES);
	if (doctor_read(at, path, &text))
		DOCTOR_JUDGE(at, path, one->n_lives > 0 &&
		    !one->who.agent_id && dotenv_assigns(buf_cstr(&text),
		    text.len, "LETTA_AGENT_ID") > 0, "smcp-env-unread",
		    "its process does not have it");
	buf_wipe(&text);
	free(path);
}

/* "mcp-2.0.1.dist-info" below a virtual environment's site-packages. */
static int
look_at_packages(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	const char *const argv[] = { "find", "-H", one->dir, "-maxdepth",
	    "5", "-path", "*/site-packages/mcp-[0-9]*.dist-info", NULL };
	struct buf out = BUF_INIT(65536);
	char *line, *rest = NULL;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	for (line = rc == 0 && out.len > 0 ? strtok_r(out.data, "\n", &rest) :
	    NULL; line; line = strtok_r(NULL, "\n", &rest))
		DOCTOR_JUDGE(at, line, !strstr(line, "/mcp-1.") &&
		    !strstr(line, "/mcp-0."), "smcp-mcp2", "%s",
		    strrchr(line, '/') + 1);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "smcp-mcp2", err);
}

int
doctor_worker_smcp(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	look_at_env(at, one);
	if (one->n_lives > 0 && look_at_process(at, one, err) != 0)
		return -1;
	return look_at_packages(at, one, err);
}
