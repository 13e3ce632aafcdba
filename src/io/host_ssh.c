#include "base/base.h"

#include <sys/utsname.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/host_pipe.h"
#include "io/host_ssh.h"
#include "io/ssh.h"
#include "io/wire.h"

#ifndef PKGLIBEXECDIR
#define PKGLIBEXECDIR "/usr/local/libexec/sanctumctl"
#endif

#define PROGRAM "sanctumctl-remote"
#define PROBE_MARK "\nsanctumctl-probe\n"
#define CACHE "\"$HOME\"/.cache/sanctumctl"
#define OUTPUT_MAX (128u * 1024u)
#define HELLO_MS 30000
#define PROBE_MS 60000
#define PUSH_MS (15u * 60u * 1000u)

/* Our copy of sanctumctl-remote. */
struct copy {
	struct buf bytes;	/* empty when we have none */
	unsigned char digest[HASH_SIZE];
	char hex[2 * HASH_SIZE + 1];
};

/* What the machine there said of itself. */
struct far {
	char machine[66];
	bool cached;		/* a file of our digest's name is there */
	char installed[1024];	/* sanctumctl-remote in PATH, or "" */
};

/* What the pipe of a host_pipe owns. */
struct link {
	struct ssh *ssh;
	struct ssh_channel *channel;
	bool owns_ssh;		/* not while another start may need it */
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

/* The path of our copy, or NULL; the caller frees it. */
static char *
find_copy(void)
{
	const char *given = getenv("SANCTUMCTL_REMOTE");
	char self[PATH_MAX], *path, *slash;
	ssize_t n;

	if (given && *given)
		return mem_strdup(given);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		path = mem_printf("%s/" PROGRAM, self);
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	path = mem_strdup(PKGLIBEXECDIR "/" PROGRAM);
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* Read our copy; having none is not a failure. */
static int
load_copy(struct copy *copy, struct err *err)
{
	struct hash *h = NULL;
	char *path = find_copy();
	int rc = -1;

	buf_init(&copy->bytes, WIRE_BLOB_MAX);
	if (!path)
		return 0;
	if (fs_read(path, &copy->bytes, NULL, err) != 0)
		goto out;
	h = hash_new(err);
	if (!h)
		goto out;
	hash_add(h, buf_cstr(&copy->bytes), copy->bytes.len);
	if (hash_end(h, copy->digest, err) != 0)
		goto out;
	str_hex(copy->digest, HASH_SIZE, copy->hex);
	rc = 0;
out:
	hash_free(h);
	free(path);
	return rc == 0 ? 0 : err_ctx(err, "our copy of " PROGRAM);
}

/*
 * Run a script by the shell there, whatever the login shell is.  The script
 * is one line: csh ends a quoted word at a line end.
 */
static int
script(struct ssh *ssh, const char *text, const struct buf *input,
    uint64_t timeout_ms, struct buf *out, int *status, struct err *err)
{
	struct buf command = BUF_INIT(16384);
	int rc;

	buf_str(&command, "exec /bin/sh -c ");
	ssh_quote(&command, text);
	rc = ssh_call(ssh, buf_cstr(&command), input ? buf_cstr(input) : "",
	    input ? input->len : 0, timeout_ms, out, status, err);
	buf_clear(&command);
	return rc;
}

/* Copy the next line of *at, without its end. */
static void
next_line(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, "\n");

	(void)snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1),
	    *at);
	*at += len + ((*at)[len] == '\n');
}

static int
probe(struct ssh *ssh, const struct copy *copy, struct far *far,
    struct err *err)
{
	struct buf out = BUF_INIT(OUTPUT_MAX);
	struct buf text = BUF_INIT(4096);
	char word[16];
	const char *at;
	int rc, status;

	memset(far, 0, sizeof(*far));
	buf_printf(&text, "printf \"\\\\nsanctumctl-probe\\\\n\"; uname -m; "
	    "test -x " CACHE "/remote-%s && echo yes || echo no; "
	    "command -v " PROGRAM " || echo", copy->hex);
	rc = script(ssh, buf_cstr(&text), NULL, PROBE_MS, &out, &status, err);
	at = strstr(buf_cstr(&out), PROBE_MARK);
	if (rc == 0 && !at)
		rc = err_set(err, ERR_FAILED, "the login shell there runs no "
		    "commands (exit code %d)", status);
	if (rc == 0) {
		at += strlen(PROBE_MARK);
		next_line(&at, far->machine, sizeof(far->machine));
		next_line(&at, word, sizeof(word));
		far->cached = copy->bytes.len > 0 && str_eq(word, "yes");
		next_line(&at, far->installed, sizeof(far->installed));
		if (far->installed[0] != '/')
			far->installed[0] = '\0';
	}
	buf_clear(&text);
	buf_clear(&out);
	return rc;
}

/* Put text from there behind an error, in a form that can be printed. */
static void
add_said(struct err *err, const struct buf *said)
{
	struct buf text = BUF_INIT(512);
	size_t n = said->len < 200 ? said->len : 200;
	size_t used = strlen(err->text);

	str_printable(&text, n ? said->data + said->len - n : "", n);
	if (text.len > 0)
		(void)snprintf(err->text + used, sizeof(err->text) - used,
		    "; the host said: %s", buf_cstr(&text));
	buf_clear(&text);
}

