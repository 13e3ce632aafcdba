#include "base/base.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_sshd.h"
#include "io/dial.h"
#include "io/fs.h"
#include "io/proc.h"

#define WAIT_MS 20000

void
bed_sshd_write(const char *path, const char *text, mode_t mode)
{
	struct fs_meta meta = { .mode = mode, .uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	struct err err = ERR_INIT;

	if (fs_replace(path, text, strlen(text), &meta, &err) != 0)
		fail_msg("%s", err.text);
}

char *
bed_sshd_read(const char *path)
{
	struct buf text = BUF_INIT(64 * 1024 * 1024);
	struct err err = ERR_INIT;

	if (fs_read(path, &text, NULL, &err) != 0)
		fail_msg("%s", err.text);
	return buf_take(&text);
}

void
bed_sshd_keygen(const char *type, const char *passphrase, const char *path)
{
	const char *argv[] = { "ssh-keygen", "-q", "-t", type, "-N",
		passphrase, "-f", path, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result result;
	struct err err = ERR_INIT;

	proc_result_init(&result, 4096);
	if (proc_run(&spec, &result, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(result.status, 0);
	proc_result_clear(&result);
}

/* A port that was free a moment ago. */
static unsigned int
free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	return ntohs(addr.sin_port);
}

static void
write_config(const struct bed_sshd *b, const char *path)
{
	char *text, *key, *line;

	text = mem_printf("ListenAddress 127.0.0.1\nPort %u\n"
	    "HostKey %s/host_ed25519\nHostKey %s/host_ecdsa\n"
	    "AuthorizedKeysFile %s/authorized_keys\nPidFile %s/pid\n"
	    "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
	    "KbdInteractiveAuthentication no\nPermitRootLogin yes\n"
	    "UseDNS no\nPrintMotd no\nPrintLastLog no\n"
	    "MaxStartups 100\nSetEnv HOME=%s PATH=%s/bin:/usr/bin:/bin\n",
	    b->port, b->dir, b->dir, b->dir, b->dir, b->home, b->dir);
	bed_sshd_write(path, text, 0600);
	free(text);

	/* known_hosts: the first key alone. */
	line = mem_printf("%s/host_ed25519.pub", b->dir);
	key = bed_sshd_read(line);
	free(line);
	line = mem_printf("[127.0.0.1]:%u %s", b->port, key);
	bed_sshd_write(b->known_hosts, line, 0600);
	free(line);
	free(key);
	line = mem_printf("%s.pub", b->key);
	key = bed_sshd_read(line);
	free(line);
	line = mem_printf("%s/authorized_keys", b->dir);
	bed_sshd_write(line, key, 0600);
	free(line);
	free(key);
}

static void
await_port(unsigned int port)
{
	const uint64_t deadline = clock_ms() + WAIT_MS;
	struct err err = ERR_INIT;
	bool up = false;

	while (!up) {
		assert_int_equal(dial_probe("127.0.0.1", port, 1000, &up,
		    &err), 0);
		if (clock_ms() > deadline)
			fail_msg("sshd did not start (is it installed?)");
		if (!up)
			clock_sleep_ms(10);
	}
}

void
bed_sshd_start(struct bed_sshd *b, bool rsa)
{
	const char *base = getenv("TMPDIR");
	char *config, *log, *path;

	memset(b, 0, sizeof(*b));
	b->dir = mem_printf("%s/sshd-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(b->dir));
	b->home = mem_printf("%s/home", b->dir);
	b->key = mem_printf("%s/user_key", b->dir);
	b->known_hosts = mem_printf("%s/known_hosts", b->dir);
	b->port = free_port();
	assert_int_equal(mkdir(b->home, 0700), 0);
	(void)mkdir("/run/sshd", 0755);		/* privilege separation */
	path = mem_printf("%s/bin", b->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = mem_printf("%s/host_ed25519", b->dir);
	bed_sshd_keygen(rsa ? "rsa" : "ed25519", "", path);
	free(path);
	path = mem_printf("%s/host_ecdsa", b->dir);
	bed_sshd_keygen(rsa ? "rsa" : "ecdsa", "", path);
	free(path);
	bed_sshd_keygen("ed25519", "", b->key);
	config = mem_printf("%s/sshd_config", b->dir);
	write_config(b, config);
	log = mem_printf("%s/log", b->dir);

	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* sshd starts itself again for each connection. */
		(void)signal(SIGPIPE, SIG_DFL);
		(void)execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f",
		    config, "-E", log, (char *)NULL);
		_exit(127);
	}
	await_port(b->port);
	free(log);
	free(config);
}

void
bed_sshd_stop(struct bed_sshd *b)
{
	struct err err = ERR_INIT;

	if (b->pid > 0) {
		bed_sshd_kill_sessions(b);
		(void)kill(b->pid, SIGTERM);
		(void)waitpid(b->pid, NULL, 0);
	}
	if (b->dir && fs_remove(b->dir, &err) != 0)
		fail_msg("%s", err.text);
	free(b->dir);
	free(b->home);
	free(b->key);
	free(b->known_hosts);
	memset(b, 0, sizeof(*b));
}

void
bed_sshd_spec(const struct bed_sshd *b, struct host_spec *spec)
{
	*spec = (struct host_spec) {
		.name = "far",
		.address = "127.0.0.1",
		.port = b->port,
		.identity_file = b->key,
		.known_hosts_file = b->known_hosts,
		.transport = b->transport,
	};
}

/* The parent of a process, or 0. */
static pid_t
parent_of(const char *pid)
{
	char *path = mem_printf("/proc/%s/stat", pid);
	char text[512] = "";
	const char *end;
	int ppid = 0, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0) {
		end = strrchr(text, ')');
		if (!end || sscanf(end, ") %*c %d", &ppid) != 1)
			ppid = 0;
	}
	(void)close(fd);
	return ppid;
}

static size_t
each_session(const struct bed_sshd *b, int with_signal)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	uint64_t pid;
	size_t n = 0;

	assert_non_null(proc);
	for (e = readdir(proc); e; e = readdir(proc)) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    parent_of(e->d_name) != b->pid ||
		    !str_u64(e->d_name, INT_MAX, &pid))
			continue;
		n++;
		if (with_signal)
			(void)kill((pid_t)pid, with_signal);
	}
	(void)closedir(proc);
	return n;
}

void
bed_sshd_kill_sessions(const struct bed_sshd *b)
{
	(void)each_session(b, SIGKILL);
}

size_t
bed_sshd_sessions(const struct bed_sshd *b)
{
	return each_session(b, 0);
}
