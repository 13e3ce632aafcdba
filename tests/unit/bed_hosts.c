#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_hosts.h"
#include "io/host.h"
#include "io/host_ops.h"
#include "io/host_pipe.h"
#include "remote/serve.h"

void
bed_hosts_ok(int rc, const struct err *err)
{
	if (rc != 0)
		fail_msg("%s", err->text);
}

static struct host *
open_pair(struct bed_hosts *b)
{
	struct buf noise = BUF_INIT(256);
	struct host_pipe *pipe = NULL;
	struct err err = ERR_INIT;
	struct wire_pipe ours;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fds), 0);
	b->server = fork();
	assert_true(b->server >= 0);
	if (b->server == 0) {
		struct wire_pipe theirs;
		struct wire_fd fd;

		(void)close(fds[0]);
		wire_fd_init(&fd, fds[1], fds[1], 0, &theirs);
		_exit(serve_run(&theirs, &err) == 0 ? 0 : 1);
	}
	(void)close(fds[1]);
	b->sock = fds[0];
	wire_fd_init(&b->fd, fds[0], fds[0], 60000, &ours);
	bed_hosts_ok(host_pipe_open(&ours, 60000, &noise, &pipe, &err), &err);
	buf_clear(&noise);
	return host_wrap("pair", &host_pipe_ops, pipe);
}

void
bed_hosts_open(struct bed_hosts *b)
{
	const struct host_spec here = { .name = "here", .local = true };
	struct host_spec far;
	struct err err = ERR_INIT;
	size_t i;

	(void)signal(SIGPIPE, SIG_IGN);
	memset(b, 0, sizeof(*b));
	bed_sshd_start(&b->sshd, false);
	(void)setenv("HOME", b->sshd.home, 1);
	bed_sshd_spec(&b->sshd, &far);
	bed_hosts_ok(host_open(&here, &b->hosts[0], &err), &err);
	b->hosts[1] = open_pair(b);
	bed_hosts_ok(host_open(&far, &b->hosts[2], &err), &err);
	far.name = "ssh";
	far.transport = HOST_OPENSSH;
	bed_hosts_ok(host_open(&far, &b->hosts[3], &err), &err);
	for (i = 0; i < BED_HOSTS; i++) {
		b->dirs[i] = mem_printf("%s/%s", b->sshd.dir,
		    host_name(b->hosts[i]));
		assert_int_equal(mkdir(b->dirs[i], 0700), 0);
	}
}

void
bed_hosts_close(struct bed_hosts *b)
{
	int status = -1;
	size_t i;

	for (i = 0; i < BED_HOSTS; i++) {
		host_close(b->hosts[i]);
		free(b->dirs[i]);
	}
	/* The server ends with its input. */
	(void)close(b->sock);
	assert_int_equal(waitpid(b->server, &status, 0), b->server);
	assert_int_equal(status, 0);
	bed_sshd_stop(&b->sshd);
}

char *
bed_hosts_in(const struct bed_hosts *b, size_t i, const char *name)
{
	return mem_printf("%s/%s", b->dirs[i], name);
}

void
bed_hosts_same(const struct bed_hosts *b, const struct err *errs)
{
	const char *rest[BED_HOSTS];
	size_t i;

	for (i = 0; i < BED_HOSTS; i++) {
		const char *name = host_name(b->hosts[i]), *p;

		assert_true(str_starts(errs[i].text, name));
		rest[i] = errs[i].text + strlen(name);
		p = strstr(rest[i], b->dirs[i]);
		while (p) {
			rest[i] = p + strlen(b->dirs[i]);
			p = strstr(rest[i], b->dirs[i]);
		}
		assert_string_equal(rest[i], rest[0]);
		assert_int_equal(errs[i].kind, errs[0].kind);
		assert_int_equal(errs[i].transient, errs[0].transient);
	}
}

struct bed_hosts bed;

int
open_bed(void **state)
{
	(void)state;
	bed_hosts_open(&bed);
	return 0;
}

int
close_bed(void **state)
{
	(void)state;
	bed_hosts_close(&bed);
	return 0;
}

void
ok(int rc, const struct err *err)
{
	bed_hosts_ok(rc, err);
}
