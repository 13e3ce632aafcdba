#include "base/base.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/host.h"
#include "io/host_helper.h"
#include "io/host_key.h"
#include "io/host_openssh.h"
#include "io/known_hosts.h"
#include "io/openssh.h"
#include "io/proc_spawn.h"
#include "io/ssh.h"
#include "io/ssh_key.h"
#include "io/wire_fd.h"

#define CONNECT_MS 10000
#define LOGIN_MS 30000
#define SILENCE_MS 60000
#define HELLO_MS 30000
#define END_MS 2000		/* for ssh to end by itself */
#define LOOK_MS 30000
#define SAID_MAX (64u * 1024u)	/* the host's banner, and ssh's words */
#define PIPE_BYTES (1024 * 1024)
#define KEY_FILE_MAX (64u * 1024u)
#define FAILED_STATUS 255	/* of ssh itself */

/* One ssh process. */
struct line {
	struct proc_child child;
	int said;		/* file of its stderr */
	int status;		/* -1 while it runs */
	struct wire_fd fds;
	struct wire_pipe raw;
};

/* Where processes go to. */
struct far {
	const struct host_spec *spec;
	struct ssh_limits limits;
	bool tell_key;
};

/*
 * A file for stderr that cannot grow past its first bytes: unlike a pipe it
 * has not to be read while we wait elsewhere.
 */
static int
open_said(struct err *err)
{
	int fd = memfd_create("ssh", MFD_CLOEXEC | MFD_ALLOW_SEALING), up;

	if (fd >= 0 && fd <= STDERR_FILENO) {
		up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		(void)close(fd);
		fd = up;
	}
	if (fd < 0 || ftruncate(fd, SAID_MAX) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) != 0) {
		(void)err_sys(err, ERR_FAILED, "file for ssh's messages");
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return fd;
}

/* What ssh has said so far, as text. */
static void
read_said(const struct line *l, struct buf *out)
{
	char text[4096 + 1];
	ssize_t n;
	off_t at;

	for (at = 0; at < (off_t)SAID_MAX; at += n) {
		n = pread(l->said, text, sizeof(text) - 1, at);
		if (n <= 0 || text[0] == '\0')
			break;
		text[n] = '\0';		/* the file ends in NULs */
		buf_str(out, text);
	}
}

/* ssh has ended, or lost the pipe: why, if it was ssh's fault; else 0. */
static int
ended(struct line *l, const char *what, struct err *err)
{
	struct buf said = BUF_INIT(SAID_MAX), words = BUF_INIT(2000);
	enum err_kind kind;

	if (l->status < 0)
		(void)proc_child_ended(&l->child, clock_ms() + END_MS,
		    &l->status);
	if (l->status < 128)	/* runs, or the command's own */
		return 0;
	read_said(l, &said);
	kind = l->status == FAILED_STATUS ? openssh_kind(buf_cstr(&said)) :
	    ERR_UNREACHABLE;
	openssh_last_words(&words, buf_cstr(&said));
	if (words.len > 0)
		(void)err_set(err, kind, "%s: ssh said: %.500s", what,
		    buf_cstr(&words));
	else
		(void)err_set(err, kind, "%s: the connection was cut (exit "
		    "code of ssh: %d)", what, l->status);
	buf_clear(&words);
	buf_clear(&said);
	return -1;
}

static ptrdiff_t
line_read(void *ctx, void *data, size_t size, uint64_t deadline_ms,
    struct err *err)
{
	struct line *l = ctx;
	ptrdiff_t n;

	n = l->raw.read(l->raw.ctx, data, size, deadline_ms, err);
	return n == 0 ? ended(l, "read", err) : n;
}

static int
line_write(void *ctx, const void *data, size_t len, uint64_t deadline_ms,
    struct err *err)
{
	struct line *l = ctx;
	struct err cause = ERR_INIT;

	if (l->raw.write(l->raw.ctx, data, len, deadline_ms, err) == 0)
		return 0;
	if (err->kind != ERR_INTERRUPTED && ended(l, "write", &cause) != 0)
		*err = cause;
	return -1;
}

static bool
line_readable(void *ctx)
{
	struct line *l = ctx;

	return l->raw.readable(l->raw.ctx);
}

static void
line_close(void *ctx)
{
	struct line *l = ctx;

	proc_child_end(&l->child, END_MS);
	(void)close(l->said);
	free(l);
}

