#include "base/base.h"

#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/b64.h"
#include "io/host.h"
#include "io/openssh.h"
#include "io/ssh.h"

#define TOLD "sanctumctl-key "
#define LINES_MAX 3
#define LINE_MAX_LEN 160u

/* Let ssh split and expand this to script and these arguments. */
#define KEY_COMMAND "KnownHostsCommand=/bin/sh -c '%s' sh %%f %s %%H %%t %%K"
#define TELL "echo \"" TOLD "$3 $4 $5\" >&2;"
#define MATCH "if test \"$1\" = \"$2\"; then echo \"$3 $4 $5\"; fi;"

/* Options that no ~/.ssh/config may change. */
static const char *const fixed[] = {
	/* Of ssh 8.7 and later: older ones lack what these shut off. */
	"IgnoreUnknown=ForkAfterAuthentication,StdinNull,SessionType",
	"ForkAfterAuthentication=no", "StdinNull=no", "SessionType=default",
	"BatchMode=yes",
	/* At this level it says that the host does not respond any more. */
	"LogLevel=INFO",
	"StrictHostKeyChecking=yes", "NoHostAuthenticationForLocalhost=no",
	"VerifyHostKeyDNS=no", "UpdateHostKeys=no", "CheckHostIP=no",
	"FingerprintHash=sha256",
	"ControlMaster=no", "ControlPath=none", "ControlPersist=no",
	"ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no",
	"Tunnel=no", "PermitLocalCommand=no", "RemoteCommand=none",
	"RequestTTY=no", "EscapeChar=none",
};

static void
add_taken(struct openssh_argv *argv, char *word)
{
	assert(argv->n + 1 < OPENSSH_WORDS);
	argv->words[argv->n++] = word;
}

static void
add(struct openssh_argv *argv, const char *word)
{
	add_taken(argv, mem_strdup(word));
}

static void
add_option(struct openssh_argv *argv, const char *option)
{
	add(argv, "-o");
	add(argv, option);
}

/* An option whose value is one path: quoted, and no "%" of it expanded. */
static int
add_path(struct openssh_argv *argv, const char *name, const char *path,
    struct err *err)
{
	struct buf word = BUF_INIT(2000);
	const char *p;
	int rc = 0;

	buf_printf(&word, "%s=\"", name);
	for (p = path; *p; p++) {
		if (*p == '%')
			buf_char(&word, '%');
		buf_char(&word, *p);
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ||
		    (*p == '$' && p[1] == '{'))
			rc = -1;
	}
	buf_char(&word, '"');
	if (rc != 0 || word.full)
		rc = err_set(err, ERR_USAGE, "transport = openssh cannot "
		    "tell ssh this path, which is too long or has one of "
		    "\" \\ ${ in it: %.200s", path);
	else
		add_option(argv, buf_cstr(&word));
	buf_clear(&word);
	return rc;
}

/* "SHA256:" and base64, without what may follow as padding. */
static int
add_pin(struct openssh_argv *argv, const char *pin, bool tell_key,
    struct err *err)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char bare[100];
	size_t len = strcspn(pin, "=");

	if (!str_starts(pin, "SHA256:") || len >= sizeof(bare) ||
	    7 + strspn(pin + 7, digits) != len)
		return err_set(err, ERR_USAGE, "host_key is not a SHA256: "
		    "fingerprint: %.80s", pin);
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)len, pin);
	add_option(argv, "UserKnownHostsFile=none");
	add_option(argv, "GlobalKnownHostsFile=none");
	add(argv, "-o");
	add_taken(argv, mem_printf(KEY_COMMAND,
	    tell_key ? TELL MATCH : MATCH, bare));
	return 0;
}

/* How the host's key is judged. */
static int
add_host_key(struct openssh_argv *argv, const struct host_spec *spec,
    bool tell_key, struct err *err)
{
	if (spec->host_key)
		return add_pin(argv, spec->host_key, tell_key, err);
	if (tell_key) {
		add(argv, "-o");
		add_taken(argv, mem_printf(KEY_COMMAND, TELL, "-"));
	}
	if (!spec->known_hosts_file)
		return 0;
	add_option(argv, "GlobalKnownHostsFile=none");
	return add_path(argv, "UserKnownHostsFile", spec->known_hosts_file,
	    err);
}

/* Seconds, at least one. */
static unsigned int
seconds(uint64_t ms)
{
	return ms < 1000 ? 1 : (unsigned int)((ms + 999) / 1000);
}

