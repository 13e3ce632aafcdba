#include "base/base.h"

#include <sys/utsname.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/host_helper.h"
#include "io/host_pipe.h"
#include "io/ssh.h"
#include "io/wire.h"

#ifndef PKGLIBEXECDIR
#define PKGLIBEXECDIR "/usr/local/libexec/sanctumctl"
#endif

#define PROGRAM "sanctumctl-remote"
#define PROBE_MARK "\nsanctumctl-probe\n"
#define CACHE "\"$HOME\"/.cache/sanctumctl"
#define OUTPUT_MAX (128u * 1024u)
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
	char installed[1024];	/* sanctumctl-remote in PATH, or "" */
};

/* One bringing up. */
struct task {
	const struct host_helper_shell *shell;
	uint64_t hello_ms;
	struct copy copy;
	struct utsname here;
};

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
 * A command that has the shell there run a script, whatever the login shell
 * is.  The script is one line: csh ends a quoted word at a line end.
 */
static void
wrap(struct buf *command, const char *script)
{
	buf_str(command, "exec /bin/sh -c ");
	ssh_quote(command, script);
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

/*
 * Run a script that ends in the helper.  What came instead of its greeting is
 * in said.
 */
static int
start(const struct task *task, const char *script, struct buf *said,
    struct host_pipe **out, struct err *err)
{
	struct buf command = BUF_INIT(16384);
	struct wire_pipe pipe;
	int rc;

	wrap(&command, script);
	rc = task->shell->open(task->shell->ctx, buf_cstr(&command), &pipe,
	    err);
	if (rc == 0)
		rc = host_pipe_open(&pipe, task->hello_ms, said, out, err);
	buf_clear(&command);
	return rc;
}

/* The helper of the cache must be what we sent. */
static int
check_digest(const struct task *task, struct host_pipe **pipe,
    struct err *err)
{
	if (memcmp(host_pipe_hello(*pipe)->sha256, task->copy.digest,
	    HASH_SIZE) == 0)
		return 0;
	host_pipe_ops.close(*pipe);
	*pipe = NULL;
	return err_set(err, ERR_DATA, "~/.cache/sanctumctl/remote-%s there "
	    "is not what its name says", task->copy.hex);
}

/* Read what the first command said of the machine. */
static int
read_far(const struct buf *said, struct far *far, struct err *err)
{
	const char *at = strstr(buf_cstr(said), PROBE_MARK);
	char line[1024];

	memset(far, 0, sizeof(*far));
	if (!at && err->kind != ERR_DATA)
		return -1;
	if (!at) {
		(void)err_set(err, ERR_FAILED, "the login shell there runs "
		    "no commands");
		add_said(err, said);
		return -1;
	}
	at += strlen(PROBE_MARK);
	next_line(&at, far->machine, sizeof(far->machine));
	/* The last line, if the one in the cache had something to say. */
	while (*at) {
		next_line(&at, line, sizeof(line));
		if (line[0] == '/')
			(void)snprintf(far->installed,
			    sizeof(far->installed), "%s", line);
	}
	return 0;
}

/*
 * Start what is in the cache: 1, or 0 with what the machine is when that is
 * not there or spoilt.
 */
static int
try_cached(const struct task *task, struct host_pipe **out, struct far *far,
    struct err *err)
{
	struct buf said = BUF_INIT(2 * WIRE_NOISE_MAX);
	struct buf text = BUF_INIT(4096);
	int rc;

	buf_printf(&text, "printf \"\\nsanctumctl-probe\\n\"; exec 2>&1; "
	    "m=$(uname -m); echo \"$m\"; f=" CACHE "/remote-%s; "
	    "test \"$m\" = %s && test -x \"$f\" && exec \"$f\"; "
	    "command -v " PROGRAM " || echo", task->copy.bytes.len ?
	    task->copy.hex : "none", task->here.machine);
	rc = start(task, buf_cstr(&text), &said, out, err);
	if (rc == 0 && task->copy.bytes.len > 0)
		rc = check_digest(task, out, err);
	if (rc == 0) {
		rc = 1;
	} else if (err->kind == ERR_DATA || err->kind == ERR_FAILED) {
		rc = read_far(&said, far, err);
		if (rc == 0)
			err_clear(err);
	}
	buf_clear(&text);
	buf_clear(&said);
	return rc;
}

static int
push(const struct task *task, struct err *err)
{
	const struct copy *copy = &task->copy;
	struct buf command = BUF_INIT(16384), text = BUF_INIT(4096);
	struct buf out = BUF_INIT(OUTPUT_MAX);
	int rc, status = -1;

	log_detail("sending " PROGRAM " (%zu bytes)", copy->bytes.len);
	/* A cut connection ends the input too: hence the count. */
	buf_printf(&text, "exec 2>&1; umask 077; d=" CACHE "; t=\"$d\"/tmp.$$;"
	    " mkdir -p \"$d\" && cat >\"$t\" && "
	    "test \"$(wc -c <\"$t\")\" -eq %zu && chmod 700 \"$t\" && "
	    "mv -f \"$t\" \"$d\"/remote-%s || { rm -f \"$t\"; exit 1; }",
	    copy->bytes.len, copy->hex);
	wrap(&command, buf_cstr(&text));
	rc = task->shell->call(task->shell->ctx, buf_cstr(&command),
	    &copy->bytes, PUSH_MS, &out, &status, err);
	if (rc == 0 && status != 0) {
		rc = err_set(err, ERR_FAILED, "cannot put " PROGRAM " into "
		    "~/.cache/sanctumctl there (exit code %d)", status);
		add_said(err, &out);
	}
	buf_clear(&command);
	buf_clear(&text);
	buf_clear(&out);
	return rc;
}

/* Start the program of this path, as the shell there reads it. */
static int
start_path(const struct task *task, const char *path, struct host_pipe **out,
    struct err *err)
{
	struct buf said = BUF_INIT(1024), text = BUF_INIT(8192);
	int rc;

	buf_printf(&text, "exec 2>&1; exec %s", path);
	rc = start(task, buf_cstr(&text), &said, out, err);
	if (rc != 0)
		add_said(err, &said);
	buf_clear(&text);
	buf_clear(&said);
	return rc;
}

static int
start_pushed(const struct task *task, struct host_pipe **out,
    struct err *err)
{
	char *path = mem_printf(CACHE "/remote-%s", task->copy.hex);
	int rc;

	rc = push(task, err);
	if (rc == 0)
		rc = start_path(task, path, out, err);
	if (rc == 0)
		rc = check_digest(task, out, err);
	free(path);
	return rc;
}

static int
start_installed(const struct task *task, const struct far *far,
    struct host_pipe **out, struct err *err)
{
	struct buf word = BUF_INIT(4096);
	int rc;

	ssh_quote(&word, far->installed);
	rc = start_path(task, buf_cstr(&word), out, err);
	buf_clear(&word);
	return rc == 0 ? 0 : err_ctx(err, "%s", far->installed);
}

/* Nothing is there that could be started, and we cannot send anything. */
static int
refuse(const struct task *task, const struct far *far, struct err *err)
{
	if (task->copy.bytes.len == 0)
		return err_set(err, ERR_FAILED, "no " PROGRAM " is "
		    "installed with this program nor in the PATH there "
		    "(SANCTUMCTL_REMOTE names one)");
	return err_set(err, ERR_FAILED, "the machine there is %s, this one "
	    "is %s: install the package sanctumctl there, or build " PROGRAM
	    " for it", far->machine, task->here.machine);
}

int
host_helper_start(const struct host_helper_shell *shell, uint64_t hello_ms,
    struct host_pipe **out, struct err *err)
{
	struct task task = { .shell = shell, .hello_ms = hello_ms };
	struct far far;
	int rc = -1;

	*out = NULL;
	if (load_copy(&task.copy, err) != 0)
		goto out;
	if (uname(&task.here) != 0) {
		(void)err_sys(err, ERR_FAILED, "uname");
		goto out;
	}
	rc = try_cached(&task, out, &far, err);
	if (rc > 0)
		rc = 0;
	else if (rc == 0 && task.copy.bytes.len > 0 &&
	    str_eq(far.machine, task.here.machine))
		rc = start_pushed(&task, out, err);
	else if (rc == 0 && far.installed[0])
		rc = start_installed(&task, &far, out, err);
	else if (rc == 0)
		rc = refuse(&task, &far, err);
out:
	buf_clear(&task.copy.bytes);
	return rc;
}
