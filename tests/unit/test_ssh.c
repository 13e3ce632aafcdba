#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_sshd.h"
#include "io/b64.h"
#include "io/host.h"
#include "io/host_openssh.h"
#include "io/host_ssh.h"
#include "io/known_hosts.h"
#include "io/ssh.h"

/* Logging in, and what goes wrong there, against a real sshd. */
static struct bed_sshd sshd;
static pid_t agent;		/* 0: none runs */

static int
over_openssh(void **state)
{
	(void)state;
	sshd.transport = HOST_OPENSSH;
	return 0;
}

static int
over_libssh2(void **state)
{
	(void)state;
	sshd.transport = HOST_LIBSSH2;
	return 0;
}

static void
ok(int rc, const struct err *err)
{
	if (rc != 0)
		fail_msg("%s", err->text);
}

static int
open_bed(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)unsetenv("SSH_AUTH_SOCK");
	bed_sshd_start(&sshd, false);
	(void)setenv("HOME", sshd.home, 1);
	return 0;
}

static int
close_bed(void **state)
{
	(void)state;
	if (agent > 0)
		(void)kill(agent, SIGTERM);
	bed_sshd_stop(&sshd);
	return 0;
}

/* A file of the bed; the caller frees the name. */
static char *
in(const char *name)
{
	return mem_printf("%s/%s", sshd.dir, name);
}

static void
expect(const struct host_spec *spec, enum err_kind kind, const char *word)
{
	struct host *h = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(host_open(spec, &h, &err), -1);
	assert_null(h);
	if (err.kind != kind || (word && !strstr(err.text, word)))
		fail_msg("kind %s, want %s and \"%s\": %s",
		    err_word(err.kind), err_word(kind), word, err.text);
	assert_true(str_starts(err.text, spec->name));
}

static void
fingerprint(const char *pub, char out[static KNOWN_HOSTS_FINGERPRINT])
{
	char *path = in(pub), *text = bed_sshd_read(path), *key, *end;
	struct buf blob = BUF_INIT(4096);

	key = strchr(text, ' ') + 1;
	end = strpbrk(key, " \n");
	assert_int_equal(b64_decode(&blob, key, (size_t)(end - key)), 0);
	known_hosts_fingerprint(blob.data, blob.len, out);
	buf_clear(&blob);
	free(text);
	free(path);
}

/* A known_hosts file with this text and the public key of that file. */
static char *
known(const char *before, const char *pub)
{
	char *key_path = in(pub), *key = bed_sshd_read(key_path);
	char *path = in("known_test"), *line;

	line = mem_printf("%s %s", before, key);
	bed_sshd_write(path, line, 0600);
	free(line);
	free(key);
	free(key_path);
	return path;
}

static void
test_host_keys(void **state)
{
	char seen[KNOWN_HOSTS_FINGERPRINT], other[KNOWN_HOSTS_FINGERPRINT];
	char *name = mem_printf("[127.0.0.1]:%u", sshd.port);
	char *mark = mem_printf("@revoked %s", name);
	char *ca = mem_printf("@cert-authority %s", name);
	char *path, *empty = in("known_empty");
	struct host_spec spec;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	fingerprint("host_ed25519.pub", seen);
	fingerprint("user_key.pub", other);

	/* Unknown: the fingerprint, and how to pin it. */
	bed_sshd_write(empty, "", 0600);
	spec.known_hosts_file = empty;
	expect(&spec, ERR_HOSTKEY, seen);
	expect(&spec, ERR_HOSTKEY, "host_key = SHA256:");

	/* Changed: the line, and both fingerprints. */
	path = known(name, "user_key.pub");
	spec.known_hosts_file = path;
	expect(&spec, ERR_HOSTKEY, seen);
	expect(&spec, ERR_HOSTKEY, other);
	expect(&spec, ERR_HOSTKEY, "known_test:1");
	free(path);

	path = known(mark, "host_ed25519.pub");
	spec.known_hosts_file = path;
	expect(&spec, ERR_HOSTKEY, "revoked");
	free(path);
	path = known(ca, "user_key.pub");
	spec.known_hosts_file = path;
	expect(&spec, ERR_HOSTKEY, "certificates");
	free(path);

	path = in("no-such-file");
	spec.known_hosts_file = path;
	expect(&spec, ERR_MISSING, "no-such-file");
	free(path);

	spec.known_hosts_file = NULL;
	spec.host_key = other;
	expect(&spec, ERR_HOSTKEY, seen);
	spec.host_key = "MD5:aa";
	expect(&spec, ERR_USAGE, "SHA256:");
	free(empty);
	free(ca);
	free(mark);
	free(name);
}

