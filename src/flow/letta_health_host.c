#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/doctor.h"
#include "core/jdoc.h"
#include "core/letta_code.h"
#include "flow/client_look.h"
#include "flow/doctor_part.h"
#include "flow/doctor_url.h"
#include "flow/letta_health.h"
#include "flow/letta_health_part.h"
#include "flow/run.h"
#include "io/host.h"

#define PACKAGE_MAX (256 * 1024)

/* Where npm, bun and nvm put what is installed for all of a login. */
static const char ask_letta_code[] =
    "for at in /usr/lib /usr/local/lib /opt/homebrew/lib \"$HOME/.npm-global/"
    "lib\" /root/.npm-global/lib /home/*/.npm-global/lib /root/.local/lib "
    "/home/*/.local/lib /root/.nvm/versions/node/*/lib /home/*/.nvm/versions/"
    "node/*/lib /root/.bun/install/global /home/*/.bun/install/global\n"
    "do\n"
    "	f=$at/node_modules/@letta-ai/letta-code/package.json\n"
    "	[ -f \"$f\" ] && printf '%s\\n' \"$f\"\n"
    "done\n"
    "exit 0\n";

static void
judge_letta_code(const struct doctor_at *at, const char *path,
    const struct letta_caps *caps)
{
	const struct letta_code_need *need;
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT(PACKAGE_MAX);
	struct jdoc *doc = NULL;
	const char *version;

	if (doctor_read(at, path, &text))
		doc = jdoc_parse(buf_cstr(&text), text.len, &ignored);
	version = doc ? jdoc_get_str(doc, "version") : NULL;
	need = version ? letta_code_unmet(version, caps) : NULL;
	if (version)
		DOCTOR_JUDGE(at, path, need != NULL, "letta-code-server",
		    "Letta Code %s with Letta %s: %s", version,
		    caps->version, need->what);
	jdoc_free(doc);
	err_clear(&ignored);
	buf_clear(&text);
}

static int
look_at_letta_code(const struct doctor_at *at, const struct letta_caps *caps,
    struct err *err)
{
	static const char *const argv[] = { "sh", "-c", ask_letta_code,
	    NULL };
	struct buf out = BUF_INIT(65536), seen = BUF_INIT(65536);
	char *path, *rest = NULL;
	int status, rc;

	if (!caps->version[0])
		return 0;
	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	for (path = rc == 0 && out.len > 0 ? strtok_r(out.data, "\n", &rest) :
	    NULL; path; path = strtok_r(NULL, "\n", &rest)) {
		if (strstr(buf_cstr(&seen), path))
			continue;
		buf_printf(&seen, "%s\n", path);
		judge_letta_code(at, path, caps);
	}
	buf_clear(&seen);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "letta-code-server", err);
}

/* Whether `clients' of the upgrade has the file. */
static bool
is_client(const struct health_look *look, struct host *host,
    const char *path)
{
	char *words, *word, *full, *rest = NULL;
	bool found = false;

	if (!look->upgrade || !look->upgrade->clients)
		return false;
	words = mem_strdup(look->upgrade->clients);
	for (word = strtok_r(words, " ", &rest); word && !found;
	    word = strtok_r(NULL, " ", &rest)) {
		full = conf_expand_home(word, host_facts(host)->home);
		found = str_eq(full, path);
		free(full);
	}
	free(words);
	return found;
}

struct telling {
	const struct health_look *look;
	const struct doctor_at *at;
};

static int
tell_client(void *ctx, const char *path, size_t line, const char *address,
    struct err *err)
{
	const struct telling *telling = ctx;
	char *place;

	(void)err;
	if (is_client(telling->look, telling->at->host, path))
		return 0;
	place = mem_printf("%s:%s:%zu", telling->at->name, path, line);
	doctor_found(telling->at->d, "client-address", place, "%s%s",
	    address, telling->look->upgrade ? ", which this job changes" :
	    "");
	free(place);
	return 0;
}

/* A URL's own port, and, when the server is on this host, the loopback. */
static void
add_addresses(struct client_urls *urls, const struct health_look *look,
    const struct conf_letta *letta, const struct letta_health *health)
{
	struct doctor_address at;

	if (look->upgrade) {
		client_look_upgrade(urls, look->upgrade);
		return;
	}
	doctor_address(health->url, &at);
	if (letta && letta->host)
		client_look_loopback(urls, letta->port, 0);
	if (at.loopback)
		client_look_loopback(urls, at.port, 0);
	else
		client_urls_add(urls, health->url, NULL);
}

static int
look_at_clients(const struct health_look *look, const struct doctor_at *at,
    const struct conf_letta *letta, const struct letta_health *health,
    struct err *err)
{
	struct telling telling = { .look = look, .at = at };
	struct client_urls urls = { .n = 0 };
	uint64_t before = at->d->found;
	bool cut = false;
	int rc;

	add_addresses(&urls, look, letta, health);
	rc = client_look(at->host, &urls, tell_client, &telling, &cut, err);
	if (cut)
		doctor_unknown(at->d, "client-address", at->name, "more than "
		    "%d files name the server; those behind were not looked "
		    "at", CLIENT_LOOK_MAX);
	if (rc == 0 && at->d->found == before && !cut)
		doctor_fine(at->d, "client-address");
	client_urls_clear(&urls);
	return rc == 0 ? 0 : doctor_pass(at, "client-address", err);
}

/* By the section's own URI, or where a node has its database. */
static int
look_at_database(const struct health_look *look, const struct doctor_at *at,
    const struct conf_letta *letta, const struct letta_health *health,
    struct err *err)
{
	uint64_t asked = look->d->looked + look->d->unknown;

	if (letta && letta->host && letta->database.ref)
		return letta_health_database(look, letta, health, err);
	if (doctor_sequence(at, err) != 0)
		return -1;
	if (look->d->looked + look->d->unknown == asked)
		doctor_unknown(look->d, "letta-sequence", at->name, "no "
		    "PostgreSQL of this host has a database letta that we "
		    "may ask");
	return 0;
}

int
letta_health_host(const struct health_look *look, struct host *host,
    const char *name, const struct conf_letta *letta,
    const struct letta_health *health, struct err *err)
{
	struct doctor_at at = { .d = look->d, .host = host, .name = name };

	return look_at_database(look, &at, letta, health, err) != 0 ||
	    doctor_containers(&at, err) != 0 ||
	    look_at_clients(look, &at, letta, health, err) != 0 ||
	    look_at_letta_code(&at, &health->caps, err) != 0 ? -1 : 0;
}
