#include "base/base.h"

#include <libssh2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/dial.h"
#include "io/fs.h"
#include "io/host_key.h"
#include "io/known_hosts.h"
#include "io/lookup.h"
#include "io/ssh.h"
#include "io/ssh_key.h"

#define CONNECT_MS 10000
#define LOGIN_MS 30000
#define SILENCE_MS 60000
#define KEEPALIVE_S 10		/* at most; 2 is the least of libssh2 */
#define CLOSE_MS 2000
#define EARLY_MAX (256u * 1024u)
#define KEY_FILE_MAX (64u * 1024u)

struct ssh {
	int fd;
	LIBSSH2_SESSION *session;
	char *user;
	struct ssh_limits limits;
	uint64_t heard_ms;	/* when the peer last did something */
	uint64_t login_ms;	/* deadline; 0 once logged in */
	unsigned int keepalive_s;
	struct known_hosts known;
};

struct ssh_channel {
	struct ssh *ssh;
	LIBSSH2_CHANNEL *channel;
	struct buf early;	/* came while we wrote */
	bool lossy;		/* drop what early does not hold */
	bool ended;		/* seen by ssh_write */
};

/*
 * Wait until libssh2 can go on.  A packet that is half sent must be ended by
 * the very call that began it, so a keepalive goes out only when libssh2 does
 * not wait to send.
 */
static int
turn(struct ssh *s, uint64_t deadline_ms, const char *what, struct err *err)
{
	const int dirs = libssh2_session_block_directions(s->session);
	const uint64_t now = clock_ms();
	uint64_t end = s->heard_ms + s->limits.silence_ms;
	short events = POLLIN, got = 0;
	uint64_t wait_ms;
	int next = 0, ready;

	if (s->login_ms && (!deadline_ms || s->login_ms < deadline_ms))
		deadline_ms = s->login_ms;
	if (deadline_ms && deadline_ms < end)
		end = deadline_ms;
	if (now >= end)
		return err_set(err, ERR_UNREACHABLE, "%s: %s", what,
		    end == deadline_ms ? "no answer in time" :
		    "the host has gone silent");
	if (dirs & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		events = dirs & LIBSSH2_SESSION_BLOCK_INBOUND ?
		    POLLIN | POLLOUT : POLLOUT;
	else if (!s->login_ms)
		(void)libssh2_keepalive_send(s->session, &next);

	wait_ms = end - now;
	if (!s->login_ms && wait_ms > s->keepalive_s * 1000)
		wait_ms = s->keepalive_s * 1000;
	ready = dial_wait(s->fd, events, &got, wait_ms, err);
	if (ready > 0)
		s->heard_ms = clock_ms();
	return ready < 0 ? -1 : 0;
}

/* A call of libssh2 failed for good. */
static int
lost(struct ssh *s, const char *what, struct err *err)
{
	char *text = NULL;
	int code;

	code = libssh2_session_last_error(s->session, &text, NULL, 0);
	return err_set(err, ERR_UNREACHABLE, "%s: %.200s (libssh2 %d)", what,
	    text ? text : "failed", code);
}

/* Go on waiting after EAGAIN (0), or fail. */
static int
again(struct ssh *s, ptrdiff_t code, uint64_t deadline_ms, const char *what,
    struct err *err)
{
	if (code != LIBSSH2_ERROR_EAGAIN)
		return lost(s, what, err);
	return turn(s, deadline_ms, what, err);
}

/*
 * Between our calls nobody speaks SSH: the kernel's own questions keep the
 * line open in routers on the way, and notice a dead one.
 */
static void
keep_alive(const struct ssh *s)
{
	const int on = 1, interval = (int)s->keepalive_s, count = 5;
	const unsigned int silence_ms = (unsigned int)s->limits.silence_ms;

	(void)setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval,
	    sizeof(interval));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
	    sizeof(interval));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPCNT, &count,
	    sizeof(count));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms,
	    sizeof(silence_ms));
}

