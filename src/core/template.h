#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Fill a template: text in which `@{name}` stands for a value, and nothing
 * else is special ("@" alone stays, so do nginx's "$" and "{").  There are no
 * conditions: another shape of file is another template.
 *
 * Every value has a type and is checked by it, so that no value can end a
 * directive, open a block, start a comment or name a variable in the
 * configuration languages that we write (nginx, systemd).  A filled value is
 * not looked at again.
 *
 * A block is trusted: only what template_fill itself has made may be one.
 * When it is alone on its line, each of its lines gets the blanks in front of
 * it; and an empty one takes its line along, with the empty line behind it
 * when there is one in front, too.
 */
enum template_type {
	TEMPLATE_HOSTNAME,	/* DNS name of LDH labels; not an address */
	TEMPLATE_HOSTNAMES,	/* one or more of them, one blank between */
	TEMPLATE_PORT,		/* 1-65535 */
	TEMPLATE_PATH,		/* absolute, printable ASCII, no "..", none of
				 * blank " ' ` \ ; { } $ # & | < > ( ) % */
	TEMPLATE_TOKEN,		/* [A-Za-z0-9._-]+ */
	TEMPLATE_ORIGIN,	/* http:// or https://, a name or address, a
				 * port or none; lower case, no "/" behind */
	TEMPLATE_NETWORK,	/* an IP address, or one with /PREFIX */
	TEMPLATE_BLOCK		/* lines that were filled before, or "" */
};

struct template_value {
	const char *name;	/* [a-z][a-z0-9_]*, at most 64 */
	enum template_type type;
	const char *value;
};

#define TEMPLATE_MAX_VALUES 64
#define TEMPLATE_MAX_BYTES (256 * 1024)	/* of a template */

/*
 * Append the filled text to out, which stays as it was on failure.
 * template_path is only for messages.
 *
 * Fails with ERR_DATA:
 *   "tls.conf.in:12:18: unknown name `sit' (did you mean `site'?)", with line
 *   and column (in bytes) of its "@"; "@{" without "}" on its line; a value
 *   that is not of its type; a value that the template does not use; a
 *   template that is too large or not UTF-8; out full.
 */
int template_fill(const char *template_path, const char *text, size_t len,
    const struct template_value *values, size_t n, struct buf *out,
    struct err *) MUST_CHECK;

#endif /* !CORE_TEMPLATE_H */
