#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/letta.h"
#include "flow/bundle.h"
#include "flow/bundle_dir.h"
#include "flow/restore_list.h"
#include "io/fs.h"
#include "io/hash.h"

/* A list on its way. */
struct listing {
	struct restore_list *list;
	char *agents;		/* "DIR/agents" */
};

static void
take_name(void *ctx, const char *name)
{
	struct listing *listing = ctx;
	struct restore_list *list = listing->list;

	if (!letta_id_ok(name, "agent-"))
		return;
	list->agents = mem_grow(list->agents, list->n + 1,
	    sizeof(*list->agents));
	list->agents[list->n++] = (struct restore_conf_agent){
		.id = mem_strdup(name),
		.bundle = mem_printf("%s/%s", listing->agents, name),
	};
}

static int
by_id(const void *a, const void *b)
{
	const struct restore_conf_agent *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static int
read_name(struct restore_conf_agent *agent, struct err *err)
{
	struct bundle_dir dir;

	if (bundle_dir_open(agent->bundle, &dir, err) != 0)
		return -1;
	agent->name = mem_strdup(dir.manifest.agent_name ?
	    dir.manifest.agent_name : "");
	bundle_dir_close(&dir);
	return 0;
}

static int
read_all(struct restore_list *list, struct err *err)
{
	struct listing listing = { .list = list,
		.agents = mem_printf("%s/agents", list->dir) };
	struct restore_conf conf;
	int rc;

	rc = fs_list(listing.agents, take_name, &listing, err);
	if (rc == 0 && list->n == 0)
		rc = err_set(err, ERR_DATA, "%s: no bundle of an agent is in "
		    "it", listing.agents);
	if (rc == 0)
		qsort(list->agents, list->n, sizeof(*list->agents), by_id);
	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = read_name(&list->agents[i], err);
	if (rc == 0) {
		conf = (struct restore_conf){ .agents = list->agents,
			.n_agents = list->n };
		restore_conf_sections(&conf);
	}
	free(listing.agents);
	return rc;
}

int
restore_list_read(const char *dir, struct restore_list *list,
    struct err *err)
{
	*list = (struct restore_list){ .dir = realpath(dir, NULL) };
	if (!list->dir)
		return fs_fail(err, "open", dir);
	if (read_all(list, err) == 0)
		return 0;
	restore_list_clear(list);
	return err_ctx(err, "%s is no backup that can be restored", dir);
}

void
restore_list_clear(struct restore_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free((char *)(uintptr_t)list->agents[i].id);
		free((char *)(uintptr_t)list->agents[i].name);
		free((char *)(uintptr_t)list->agents[i].bundle);
	}
	free(list->agents);
	free(list->dir);
	*list = (struct restore_list){ 0 };
}

int
restore_list_digest(const struct restore_list *list, char **digest,
    struct err *err)
{
	unsigned char sum[HASH_SIZE];
	struct hash *hash = hash_new(err);
	char *one;
	int rc = hash ? 0 : -1;

	*digest = NULL;
	for (size_t i = 0; i < list->n && rc == 0; i++) {
		rc = bundle_digest(list->agents[i].bundle, &one, err);
		if (rc != 0)
			break;
		hash_add(hash, list->agents[i].id,
		    strlen(list->agents[i].id) + 1);
		hash_add(hash, one, strlen(one) + 1);
		free(one);
	}
	if (rc == 0)
		rc = hash_end(hash, sum, err);
	hash_free(hash);
	if (rc == 0) {
		*digest = mem_zero(2 * HASH_SIZE + 1, 1);
		str_hex(sum, HASH_SIZE, *digest);
	}
	return rc;
}
