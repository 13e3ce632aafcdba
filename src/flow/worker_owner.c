#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/account.h"
#include "flow/worker_owner.h"
#include "io/host.h"

#define NAMES_BYTES (1024 * 1024)
#define ASK_MS 30000
#define NOBODY UINT32_MAX

/* Names and ids of one kind, in the text that they were read from. */
struct ids {
	struct {
		const char *name;
		uint32_t id;
	} list[TREE_IDS_MAX];
	size_t n;
};

/* Users and groups of a host. */
struct names {
	struct proc_result said;
	struct ids users, groups;
};

/* "NAME:PASSWORD:ID:..." */
static void
add_id(struct ids *ids, char *line)
{
	char *second = strchr(line, ':');
	char *third = second ? strchr(second + 1, ':') : NULL;
	uint64_t id;

	if (!third || ids->n == TREE_IDS_MAX)
		return;
	*second = '\0';
	third++;
	third[strcspn(third, ":")] = '\0';
	if (*line == '\0' || !str_u64(third, NOBODY - 1, &id))
		return;
	ids->list[ids->n].name = line;
	ids->list[ids->n++].id = (uint32_t)id;
}

/* Users, an empty line, groups. */
static void
read_names(struct names *names)
{
	char *line = names->said.out.data, *end;
	struct ids *ids = &names->users;

	for (; line && *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		if (end == line)
			ids = &names->groups;
		if (*end != '\0')
			*end++ = '\0';
		add_id(ids, line);
	}
}

static int
ask_names(struct host *host, struct names *names, struct err *err)
{
	static const char *const argv[] = { "sh", "-c",
		"getent passwd || cat /etc/passwd; echo; "
		"getent group || cat /etc/group", NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };

	if (host_ask(host, &spec, &names->said, err) != 0)
		return -1;
	(void)buf_cstr(&names->said.out);
	read_names(names);
	return 0;
}

static uint32_t
id_of(const struct ids *ids, const char *name)
{
	for (size_t i = 0; i < ids->n; i++)
		if (str_eq(ids->list[i].name, name))
			return ids->list[i].id;
	return NOBODY;
}

/* Each id once: of two names of one id the first is what ls shows. */
static struct tree_id *
match(const struct ids *from, const struct ids *to, size_t *n)
{
	struct tree_id *out = mem_zero(from->n + 1, sizeof(*out));
	uint32_t id;
	size_t at;

	*n = 0;
	for (size_t i = 0; i < from->n; i++) {
		id = id_of(to, from->list[i].name);
		for (at = 0; at < *n && out[at].from != from->list[i].id;)
			at++;
		if (id == NOBODY || at < *n)
			continue;
		out[*n].from = from->list[i].id;
		out[(*n)++].to = id;
	}
	return out;
}

static int
match_names(struct host *from, struct host *to, struct worker_owner *out,
    struct err *err)
{
	struct names *here = mem_zero(1, sizeof(*here));
	struct names *there = mem_zero(1, sizeof(*there));
	int rc;

	proc_result_init(&here->said, NAMES_BYTES);
	proc_result_init(&there->said, NAMES_BYTES);
	rc = ask_names(from, here, err);
	if (rc == 0)
		rc = ask_names(to, there, err);
	if (rc == 0) {
		out->users = match(&here->users, &there->users,
		    &out->owner.n_users);
		out->groups = match(&here->groups, &there->groups,
		    &out->owner.n_groups);
		out->owner.users = out->users;
		out->owner.groups = out->groups;
	}
	proc_result_clear(&here->said);
	proc_result_clear(&there->said);
	free(here);
	free(there);
	return rc;
}

/* Nobody's name is asked then: all of it is one account's. */
static int
all_to(struct host *to, const char *name, struct worker_owner *out,
    struct err *err)
{
	struct account account;

	if (account_find(to, name, &account, err) != 0)
		return -1;
	out->owner.uid = account.uid;
	out->owner.gid = account.gid;
	account_clear(&account);
	return 0;
}

int
worker_owner_find(struct host *from, struct host *to,
    const struct conf_worker *worker, struct worker_owner *out,
    struct err *err)
{
	const char *slash = strrchr(worker->to_path, '/');
	char *parent = slash && slash != worker->to_path ?
	    mem_strndup(worker->to_path, (size_t)(slash - worker->to_path)) :
	    mem_strdup("/");
	struct fs_meta meta;
	int rc;

	*out = (struct worker_owner){
		.owner = { .uid = (uid_t)-1, .gid = (gid_t)-1 },
	};
	rc = host_stat(to, parent, &meta, err);
	free(parent);
	if (rc != 0)
		return -1;
	out->owner.setuid = worker->setuid;
	if (host_facts(to)->uid != 0)
		return 0;
	out->compare = true;
	out->owner.uid = meta.uid;
	out->owner.gid = meta.gid;
	if (worker->account)
		return all_to(to, worker->account, out, err);
	return match_names(from, to, out, err);
}

void
worker_owner_clear(struct worker_owner *owner)
{
	free(owner->users);
	free(owner->groups);
	*owner = (struct worker_owner){ .users = NULL };
}
