#include "base/base.h"

#include <arpa/inet.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"
#include "core/letta.h"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM UPPER LOWER DIGITS

/* One label of a DNS name, len bytes at s. */
static bool
is_label(const char *s, size_t len)
{
	return len > 0 && len <= 63 && strspn(s, ALNUM "-") >= len &&
	    s[0] != '-' && s[len - 1] != '-';
}

static bool
is_dns(const char *s)
{
	size_t len;

	if (strlen(s) > 253)
		return false;
	for (;;) {
		len = strcspn(s, ".");
		if (!is_label(s, len))
			return false;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	/* "10.0.0.300" is a mistyped address, never a name. */
	return strspn(s, DIGITS) < len;
}

static bool
is_ip(const char *s)
{
	struct in6_addr address;	/* the larger of the two */

	return inet_pton(AF_INET, s, &address) == 1 ||
	    inet_pton(AF_INET6, s, &address) == 1;
}

const char *
conf_value_dns(const char *s)
{
	return is_dns(s) ? NULL : "is not a DNS name";
}

const char *
conf_value_address(const char *s)
{
	return is_dns(s) || is_ip(s) ? NULL :
	    "is neither a DNS name nor an IP address";
}

const char *
conf_value_user(const char *s)
{
	if (strlen(s) <= 32 && s[0] != '-' && s[0] != '.' &&
	    s[strspn(s, ALNUM "._-")] == '\0')
		return NULL;
	return "is not a user name";
}

const char *
conf_value_host_key(const char *s)
{
	if (str_starts(s, "SHA256:") && strlen(s + 7) == 43 &&
	    strspn(s + 7, ALNUM "+/") == 43)
		return NULL;
	return "is not SHA256: and 43 characters, as `ssh-keygen -l' "
	    "prints a key";
}

/* Whether each part between slashes is one, and neither "." nor "..". */
static bool
has_plain_parts(const char *s)
{
	size_t len;

	for (;;) {
		len = strcspn(s, "/");
		if (len == 0 || (len == 1 && s[0] == '.') ||
		    (len == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		if (s[len] == '\0')
			return true;
		s += len + 1;
	}
}

const char *
conf_value_path(const char *s)
{
	if (s[0] == '~' && s[1] == '/')
		s++;
	if (s[0] != '/')
		return "is not a path that begins with / or ~/";
	if (s[1] == '\0')
		return "is a whole root or home directory";
	if (str_ends(s, "/"))
		return "ends with a slash";
	if (!has_plain_parts(s + 1))
		return "has an empty, `.' or `..' part";
	return NULL;
}

/* The host and port of a URL, len bytes at s. */
static const char *
check_authority(const char *s, size_t len)
{
	static const char not_host[] = "has no valid host name or address";
	char host[CONF_LINE_MAX + 1];
	char *end, *port;
	unsigned int number;

	if (len == 0)
		return "has no host";
	if (len >= sizeof(host))
		return not_host;
	memcpy(host, s, len);
	host[len] = '\0';
	if (strchr(host, '@'))
		return "holds a user name or password: a token is given "
		    "with `token'";
	port = strrchr(host, ':');
	if (host[0] == '[') {
		struct in6_addr address;

		end = strchr(host, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return not_host;
		port = end[1] == ':' ? end + 1 : NULL;
		*end = '\0';
		if (inet_pton(AF_INET6, host + 1, &address) != 1)
			return not_host;
	} else {
		if (port)
			*port = '\0';
		if (strchr(host, ':') || conf_value_address(host))
			return not_host;
	}
	if (port && !conf_value_port(port + 1, &number))
		return "has a port that is not a number from 1 to 65535";
	return NULL;
}

const char *
conf_value_url(const char *s)
{
	const char *path, *wrong;
	size_t len;

	if (str_starts(s, "https://"))
		s += 8;
	else if (str_starts(s, "http://"))
		s += 7;
	else
		return "does not begin with https:// or http://";
	len = strcspn(s, "/?#");
	wrong = check_authority(s, len);
	if (wrong)
		return wrong;
	path = s + len;
	if (strchr(path, '?'))
		return "holds a query (`?')";
	if (strchr(path, '#'))
		return "holds a fragment (`#')";
	if (path[strspn(path, ALNUM "/-._~%!$&'()*+,;=:@")] != '\0')
		return "holds a character that must be escaped";
	for (; path[0] == '/' && path[1] != '\0'; path += len + 1) {
		len = strcspn(path + 1, "/");
		if (len == 0 || strspn(path + 1, ".") >= len)
			return "has an empty, `.' or `..' part";
	}
	return NULL;
}

const char *
conf_value_email(const char *s)
{
	const char *at = strchr(s, '@');
	size_t len = strspn(s, ALNUM "._%+-");

	if (at && len > 0 && s + len == at && s[0] != '-' &&
	    strchr(at, '.') && is_dns(at + 1))
		return NULL;
	return "is not an e-mail address";
}

const char *
conf_value_version(const char *s)
{
	int part;
	size_t len;

	for (part = 0; part < 3; part++) {
		len = strspn(s, DIGITS);
		if (len == 0 || len > 6 || s[len] != (part < 2 ? '.' : '\0'))
			return "is not a version such as 0.16.2";
		s += len + 1;
	}
	return NULL;
}

const char *
conf_value_handle(const char *s)
{
	const char *slash = strchr(s, '/');

	if (!slash || slash == s || !slash[1] || strpbrk(s, " \t\"\\"))
		return "is not a model's handle, PROVIDER/MODEL";
	return NULL;
}

const char *
conf_value_mcp_server(const char *s)
{
	return conf_value_is_name(s) ? NULL :
	    "is not the name of an MCP server: A-Z, a-z, 0-9, _ and -";
}

const char *
conf_value_agent_name(const char *s)
{
	return letta_name_may_pass(s) ? NULL :
	    "holds a character that Letta refuses in a name: letters, "
	    "digits, blank, - _ and ' are taken";
}

const char *
conf_value_job_name(const char *s)
{
	size_t len = strlen(s);

	if (len > 0 && len <= CONF_NAME_MAX && s[0] != '-' &&
	    strspn(s, LOWER DIGITS "-") == len)
		return NULL;
	return "is not a job name: 1 to 64 of a-z, 0-9 and -";
}

const char *
conf_value_secret(const char *s)
{
	if (str_starts(s, "env:")) {
		s += 4;
		if (s[0] != '\0' && !strchr(DIGITS, s[0]) &&
		    s[strspn(s, ALNUM "_")] == '\0')
			return NULL;
		return "has no valid variable name after `env:'";
	}
	if (str_starts(s, "file:")) {
		if (!conf_value_path(s + 5))
			return NULL;
		return "needs a plain path that begins with / or ~/ after "
		    "`file:'";
	}
	if (str_starts(s, "cmd:")) {
		s += 4;
		if (s[0] == '\0' || s[0] == ' ' || s[0] == '\t')
			return "has no program right after `cmd:'";
		if (strpbrk(s, "\"'\\"))
			return "has a quote or backslash after `cmd:', "
			    "which takes words separated by blanks and no "
			    "shell";
		return NULL;
	}
	return "is given as plain text: write env:NAME, file:PATH or "
	    "cmd:PROGRAM ARGUMENT...";
}

bool
conf_value_is_agent_id(const char *s)
{
	return letta_id_ok(s, "agent-");
}

bool
conf_value_is_name(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= CONF_NAME_MAX &&
	    strspn(s, ALNUM "_-") == len;
}

bool
conf_value_port(const char *s, unsigned int *out)
{
	uint64_t number;

	if (!str_u64(s, 65535, &number) || number == 0)
		return false;
	*out = (unsigned int)number;
	return true;
}