/* Nothing but the key exchange reaches a host that is not the one meant. */
static void
test_no_login_before_judgement(void **state)
{
	char *path = in("log"), *log, *empty = in("known_empty");
	struct host_spec spec;

	(void)state;
	bed_sshd_write(empty, "", 0600);
	bed_sshd_spec(&sshd, &spec);
	spec.user = "name-that-must-not-be-sent";
	spec.known_hosts_file = empty;
	expect(&spec, ERR_HOSTKEY, NULL);
	while (bed_sshd_sessions(&sshd) > 0)
		(void)usleep(1000);
	log = bed_sshd_read(path);
	assert_null(strstr(log, "name-that-must-not-be-sent"));
	free(log);
	free(empty);
	free(path);
}

/* The host's other key types do not matter when one is known. */
static void
test_ways_in(void **state)
{
	char print[KNOWN_HOSTS_FINGERPRINT];
	char *name = mem_printf("[127.0.0.1]:%u", sshd.port), *path;
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	path = known(name, "host_ecdsa.pub");
	spec.known_hosts_file = path;
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	free(path);
	path = known("[127.0.*]:*", "host_ed25519.pub");
	spec.known_hosts_file = path;
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	free(path);
	fingerprint("host_ed25519.pub", print);
	spec.known_hosts_file = NULL;
	spec.host_key = print;
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	free(name);
}

static void
test_user_keys(void **state)
{
	char *wrong = in("wrong_key"), *locked = in("locked_key");
	char *rsa = in("rsa_key"), *text = in("text"), *ssh_dir;
	char *ours = in("home/.ssh/id_ed25519"), *key;
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;

	(void)state;
	bed_sshd_keygen("ed25519", "", wrong);
	bed_sshd_keygen("ed25519", "secret", locked);
	bed_sshd_keygen("rsa", "", rsa);
	bed_sshd_write(text, "not a key\n", 0600);
	bed_sshd_spec(&sshd, &spec);
	spec.identity_file = wrong;
	expect(&spec, ERR_AUTH, "wrong_key");
	spec.identity_file = locked;
	expect(&spec, ERR_AUTH, "ssh-add");
	spec.identity_file = rsa;
	expect(&spec, ERR_AUTH, "RSA");
	spec.identity_file = text;
	expect(&spec, ERR_AUTH, "not a private key");
	spec.identity_file = "/no/such/key";
	expect(&spec, ERR_AUTH, "/no/such/key");

	/* None given: no agent, no ~/.ssh; then ~/.ssh/id_ed25519. */
	spec.identity_file = NULL;
	expect(&spec, ERR_AUTH, "no agent");
	ssh_dir = in("home/.ssh");
	assert_int_equal(mkdir(ssh_dir, 0700), 0);
	key = bed_sshd_read(sshd.key);
	bed_sshd_write(ours, key, 0600);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	assert_int_equal(unlink(ours), 0);
	free(key);
	free(ssh_dir);
	free(ours);
	free(text);
	free(rsa);
	free(locked);
	free(wrong);
}