static int
connect_tcp(struct ssh *s, const struct ssh_spec *spec, struct err *err)
{
	const uint64_t deadline = clock_ms() + s->limits.connect_ms;
	struct lookup_address list[LOOKUP_MAX];
	size_t i, n = 0;

	if (lookup_name(spec->address, spec->port, deadline, list, &n,
	    err) != 0)
		return -1;
	for (i = 0; i < n && s->fd < 0; i++) {
		s->fd = dial_open((const struct sockaddr *)&list[i].addr,
		    list[i].len, deadline, err);
		if (s->fd < 0 && err->kind == ERR_INTERRUPTED)
			break;
	}
	if (s->fd < 0)
		return err_ctx(err, "connect to %.255s port %u",
		    spec->address, spec->port);
	err_clear(err);
	keep_alive(s);
	return 0;
}

static int
handshake(struct ssh *s, struct err *err)
{
	struct buf list = BUF_INIT(256);
	const bool narrowed = host_key_types(&s->known, &list);
	int code, rc = 0;

	code = libssh2_session_method_pref(s->session,
	    LIBSSH2_METHOD_HOSTKEY, buf_cstr(&list));
	if (code != 0)
		rc = lost(s, "choose host key types", err);
	while (rc == 0) {
		code = libssh2_session_handshake(s->session, s->fd);
		if (code == 0)
			break;
		if (code != LIBSSH2_ERROR_KEX_FAILURE)
			rc = again(s, code, 0, "SSH handshake", err);
		else if (narrowed)
			rc = err_set(err, ERR_HOSTKEY,
			    "the host offers no key of the types that "
			    "known_hosts has for it (%s): its keys were "
			    "replaced, or this is another host",
			    buf_cstr(&list));
		else
			rc = err_set(err, ERR_FAILED,
			    "no algorithm in common (host keys asked for: "
			    "%s); libssh2 1.10 cannot use RSA host keys: set "
			    "transport = openssh for this host, or make an "
			    "ed25519 key there with ssh-keygen -A",
			    buf_cstr(&list));
	}
	buf_clear(&list);
	return rc;
}

static int
judge(struct ssh *s, const struct ssh_spec *spec, struct err *err)
{
	const char *blob;
	size_t len = 0;
	int type = 0;

	blob = libssh2_session_hostkey(s->session, &len, &type);
	if (!blob)
		return lost(s, "host key", err);
	return host_key_judge(&s->known, spec->host_key, blob, len, err);
}

/*
 * What became of one key: 1 logged in, 0 refused, -1 the connection failed.
 * tried lists it either way.
 */
static int
key_result(struct ssh *s, int code, const char *type, const char *name,
    struct buf *tried, struct err *err)
{
	const bool first = tried->len == 0;

	buf_printf(tried, "%s%s ", first ? "" : ", ", type);
	str_printable(tried, name, strnlen(name, 200));
	switch (code) {
	case 0:
		return 1;
	case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
	case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
	case LIBSSH2_ERROR_PUBLICKEY_PROTOCOL:
	case LIBSSH2_ERROR_AGENT_PROTOCOL:
	case LIBSSH2_ERROR_METHOD_NONE:
	case LIBSSH2_ERROR_METHOD_NOT_SUPPORTED:
		return 0;
	case LIBSSH2_ERROR_FILE:
		buf_printf(tried, " (unreadable)");
		return 0;
	default:
		break;
	}

	/* A host that has refused often enough hangs up. */
	(void)lost(s, "log in", err);
	if (!first)
		err->kind = ERR_AUTH;
	return err_ctx(err, "tried: %.300s", buf_cstr(tried));
}

/* Try the agent's keys, or the one with this public key. */
static int
try_agent(struct ssh *s, const struct buf *only, struct buf *tried,
    struct err *err)
{
	LIBSSH2_AGENT *agent = libssh2_agent_init(s->session);
	struct libssh2_agent_publickey *id = NULL, *before = NULL;
	char type[64];
	int code, rc = 0;

	if (!agent || libssh2_agent_connect(agent) != 0 ||
	    libssh2_agent_list_identities(agent) != 0) {
		if (agent)
			libssh2_agent_free(agent);
		buf_printf(tried, "%sno agent", tried->len ? ", " : "");
		return 0;
	}
	/* A further try on a session that is logged in would hang. */
	while (rc == 0 &&
	    libssh2_agent_get_identity(agent, &id, before) == 0) {
		before = id;
		if (only && (only->len != id->blob_len ||
		    memcmp(only->data, id->blob, id->blob_len) != 0))
			continue;
		known_hosts_key_type(id->blob, id->blob_len, type,
		    sizeof(type));
		if (!ssh_key_is_usable(type)) {
			buf_printf(tried, "%s%s of the agent (needs "
			    "transport = openssh)", tried->len ? ", " : "",
			    type);
			continue;
		}
		do {
			code = libssh2_agent_userauth(agent, s->user, id);
		} while (code == LIBSSH2_ERROR_EAGAIN &&
		    (rc = turn(s, 0, "log in", err)) == 0);
		if (rc == 0)
			rc = key_result(s, code, type, id->comment ?
			    id->comment : "", tried, err);
	}
	(void)libssh2_agent_disconnect(agent);
	libssh2_agent_free(agent);
	return rc;
}

