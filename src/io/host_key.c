#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/host_key.h"
#include "io/known_hosts.h"

#define FILE_MAX (8u * 1024u * 1024u)

static int
add_file(struct known_hosts *known, const char *path, bool must,
    struct err *err)
{
	struct buf text = BUF_INIT(FILE_MAX);
	int rc;

	rc = fs_read(path, &text, NULL, err);
	if (rc == 0)
		rc = buf_check(&text, path, err);
	if (rc == 0) {
		known_hosts_add(known, path, buf_cstr(&text), text.len);
	} else if (!must && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&text);
	return rc == 0 ? 0 : err_ctx(err, "known hosts");
}

int
host_key_load(struct known_hosts *known, const char *file, struct err *err)
{
	const char *home = getenv("HOME");
	char *path;
	int rc = 0;

	if (file)
		return add_file(known, file, true, err);
	if (home && *home) {
		path = mem_printf("%s/.ssh/known_hosts", home);
		rc = add_file(known, path, false, err);
		free(path);
	}
	if (rc == 0)
		rc = add_file(known, "/etc/ssh/ssh_known_hosts", false, err);
	return rc;
}

bool
host_key_types(const struct known_hosts *known, struct buf *list)
{
	static const char *const types[] = {
		"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp521", NULL
	};
	bool narrowed;
	size_t i;

	for (i = 0; types[i]; i++)
		if (known_hosts_has(known, types[i]))
			buf_printf(list, "%s%s", list->len ? "," : "",
			    types[i]);
	narrowed = list->len > 0;
	for (i = 0; !narrowed && types[i]; i++)
		buf_printf(list, "%s%s", i ? "," : "", types[i]);
	return narrowed;
}

static int
judge_pinned(const char *pinned, const void *blob, size_t len,
    struct err *err)
{
	const struct known_hosts none = { .n_lines = 0 };
	struct known_hosts_answer a;
	size_t n = strcspn(pinned, "=");

	if (!str_starts(pinned, "SHA256:"))
		return err_set(err, ERR_USAGE, "host_key is not a SHA256: "
		    "fingerprint: %.80s", pinned);
	known_hosts_check(&none, blob, len, &a);
	if (strlen(a.seen) == n && memcmp(a.seen, pinned, n) == 0)
		return 0;
	return err_set(err, ERR_HOSTKEY, "host key is %s (%s), but host_key "
	    "pins %.80s: the key was replaced, or this is another host",
	    a.seen, a.type, pinned);
}

static int
judge_known(const struct known_hosts *known, const void *blob, size_t len,
    struct err *err)
{
	struct known_hosts_answer a;

	known_hosts_check(known, blob, len, &a);
	switch (a.verdict) {
	case KNOWN_HOSTS_MATCH:
		return 0;
	case KNOWN_HOSTS_MISMATCH:
		return err_set(err, ERR_HOSTKEY, "host key CHANGED: it is %s "
		    "(%s), but %s has %s; if the change is meant, correct "
		    "that line", a.seen, a.type, a.where, a.known);
	case KNOWN_HOSTS_IS_REVOKED:
		return err_set(err, ERR_HOSTKEY,
		    "host key %s (%s) is revoked by %s", a.seen, a.type,
		    a.where);
	case KNOWN_HOSTS_CERTIFICATE:
		return err_set(err, ERR_HOSTKEY, "%s trusts an authority for "
		    "this host, but what was shown is a plain key, %s (%s); "
		    "host certificates need transport = openssh, or pin the "
		    "key with host_key = %s after checking it by another "
		    "way",
		    a.where, a.seen, a.type, a.seen);
	case KNOWN_HOSTS_UNKNOWN:
		break;
	}
	if (a.other_type[0])
		return err_set(err, ERR_HOSTKEY, "host key %s (%s) is "
		    "unknown (%s has a key of type %s; RSA needs transport "
		    "= openssh): pin it with host_key = %s in the job file "
		    "after checking it by another way", a.seen, a.type,
		    a.other_where, a.other_type, a.seen);
	return err_set(err, ERR_HOSTKEY, "host key %s (%s) is unknown: pin "
	    "it with host_key = %s in the job file after checking it by "
	    "another way", a.seen, a.type, a.seen);
}

int
host_key_judge(const struct known_hosts *known, const char *pinned,
    const void *blob, size_t len, struct err *err)
{
	if (pinned)
		return judge_pinned(pinned, blob, len, err);
	return judge_known(known, blob, len, err);
}