static int
push(struct ssh *ssh, const struct copy *copy, struct err *err)
{
	struct buf out = BUF_INIT(OUTPUT_MAX);
	struct buf text = BUF_INIT(4096);
	int rc, status;

	log_detail("sending " PROGRAM " (%zu bytes)", copy->bytes.len);
	/* A cut connection ends the input too: hence the count. */
	buf_printf(&text, "exec 2>&1; umask 077; d=" CACHE "; t=\"$d\"/tmp.$$;"
	    " mkdir -p \"$d\" && cat >\"$t\" && "
	    "test \"$(wc -c <\"$t\")\" -eq %zu && chmod 700 \"$t\" && "
	    "mv -f \"$t\" \"$d\"/remote-%s || { rm -f \"$t\"; exit 1; }",
	    copy->bytes.len, copy->hex);
	rc = script(ssh, buf_cstr(&text), &copy->bytes, PUSH_MS, &out,
	    &status, err);
	if (rc == 0 && status != 0) {
		rc = err_set(err, ERR_FAILED, "cannot put " PROGRAM " into "
		    "~/.cache/sanctumctl there (exit code %d)", status);
		add_said(err, &out);
	}
	buf_clear(&text);
	buf_clear(&out);
	return rc;
}

/*
 * Start the program of this path (as the shell there reads it).  The pipe
 * owns the channel; *link says where the connection is given to it as well.
 */
static int
start(struct ssh *ssh, const char *path, struct host_pipe **out,
    struct link **link, struct err *err)
{
	struct buf noise = BUF_INIT(1024), text = BUF_INIT(4096);
	struct buf command = BUF_INIT(16384);
	struct wire_pipe pipe = {
		.read = link_read, .write = link_write,
		.readable = link_readable, .close = link_close,
	};
	struct link *l = mem_zero(1, sizeof(*l));
	int rc;

	buf_printf(&text, "exec 2>&1; exec %s", path);
	buf_str(&command, "exec /bin/sh -c ");
	ssh_quote(&command, buf_cstr(&text));
	l->ssh = ssh;
	pipe.ctx = l;
	rc = ssh_exec(ssh, buf_cstr(&command), &l->channel, err);
	if (rc != 0) {
		free(l);
	} else {
		rc = host_pipe_open(&pipe, HELLO_MS, &noise, out, err);
		if (rc != 0)
			add_said(err, &noise);
	}
	*link = rc == 0 ? l : NULL;
	buf_clear(&command);
	buf_clear(&text);
	buf_clear(&noise);
	return rc;
}

/* Start the file in the cache; it must be what we sent. */
static int
start_cached(struct ssh *ssh, const struct copy *copy,
    struct host_pipe **out, struct link **link, struct err *err)
{
	char *path = mem_printf(CACHE "/remote-%s", copy->hex);
	int rc;

	rc = start(ssh, path, out, link, err);
	free(path);
	if (rc != 0)
		return -1;
	if (memcmp(host_pipe_hello(*out)->sha256, copy->digest,
	    HASH_SIZE) == 0)
		return 0;
	host_pipe_ops.close(*out);
	*out = NULL;
	*link = NULL;
	return err_set(err, ERR_DATA, "~/.cache/sanctumctl/remote-%s there "
	    "is not what its name says", copy->hex);
}

static int
start_installed(struct ssh *ssh, const struct far *far,
    struct host_pipe **out, struct link **link, struct err *err)
{
	struct buf word = BUF_INIT(4096);
	int rc;

	ssh_quote(&word, far->installed);
	rc = start(ssh, buf_cstr(&word), out, link, err);
	buf_clear(&word);
	return rc == 0 ? 0 : err_ctx(err, "%s", far->installed);
}

/* Start sanctumctl-remote in the way that this host needs. */
static int
begin(struct ssh *ssh, struct host_pipe **out, struct link **link,
    struct err *err)
{
	struct copy copy = { .bytes = BUF_INIT(0) };
	struct utsname here;
	struct far far;
	int rc = -1;

	if (load_copy(&copy, err) != 0 || probe(ssh, &copy, &far, err) != 0)
		goto out;
	if (uname(&here) != 0) {
		(void)err_sys(err, ERR_FAILED, "uname");
		goto out;
	}
	if (copy.bytes.len == 0 || !str_eq(far.machine, here.machine)) {
		if (far.installed[0])
			rc = start_installed(ssh, &far, out, link, err);
		else if (copy.bytes.len == 0)
			rc = err_set(err, ERR_FAILED, "no " PROGRAM " is "
			    "installed with this program nor in the PATH "
			    "there (SANCTUMCTL_REMOTE names one)");
		else
			rc = err_set(err, ERR_FAILED, "the machine there is "
			    "%s, this one is %s: install the package "
			    "sanctumctl there, or build " PROGRAM " for it",
			    far.machine, here.machine);
		goto out;
	}
	if (far.cached) {
		rc = start_cached(ssh, &copy, out, link, err);
		if (rc == 0 || err->kind == ERR_INTERRUPTED)
			goto out;
		log_detail(PROGRAM " there did not start, sending it again");
		err_clear(err);
	}
	rc = push(ssh, &copy, err);
	if (rc == 0)
		rc = start_cached(ssh, &copy, out, link, err);
out:
	buf_clear(&copy.bytes);
	return rc;
}

int
host_ssh_open(const struct host_spec *spec, const struct ssh_limits *limits,
    struct host_pipe **out, struct err *err)
{
	struct ssh_spec login = {
		.address = spec->address,
		.port = spec->port,
		.user = spec->user,
		.host_key = spec->host_key,
		.identity_file = spec->identity_file,
		.known_hosts_file = spec->known_hosts_file,
	};
	struct link *link = NULL;
	struct ssh *ssh = NULL;

	*out = NULL;
	if (limits)
		login.limits = *limits;
	if (ssh_open(&login, &ssh, err) != 0)
		return -1;
	if (begin(ssh, out, &link, err) != 0) {
		ssh_close(ssh);
		return -1;
	}
	link->owns_ssh = true;
	return 0;
}