/* Keys that libssh2 refuses are the business of ssh here. */
static void
test_other_user_keys(void **state)
{
	char *wrong = in("wrong2_key"), *locked = in("locked3_key");
	char *rsa = in("rsa2_key"), *pub = in("rsa2_key.pub"), *text;
	char *auth = in("authorized_keys"), *before = bed_sshd_read(auth);
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;

	(void)state;
	bed_sshd_keygen("ed25519", "", wrong);
	bed_sshd_keygen("ed25519", "secret", locked);
	bed_sshd_keygen("rsa", "", rsa);
	bed_sshd_spec(&sshd, &spec);
	spec.identity_file = wrong;
	expect(&spec, ERR_AUTH, "wrong2_key");
	expect(&spec, ERR_AUTH, "Permission denied (publickey)");
	spec.identity_file = locked;
	expect(&spec, ERR_AUTH, "ssh-add");
	spec.identity_file = "/no/such/key";
	expect(&spec, ERR_AUTH, "/no/such/key");
	spec.identity_file = "/dev/null\"";
	expect(&spec, ERR_AUTH, "/dev/null");

	text = bed_sshd_read(pub);
	bed_sshd_write(auth, text, 0600);
	spec.identity_file = rsa;
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	bed_sshd_write(auth, before, 0600);
	free(text);
	free(before);
	free(auth);
	free(pub);
	free(rsa);
	free(locked);
	free(wrong);
}

static char *
run_for_line(const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result r;
	struct err err = ERR_INIT;
	char *line;

	proc_result_init(&r, 4096);
	ok(proc_run(&spec, &r, &err), &err);
	if (r.status != 0)
		fail_msg("%s: %s", script, buf_cstr(&r.err_out));
	line = buf_take(&r.out);
	line[strcspn(line, "\n")] = '\0';
	proc_result_clear(&r);
	return line;
}

/* An agent of our own: keys that are refused, then one that is taken. */
static void
test_agent(void **state)
{
	char *sock = in("agent"), *script, *pid, *locked = in("locked2");
	char *pub = in("locked2.pub"), *auth = in("authorized_keys");
	char *before = bed_sshd_read(auth), *key, *both;
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;
	uint64_t number;

	(void)state;
	script = mem_printf("eval $(ssh-agent -a %s) >/dev/null; "
	    "echo $SSH_AGENT_PID", sock);
	pid = run_for_line(script);
	free(script);
	assert_true(str_u64(pid, INT_MAX, &number));
	agent = (pid_t)number;
	(void)setenv("SSH_AUTH_SOCK", sock, 1);
	bed_sshd_spec(&sshd, &spec);
	spec.identity_file = NULL;
	expect(&spec, ERR_AUTH, "tried: none");
	free(run_for_line(script = mem_printf("cd %s && ssh-keygen -q -t "
	    "ed25519 -N '' -f k1 && ssh-add -q rsa_key k1 user_key",
	    sshd.dir)));
	free(script);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);

	/* An encrypted file whose key the agent holds. */
	bed_sshd_keygen("ed25519", "pw", locked);
	key = bed_sshd_read(pub);
	both = mem_printf("%s%s", before, key);
	bed_sshd_write(auth, both, 0600);
	spec.identity_file = locked;
	expect(&spec, ERR_AUTH, "ssh-add");
	free(run_for_line(script = mem_printf("cd %s && cp locked2 l3 && "
	    "ssh-keygen -q -p -P pw -N '' -f l3 && ssh-add -q l3",
	    sshd.dir)));
	free(script);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	bed_sshd_write(auth, before, 0600);

	(void)unsetenv("SSH_AUTH_SOCK");
	free(both);
	free(key);
	free(before);
	free(auth);
	free(pub);
	free(locked);
	free(pid);
	free(sock);
}

static char *
cached_file(void)
{
	char *script = mem_printf("ls %s/.cache/sanctumctl/remote-*",
	    sshd.home), *line;

	line = run_for_line(script);
	free(script);
	return line;
}

/* Sent once, found afterwards, and sent again when it is spoilt. */
static void
test_sent_once(void **state)
{
	struct stat first, second;
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;
	char *path, *rc_file = in("home/.bashrc"), *noise;
	size_t i;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	free(run_for_line(noise = mem_printf("rm -rf %s/.cache",
	    sshd.home)));
	free(noise);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	path = cached_file();
	assert_int_equal(stat(path, &first), 0);
	assert_int_equal(first.st_mode & 0777, 0700);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	assert_int_equal(stat(path, &second), 0);
	assert_true(first.st_ino == second.st_ino);

	for (i = 0; i < 2; i++) {
		bed_sshd_write(path, i ? "#!/bin/sh\necho hello\n" :
		    "no program", 0700);
		ok(host_open(&spec, &h, &err), &err);
		host_close(h);
		assert_int_equal(stat(path, &second), 0);
		assert_true(second.st_size == first.st_size);
	}

	/* A login shell that talks; bash reads this under sshd. */
	bed_sshd_write(rc_file, "echo Welcome; echo; echo sanctumctl\n",
	    0600);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	assert_int_equal(unlink(rc_file), 0);
	free(rc_file);
	free(path);
}

