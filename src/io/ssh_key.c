#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/b64.h"
#include "io/known_hosts.h"
#include "io/ssh_key.h"

#define BEGIN_OPENSSH "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END_OPENSSH "-----END OPENSSH PRIVATE KEY-----"
#define KEY_FILE_MAX (64u * 1024u)

/* The next string of an SSH structure: u32 count, big-endian, then bytes. */
static const char *
next_string(const char **at, size_t *left, size_t *len)
{
	const unsigned char *p = (const unsigned char *)*at;
	const char *s;

	if (*left < 4)
		return NULL;
	*len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
	    (size_t)p[2] << 8 | p[3];
	if (*len > *left - 4)
		return NULL;
	s = *at + 4;
	*at = s + *len;
	*left -= 4 + *len;
	return s;
}

static int
look_inside(const struct buf *raw, struct ssh_key *key)
{
	static const char magic[] = "openssh-key-v1";	/* with its NUL */
	const char *at, *cipher, *blob;
	size_t left, len, cipher_len;

	if (raw->len < sizeof(magic) + 8 ||
	    memcmp(raw->data, magic, sizeof(magic)) != 0)
		return -1;
	at = raw->data + sizeof(magic);
	left = raw->len - sizeof(magic);
	cipher = next_string(&at, &left, &cipher_len);
	if (!cipher || !next_string(&at, &left, &len) ||	/* kdf */
	    !next_string(&at, &left, &len) || left < 4)
		return -1;
	at += 4;		/* how many keys: one */
	left -= 4;
	blob = next_string(&at, &left, &len);
	if (!blob)
		return -1;
	key->encrypted = cipher_len != 4 || memcmp(cipher, "none", 4) != 0;
	buf_add(&key->blob, blob, len);
	known_hosts_key_type(blob, len, key->type, sizeof(key->type));
	return 0;
}

int
ssh_key_look(const char *text, size_t len, struct ssh_key *key,
    struct err *err)
{
	struct buf raw = BUF_INIT(KEY_FILE_MAX);
	const char *from, *to;
	int rc = -1;

	memset(key, 0, sizeof(*key));
	buf_init(&key->blob, KEY_FILE_MAX);
	(void)snprintf(key->type, sizeof(key->type), "?");

	from = memmem(text, len, BEGIN_OPENSSH, strlen(BEGIN_OPENSSH));
	to = memmem(text, len, END_OPENSSH, strlen(END_OPENSSH));
	if (from && to && to > from) {
		from += strlen(BEGIN_OPENSSH);
		if (b64_decode(&raw, from, (size_t)(to - from)) == 0)
			rc = look_inside(&raw, key);
	} else if (memmem(text, len, "-----BEGIN ", 11) &&
	    memmem(text, len, " PRIVATE KEY-----", 17)) {
		key->encrypted = memmem(text, len, "ENCRYPTED", 9) != NULL;
		if (memmem(text, len, "BEGIN RSA", 9))
			(void)snprintf(key->type, sizeof(key->type),
			    "ssh-rsa");
		rc = 0;
	}
	buf_wipe(&raw);
	if (rc == 0)
		return 0;
	return err_set(err, ERR_DATA, "not a private key of OpenSSH");
}

bool
ssh_key_is_usable(const char *type)
{
	return str_eq(type, "ssh-ed25519") ||
	    str_starts(type, "ecdsa-sha2-nistp");
}
