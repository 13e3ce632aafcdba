#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "flow/backup.h"
#include "flow/bundle.h"
#include "flow/restore_list.h"
#include "io/fs.h"
#include "io/hash.h"

static void
take(struct restore_list *list, const struct backup_entry *entry)
{
	if (!entry->path || entry->gone)
		return;
	list->agents = mem_grow(list->agents, list->n + 1,
	    sizeof(*list->agents));
	list->agents[list->n++] = (struct restore_conf_agent){
		.id = entry->id,
		.name = entry->name ? entry->name : "",
		.bundle = backup_bundle_path(list->dir, entry),
	};
}

/* `letta check' refuses it, and it may lead anywhere. */
static int
refuse_link(const char *path, struct err *err)
{
	struct fs_meta meta;

	if (fs_stat(path, &meta, err) != 0)
		return -1;
	return meta.type != FS_SYMLINK ? 0 : err_set(err, ERR_DATA, "%s is a "
	    "symbolic link", path);
}

static int
refuse_links(const struct restore_list *list, struct err *err)
{
	char *agents = mem_printf("%s/agents", list->dir);
	int rc = refuse_link(agents, err);

	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = refuse_link(list->agents[i].bundle, err);
	free(agents);
	return rc;
}

const char *
restore_list_stale(const struct backup_entry *entry)
{
	return entry->failed ? entry->failed : entry->changed_during;
}

int
restore_list_read(const char *dir, struct restore_list *list,
    struct err *err)
{
	struct restore_conf conf;
	int rc;

	*list = (struct restore_list){ .dir = realpath(dir, NULL) };
	if (!list->dir)
		return fs_fail(err, "open", dir);
	rc = backup_index_read(list->dir, &list->index, err);
	for (size_t i = 0; i < list->index.n_entries && rc == 0; i++)
		take(list, &list->index.entries[i]);
	if (rc == 0)
		rc = refuse_links(list, err);
	if (rc == 0 && list->n == 0)
		rc = err_set(err, ERR_DATA, "no agent of it has a bundle");
	if (rc != 0) {
		restore_list_clear(list);
		return err_ctx(err, "%s is no backup that can be restored",
		    dir);
	}
	conf = (struct restore_conf){ .agents = list->agents,
		.n_agents = list->n };
	restore_conf_sections(&conf);
	return 0;
}

void
restore_list_clear(struct restore_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free((char *)(uintptr_t)list->agents[i].bundle);
	free(list->agents);
	backup_index_clear(&list->index);
	free(list->dir);
	*list = (struct restore_list){ 0 };
}

int
restore_list_digest(const struct restore_list *list, char **digest,
    struct err *err)
{
	char hex[2 * HASH_SIZE + 1];
	struct hash *hash = hash_new(err);
	char *one;
	int rc = hash ? 0 : -1;

	*digest = NULL;
	for (size_t i = 0; i < list->n && rc == 0; i++) {
		rc = bundle_digest(list->agents[i].bundle, &one, err);
		/* One that is damaged is told when its turn comes. */
		if (rc != 0 && (err->kind == ERR_DATA ||
		    err->kind == ERR_MISSING)) {
			err_clear(err);
			one = mem_strdup("damaged");
			rc = 0;
		}
		if (rc != 0)
			break;
		hash_add(hash, list->agents[i].id,
		    strlen(list->agents[i].id) + 1);
		hash_add(hash, one, strlen(one) + 1);
		free(one);
	}
	if (rc == 0)
		rc = hash_end_hex(hash, hex, err);
	hash_free(hash);
	if (rc == 0)
		*digest = mem_strdup(hex);
	return rc;
}
