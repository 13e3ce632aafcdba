#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/host.h"
#include "io/host_helper.h"
#include "io/host_ssh.h"
#include "io/ssh.h"
#include "io/wire.h"

#define HELLO_MS 30000

/* What the pipe of a host_pipe owns. */
struct link {
	struct ssh *ssh;
	struct ssh_channel *channel;
	bool owns_ssh;		/* not while another command may need it */
};

static ptrdiff_t
link_read(void *ctx, void *data, size_t size, uint64_t deadline_ms,
    struct err *err)
{
	struct link *l = ctx;

	return ssh_read(l->channel, data, size, deadline_ms, err);
}

static int
link_write(void *ctx, const void *data, size_t len, uint64_t deadline_ms,
    struct err *err)
{
	struct link *l = ctx;

	return ssh_write(l->channel, data, len, deadline_ms, err);
}

static bool
link_readable(void *ctx)
{
	struct link *l = ctx;

	return ssh_readable(l->channel);
}

static void
link_close(void *ctx)
{
	struct link *l = ctx;

	ssh_channel_close(l->channel);
	if (l->owns_ssh)
		ssh_close(l->ssh);
	free(l);
}

/* The connection on which commands are run, and the last pipe of one. */
struct login {
	struct ssh *ssh;
	struct link *last;
};

static int
shell_open(void *ctx, const char *command, struct wire_pipe *pipe,
    struct err *err)
{
	struct login *login = ctx;
	struct link *l = mem_zero(1, sizeof(*l));

	if (ssh_exec(login->ssh, command, &l->channel, err) != 0) {
		free(l);
		return -1;
	}
	l->ssh = login->ssh;
	login->last = l;
	*pipe = (struct wire_pipe) {
		.ctx = l,
		.read = link_read,
		.write = link_write,
		.readable = link_readable,
		.close = link_close,
	};
	return 0;
}

static int
shell_call(void *ctx, const char *command, const struct buf *input,
    uint64_t timeout_ms, struct buf *out, int *status, struct err *err)
{
	struct login *login = ctx;

	return ssh_call(login->ssh, command, buf_cstr(input), input->len,
	    timeout_ms, out, status, err);
}

int
host_ssh_open(const struct host_spec *spec, const struct ssh_limits *limits,
    struct host_pipe **out, struct err *err)
{
	struct ssh_spec ssh = {
		.address = spec->address,
		.port = spec->port,
		.user = spec->user,
		.host_key = spec->host_key,
		.identity_file = spec->identity_file,
		.known_hosts_file = spec->known_hosts_file,
	};
	struct login in = { .ssh = NULL };
	const struct host_helper_shell shell = {
		.ctx = &in, .open = shell_open, .call = shell_call,
	};

	*out = NULL;
	if (limits)
		ssh.limits = *limits;
	if (ssh_open(&ssh, &in.ssh, err) != 0)
		return -1;
	if (host_helper_start(&shell, HELLO_MS, out, err) != 0) {
		ssh_close(in.ssh);
		return -1;
	}
	in.last->owns_ssh = true;
	return 0;
}
