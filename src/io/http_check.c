#include "base/base.h"

#include <arpa/inet.h>
#include <strings.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/http_check.h"

bool
http_check_loopback(const char *host)
{
	char bare[INET6_ADDRSTRLEN];
	size_t len = strlen(host);
	struct in6_addr six;
	struct in_addr four;

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, host, len);
	bare[len] = '\0';

	if (inet_pton(AF_INET, bare, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, bare, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(bare, "localhost") == 0;
}

/* Whether len bytes are one or two dots, each as it is or as %2E. */
static bool
is_dots(const char *segment, size_t len)
{
	size_t dots = 0, step;

	for (; len > 0; len -= step, segment += step) {
		if (*segment == '.')
			step = 1;
		else if (len >= 3 && strncasecmp(segment, "%2e", 3) == 0)
			step = 3;
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

int
http_check_path(const char *path, struct err *err)
{
	const char *p;
	size_t len;

	if (*path != '/')
		return err_set(err, ERR_DATA, "path does not begin with /");
	for (p = path; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return err_set(err, ERR_DATA, "path has a byte that "
			    "is not escaped (0x%02x)", (unsigned char)*p);

	/* The query begins at "?": dots mean nothing there. */
	for (p = path; *p == '/'; p += len) {
		p++;
		len = strcspn(p, "/?");
		if (is_dots(p, len))
			return err_set(err, ERR_DATA, "path has a segment of "
			    "dots, which a server may climb with");
	}
	return 0;
}

int
http_check_connect_to(const char *address, struct err *err)
{
	static const char name_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-._";
	struct in6_addr six;

	if (inet_pton(AF_INET6, address, &six) == 1)
		return 0;
	if (!*address || address[strspn(address, name_bytes)] != '\0')
		return err_set(err, ERR_USAGE, "connect to: not a name or an "
		    "address without port");
	return 0;
}

int
http_check_token(const struct secret *token, struct err *err)
{
	const char *p = secret_bytes(token);
	size_t i, len = secret_len(token);

	if (len == 0)
		return err_set(err, ERR_USAGE, "token is empty");
	for (i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return err_set(err, ERR_USAGE, "token has a blank, "
			    "a line end or a byte that is not ASCII");
	return 0;
}