static struct line *
line_open(const struct far *far, const char *command, struct err *err)
{
	static const char *const env[] = { "SSH_ASKPASS_REQUIRE=never", NULL };
	struct line *l = mem_zero(1, sizeof(*l));
	struct openssh_argv argv;
	struct proc_spawn spawn = { .env = env, .alone = true };
	int rc = -1;

	l->status = -1;
	l->said = open_said(err);
	if (l->said >= 0 && openssh_argv(&argv, far->spec, &far->limits,
	    far->tell_key, command, err) == 0) {
		spawn.argv = (const char *const *)argv.words;
		spawn.err_fd = l->said;
		rc = proc_spawn(&spawn, &l->child, err);
	}
	if (l->said >= 0)
		openssh_argv_clear(&argv);
	if (rc != 0) {
		if (l->said >= 0)
			(void)close(l->said);
		free(l);
		return NULL;
	}
	(void)fcntl(l->child.in, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(l->child.out, F_SETPIPE_SZ, PIPE_BYTES);
	wire_fd_init(&l->fds, l->child.out, l->child.in, 0, &l->raw);
	return l;
}

static int
shell_open(void *ctx, const char *command, struct wire_pipe *pipe,
    struct err *err)
{
	struct line *l = line_open(ctx, command, err);

	if (!l)
		return -1;
	*pipe = (struct wire_pipe) {
		.ctx = l,
		.read = line_read,
		.write = line_write,
		.readable = line_readable,
		.close = line_close,
	};
	return 0;
}

/* Read to the end of its output, and wait for its own. */
static int
drain(struct line *l, uint64_t deadline_ms, struct buf *out, int *status,
    struct err *err)
{
	char data[16384];
	ptrdiff_t n;

	do {
		n = line_read(l, data, sizeof(data), deadline_ms, err);
		if (n > 0 && (size_t)n <= out->max - out->len)
			buf_add(out, data, (size_t)n);
	} while (n > 0);
	if (n < 0)
		return -1;
	if (l->status < 0 && !proc_child_ended(&l->child, deadline_ms,
	    &l->status))
		return err_set(err, ERR_UNREACHABLE, "end of a command: no "
		    "answer in time");
	*status = l->status;
	return 0;
}

static int
shell_call(void *ctx, const char *command, const struct buf *input,
    uint64_t timeout_ms, struct buf *out, int *status, struct err *err)
{
	const uint64_t deadline = clock_ms() + timeout_ms;
	struct line *l = line_open(ctx, command, err);
	int rc = 0;

	if (!l)
		return -1;
	if (input->len > 0)
		rc = line_write(l, input->data, input->len, deadline, err);
	if (rc != 0 && l->status >= 0 && l->status < 128) {
		err_clear(err);		/* it did not read its input */
		rc = 0;
	}
	if (rc == 0) {
		(void)close(l->child.in);
		l->child.in = -1;
		rc = drain(l, deadline, out, status, err);
	}
	line_close(l);
	return rc;
}

/*
 * ssh does not tell the fingerprint of a key that it does not know.  Let it
 * look once more, and say what our own reading of the same files is.
 */
static void
explain_host_key(const struct far *far, struct err *err)
{
	struct far look = *far;
	struct buf said = BUF_INIT(SAID_MAX), blob = BUF_INIT(SAID_MAX);
	struct err judged = ERR_INIT, later = ERR_INIT;
	struct known_hosts known;
	struct buf out = BUF_INIT(1000);
	char name[300];
	struct line *l;
	int status;

	look.tell_key = true;
	l = line_open(&look, "exit 1", &later);
	if (!l)
		return;
	(void)drain(l, clock_ms() + LOOK_MS, &out, &status, &later);
	read_said(l, &said);
	line_close(l);
	if (openssh_key_told(buf_cstr(&said), name, sizeof(name), &blob)) {
		/* The name is as ssh looks it up: with its port. */
		known_hosts_init(&known, name, 22);
		if ((far->spec->host_key || host_key_load(&known,
		    far->spec->known_hosts_file, &later) == 0) &&
		    host_key_judge(&known, far->spec->host_key, blob.data,
		    blob.len, &judged) != 0)
			*err = judged;
		known_hosts_clear(&known);
	}
	buf_clear(&out);
	buf_clear(&blob);
	buf_clear(&said);
}

/* What ssh had for a key, when none was taken. */
static void
explain_login(const char *identity_file, struct err *err)
{
	struct buf text = BUF_INIT(KEY_FILE_MAX);
	struct ssh_key key = { .blob = BUF_INIT(0) };
	struct err ignored = ERR_INIT;

	if (!identity_file)
		(void)err_ctx(err, "no key was accepted (ssh -v tells which "
		    "were tried)");
	else if (fs_read(identity_file, &text, NULL, &ignored) == 0 &&
	    ssh_key_look(buf_cstr(&text), text.len, &key, &ignored) == 0 &&
	    key.encrypted)
		(void)err_ctx(err, "identity file %.200s is encrypted and the "
		    "agent has no key of it that the host takes: run ssh-add "
		    "%.200s", identity_file, identity_file);
	else
		(void)err_ctx(err, "no key was accepted (tried: %.200s)",
		    identity_file);
	buf_clear(&key.blob);
	buf_wipe(&text);
}

/* Files that the job names must be there: ssh goes on without them. */
static int
check_files(const struct host_spec *spec, struct err *err)
{
	if (spec->identity_file && access(spec->identity_file, R_OK) != 0)
		return err_sys(err, ERR_AUTH, "identity file %.200s",
		    spec->identity_file);
	if (!spec->host_key && spec->known_hosts_file &&
	    access(spec->known_hosts_file, R_OK) != 0)
		return err_sys(err, errno == ENOENT ? ERR_MISSING :
		    ERR_FAILED, "known hosts: %.200s",
		    spec->known_hosts_file);
	return 0;
}

int
host_openssh_open(const struct host_spec *spec,
    const struct ssh_limits *limits, struct host_pipe **out, struct err *err)
{
	struct far far = { .spec = spec };
	const struct host_helper_shell shell = {
		.ctx = &far, .open = shell_open, .call = shell_call,
	};

	*out = NULL;
	if (limits)
		far.limits = *limits;
	if (far.limits.connect_ms == 0)
		far.limits.connect_ms = CONNECT_MS;
	if (far.limits.login_ms == 0)
		far.limits.login_ms = LOGIN_MS;
	if (far.limits.silence_ms == 0)
		far.limits.silence_ms = SILENCE_MS;
	if (check_files(spec, err) != 0)
		return -1;
	if (host_helper_start(&shell, far.limits.connect_ms +
	    far.limits.login_ms + HELLO_MS, out, err) == 0)
		return 0;
	if (err->kind == ERR_HOSTKEY)
		explain_host_key(&far, err);
	else if (err->kind == ERR_AUTH)
		explain_login(spec->identity_file, err);
	return -1;
}