/* A far side that cannot take the file says why. */
static void
test_no_room_to_send(void **state)
{
	char *cache = in("home/.cache"), *moved = in("home/.cache-off");
	struct host_spec spec;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	(void)rename(cache, moved);
	bed_sshd_write(cache, "a file in the way\n", 0600);
	expect(&spec, ERR_FAILED, "mkdir");
	assert_int_equal(unlink(cache), 0);
	(void)rename(moved, cache);
	free(moved);
	free(cache);
}

static void
test_no_copy_of_ours(void **state)
{
	char *before = mem_strdup(getenv("SANCTUMCTL_REMOTE"));
	struct host_spec spec;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	(void)setenv("SANCTUMCTL_REMOTE", "/no/such/remote", 1);
	expect(&spec, ERR_MISSING, "/no/such/remote");
	(void)setenv("SANCTUMCTL_REMOTE", before, 1);
	free(before);
}

/* A host that is another kind of machine, as far as uname tells. */
static void
test_other_machine(void **state)
{
	char *uname = in("bin/uname"), *remote = in("bin/sanctumctl-remote");
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;
	char *script;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	bed_sshd_write(uname, "#!/bin/sh\necho pdp11\n", 0755);
	expect(&spec, ERR_FAILED, "pdp11");
	expect(&spec, ERR_FAILED, "install the package sanctumctl");

	/* Found installed there: used when it speaks our protocol. */
	free(run_for_line(script = mem_printf("cp %s %s",
	    getenv("SANCTUMCTL_REMOTE"), remote)));
	free(script);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	bed_sshd_write(remote, "#!/bin/sh\nprintf '\\nsanctumctl-remote wire"
	    "\\n\\4\\0\\0\\0\\1\\11\\0\\0\\0'; cat\n", 0755);
	expect(&spec, ERR_FAILED, "protocol 9");
	bed_sshd_write(remote, "#!/bin/sh\necho broken here\n", 0755);
	expect(&spec, ERR_DATA, "broken here");
	assert_int_equal(unlink(remote), 0);
	assert_int_equal(unlink(uname), 0);
	free(remote);
	free(uname);
}

/* libssh2 1.10 cannot: say so, and the cure. */
static void
test_rsa_host(void **state)
{
	struct bed_sshd rsa;
	struct host_spec spec;
	char *empty = in("known_empty");

	(void)state;
	bed_sshd_start(&rsa, true);
	bed_sshd_spec(&rsa, &spec);
	bed_sshd_write(empty, "", 0600);
	spec.known_hosts_file = empty;
	expect(&spec, ERR_FAILED, "ssh-keygen -A");
	spec.known_hosts_file = rsa.known_hosts;
	expect(&spec, ERR_FAILED, "transport = openssh");

	/* Known by a key that it does not have any more. */
	free(empty);
	empty = mem_printf("[127.0.0.1]:%u", rsa.port);
	spec.known_hosts_file = known(empty, "host_ed25519.pub");
	expect(&spec, ERR_HOSTKEY, "offers no key");
	free((char *)(uintptr_t)spec.known_hosts_file);
	free(empty);
	bed_sshd_stop(&rsa);
}

