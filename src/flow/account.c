#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/shpath.h"
#include "core/conf.h"
#include "flow/account.h"
#include "io/host.h"

#define PASSWD_MAX (1024 * 1024)
#define FIELDS 7
#define OWN_MAX 8

/* Split a line of passwd(5) in place; false when it is none. */
static bool
split(char *line, char *fields[FIELDS])
{
	size_t n = 0;

	for (char *at = line; at && n < FIELDS; n++) {
		fields[n] = at;
		at = strchr(at, ':');
		if (at)
			*at++ = '\0';
	}
	return n == FIELDS;
}

static bool
read_line(const char *text, size_t len, const char *key, struct account *out)
{
	char *line = mem_strndup(text, len), *fields[FIELDS];
	uint64_t uid, gid;
	bool found;

	found = split(line, fields) &&
	    (str_eq(fields[0], key) || str_eq(fields[2], key)) &&
	    str_u64(fields[2], UINT32_MAX, &uid) &&
	    str_u64(fields[3], UINT32_MAX, &gid);
	if (found)
		*out = (struct account){
			.name = mem_strdup(fields[0]),
			.home = mem_strdup(*fields[5] == '/' ? fields[5] :
			    "/"),
			.uid = (uid_t)uid,
			.gid = (gid_t)gid,
		};
	free(line);
	return found;
}

static bool
read_lines(const char *text, const char *key, struct account *out)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (read_line(text, len, key, out))
			return true;
	}
	return false;
}

static bool
ask(struct host *host, const char *key, struct account *out)
{
	const char *const argv[] = { "getent", "passwd", key, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = 20000 };
	struct proc_result result;
	struct err ignored = ERR_INIT;
	bool found;

	proc_result_init(&result, PASSWD_MAX);
	found = host_run(host, &spec, &result, &ignored) == 0 &&
	    result.status == 0 && read_lines(buf_cstr(&result.out), key, out);
	proc_result_clear(&result);
	return found;
}

int
account_find(struct host *host, const char *key, struct account *out,
    struct err *err)
{
	struct buf text = BUF_INIT(PASSWD_MAX);
	struct err ignored = ERR_INIT;
	bool found;

	*out = (struct account){ 0 };
	found = host_read(host, "/etc/passwd", &text, NULL, &ignored) == 0 &&
	    read_lines(buf_cstr(&text), key, out);
	buf_clear(&text);
	if (!found && *key != '-')
		found = ask(host, key, out);
	return found ? 0 : err_set(err, ERR_MISSING, "%s has no account %s",
	    host_name(host), key);
}

int
account_by_uid(struct host *host, uid_t uid, struct account *out,
    struct err *err)
{
	char *key = mem_printf("%lu", (unsigned long)uid);
	int rc = account_find(host, key, out, err);

	free(key);
	return rc;
}

/* Facts of the process: who we are on the hosts of the job. */
static struct {
	char *host, *name;
	uid_t uid;
	gid_t gid;
} own_known[OWN_MAX];

static bool
own_is_known(struct host *host, struct account *out)
{
	uid_t uid = host_facts(host)->uid;

	for (size_t i = 0; i < OWN_MAX && own_known[i].host; i++) {
		if (own_known[i].uid != uid ||
		    !str_eq(own_known[i].host, host_name(host)))
			continue;
		*out = (struct account){
			.name = mem_strdup(own_known[i].name),
			.uid = uid,
			.gid = own_known[i].gid,
		};
		return true;
	}
	return false;
}

static void
know_own(const struct host *host, const struct account *own)
{
	size_t i = 0;

	while (i < OWN_MAX && own_known[i].host)
		i++;
	if (i == OWN_MAX)
		return;
	own_known[i].host = mem_strdup(host_name(host));
	own_known[i].name = mem_strdup(own->name);
	own_known[i].uid = own->uid;
	own_known[i].gid = own->gid;
}

int
account_own(struct host *host, struct account *out, struct err *err)
{
	struct err missing = ERR_INIT;
	const struct host_facts *facts = host_facts(host);

	(void)err;
	if (!own_is_known(host, out)) {
		/* One without an entry has its uid for a name. */
		if (account_by_uid(host, facts->uid, out, &missing) != 0)
			*out = (struct account){
				.name = mem_printf("%lu",
				    (unsigned long)facts->uid),
				.uid = facts->uid,
				.gid = facts->gid,
			};
		else
			know_own(host, out);
	}
	free(out->home);
	out->home = mem_strdup(facts->home);
	return 0;
}

int
account_owner(struct host *host, const char *path, struct account *out,
    struct err *err)
{
	struct fs_meta meta;

	*out = (struct account){ 0 };
	if (host_stat(host, path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return err_set(err, ERR_MISSING, "%s:%s: no such directory",
		    host_name(host), path);
	return meta.uid == host_facts(host)->uid ?
	    account_own(host, out, err) :
	    account_by_uid(host, meta.uid, out, err);
}

void
account_clear(struct account *account)
{
	free(account->name);
	free(account->home);
	*account = (struct account){ 0 };
}

char *
account_dir(struct host *host, const char *dir)
{
	char *full = conf_expand_home(dir, host_facts(host)->home);
	char *normal = shpath_normal("/", full);

	free(full);
	return normal;
}