/* As key_result; a file that is not there is refused without a word. */
static int
try_file(struct ssh *s, const char *path, bool must, struct buf *tried,
    struct err *err)
{
	struct buf text = BUF_INIT(KEY_FILE_MAX);
	struct ssh_key key = { .blob = BUF_INIT(0) };
	int code, rc;

	rc = fs_read(path, &text, NULL, err);
	if (rc != 0 && !must) {
		err_clear(err);
		buf_wipe(&text);
		return 0;
	}
	if (rc == 0)
		rc = ssh_key_look(buf_cstr(&text), text.len, &key, err);
	if (rc != 0) {
		err->kind = ERR_AUTH;
		err->transient = false;
		(void)err_ctx(err, "identity file %.200s", path);
	} else if (key.encrypted && must) {
		rc = try_agent(s, &key.blob, tried, err);
		if (rc == 0)
			rc = err_set(err, ERR_AUTH, "identity file %.200s is "
			    "encrypted and the agent has no key of it that "
			    "the host takes: run ssh-add %.200s", path, path);
	} else if (key.encrypted || str_eq(key.type, "ssh-rsa")) {
		buf_printf(tried, "%s%.200s (%s)", tried->len ? ", " : "",
		    path, key.encrypted ? "encrypted, not in the agent" :
		    "RSA: needs transport = openssh");
	} else {
		do {
			code = libssh2_userauth_publickey_fromfile_ex(
			    s->session, s->user,
			    (unsigned int)strlen(s->user), NULL, path, NULL);
		} while (code == LIBSSH2_ERROR_EAGAIN &&
		    (rc = turn(s, 0, "log in", err)) == 0);
		if (rc == 0)
			rc = key_result(s, code, key.type, path, tried, err);
	}
	buf_clear(&key.blob);
	buf_wipe(&text);
	return rc;
}

static int
refused(const struct buf *tried, const char *user, struct err *err)
{
	return err_set(err, ERR_AUTH, "no key was accepted for user %.64s "
	    "(tried: %.600s)", user, tried->len ? buf_cstr(tried) : "none");
}

static int
log_in(struct ssh *s, const struct ssh_spec *spec, struct err *err)
{
	static const char *const names[] = { "id_ed25519", "id_ecdsa" };
	struct buf tried = BUF_INIT(4096);
	const char *home = getenv("HOME");
	char *path;
	size_t i;
	int rc;

	if (spec->identity_file)
		rc = try_file(s, spec->identity_file, true, &tried, err);
	else
		rc = try_agent(s, NULL, &tried, err);
	for (i = 0; rc == 0 && !spec->identity_file && home && i < 2; i++) {
		path = mem_printf("%s/.ssh/%s", home, names[i]);
		rc = try_file(s, path, false, &tried, err);
		free(path);
	}
	if (rc == 0)
		rc = refused(&tried, s->user, err);
	buf_clear(&tried);
	return rc > 0 ? 0 : -1;
}

static char *
login_name(void)
{
	struct passwd pw, *found = NULL;
	char text[4096];

	if (getpwuid_r(getuid(), &pw, text, sizeof(text), &found) == 0 &&
	    found)
		return mem_strdup(found->pw_name);
	return mem_printf("%u", getuid());
}

static uint64_t
or_default(uint64_t given_ms, uint64_t default_ms)
{
	return given_ms ? given_ms : default_ms;
}

