#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "flow/worker_users_db.h"
#include "io/db_script.h"
#include "io/host.h"

#define LOCK_WAIT_MS 10000

/* Pairs of one statement: about 50 kB of JSON. */
#define PAIRS_AT_ONCE 500

#define SELECT_USERS "SELECT id, letta_identity_id, letta_block_id " \
    "FROM letta_users ORDER BY id"
#define UPDATE_COLUMN(column) "UPDATE letta_users SET " column \
    " = m.value FROM json_each(?1) AS m WHERE m.key = letta_users." column

/* Broca writes an empty text where it has none. */
static char *
id_or_null(const char *text)
{
	return text && *text ? mem_strdup(text) : NULL;
}

static int
take_row(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct worker_users *users = ctx;
	struct worker_user *user;

	(void)statement;
	if (n != 3 || !columns[0] || users->n >= WORKER_USERS_MAX)
		return err_set(err, ERR_DATA, "letta_users: not as Broca "
		    "makes it");
	/* Doubled each time that it is full. */
	if ((users->n & (users->n - 1)) == 0)
		users->list = mem_grow(users->list, users->n ?
		    2 * users->n : 1, sizeof(*users->list));
	user = &users->list[users->n++];
	user->row = mem_strdup(columns[0]);
	user->identity = id_or_null(columns[1]);
	user->block = id_or_null(columns[2]);
	return 0;
}

int
worker_users_load(struct host *host, const char *db,
    struct worker_users *users, struct err *err)
{
	static const struct db_statement select = { .sql = SELECT_USERS };
	const struct db_script script = {
		.statements = &select,
		.n_statements = 1,
		.wait_ms = LOCK_WAIT_MS,
	};

	*users = (struct worker_users){ 0 };
	return host_db_script(host, db, &script, take_row, users, NULL, err);
}

void
worker_users_clear(struct worker_users *users)
{
	for (size_t i = 0; i < users->n; i++) {
		free(users->list[i].row);
		free(users->list[i].identity);
		free(users->list[i].block);
	}
	free(users->list);
	*users = (struct worker_users){ 0 };
}

/* One transaction in the making: texts of the JSON parameters. */
struct replacement {
	struct db_statement *statements;
	const char **params;
	struct buf *texts;
	size_t n;
};

static void
add_pairs(struct replacement *r, const char *sql,
    const struct worker_users_pairs *pairs)
{
	struct jdoc *map = jdoc_new_object();
	size_t in_map = 0;

	for (size_t i = 0; i < pairs->n; i++) {
		if (!str_eq(pairs->list[i].from, pairs->list[i].to)) {
			jdoc_set_str(map, pairs->list[i].from,
			    pairs->list[i].to);
			in_map++;
		}
		if (in_map < PAIRS_AT_ONCE && i + 1 < pairs->n)
			continue;
		buf_init(&r->texts[r->n], PAIRS_AT_ONCE * 1024);
		jdoc_write(map, &r->texts[r->n]);
		r->params[r->n] = buf_cstr(&r->texts[r->n]);
		r->statements[r->n] = (struct db_statement){ .sql = sql,
		    .params = &r->params[r->n], .n_params = 1 };
		r->n++;
		jdoc_free(map);
		map = jdoc_new_object();
		in_map = 0;
	}
	jdoc_free(map);
}

int
worker_users_replace(struct host *host, const char *db,
    const struct worker_users_pairs *identities,
    const struct worker_users_pairs *blocks, struct err *err)
{
	const size_t most = identities->n / PAIRS_AT_ONCE +
	    blocks->n / PAIRS_AT_ONCE + 2;
	struct replacement r = {
		.statements = mem_zero(most, sizeof(*r.statements)),
		.params = mem_zero(most, sizeof(*r.params)),
		.texts = mem_zero(most, sizeof(*r.texts)),
	};
	struct db_script script = { .write = true, .wait_ms = LOCK_WAIT_MS };
	int rc;

	add_pairs(&r, UPDATE_COLUMN("letta_identity_id"), identities);
	add_pairs(&r, UPDATE_COLUMN("letta_block_id"), blocks);
	script.statements = r.statements;
	script.n_statements = r.n;
	rc = r.n > 0 ? host_db_script(host, db, &script, NULL, NULL, NULL,
	    err) : 0;
	for (size_t i = 0; i < r.n; i++)
		buf_clear(&r.texts[i]);
	free(r.texts);
	free(r.params);
	free(r.statements);
	return rc;
}
