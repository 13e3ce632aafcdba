#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta_smcp.h"

static void
path(struct buf *out, const char *before, const char *id, const char *after)
{
	buf_str(out, before);
	str_url(out, id);
	buf_str(out, after);
}

void
letta_path_agent_secrets(struct buf *out, const char *agent)
{
	path(out, "/v1/agents/", agent, "?include=agent.secrets");
}

void
letta_path_mcp_server(struct buf *out, const char *server)
{
	path(out, LETTA_PATH_MCP_SERVERS, server, "");
}

void
letta_path_mcp_refresh(struct buf *out, const char *server)
{
	path(out, LETTA_PATH_MCP_SERVERS, server, "/refresh");
}

void
letta_path_mcp_tools(struct buf *out, const char *server)
{
	path(out, LETTA_PATH_MCP_SERVERS, server, "/tools");
}

/* The newer name of the list, else the older one. */
static const struct jdoc *
secrets_of(const struct jdoc *agent)
{
	const struct jdoc *secrets = jdoc_get(agent, "secrets");

	return jdoc_len(secrets) > 0 ? secrets :
	    jdoc_get(agent, "tool_exec_environment_variables");
}

static const struct jdoc *
find(const struct jdoc *secrets, const char *name)
{
	for (size_t i = 0; i < jdoc_len(secrets); i++) {
		if (jdoc_is(jdoc_at(secrets, i), "key", name))
			return jdoc_at(secrets, i);
	}
	return NULL;
}

/* Keys of .env that worker_env_edit gives their new value. */
static bool
is_own(const char *name)
{
	static const char *const names[] = { "AGENT_ID", "LETTA_AGENT_ID",
	    "AGENT_ENDPOINT", "LETTA_SERVER_URL", "AGENT_API_KEY",
	    "LETTA_API_KEY", "LETTA_SERVER_PASSWORD" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (str_eq(name, names[i]))
			return true;
	}
	return false;
}

void
letta_secret_names(const struct jdoc *from, const struct jdoc *to,
    struct jdoc **give, struct jdoc **kept, struct jdoc **own)
{
	const struct jdoc *theirs = secrets_of(from), *ours = secrets_of(to);
	const struct jdoc *there;
	const char *name, *value, *has;
	struct jdoc *list;

	*give = jdoc_new_array();
	*kept = jdoc_new_array();
	*own = jdoc_new_array();
	for (size_t i = 0; i < jdoc_len(theirs); i++) {
		name = jdoc_get_str(jdoc_at(theirs, i), "key");
		value = jdoc_get_str(jdoc_at(theirs, i), "value");
		if (!name || !value)
			continue;
		there = find(ours, name);
		has = jdoc_get_str(there, "value");
		list = is_own(name) ? *own : !has || !*has ? *give : *kept;
		if (list == *kept && str_eq(has, value))
			continue;
		if (list == *give && there && !*value)
			continue;
		jdoc_push(list, jdoc_new_str(name));
	}
}

static bool
lists(const struct jdoc *names, const char *name)
{
	for (size_t i = 0; i < jdoc_len(names); i++) {
		if (str_eq(jdoc_str(jdoc_at(names, i)), name))
			return true;
	}
	return false;
}

static void
add_member(struct buf *out, bool *first, const char *name,
    const struct jdoc *value)
{
	if (!*first)
		buf_char(out, ',');
	*first = false;
	jdoc_write_str(name, strlen(name), out);
	buf_char(out, ':');
	if (jdoc_str(value))
		jdoc_write(value, out);
	else
		buf_str(out, "\"\"");
}

void
letta_body_secrets(struct buf *out, const struct jdoc *from,
    const struct jdoc *to, const struct jdoc *give,
    const struct jdoc *without)
{
	const struct jdoc *ours = secrets_of(to), *theirs = secrets_of(from);
	const char *name;
	bool first = true;

	buf_str(out, "{\"secrets\":{");
	for (size_t i = 0; i < jdoc_len(ours); i++) {
		name = jdoc_get_str(jdoc_at(ours, i), "key");
		if (name && !lists(give, name) && !lists(without, name))
			add_member(out, &first, name,
			    jdoc_get(jdoc_at(ours, i), "value"));
	}
	for (size_t i = 0; i < jdoc_len(give); i++) {
		name = jdoc_str(jdoc_at(give, i));
		add_member(out, &first, name, jdoc_get(find(theirs, name),
		    "value"));
	}
	buf_str(out, "}}");
}

bool
letta_mcp_entry(const struct jdoc *answer, size_t i,
    struct letta_mcp_entry *out)
{
	const struct jdoc *entry = NULL;
	struct jdoc_member member = { 0 };