int
ssh_open(const struct ssh_spec *spec, struct ssh **out, struct err *err)
{
	struct ssh *s = mem_zero(1, sizeof(*s));

	*out = NULL;
	s->fd = -1;
	s->user = spec->user ? mem_strdup(spec->user) : login_name();
	s->limits.connect_ms = or_default(spec->limits.connect_ms,
	    CONNECT_MS);
	s->limits.login_ms = or_default(spec->limits.login_ms, LOGIN_MS);
	s->limits.silence_ms = or_default(spec->limits.silence_ms,
	    SILENCE_MS);
	/* Six questions fit into the silence. */
	s->keepalive_s = KEEPALIVE_S;
	if (s->limits.silence_ms / 6000 < KEEPALIVE_S)
		s->keepalive_s = (unsigned int)(s->limits.silence_ms / 6000);
	if (s->keepalive_s < 2)
		s->keepalive_s = 2;
	known_hosts_init(&s->known, spec->address, spec->port);
	if (libssh2_init(0) == 0)
		s->session = libssh2_session_init();
	if (!s->session) {
		(void)err_set(err, ERR_FAILED, "libssh2 does not start");
		goto out;
	}
	libssh2_session_set_blocking(s->session, 0);

	if ((!spec->host_key &&
	    host_key_load(&s->known, spec->known_hosts_file, err) != 0) ||
	    connect_tcp(s, spec, err) != 0)
		goto out;
	s->heard_ms = clock_ms();
	s->login_ms = s->heard_ms + s->limits.login_ms;
	if (handshake(s, err) != 0 || judge(s, spec, err) != 0 ||
	    log_in(s, spec, err) != 0)
		goto out;
	s->login_ms = 0;
	libssh2_keepalive_config(s->session, 1, s->keepalive_s);
	*out = s;
	return 0;
out:
	ssh_close(s);
	return -1;
}

void
ssh_close(struct ssh *s)
{
	int tries;

	if (!s)
		return;
	/* With no peer behind it libssh2 ends its own waits at once. */
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_RDWR);
	for (tries = 0; s->session && tries < 100; tries++)
		if (libssh2_session_free(s->session) !=
		    LIBSSH2_ERROR_EAGAIN)
			break;
	if (s->fd >= 0)
		(void)close(s->fd);
	known_hosts_clear(&s->known);
	libssh2_exit();
	free(s->user);
	free(s);
}

int
ssh_exec(struct ssh *s, const char *command, struct ssh_channel **out,
    struct err *err)
{
	struct ssh_channel *ch;
	LIBSSH2_CHANNEL *channel = NULL;
	int code;

	*out = NULL;
	s->heard_ms = clock_ms();
	for (;;) {
		channel = libssh2_channel_open_session(s->session);
		if (channel)
			break;
		if (again(s, libssh2_session_last_errno(s->session), 0,
		    "open a channel", err) != 0)
			return -1;
	}
	ch = mem_zero(1, sizeof(*ch));
	ch->ssh = s;
	ch->channel = channel;
	buf_init(&ch->early, EARLY_MAX);