static void
test_rsa_host_taken(void **state)
{
	char print[KNOWN_HOSTS_FINGERPRINT], other[KNOWN_HOSTS_FINGERPRINT];
	struct bed_sshd rsa, bed = sshd;
	struct host_spec spec;
	struct host *h = NULL;
	struct err err = ERR_INIT;

	(void)state;
	bed_sshd_start(&rsa, true);
	rsa.transport = HOST_OPENSSH;
	bed_sshd_spec(&rsa, &spec);
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	fingerprint("user_key.pub", other);
	sshd = rsa;			/* whose files in() names */
	fingerprint("host_ed25519.pub", print);
	sshd = bed;
	spec.host_key = print;
	ok(host_open(&spec, &h, &err), &err);
	host_close(h);
	spec.host_key = other;
	expect(&spec, ERR_HOSTKEY, print);
	bed_sshd_stop(&rsa);
}

/* A listener that takes connections and says nothing, or not SSH. */
static void
test_silent_peer(void **state)
{
	const struct ssh_limits limits = { .connect_ms = 500,
		.login_ms = 200, .silence_ms = 200 };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct host_spec spec;
	struct host_pipe *pipe = NULL;
	struct err err = ERR_INIT;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	bed_sshd_spec(&sshd, &spec);
	spec.port = ntohs(addr.sin_port);
	spec.host_key = "SHA256:x";
	expect(&spec, ERR_UNREACHABLE, "refused");
	assert_int_equal(listen(fd, 1), 0);
	if (sshd.transport == HOST_OPENSSH) {
		assert_int_equal(host_openssh_open(&spec, &limits, &pipe,
		    &err), -1);
		assert_non_null(strstr(err.text, "timed out"));
	} else {
		assert_int_equal(host_ssh_open(&spec, &limits, &pipe, &err),
		    -1);
		assert_non_null(strstr(err.text, "handshake"));
	}
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	(void)close(fd);

	spec.address = "no-such-host.invalid";
	expect(&spec, ERR_UNREACHABLE, "no-such-host.invalid");
}

/* sshd goes away, at rest, in a read, and in the middle of a tree. */
static bool cut_done;

static void
cut(uint64_t bytes)
{
	if (bytes > 1024 * 1024 && !cut_done) {
		bed_sshd_kill_sessions(&sshd);
		cut_done = true;
	}
}

static void
test_cut(void **state)
{
	static const char *const paths[] = { "", "big" };
	const struct host_spec here = { .name = "here", .local = true };
	char *root = in("tree"), *to = in("cut"), *script;
	struct host *local = NULL, *far = NULL;
	struct tree_stats stats;
	struct host_spec spec;
	struct fs_meta meta;
	size_t i;

	(void)state;
	free(run_for_line(script = mem_printf("mkdir -p %s && head -c "
	    "30000000 /dev/urandom >%s/big", root, root)));
	free(script);
	bed_sshd_spec(&sshd, &spec);
	for (i = 0; i < 3; i++) {
		struct err err = ERR_INIT;

		ok(host_open(&here, &local, &err), &err);
		ok(host_open(&spec, &far, &err), &err);
		cut_done = false;
		if (i == 0)
			bed_sshd_kill_sessions(&sshd);
		else if (i == 1)
			assert_int_equal(host_copy(local, root, paths, 2,
			    far, to, (uid_t)-1, (gid_t)-1, cut, &stats,
			    &err), -1);
		else
			assert_int_equal(host_copy(far, root, paths, 2,
			    local, to, (uid_t)-1, (gid_t)-1, cut, &stats,
			    &err), -1);
		if (i > 0) {
			assert_true(cut_done);
			assert_int_equal(err.kind, ERR_UNREACHABLE);
			assert_true(err.transient);
			assert_true(str_starts(err.text, "far:"));
		}
		/* What follows fails at once, and says why. */
		err_clear(&err);
		assert_int_equal(host_stat(far, "/", &meta, &err), -1);
		assert_int_equal(err.kind, ERR_UNREACHABLE);
		err_clear(&err);
		assert_int_equal(host_stat(far, "/", &meta, &err), -1);
		assert_int_equal(err.kind, ERR_UNREACHABLE);
		err_clear(&err);
		host_close(far);
		ok(host_remove(local, to, &err), &err);
		host_close(local);
	}
	free(to);
	free(root);
}

