#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/hash.h"

#define BLOCK_BYTES (64 * 1024)

struct hash {
	OSSL_LIB_CTX *lib;
	EVP_MD *sha256;
	EVP_MD_CTX *state;
	bool failed;
};

struct hash *
hash_new(struct err *err)
{
	struct hash *h = mem_zero(1, sizeof(*h));

	/* A context of our own: openssl.cnf is applied to the default. */
	h->lib = OSSL_LIB_CTX_new();
	h->state = EVP_MD_CTX_new();
	if (h->lib)
		h->sha256 = EVP_MD_fetch(h->lib, "SHA256", NULL);
	if (!h->state || !h->sha256 ||
	    EVP_DigestInit_ex2(h->state, h->sha256, NULL) != 1) {
		hash_free(h);
		(void)err_set(err, ERR_FAILED,
		    "SHA-256: OpenSSL does not offer it");
		return NULL;
	}
	return h;
}

void
hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->state);
	EVP_MD_free(h->sha256);
	OSSL_LIB_CTX_free(h->lib);
	free(h);
}

void
hash_add(struct hash *h, const void *data, size_t len)
{
	if (EVP_DigestUpdate(h->state, data, len) != 1)
		h->failed = true;
}

int
hash_end(struct hash *h, unsigned char digest[static HASH_SIZE],
    struct err *err)
{
	unsigned int len = 0;
	bool failed = h->failed;

	if (EVP_DigestFinal_ex(h->state, digest, &len) != 1 ||
	    len != HASH_SIZE)
		failed = true;
	h->failed = EVP_DigestInit_ex2(h->state, h->sha256, NULL) != 1;
	if (failed)
		return err_set(err, ERR_FAILED, "SHA-256: OpenSSL failed");
	return 0;
}

int
hash_end_hex(struct hash *h, char hex[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	unsigned char digest[HASH_SIZE];

	if (hash_end(h, digest, err) != 0)
		return -1;
	str_hex(digest, sizeof(digest), hex);
	return 0;
}

int
hash_hex(const void *data, size_t len, char hex[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	struct hash *h = hash_new(err);
	int rc;

	if (!h)
		return -1;
	hash_add(h, data, len);
	rc = hash_end_hex(h, hex, err);
	hash_free(h);
	return rc;
}

static int
add_fd(struct hash *h, int fd, struct err *err)
{
	unsigned char *block = mem_alloc(BLOCK_BYTES);
	struct stat st;
	ssize_t got = 1;
	int rc = -1;

	if (fstat(fd, &st) != 0) {
		(void)err_sys(err, ERR_FAILED, "stat");
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, ERR_DATA, "not a regular file");
		goto out;
	}
	while (got != 0) {
		if (stop_check(err) != 0)
			goto out;
		got = read(fd, block, BLOCK_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			(void)err_sys(err, ERR_FAILED, "read");
			goto out;
		}
		hash_add(h, block, (size_t)got);
	}
	rc = 0;
out:
	free(block);
	return rc;
}

int
hash_file(const char *path, unsigned char digest[static HASH_SIZE],
    struct err *err)
{
	struct hash *h = NULL;
	int fd, rc = -1;

	/* O_NONBLOCK: opening a FIFO would wait for its other end. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fs_fail(err, "open", path);
	h = hash_new(err);
	if (!h)
		goto out;
	if (add_fd(h, fd, err) != 0) {
		(void)err_ctx(err, "%s", path);
		goto out;
	}
	rc = hash_end(h, digest, err);
out:
	hash_free(h);
	(void)close(fd);
	return rc;
}