	*out = (struct letta_mcp_entry){ 0 };
	if (jdoc_type(answer) == JDOC_ARRAY && i < jdoc_len(answer)) {
		entry = jdoc_at(answer, i);
	} else {
		for (size_t k = 0; jdoc_next(answer, &member); k++) {
			if (k == i) {
				entry = member.value;
				break;
			}
		}
	}
	out->id = jdoc_get_str(entry, "id");
	out->name = jdoc_get_str(entry, "server_name");
	out->url = jdoc_get_str(entry, "server_url");
	out->token = jdoc_get_str(entry, "auth_token");
	return entry != NULL;
}

void
letta_body_mcp_server(struct buf *out, const char *name,
    const char *url, const struct secret *key, const char *token)
{
	buf_char(out, '{');
	if (name) {
		buf_str(out, "\"server_name\":");
		jdoc_write_str(name, strlen(name), out);
		buf_char(out, ',');
	}
	buf_str(out, "\"config\":{\"mcp_server_type\":\"sse\","
	    "\"server_url\":");
	jdoc_write_str(url, strlen(url), out);
	if (key) {
		/* A token has no byte that JSON would escape but these. */
		buf_str(out, ",\"auth_header\":\"Authorization\","
		    "\"auth_token\":\"Bearer ");
		for (const char *p = secret_bytes(key); *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_char(out, '\\');
			buf_char(out, *p);
		}
		buf_char(out, '"');
	} else if (token) {
		buf_str(out, ",\"auth_header\":\"Authorization\","
		    "\"auth_token\":");
		jdoc_write_str(token, strlen(token), out);
	}
	buf_str(out, "}}");
}

bool
letta_url_host(const char *url, struct buf *host, unsigned int *port)
{
	const char *at = strstr(url, "://"), *end;
	uint64_t number;
	char digits[8];
	size_t len;

	if (!at || at == url)
		return false;
	*port = str_starts(url, "https:") ? 443 : 80;
	at += 3;
	end = at + strcspn(at, "/?#");
	if (*at == '[') {
		at++;
		len = strcspn(at, "]");
		if (at[len] != ']')
			return false;
	} else {
		len = strcspn(at, ":/?#");
	}
	if (len == 0 || at + len > end || memchr(at, '@', (size_t)(end - at)))
		return false;
	buf_add(host, at, len);
	at += len;
	if (*at == ']')
		at++;
	if (at == end)
		return true;
	len = (size_t)(end - at) - 1;
	if (*at != ':' || len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, at + 1, len);
	digits[len] = '\0';
	if (!str_u64(digits, 65535, &number) || number == 0)
		return false;
	*port = (unsigned int)number;
	return true;
}

static bool
in_net(uint32_t ip, uint32_t net, unsigned int bits)
{
	return (ip ^ net) >> (32 - bits) == 0;
}

/* Not global, as Python's ipaddress has it. */
static bool
v4_refused(uint32_t ip)
{
	static const struct {
		uint32_t net;
		unsigned int bits;
	} nets[] = {
		{ 0x00000000, 8 }, { 0x0a000000, 8 }, { 0x64400000, 10 },
		{ 0x7f000000, 8 }, { 0xa9fe0000, 16 }, { 0xac100000, 12 },
		{ 0xc0000000, 24 }, { 0xc0000200, 24 }, { 0xc0a80000, 16 },
		{ 0xc6120000, 15 }, { 0xc6336400, 24 }, { 0xcb007100, 24 },
		{ 0xf0000000, 4 },
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		if (in_net(ip, nets[i].net, nets[i].bits))
			return true;
	}
	return false;
}

static bool
v6_refused(const struct in6_addr *ip)
{
	const unsigned char *b = ip->s6_addr;

	return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_UNSPECIFIED(ip) ||
	    IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_V4MAPPED(ip) ||
	    (b[0] & 0xfe) == 0xfc ||
	    (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8);
}

bool
letta_mcp_host_refused(const char *host)
{
	static const char *const ends[] = { ".local", ".localdomain",
	    ".home.arpa", ".svc", ".cluster.local" };
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return v4_refused(ntohl(v4.s_addr));
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return v6_refused(&v6);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (strlen(host) >= strlen(ends[i]) &&
		    strcasecmp(host + strlen(host) - strlen(ends[i]),
		    ends[i]) == 0)
			return true;
	}
	return strcasecmp(host, "localhost") == 0 ||
	    strcasecmp(host, "localhost.") == 0;
}

bool
letta_host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(host, "localhost") == 0;
}