static void
add_limits(struct openssh_argv *argv, const struct ssh_limits *limits)
{
	const unsigned int silence = seconds(limits->silence_ms);
	const unsigned int interval = silence < 6 ? 1 : silence / 6;
	const unsigned int count = silence / interval;

	add(argv, "-o");
	add_taken(argv, mem_printf("ConnectTimeout=%u",
	    seconds(limits->connect_ms)));
	/* It is given up one interval after the last question. */
	add(argv, "-o");
	add_taken(argv, mem_printf("ServerAliveInterval=%u", interval));
	add(argv, "-o");
	add_taken(argv, mem_printf("ServerAliveCountMax=%u",
	    count > 1 ? count - 1 : 1));
}

int
openssh_argv(struct openssh_argv *argv, const struct host_spec *spec,
    const struct ssh_limits *limits, bool tell_key, const char *command,
    struct err *err)
{
	size_t i;

	memset(argv, 0, sizeof(*argv));
	add(argv, "ssh");
	add(argv, "-T");
	for (i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		add_option(argv, fixed[i]);
	add_limits(argv, limits);
	if (add_host_key(argv, spec, tell_key, err) != 0)
		return -1;
	if (spec->identity_file) {
		add_option(argv, "IdentitiesOnly=yes");
		if (add_path(argv, "IdentityFile", spec->identity_file,
		    err) != 0)
			return -1;
	}
	/* 22 is what ssh takes when its configuration says no other. */
	if (spec->port != 22) {
		add(argv, "-p");
		add_taken(argv, mem_printf("%u", spec->port));
	}
	if (spec->user) {
		add(argv, "-l");
		add(argv, spec->user);
	}
	add(argv, "--");
	add(argv, spec->address);
	add(argv, command);
	return 0;
}

void
openssh_argv_clear(struct openssh_argv *argv)
{
	size_t i;

	for (i = 0; i < argv->n; i++)
		free(argv->words[i]);
	memset(argv, 0, sizeof(*argv));
}

bool
openssh_key_told(const char *said, char *name, size_t size, struct buf *blob)
{
	const char *at = strstr(said, TOLD), *key, *type;
	bool found = false;
	size_t len;

	for (; at; at = strstr(at, TOLD)) {
		at += strlen(TOLD);
		len = strcspn(at, " \r\n");
		type = at + len + (at[len] == ' ');
		key = type + strcspn(type, " \r\n");
		key += *key == ' ';
		buf_truncate(blob, 0);
		/* Without a key when it asks for what types are known. */
		if (len >= size || b64_decode(blob, key,
		    strcspn(key, "\r\n")) != 0 || blob->len < 16)
			continue;
		(void)snprintf(name, size, "%.*s", (int)len, at);
		found = true;
		break;
	}
	return found;
}

enum err_kind
openssh_kind(const char *said)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} known[] = {
		{ "Host key verification failed", ERR_HOSTKEY },
		{ "host key is known for", ERR_HOSTKEY },
		{ "IDENTIFICATION HAS CHANGED", ERR_HOSTKEY },
		{ "REVOKED HOST KEY", ERR_HOSTKEY },
		{ "Permission denied (", ERR_AUTH },
		{ "Too many authentication failures", ERR_AUTH },
		{ "no matching ", ERR_FAILED },
		{ "onfiguration option", ERR_FAILED },
		{ "Bad owner or permissions", ERR_FAILED },
		{ "KnownHostsCommand", ERR_FAILED },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(said, known[i].words))
			return known[i].kind;
	return ERR_UNREACHABLE;
}

void
openssh_last_words(struct buf *out, const char *said)
{
	const char *lines[LINES_MAX], *p;
	size_t lens[LINES_MAX], n = 0, i, len;

	for (p = said; *p; p += len + strspn(p + len, "\r\n")) {
		len = strcspn(p, "\r\n");
		/* Neither the frame of a warning nor a line of ours. */
		if (len == 0 || *p == '@' || str_starts(p, TOLD))
			continue;
		lines[n % LINES_MAX] = p;
		lens[n++ % LINES_MAX] = len < LINE_MAX_LEN ? len : LINE_MAX_LEN;
	}
	for (i = n > LINES_MAX ? n - LINES_MAX : 0; i < n; i++) {
		if (out->len > 0)
			buf_str(out, "; ");
		str_printable(out, lines[i % LINES_MAX],
		    lens[i % LINES_MAX]);
	}
}
