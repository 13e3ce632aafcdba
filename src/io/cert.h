#ifndef IO_CERT_H
#define IO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/*
 * What an X.509 certificate says, read from PEM text (the first certificate
 * of it).  cert.c alone sees OpenSSL's x509 headers.
 */
#define CERT_NAMES_MAX 100
#define CERT_NAME_SIZE 256
#define CERT_SERIAL_SIZE 80

struct cert {
	char serial[CERT_SERIAL_SIZE];	/* hexadecimal, upper case */
	size_t n_names;
	char names[CERT_NAMES_MAX][CERT_NAME_SIZE];	/* DNS names, as is */
	int64_t seconds_left;	/* until notAfter; negative when over */
};

/* ERR_DATA when the text holds no certificate or one with odd names. */
int cert_parse(const char *pem, size_t len, struct cert *, struct err *)
    MUST_CHECK;

/* Whether the certificate names this DNS name itself (no wildcard). */
bool cert_names(const struct cert *, const char *dns_name);

/*
 * Whether a private key (PEM, not encrypted) is that of the certificate.
 * ERR_DATA when one of the texts holds none.  Nothing of the key is kept.
 */
int cert_key_matches(const char *pem, size_t len, const char *key_pem,
    size_t key_len, bool *out, struct err *) MUST_CHECK;

#endif /* !IO_CERT_H */
