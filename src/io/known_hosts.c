#include "base/base.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/b64.h"
#include "io/known_hosts.h"

#define LINE_LEN_MAX (64u * 1024u)
#define KEY_MAX (16u * 1024u)
#define LINES_MAX 1024		/* lines about one host */
#define SHA1_SIZE 20

/* A piece of a line; nothing is NUL-terminated in the file's text. */
struct word {
	const char *p;
	size_t len;
};

void
known_hosts_init(struct known_hosts *kh, const char *host, unsigned int port)
{
	memset(kh, 0, sizeof(*kh));
	if (port == 22)
		kh->name = mem_strdup(host);
	else
		kh->name = mem_printf("[%s]:%u", host, port);
	for (char *p = kh->name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

void
known_hosts_clear(struct known_hosts *kh)
{
	size_t i;

	for (i = 0; i < kh->n_lines; i++) {
		free(kh->lines[i].where);
		free(kh->lines[i].type);
		buf_clear(&kh->lines[i].blob);
	}
	free(kh->lines);
	free(kh->name);
	memset(kh, 0, sizeof(*kh));
}

static bool
word_is(const struct word *w, const char *s)
{
	return w->len == strlen(s) && memcmp(w->p, s, w->len) == 0;
}

/* Cut the next word off the line. */
static struct word
next_word(struct word *line)
{
	struct word w;

	while (line->len > 0 && (*line->p == ' ' || *line->p == '\t')) {
		line->p++;
		line->len--;
	}
	w.p = line->p;
	w.len = 0;
	while (w.len < line->len && w.p[w.len] != ' ' && w.p[w.len] != '\t')
		w.len++;
	line->p += w.len;
	line->len -= w.len;
	return w;
}

/* "*" and "?" as in ssh_config(5).  Steps back to the last "*" only. */
static bool
matches(const struct word *pattern, const char *name)
{
	size_t at = 0, star = SIZE_MAX;
	const char *star_name = NULL;

	while (*name) {
		if (at < pattern->len && pattern->p[at] == '*') {
			star = at++;
			star_name = name;
		} else if (at < pattern->len && (pattern->p[at] == '?' ||
		    tolower((unsigned char)pattern->p[at]) == *name)) {
			at++;
			name++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			name = ++star_name;
		} else {
			return false;
		}
	}
	while (at < pattern->len && pattern->p[at] == '*')
		at++;
	return at == pattern->len;
}

/* "|1|salt|hash": hash is HMAC-SHA1 of the name under the salt. */
static bool
matches_hashed(const struct word *w, const char *name)
{
	struct buf salt = BUF_INIT(64), hash = BUF_INIT(64);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len = 0;
	const char *bar;
	bool same = false;
	size_t salt_len;

	bar = memchr(w->p + 3, '|', w->len - 3);
	if (!bar)
		return false;
	salt_len = (size_t)(bar - (w->p + 3));
	if (b64_decode(&salt, w->p + 3, salt_len) == 0 &&
	    b64_decode(&hash, bar + 1, w->len - 4 - salt_len) == 0 &&
	    salt.len == SHA1_SIZE && hash.len == SHA1_SIZE &&
	    HMAC(EVP_sha1(), salt.data, SHA1_SIZE,
	    (const unsigned char *)name, strlen(name), mac, &mac_len) &&
	    mac_len == SHA1_SIZE)
		same = memcmp(mac, hash.data, SHA1_SIZE) == 0;
	buf_clear(&salt);
	buf_clear(&hash);
	return same;
}

/* Whether the comma list is about the name; one "!" that matches ends it. */
static bool
is_about(const struct word *list, const char *name)
{
	struct word one;
	const char *p = list->p, *end = list->p + list->len;
	bool found = false, negated;

	if (list->len > 3 && memcmp(list->p, "|1|", 3) == 0)
		return matches_hashed(list, name);
	while (p < end) {
		negated = *p == '!';
		one.p = p + negated;
		p = memchr(p, ',', (size_t)(end - p));
		if (!p)
			p = end;
		one.len = (size_t)(p - one.p);
		if (matches(&one, name)) {
			if (negated)
				return false;
			found = true;
		}
		p++;
	}
	return found;
}

static void
keep_line(struct known_hosts *kh, enum known_hosts_mark mark,
    const char *file, size_t number, const struct word *type,
    struct buf *blob)
{
	struct known_hosts_line *line;

	kh->lines = mem_grow(kh->lines, kh->n_lines + 1,
	    sizeof(*kh->lines));
	line = &kh->lines[kh->n_lines++];
	line->mark = mark;
	line->where = mem_printf("%s:%zu", file, number);
	line->type = mem_strndup(type->p, type->len);
	line->blob = *blob;
	buf_init(blob, KEY_MAX);
}

static void
add_line(struct known_hosts *kh, const char *file, size_t number,
    struct word line)
{
	enum known_hosts_mark mark = KNOWN_HOSTS_KEY;
	struct buf blob = BUF_INIT(KEY_MAX);
	struct word names, type, key;
	char named[64];

	names = next_word(&line);
	if (names.len == 0 || names.p[0] == '#')
		return;
	if (names.p[0] == '@') {
		if (word_is(&names, "@revoked"))
			mark = KNOWN_HOSTS_REVOKED;
		else if (word_is(&names, "@cert-authority"))
			mark = KNOWN_HOSTS_AUTHORITY;
		else
			return;
		names = next_word(&line);
	}
	type = next_word(&line);
	key = next_word(&line);
	if (key.len == 0 || type.len >= sizeof(named) ||
	    kh->n_lines >= LINES_MAX || !is_about(&names, kh->name))
		return;

	/* A key that names itself otherwise than its line is not one. */
	if (b64_decode(&blob, key.p, key.len) == 0) {
		known_hosts_key_type(blob.data, blob.len, named,
		    sizeof(named));
		if (word_is(&type, named))
			keep_line(kh, mark, file, number, &type, &blob);
	}
	buf_clear(&blob);
}

void
known_hosts_add(struct known_hosts *kh, const char *file, const char *text,
    size_t len)
{
	const char *p = text, *end = text + len, *eol;
	struct word line;
	size_t number;

	for (number = 1; p < end; number++) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		line.p = p;
		line.len = (size_t)(eol - p);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len <= LINE_LEN_MAX)
			add_line(kh, file, number, line);
		p = eol < end ? eol + 1 : end;
	}
}

