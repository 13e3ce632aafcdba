#include "base/base.h"

#include <strings.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "io/cert.h"

/* Add one DNS name; a NUL inside is how a name is forged. */
static int
add_name(struct cert *cert, const ASN1_STRING *name, struct err *err)
{
	const unsigned char *text = ASN1_STRING_get0_data(name);
	int len = ASN1_STRING_length(name);

	if (len <= 0 || len >= CERT_NAME_SIZE ||
	    memchr(text, '\0', (size_t)len) ||
	    cert->n_names == CERT_NAMES_MAX)
		return err_set(err, ERR_DATA, "certificate: more or longer "
		    "DNS names than a certificate has");
	memcpy(cert->names[cert->n_names], text, (size_t)len);
	cert->names[cert->n_names++][len] = '\0';
	return 0;
}

static int
read_names(struct cert *cert, X509 *x509, struct err *err)
{
	GENERAL_NAMES *names;
	GENERAL_NAME *name;
	int rc = 0;

	names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; rc == 0 && i < sk_GENERAL_NAME_num(names); i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_DNS)
			rc = add_name(cert, name->d.dNSName, err);
	}
	GENERAL_NAMES_free(names);
	return rc;
}

static int
read_serial(struct cert *cert, X509 *x509, struct err *err)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509),
	    NULL);
	char *text = number ? BN_bn2hex(number) : NULL;
	int rc = 0;

	if (!text || strlen(text) >= sizeof(cert->serial))
		rc = err_set(err, ERR_DATA, "certificate: a serial number "
		    "longer than one may be");
	else
		memcpy(cert->serial, text, strlen(text) + 1);
	OPENSSL_free(text);
	BN_free(number);
	return rc;
}

/* The first certificate of a text, which the caller frees. */
static X509 *
read_x509(const char *pem, size_t len, struct err *err)
{
	char no_passphrase[] = "";
	X509 *x509 = NULL;
	BIO *bio;

	if (len > INT_MAX) {
		(void)err_set(err, ERR_DATA, "certificate: over 2 GiB");
		return NULL;
	}
	bio = BIO_new_mem_buf(pem, (int)len);
	/* With a passphrase given, one that is encrypted asks nobody. */
	if (bio)
		x509 = PEM_read_bio_X509(bio, NULL, NULL, no_passphrase);
	BIO_free(bio);
	if (!x509)
		(void)err_set(err, ERR_DATA, "no PEM certificate in it");
	return x509;
}

int
cert_parse(const char *pem, size_t len, struct cert *cert, struct err *err)
{
	X509 *x509;
	int days = 0, seconds = 0, rc;

	memset(cert, 0, sizeof(*cert));
	x509 = read_x509(pem, len, err);
	if (!x509)
		return -1;
	if (!ASN1_TIME_diff(&days, &seconds, NULL,
	    X509_get0_notAfter(x509)))
		rc = err_set(err, ERR_DATA, "certificate: unreadable "
		    "notAfter");
	else
		rc = read_names(cert, x509, err);
	cert->seconds_left = (int64_t)days * 86400 + seconds;
	if (rc == 0)
		rc = read_serial(cert, x509, err);
	X509_free(x509);
	return rc;
}

int
cert_key_matches(const char *pem, size_t len, const char *key_pem,
    size_t key_len, bool *out, struct err *err)
{
	char no_passphrase[] = "";
	X509 *x509 = read_x509(pem, len, err);
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	int rc = -1;

	if (!x509)
		return -1;
	if (key_len <= INT_MAX)
		bio = BIO_new_mem_buf(key_pem, (int)key_len);
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL,
		    no_passphrase);
	if (key) {
		*out = X509_check_private_key(x509, key) == 1;
		rc = 0;
	} else
		(void)err_set(err, ERR_DATA, "no readable private key in it");
	EVP_PKEY_free(key);
	BIO_free(bio);
	X509_free(x509);
	return rc;
}

bool
cert_names(const struct cert *cert, const char *dns_name)
{
	for (size_t i = 0; i < cert->n_names; i++) {
		if (strcasecmp(cert->names[i], dns_name) == 0)
			return true;
	}
	return false;
}
