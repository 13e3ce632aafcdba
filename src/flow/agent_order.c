#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/agent_hand.h"
#include "flow/agent_order.h"
#include "flow/bundle.h"
#include "flow/endpoint.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/hash.h"

#define NAME_BYTES 6
#define SECTION_MAX 40

int
agent_order_name(const char *kind, const char *const *words, char **name,
    struct err *err)
{
	unsigned char digest[HASH_SIZE];
	char text[2 * NAME_BYTES + 1];
	struct hash *hash = hash_new(err);
	int rc;

	*name = NULL;
	if (!hash)
		return -1;
	for (; *words; words++)
		hash_add(hash, *words, strlen(*words) + 1);
	rc = hash_end(hash, digest, err);
	hash_free(hash);
	if (rc == 0) {
		str_hex(digest, NAME_BYTES, text);
		*name = mem_printf("%s-%s", kind, text);
	}
	return rc;
}

/* The name of the [agent] section: the last part of the path. */
static char *
section_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = mem_strndup(slash ? slash + 1 : path, SECTION_MAX);

	if (str_ends(name, ".af"))
		name[strlen(name) - 3] = '\0';
	for (char *c = name; *c; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9') && *c != '_')
			*c = '-';
	}
	if (*name)
		return name;
	free(name);
	return mem_strdup("agent");
}

static void
put_key(struct buf *text, const char *key, const char *value)
{
	if (value)
		buf_printf(text, "%s = %s\n", key, value);
}

static void
compose(const struct agent_order *order, const char *job, const char *path,
    const struct endpoint *to, struct buf *text)
{
	char *section = section_name(path);

	buf_printf(text, "; written by `sanctumctl agent import'\n"
	    "[job]\nkind = agent\nname = %s\n\n[letta target]\n", job);
	put_key(text, "url", to->url);
	put_key(text, "version", to->version);
	put_key(text, "ca_file", to->ca_file);
	put_key(text, "token", to->token_ref);
	buf_printf(text, "\n[agent %s]\nfrom = bundle:%s\nto = target\n",
	    section, path);
	put_key(text, "name", order->name);
	put_key(text, "tools", order->tools);
	free(section);
}

static bool
is_same(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : a == b;
}

/*
 * A job file cannot hold every text: what comes out of its reader must be
 * what went in.
 */
static int
check_text(const struct agent_order *order, const char *path,
    const struct endpoint *to, const struct buf *text, struct err *err)
{
	struct conf *conf;
	int rc = 0;

	if (conf_parse("the job of this import", buf_cstr(text), text->len,
	    &conf, err) != 0)
		return -1;
	if (!is_same(conf->agents[0].bundle, path) ||
	    !is_same(conf->agents[0].target_name, order->name) ||
	    !is_same(conf->agents[0].to->url, to->url))
		rc = err_set(err, ERR_USAGE, "%s, or the name, has characters "
		    "that a job file does not take: give it a plainer one",
		    path);
	conf_free(conf);
	return rc;
}

static int
make_job(const struct agent_order *order, const char *path,
    const struct endpoint *to, char **job, struct err *err)
{
	struct buf text = BUF_INIT(CONF_SIZE_MAX);
	char *digest = NULL, *name = NULL;
	int rc;

	if (to->connect_to)
		return err_set(err, ERR_USAGE, "%s is reached by the "
		    "connect_to of its edge; put a section [agent] with "
		    "`from = bundle:%s' into a job file", to->name, path);
	rc = bundle_digest(path, &digest, err);
	if (rc == 0)
		rc = agent_order_name("import", (const char *const[]){ path,
		    digest, to->url, order->name ? order->name : "", NULL },
		    &name, err);
	if (rc == 0) {
		compose(order, name, path, to, &text);
		rc = buf_check(&text, "the job", err);
	}
	if (rc == 0)
		rc = check_text(order, path, to, &text, err);
	if (rc == 0)
		rc = run_state_write(order->state_dir, name, "job.conf",
		    buf_cstr(&text), err);
	if (rc == 0)
		*job = run_state_path(order->state_dir, name, "job.conf");
	buf_clear(&text);
	free(name);
	free(digest);
	return rc;
}

int
agent_order_job(const struct agent_order *order, char **job, struct err *err)
{
	struct endpoint to;
	char *path;
	int rc;

	*job = NULL;
	path = realpath(order->path, NULL);
	if (!path)
		return fs_fail(err, "open", order->path);
	rc = endpoint_find(order->server, &to, err);
	if (rc == 0) {
		rc = make_job(order, path, &to, job, err);
		endpoint_clear(&to);
	}
	free(path);
	return rc;
}
