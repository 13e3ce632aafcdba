#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/fetch.h"

#define VALUE_MAX_BYTES 4096
#define ALLOW "Access-Control-Allow-"

size_t
fetch_header(const char *head, const char *name, struct buf *value)
{
	size_t name_len = strlen(name), len, n = 0;
	const char *line, *from;

	for (line = head; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (len <= name_len || line[name_len] != ':' ||
		    strncasecmp(line, name, name_len) != 0)
			continue;
		from = line + name_len + 1;
		while (*from == ' ' || *from == '\t')
			from++;
		if (value && n > 0)
			buf_str(value, ", ");
		if (value)
			buf_add(value, from, (size_t)(line + len - from));
		n++;
	}
	return n;
}

bool
fetch_list_has(const char *list, const char *word)
{
	size_t len, word_len = strlen(word);

	while (*list) {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == word_len && strncasecmp(list, word, len) == 0)
			return true;
		list += len;
	}
	return false;
}

/* The value of a header that may be there once alone; NULL: it is not. */
static char *
once(const char *head, const char *name, struct buf *why)
{
	struct buf value = BUF_INIT(VALUE_MAX_BYTES);
	size_t n = fetch_header(head, name, &value);

	if (n == 1)
		return value.len > 0 ? buf_take(&value) :
		    mem_strdup("");
	if (n == 0)
		buf_printf(why, "there is no %s", name);
	else
		buf_printf(why, "%s is there %zu times: %s", name, n,
		    buf_cstr(&value));
	buf_clear(&value);
	return NULL;
}

static bool
credentials_pass(const char *head, struct buf *why)
{
	char *value = once(head, ALLOW "Credentials", why);
	bool pass = value && str_eq(value, "true");

	if (value && !pass)
		buf_printf(why, ALLOW "Credentials is `%s' and not `true'",
		    value);
	free(value);
	return pass;
}

bool
fetch_response_passes(const struct fetch_ask *ask, const char *head,
    struct buf *why)
{
	char *origin = once(head, ALLOW "Origin", why);
	bool pass = false;

	if (!origin)
		return false;
	if (str_eq(origin, "*") && ask->credentials)
		buf_printf(why, ALLOW "Origin is `*', which does not count "
		    "with credentials");
	else if (!str_eq(origin, "*") && !str_eq(origin, ask->origin))
		buf_printf(why, ALLOW "Origin is `%s' and not %s", origin,
		    ask->origin);
	else
		pass = !ask->credentials || credentials_pass(head, why);
	free(origin);
	return pass;
}

/* Those that need no leave: GET, HEAD, POST. */
static bool
is_safelisted(const char *method)
{
	return str_eq(method, "GET") || str_eq(method, "HEAD") ||
	    str_eq(method, "POST");
}

/* A method is compared byte for byte, unlike the name of a header. */
static bool
names_method(const char *list, const char *method)
{
	const char *at = strstr(list, method);

	return at && fetch_list_has(list, method);
}

static bool
methods_pass(const struct fetch_ask *ask, const char *head, struct buf *why)
{
	struct buf list = BUF_INIT(VALUE_MAX_BYTES);
	bool pass;

	(void)fetch_header(head, ALLOW "Methods", &list);
	pass = is_safelisted(ask->method) ||
	    names_method(buf_cstr(&list), ask->method) ||
	    (!ask->credentials && fetch_list_has(buf_cstr(&list), "*"));
	if (!pass)
		buf_printf(why, "%s is not in " ALLOW "Methods (`%s')",
		    ask->method, buf_cstr(&list));
	buf_clear(&list);
	return pass;
}

/* "*" stands for all names but authorization, and not with credentials. */
static bool
headers_pass(const struct fetch_ask *ask, const char *head, struct buf *why)
{
	struct buf list = BUF_INIT(VALUE_MAX_BYTES);
	bool star, pass = true;

	(void)fetch_header(head, ALLOW "Headers", &list);
	star = !ask->credentials && fetch_list_has(buf_cstr(&list), "*");
	for (size_t i = 0; pass && ask->headers[i]; i++) {
		pass = fetch_list_has(buf_cstr(&list), ask->headers[i]) ||
		    (star && !str_eq(ask->headers[i], "authorization"));
		if (!pass)
			buf_printf(why, "%s is not in " ALLOW "Headers "
			    "(`%s')", ask->headers[i], buf_cstr(&list));
	}
	buf_clear(&list);
	return pass;
}

bool
fetch_preflight_passes(const struct fetch_ask *ask, long status,
    const char *head, struct buf *why)
{
	if (status < 200 || status > 299) {
		buf_printf(why, "OPTIONS is answered with %ld", status);
		return false;
	}
	return fetch_response_passes(ask, head, why) &&
	    methods_pass(ask, head, why) && headers_pass(ask, head, why);
}

bool
fetch_wildcard_credentials(const char *head)
{
	struct buf origin = BUF_INIT(VALUE_MAX_BYTES);
	struct buf credentials = BUF_INIT(VALUE_MAX_BYTES);
	bool both;

	(void)fetch_header(head, ALLOW "Origin", &origin);
	(void)fetch_header(head, ALLOW "Credentials", &credentials);
	both = fetch_list_has(buf_cstr(&origin), "*") &&
	    fetch_list_has(buf_cstr(&credentials), "true");
	buf_clear(&origin);
	buf_clear(&credentials);
	return both;
}