	libssh2_channel_set_blocking(channel, 0);
	do {
		code = libssh2_channel_handle_extended_data2(channel,
		    LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
		if (code == 0)
			code = libssh2_channel_exec(channel, command);
		if (code == 0) {
			*out = ch;
			return 0;
		}
	} while (again(s, code, 0, "run a command", err) == 0);
	ssh_channel_close(ch);
	return -1;
}

void
ssh_channel_close(struct ssh_channel *ch)
{
	struct err ignored = ERR_INIT;
	const uint64_t deadline = clock_ms() + CLOSE_MS;

	if (!ch)
		return;
	ch->ssh->heard_ms = clock_ms();
	while (libssh2_channel_free(ch->channel) == LIBSSH2_ERROR_EAGAIN)
		if (turn(ch->ssh, deadline, "close", &ignored) != 0)
			break;
	buf_clear(&ch->early);
	free(ch);
}

/* What is there, without waiting: bytes, 0 at the end, or a code < 0. */
static ptrdiff_t
read_now(struct ssh_channel *ch, void *data, size_t size)
{
	ptrdiff_t n = libssh2_channel_read(ch->channel, data, size);

	if (n == 0 && !libssh2_channel_eof(ch->channel))
		return LIBSSH2_ERROR_EAGAIN;
	return n;
}

ptrdiff_t
ssh_read(struct ssh_channel *ch, void *data, size_t size,
    uint64_t deadline_ms, struct err *err)
{
	ptrdiff_t n;

	if (ch->early.len > 0) {
		n = (ptrdiff_t)(ch->early.len < size ? ch->early.len : size);
		memcpy(data, ch->early.data, (size_t)n);
		buf_drop(&ch->early, (size_t)n);
		return n;
	}
	ch->ssh->heard_ms = clock_ms();
	for (;;) {
		n = read_now(ch, data, size);
		if (n >= 0)
			return n;
		if (again(ch->ssh, n, deadline_ms, "read", err) != 0)
			return -1;
	}
}

/* Keep what came while we write, so that its end is seen: 0 at the end. */
static ptrdiff_t
drain(struct ssh_channel *ch)
{
	char data[16384];
	ptrdiff_t n;

	do {
		if (!ch->lossy &&
		    ch->early.len + sizeof(data) > ch->early.max)
			return 1;
		n = read_now(ch, data, sizeof(data));
		if (n > 0 && (size_t)n <= ch->early.max - ch->early.len)
			buf_add(&ch->early, data, (size_t)n);
	} while (n > 0);
	return n;
}

int
ssh_write(struct ssh_channel *ch, const void *data, size_t len,
    uint64_t deadline_ms, struct err *err)
{
	LIBSSH2_SESSION *session = ch->ssh->session;
	const char *p = data;
	ptrdiff_t n;

	ch->ssh->heard_ms = clock_ms();
	while (len > 0) {
		n = libssh2_channel_write(ch->channel, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
		ch->ended = libssh2_channel_eof(ch->channel) == 1;
		if (n <= 0 && !ch->ended &&
		    !(libssh2_session_block_directions(session) &
		    LIBSSH2_SESSION_BLOCK_OUTBOUND))
			ch->ended = drain(ch) == 0;
		if (ch->ended)
			return err_set(err, ERR_UNREACHABLE,
			    "the command there ended while it was written "
			    "to");
		if (n <= 0 && again(ch->ssh, n == 0 ? LIBSSH2_ERROR_EAGAIN :
		    n, deadline_ms, "write", err) != 0)
			return -1;
	}
	return 0;
}

bool
ssh_readable(struct ssh_channel *ch)
{
	/* An end or a failure is for ssh_read to tell. */
	return ch->early.len > 0 || drain(ch) != LIBSSH2_ERROR_EAGAIN ||
	    ch->early.len > 0;
}

static int
exit_status(struct ssh_channel *ch, uint64_t deadline_ms, int *status,
    struct err *err)
{
	char *name = NULL;
	int code;

	for (;;) {
		code = libssh2_channel_wait_closed(ch->channel);
		if (code == 0)
			break;
		if (again(ch->ssh, code, deadline_ms, "end of a command",
		    err) != 0)
			return -1;
	}
	*status = libssh2_channel_get_exit_status(ch->channel);
	(void)libssh2_channel_get_exit_signal(ch->channel, &name, NULL, NULL,
	    NULL, NULL, NULL);
	if (name) {
		*status = 128;
		libssh2_free(ch->ssh->session, name);
	}
	return 0;
}

int
ssh_call(struct ssh *s, const char *command, const void *input, size_t len,
    uint64_t timeout_ms, struct buf *out, int *status, struct err *err)
{
	const uint64_t deadline = clock_ms() + timeout_ms;
	struct ssh_channel *ch = NULL;
	struct err cut = ERR_INIT;
	char data[16384];
	ptrdiff_t n;
	int code, rc = -1;

	if (ssh_exec(s, command, &ch, err) != 0)
		return -1;
	ch->lossy = true;
	if (ssh_write(ch, input, len, deadline, &cut) != 0 && !ch->ended) {
		*err = cut;
		goto out;
	}
	for (;;) {
		code = libssh2_channel_send_eof(ch->channel);
		if (code != LIBSSH2_ERROR_EAGAIN)
			break;	/* one that has ended needs none */
		if (turn(s, deadline, "end of input", err) != 0)
			goto out;
	}
	do {
		n = ssh_read(ch, data, sizeof(data), deadline, err);
		if (n > 0 && (size_t)n <= out->max - out->len)
			buf_add(out, data, (size_t)n);
	} while (n > 0);
	if (n == 0)
		rc = exit_status(ch, deadline, status, err);
out:
	ssh_channel_close(ch);
	return rc;
}

void
ssh_quote(struct buf *out, const char *word)
{
	buf_char(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *word);
	}
	buf_char(out, '\'');
}