bool
known_hosts_has(const struct known_hosts *kh, const char *type)
{
	size_t i;

	for (i = 0; i < kh->n_lines; i++)
		if (kh->lines[i].mark == KNOWN_HOSTS_KEY &&
		    str_eq(kh->lines[i].type, type))
			return true;
	return false;
}

void
known_hosts_key_type(const void *blob, size_t blob_len, char *out,
    size_t size)
{
	const unsigned char *p = blob;
	size_t i, len;

	(void)snprintf(out, size, "?");
	if (blob_len < 5 || p[0] || p[1] || p[2])
		return;
	len = p[3];
	if (len == 0 || len >= size || len > blob_len - 4)
		return;
	for (i = 0; i < len; i++)
		if (!isgraph(p[4 + i]))
			return;
	memcpy(out, p + 4, len);
	out[len] = '\0';
}

void
known_hosts_fingerprint(const void *blob, size_t blob_len,
    char out[static KNOWN_HOSTS_FINGERPRINT])
{
	struct buf text = BUF_INIT(KNOWN_HOSTS_FINGERPRINT - 1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;

	if (EVP_Digest(blob, blob_len, digest, &digest_len, EVP_sha256(),
	    NULL) != 1)
		digest_len = 0;
	buf_str(&text, "SHA256:");
	b64_encode(&text, digest, digest_len, 1);
	(void)snprintf(out, KNOWN_HOSTS_FINGERPRINT, "%s", buf_cstr(&text));
	buf_clear(&text);
}

/* Let a line decide, unless one of more weight has. */
static void
decide(struct known_hosts_answer *a, enum known_hosts_verdict verdict,
    const struct known_hosts_line *line)
{
	/* From least to most. */
	static const int weight[] = {
		[KNOWN_HOSTS_UNKNOWN] = 0,
		[KNOWN_HOSTS_CERTIFICATE] = 1,
		[KNOWN_HOSTS_MISMATCH] = 2,
		[KNOWN_HOSTS_MATCH] = 3,
		[KNOWN_HOSTS_IS_REVOKED] = 4,
	};

	if (weight[verdict] <= weight[a->verdict])
		return;
	a->verdict = verdict;
	(void)snprintf(a->where, sizeof(a->where), "%s", line->where);
	known_hosts_fingerprint(line->blob.data, line->blob.len, a->known);
}

void
known_hosts_check(const struct known_hosts *kh, const void *blob,
    size_t blob_len, struct known_hosts_answer *a)
{
	const struct known_hosts_line *line;
	bool same;
	size_t i;

	memset(a, 0, sizeof(*a));
	a->verdict = KNOWN_HOSTS_UNKNOWN;
	known_hosts_key_type(blob, blob_len, a->type, sizeof(a->type));
	known_hosts_fingerprint(blob, blob_len, a->seen);

	for (i = 0; i < kh->n_lines; i++) {
		line = &kh->lines[i];
		same = line->blob.len == blob_len &&
		    memcmp(line->blob.data, blob, blob_len) == 0;
		if (line->mark == KNOWN_HOSTS_REVOKED) {
			if (same)
				decide(a, KNOWN_HOSTS_IS_REVOKED, line);
		} else if (line->mark == KNOWN_HOSTS_AUTHORITY) {
			decide(a, KNOWN_HOSTS_CERTIFICATE, line);
		} else if (same) {
			decide(a, KNOWN_HOSTS_MATCH, line);
		} else if (str_eq(line->type, a->type)) {
			decide(a, KNOWN_HOSTS_MISMATCH, line);
		} else if (!a->other_type[0]) {
			(void)snprintf(a->other_type, sizeof(a->other_type),
			    "%s", line->type);
			(void)snprintf(a->other_where,
			    sizeof(a->other_where), "%s", line->where);
		}
	}
}