/* Nothing that we started stays behind on the far side. */
static void
test_no_orphan(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo $PPID", NULL };
	const struct proc_spec ask = { .argv = argv, .timeout_ms = 60000 };
	struct host_spec spec;
	struct host *h = NULL;
	struct proc_result r;
	struct err err = ERR_INIT;
	uint64_t pid;

	(void)state;
	bed_sshd_spec(&sshd, &spec);
	ok(host_open(&spec, &h, &err), &err);
	proc_result_init(&r, 100);
	ok(host_run(h, &ask, &r, &err), &err);
	buf_truncate(&r.out, r.out.len - 1);
	assert_true(str_u64(buf_cstr(&r.out), INT_MAX, &pid));
	assert_int_equal(kill((pid_t)pid, 0), 0);
	host_close(h);
	while (kill((pid_t)pid, 0) == 0)
		(void)usleep(1000);
	proc_result_clear(&r);
}

/* Commands that end early or do not end by themselves. */
static void
test_calls(void **state)
{
	struct ssh_spec spec = { .address = "127.0.0.1" };
	char *input = mem_zero(1, 8 * 1024 * 1024);
	struct buf out = BUF_INIT(1000);
	struct ssh *ssh = NULL;
	struct err err = ERR_INIT;
	int status = -1;

	(void)state;
	spec.port = sshd.port;
	spec.identity_file = sshd.key;
	spec.known_hosts_file = sshd.known_hosts;
	ok(ssh_open(&spec, &ssh, &err), &err);
	ok(ssh_call(ssh, "echo hi; exit 5", "", 0, 60000, &out, &status, &err),
	    &err);
	assert_int_equal(status, 5);
	assert_string_equal(buf_cstr(&out), "hi\n");
	buf_clear(&out);

	/* 8 MiB for a program that reads none of it. */
	ok(ssh_call(ssh, "exec 0</dev/null; echo no; exit 1", input,
	    8 * 1024 * 1024, 60000, &out, &status, &err), &err);
	assert_int_equal(status, 1);
	assert_string_equal(buf_cstr(&out), "no\n");
	buf_clear(&out);
	ok(ssh_call(ssh, "wc -c", input, 8 * 1024 * 1024, 60000, &out,
	    &status, &err), &err);
	assert_string_equal(buf_cstr(&out), "8388608\n");
	buf_clear(&out);
	ok(ssh_call(ssh, "kill -9 $$", "", 0, 60000, &out, &status, &err),
	    &err);
	assert_int_not_equal(status, 0);

	/* More than the buffer holds is dropped, and does not block. */
	ok(ssh_call(ssh, "cat", input, 8 * 1024 * 1024, 60000, &out,
	    &status, &err), &err);
	assert_int_equal(status, 0);
	buf_clear(&out);

	/* One that hangs, while sshd itself goes on answering. */
	assert_int_equal(ssh_call(ssh, "sleep 60", "", 0, 300, &out, &status,
	    &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	ssh_close(ssh);
	free(input);
}

#define LIBSSH2(f) cmocka_unit_test_setup(f, over_libssh2)
#define OPENSSH(f) { #f "_over_openssh", f, over_openssh, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIBSSH2(test_host_keys),
		LIBSSH2(test_no_login_before_judgement),
		LIBSSH2(test_ways_in),
		LIBSSH2(test_user_keys),
		LIBSSH2(test_agent),
		LIBSSH2(test_sent_once),
		LIBSSH2(test_no_room_to_send),
		LIBSSH2(test_no_copy_of_ours),
		LIBSSH2(test_other_machine),
		LIBSSH2(test_rsa_host),
		LIBSSH2(test_silent_peer),
		LIBSSH2(test_cut),
		LIBSSH2(test_no_orphan),
		LIBSSH2(test_calls),
		OPENSSH(test_host_keys),
		OPENSSH(test_no_login_before_judgement),
		OPENSSH(test_ways_in),
		OPENSSH(test_other_user_keys),
		OPENSSH(test_sent_once),
		OPENSSH(test_no_room_to_send),
		OPENSSH(test_no_copy_of_ours),
		OPENSSH(test_other_machine),
		OPENSSH(test_rsa_host_taken),
		OPENSSH(test_silent_peer),
		OPENSSH(test_cut),
		OPENSSH(test_no_orphan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_bed);
}
