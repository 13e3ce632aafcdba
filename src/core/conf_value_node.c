#include "base/base.h"

#include <arpa/inet.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/conf_value.h"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM UPPER LOWER DIGITS
#define DIGEST_CHARS 64

/* The text before the last ':', which a port follows. */
static bool
split_port(const char *s, char name[static CONF_LINE_MAX + 1])
{
	const char *colon = strrchr(s, ':');
	unsigned int port;

	if (!colon || colon - s > CONF_LINE_MAX ||
	    !conf_value_port(colon + 1, &port))
		return false;
	(void)snprintf(name, CONF_LINE_MAX + 1, "%.*s", (int)(colon - s), s);
	return true;
}

/* Whether an earlier word of the list is word, len bytes. */
static bool
is_twice(const char *list, const char *word, size_t len)
{
	size_t n;

	for (; list < word; list += n + 1) {
		n = strcspn(list, " ");
		if (n == len && memcmp(list, word, len) == 0)
			return true;
	}
	return false;
}

/* Each word of a list, by one check of a word. */
static const char *
check_list(const char *s, const char *(*check)(const char *))
{
	char word[CONF_LINE_MAX + 1];
	const char *wrong;
	size_t len;

	for (const char *at = s;; at += len + 1) {
		len = strcspn(at, " ");
		if (len == 0)
			return "has two blanks in a row";
		(void)snprintf(word, sizeof(word), "%.*s", (int)len, at);
		wrong = check(word);
		if (wrong)
			return wrong;
		if (is_twice(s, at, len))
			return "has a word twice";
		if (at[len] == '\0')
			return NULL;
	}
}

const char *
conf_value_redis(const char *s)
{
	char host[CONF_LINE_MAX + 1];

	if (str_eq(s, "none"))
		return NULL;
	if (!split_port(s, host) || conf_value_address(host))
		return "is neither HOST:PORT nor `none'";
	return NULL;
}

/* What follows "@sha256:", or a tag. */
static const char *
check_pin(const char *s)
{
	const char *digest = strstr(s, "@sha256:");
	const char *slash = strrchr(s, '/');
	const char *tag = strrchr(s, ':');

	if (digest) {
		digest += 8;
		return strlen(digest) == DIGEST_CHARS &&
		    strspn(digest, DIGITS "abcdef") == DIGEST_CHARS ? NULL :
		    "has no SHA-256 of 64 hexadecimal digits behind `@'";
	}
	if (!tag || tag[1] == '\0' || (slash && tag < slash))
		return "is not pinned: write IMAGE:TAG or IMAGE@sha256:DIGEST";
	if (str_eq(tag, ":latest"))
		return "is not pinned: what `latest' means changes under you";
	return NULL;
}

const char *
conf_value_image(const char *s)
{
	if (strspn(s, ALNUM) == 0 ||
	    s[strspn(s, ALNUM "._-/:@")] != '\0' || strstr(s, ".."))
		return "is not the name of an image";
	return check_pin(s);
}

static const char *
check_origin(const char *s)
{
	const char *wrong = conf_value_url(s);
	const char *host = strstr(s, "://");

	if (str_eq(s, "*"))
		return "holds `*', which lets any page use a visitor's "
		    "credentials: name the origins";
	if (wrong)
		return wrong;
	if (strchr(host + 3, '/') || s[strcspn(s, UPPER)])
		return "holds what is no origin: https://NAME[:PORT], in "
		    "lower case, without a path or slash at its end";
	return NULL;
}

const char *
conf_value_origins(const char *s)
{
	return check_list(s, check_origin);
}

static const char *
check_network(const char *s)
{
	char address[CONF_LINE_MAX + 1];
	struct in6_addr bits;
	const char *slash = strchr(s, '/');
	uint64_t prefix = 0;
	bool four, six;

	(void)snprintf(address, sizeof(address), "%.*s",
	    (int)strcspn(s, "/"), s);
	four = inet_pton(AF_INET, address, &bits) == 1;
	six = inet_pton(AF_INET6, address, &bits) == 1;
	if ((!four && !six) ||
	    (slash && !str_u64(slash + 1, four ? 32 : 128, &prefix)))
		return "holds what is neither an IP address nor a network "
		    "such as 192.0.2.0/24";
	return NULL;
}

const char *
conf_value_networks(const char *s)
{
	return check_list(s, check_network);
}

static const char *
check_route(const char *s)
{
	char name[CONF_LINE_MAX + 1];

	if (!split_port(s, name) || !conf_value_is_name(name))
		return "holds what is not NAME:PORT, such as sage:8100";
	return NULL;
}

const char *
conf_value_mcp_routes(const char *s)
{
	return check_list(s, check_route);
}

const char *
conf_value_service(const char *s)
{
	return s[0] == '-' || s[strspn(s, ALNUM "@._-")] != '\0' ?
	    "is not the name of a service" : NULL;
}

static const char *
check_agent_id(const char *s)
{
	return conf_value_is_agent_id(s) ? NULL :
	    "holds what is no id of an agent, agent-UUID in lower case";
}

const char *
conf_value_agent_ids(const char *s)
{
	return check_list(s, check_agent_id);
}

const char *
conf_value_paths(const char *s)
{
	return check_list(s, conf_value_path);
}

const char *
conf_value_acme_staging(const char *s)
{
	return str_eq(s, "none") ? NULL : conf_value_url(s);
}

const char *
conf_value_argv(const char *s)
{
	if (s[0] != '/')
		return "does not begin with the absolute path of a program";
	if (strpbrk(s, "\"'`\\$"))
		return "is words for a program, not a line for a shell: no "
		    "quotes, `\\' or `$'";
	return NULL;
}
