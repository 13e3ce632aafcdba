#include "base/base.h"

#include <arpa/inet.h>

#include "base/err.h"
#include "base/str.h"
#include "core/listener.h"

#define LISTENS 0x0a		/* TCP_LISTEN */
#define WORDS 4			/* 32-bit words of an IPv6 address */

/*
 * Each word is printed as the machine's own number, so that reading it as one
 * gives the bytes as the network has them.  (A big-endian machine's table
 * would be read wrong on a little-endian one.)
 */
static bool
read_address(const char *hex, size_t digits, struct listener *out)
{
	uint32_t words[WORDS] = { 0 };
	char part[9] = "";
	size_t n = digits / 8;
	bool mapped;

	for (size_t i = 0; i < n; i++) {
		memcpy(part, hex + 8 * i, 8);
		words[i] = (uint32_t)strtoul(part, NULL, 16);
	}
	mapped = n == WORDS && words[0] == 0 && words[1] == 0 &&
	    words[2] == htonl(0xffff);
	if (n == 1 || mapped) {
		out->loopback = (ntohl(words[n - 1]) >> 24) == 127;
		return inet_ntop(AF_INET, &words[n - 1], out->address,
		    sizeof(out->address)) != NULL;
	}
	out->loopback = words[0] == 0 && words[1] == 0 && words[2] == 0 &&
	    words[3] == htonl(1);
	return inet_ntop(AF_INET6, words, out->address,
	    sizeof(out->address)) != NULL;
}

/* "  0: 0100007F:476B 00000000:0000 0A 00000000:0 00:0 0 998 ..." */
static bool
read_line(const char *line, struct listener *out, unsigned int *port,
    unsigned int *state)
{
	char address[33];
	unsigned int uid;
	size_t digits;

	if (sscanf(line, " %*u: %32[0-9A-F]:%4X %*[0-9A-F]:%*4X %2X "
	    "%*[0-9A-F]:%*[0-9A-F] %*[0-9A-F]:%*[0-9A-F] %*[0-9A-F] %u "
	    "%*u %lu", address, port, state, &uid, &out->inode) != 5)
		return false;
	digits = strlen(address);
	out->uid = (uid_t)uid;
	return (digits == 8 || digits == 32) &&
	    read_address(address, digits, out);
}

int
listener_each(const char *text, unsigned int port,
    int (*each)(void *ctx, const struct listener *, struct err *), void *ctx,
    struct err *err)
{
	struct listener one;
	unsigned int at, state;
	size_t len;
	bool first = true;

	for (; *text; text += len + (text[len] == '\n'), first = false) {
		len = strcspn(text, "\n");
		if (first)
			continue;
		if (!read_line(text, &one, &at, &state))
			return err_set(err, ERR_DATA, "a table of sockets "
			    "has a line that is none");
		if (at == port && state == LISTENS &&
		    each(ctx, &one, err) != 0)
			return -1;
	}
	return 0;
}

/* "2: eth0    inet 192.0.2.7/24 brd ...", "... inet6 fe80::1/64 scope link" */
int
listener_addresses(const char *text,
    int (*each)(void *ctx, const char *address, bool scoped, struct err *),
    void *ctx, struct err *err)
{
	char family[8], address[LISTENER_ADDRESS_SIZE];
	struct in6_addr six;
	struct in_addr four;
	size_t len;
	bool local;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (sscanf(text, " %*u: %*s %7s %45[0-9A-Fa-f:.]", family,
		    address) != 2)
			continue;
		if (str_eq(family, "inet") &&
		    inet_pton(AF_INET, address, &four) == 1) {
			local = (ntohl(four.s_addr) >> 24) == 127;
			if (!local && each(ctx, address, false, err) != 0)
				return -1;
		} else if (str_eq(family, "inet6") &&
		    inet_pton(AF_INET6, address, &six) == 1) {
			local = IN6_IS_ADDR_LOOPBACK(&six);
			if (!local && each(ctx, address,
			    IN6_IS_ADDR_LINKLOCAL(&six), err) != 0)
				return -1;
		}
	}
	return 0;
}
