#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/renewal.h"

/* Copy the value of a line "key = value" when its key is that one. */
static bool
take(const char *line, size_t len, const char *key,
    char value[static RENEWAL_VALUE_MAX])
{
	size_t key_len = strlen(key);
	const char *at = line + key_len;

	if (len <= key_len || strncmp(line, key, key_len) != 0)
		return false;
	at += strspn(at, " \t");
	if (*at != '=')
		return false;
	at++;
	at += strspn(at, " \t");
	len = at < line + len ? (size_t)(line + len - at) : 0;
	while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\r'))
		len--;
	if (len >= RENEWAL_VALUE_MAX)
		return false;
	memcpy(value, at, len);
	value[len] = '\0';
	return true;
}

static bool
is_word(const char *s)
{
	return *s && !strpbrk(s, " \t,'\"#/") && s[0] != '.';
}

int
renewal_read(const char *text, struct renewal *out, struct err *err)
{
	const char *line = text;
	size_t len;

	*out = (struct renewal){ .account = "" };
	while (*line) {
		len = strcspn(line, "\n");
		(void)(take(line, len, "account", out->account) ||
		    take(line, len, "server", out->server) ||
		    take(line, len, "key_type", out->key_type) ||
		    take(line, len, "authenticator", out->authenticator) ||
		    take(line, len, "renew_hook", out->renew_hook));
		line += len + (line[len] == '\n');
	}
	if (!is_word(out->account) || !str_starts(out->server, "https://") ||
	    strpbrk(out->server, " ,'\"#"))
		return err_set(err, ERR_DATA, "names no account or no server "
		    "to renew by");
	if (*out->key_type && !is_word(out->key_type))
		out->key_type[0] = '\0';
	return 0;
}

void
renewal_render(const struct renewal *renewal, const char *name,
    const char *webroot, const char *const *domains, size_t n_domains,
    struct buf *out)
{
	static const char *const files[] = {
		"cert", "privkey", "chain", "fullchain"
	};

	buf_printf(out, "archive_dir = /etc/letsencrypt/archive/%s\n", name);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		buf_printf(out, "%s = /etc/letsencrypt/live/%s/%s.pem\n",
		    files[i], name, files[i]);
	buf_printf(out, "\n[renewalparams]\naccount = %s\nserver = %s\n",
	    renewal->account, renewal->server);
	buf_printf(out, "authenticator = webroot\nwebroot_path = %s,\n",
	    webroot);
	if (*renewal->key_type)
		buf_printf(out, "key_type = %s\n", renewal->key_type);
	buf_str(out, "[[webroot_map]]\n");
	for (size_t i = 0; i < n_domains; i++)
		buf_printf(out, "%s = %s\n", domains[i], webroot);
}

char *
renewal_account_dir(const struct renewal *renewal)
{
	const char *place = renewal->server + strlen("https://");
	size_t len = strlen(place);

	while (len > 0 && place[len - 1] == '/')
		len--;
	if (len == 0 || place[0] == '/' || place[0] == '.' ||
	    strstr(place, ".."))
		return NULL;
	return mem_printf("%.*s/%s", (int)len, place, renewal->account);
}
