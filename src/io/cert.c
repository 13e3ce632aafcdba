#include "base/base.h"

#include <strings.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
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

int
cert_parse(const char *pem, size_t len, struct cert *cert, struct err *err)
{
	char no_passphrase[] = "";
	BIO *bio = NULL;
	X509 *x509 = NULL;
	int days = 0, seconds = 0, rc = -1;

	memset(cert, 0, sizeof(*cert));
	if (len > INT_MAX)
		return err_set(err, ERR_DATA, "certificate: over 2 GiB");
	bio = BIO_new_mem_buf(pem, (int)len);
	/* With a passphrase given, one that is encrypted asks nobody. */
	if (bio)
		x509 = PEM_read_bio_X509(bio, NULL, NULL, no_passphrase);
	if (!x509) {
		(void)err_set(err, ERR_DATA, "no PEM certificate in it");
		goto out;
	}
	if (!ASN1_TIME_diff(&days, &seconds, NULL,
	    X509_get0_notAfter(x509))) {
		(void)err_set(err, ERR_DATA, "certificate: unreadable "
		    "notAfter");
		goto out;
	}
	cert->seconds_left = (int64_t)days * 86400 + seconds;
	rc = read_names(cert, x509, err);
out:
	X509_free(x509);
	BIO_free(bio);
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
