#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/letta.h"
#include "flow/doctor_part.h"
#include "flow/doctor_worker_part.h"
#include "flow/supervisor_kind.h"
#include "flow/worker_find.h"
#include "io/host.h"

#define TEXT_MAX_BYTES (256 * 1024)

/* The traps that worker_find has found already; one line for each. */
static void
tell_found(const struct doctor_at *at, const struct worker_found *one)
{
	for (size_t i = 0; i < one->n_traps; i++)
		DOCTOR_JUDGE(at, one->dir, true, one->traps[i].id, "%s",
		    one->traps[i].text);
	if (one->n_traps == 0)
		doctor_fine(at->d, "worker-env-missing");
}

/* A private file that the group or others may read. */
static void
look_at_mode(const struct doctor_at *at, const char *path, const char *id)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	if (host_stat(at->host, path, &meta, &ignored) == 0 &&
	    meta.type == FS_FILE)
		DOCTOR_JUDGE(at, path, (meta.mode & 077) != 0, id,
		    "its mode is %04o", meta.mode);
}

static bool
is_there(const struct doctor_at *at, const char *path)
{
	struct err ignored = ERR_INIT;
	struct fs_meta meta;

	return host_stat(at->host, path, &meta, &ignored) == 0 &&
	    meta.type != FS_NONE;
}

static void
look_at_settings(const struct doctor_at *at, const char *dir)
{
	char *path = mem_printf("%s/settings.json", dir);
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);

	if (doctor_read(at, path, &text) && strstr(buf_cstr(&text),
	    "\"bot_token\""))
		look_at_mode(at, path, "worker-settings-mode");
	buf_wipe(&text);
	free(path);
}

/* "https://user:password@host/" */
static void
look_at_git(const struct doctor_at *at, const char *dir)
{
	char *path = mem_printf("%s/.git/config", dir);
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	const char *url, *end, *colon;
	bool found = false;

	if (doctor_read(at, path, &text)) {
		for (url = buf_cstr(&text); (url = strstr(url, "://")) !=
		    NULL; url = end) {
			url += 3;
			end = url + strcspn(url, "/ \t\r\n");
			colon = memchr(url, ':', (size_t)(end - url));
			found = found || (colon && memchr(colon, '@',
			    (size_t)(end - colon)));
		}
		DOCTOR_JUDGE(at, path, found, "worker-git-token",
		    "a remote's URL has a password in it");
	}
	buf_wipe(&text);
	free(path);
}

static void
look_at_copies(const struct doctor_at *at, const char *dir)
{
	static const char *const patterns[] = { ".env.*", ".env~",
	    ".env-*" };
	char **files;
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		files = supervisor_files(at->host, dir, "f", patterns[i],
		    &n);
		for (size_t k = 0; k < n; k++) {
			if (!str_ends(files[k], ".env.example"))
				DOCTOR_JUDGE(at, files[k], true,
				    "worker-env-copies", "it is kept");
		}
		supervisor_files_free(files, n);
	}
}

/* bin/pip begins with the python of the place that it was made for. */
static void
look_at_venv(const struct doctor_at *at, const char *dir)
{
	static const char *const names[] = { "venv", ".venv" };
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	char *path, *own;

	for (size_t i = 0; i < 2; i++) {
		path = mem_printf("%s/%s/bin/pip", dir, names[i]);
		own = mem_printf("#!%s/%s/bin/", dir, names[i]);
		buf_clear(&text);
		if (doctor_read(at, path, &text) &&
		    str_starts(buf_cstr(&text), "#!/")) {
			buf_truncate(&text, strcspn(text.data, "\r\n"));
			DOCTOR_JUDGE(at, path, !str_starts(text.data, own),
			    "worker-venv-moved", "it begins with %s",
			    text.data);
		}
		free(own);
		free(path);
	}
	buf_clear(&text);
}

static size_t
count_enabled(const struct worker_found *one, const struct supervisor **unit)
{
	const struct supervisor *s;
	size_t n = 0;

	for (size_t i = 0; i < one->supervisors.n; i++) {
		s = &one->supervisors.list[i];
		if (s->kind == SUPERVISOR_SCREEN || s->disabled ||
		    (s->tree && !str_eq(s->tree,
		    worker_program_word(one->program))))
			continue;
		n++;
		if (s->kind == SUPERVISOR_SYSTEMD)
			*unit = s;
	}
	return n;
}

static void
look_at_supervisors(const struct doctor_at *at,
    const struct worker_found *one)
{
	const struct supervisor *unit = NULL;
	size_t n = count_enabled(one, &unit);
	char *restart;

	DOCTOR_JUDGE(at, one->dir, n > 1, "worker-two-supervisors",
	    "%zu start it (sanctumctl worker list)", n);
	if (one->n_lives > 0)
		DOCTOR_JUDGE(at, one->dir, n == 0, "worker-no-supervisor",
		    "pid %ld lives, and no crontab, unit or program names "
		    "it", (long)one->lives[0].pid);
	if (!unit || !unit->text || one->program != WORKER_BROCA)
		return;
	restart = doctor_setting(unit->text, "Restart");
	DOCTOR_JUDGE(at, unit->where, !restart || (!str_eq(restart,
	    "always") && !str_eq(restart, "on-success")),
	    "worker-unit-restart", "Restart=%s", restart ? restart :
	    "is not there");
	free(restart);
}

/* "curl -k", "curl -fsk", "--insecure" in a start script or crontab line. */
static bool
is_insecure(const char *text)
{
	const char *at = text, *word;
	size_t len;

	while ((at = strstr(at, "curl")) != NULL) {
		for (word = at; *word && !strchr("\n|;&", *word);
		    word += len) {
			word += strspn(word, " \t");
			len = strcspn(word, " \t\n|;&");
			if ((len == 10 && memcmp(word, "--insecure", 10) ==
			    0) || (len > 1 && word[0] == '-' &&
			    word[1] != '-' && memchr(word, 'k', len)))
				return true;
		}
		at += strlen("curl");
	}
	return false;
}

static void
look_at_scripts(const struct doctor_at *at, const struct worker_found *one)
{
	const char *slash = strrchr(one->dir, '/');
	char *above = mem_strndup(one->dir, (size_t)(slash - one->dir));
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	char **files;
	size_t n;

	files = supervisor_files(at->host, *above ? above : "/", "f",
	    "*.sh", &n);
	for (size_t i = 0; i < n; i++) {
		buf_clear(&text);
		if (doctor_read(at, files[i], &text))
			DOCTOR_JUDGE(at, files[i], is_insecure(buf_cstr(
			    &text)), "worker-curl-insecure",
			    "curl -k is in it");
	}
	supervisor_files_free(files, n);
	for (size_t i = 0; i < one->supervisors.n; i++) {
		if (one->supervisors.list[i].text)
			DOCTOR_JUDGE(at, one->supervisors.list[i].where,
			    is_insecure(one->supervisors.list[i].text),
			    "worker-curl-insecure", "curl -k is in it");
	}
	buf_wipe(&text);
	free(above);
}

static int
look_at_broca(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	char *pid = mem_printf("%s/run/broca.pid", one->dir);
	const char *id = one->who.agent_id;

	if (id)
		DOCTOR_JUDGE(at, one->dir, !letta_id_ok(id, "agent-"),
		    "worker-agent-id", "AGENT_ID is %s", id);
	if (one->n_lives > 0)
		DOCTOR_JUDGE(at, pid, !is_there(at, pid),
		    "worker-no-pid-file", "pid %ld lives, and it is not "
		    "there", (long)one->lives[0].pid);
	free(pid);
	look_at_settings(at, one->dir);
	if (doctor_worker_env(at, one, err) != 0)
		return -1;
	return doctor_worker_db(at, one, err);
}

static int
look_at(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	tell_found(at, one);
	if (one->program == WORKER_OTTO)
		return 0;
	if (one->who.env_path)
		look_at_mode(at, one->who.env_path, "worker-env-mode");
	look_at_copies(at, one->dir);
	look_at_git(at, one->dir);
	look_at_venv(at, one->dir);
	look_at_supervisors(at, one);
	look_at_scripts(at, one);
	return one->program == WORKER_BROCA ? look_at_broca(at, one, err) :
	    doctor_worker_smcp(at, one, err);
}

/* Trees that are not both live: worker_find tells of those that are. */
static void
compare(const struct doctor_at *at, const struct worker_finds *all)
{
	const struct worker_found *one, *other;

	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = i + 1; k < all->n; k++) {
			one = &all->list[i];
			other = &all->list[k];
			if (one->program != WORKER_BROCA ||
			    other->program != WORKER_BROCA ||
			    str_eq(one->real, other->real) ||
			    !one->who.agent_id || !other->who.agent_id)
				continue;
			DOCTOR_JUDGE(at, one->dir, str_eq(one->who.agent_id,
			    other->who.agent_id), "worker-agent-twice",
			    "%s names the same agent", other->dir);
		}
	}
}

/* SMCP's own file; keys without `export' are passed over. */
static void
look_at_letta_env(const struct doctor_at *at)
{
	char *path = mem_printf("%s/.letta/.env",
	    host_facts(at->host)->home);
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);
	const char *line;
	bool bare = false;
	size_t len;

	if (doctor_read(at, path, &text)) {
		for (line = buf_cstr(&text); *line;
		    line += len + (line[len] == '\n')) {
			len = strcspn(line, "\n");
			bare = bare || str_starts(line, "LETTA_");
		}
		DOCTOR_JUDGE(at, path, bare, "letta-env-export",
		    "a line begins with LETTA_");
	}
	buf_wipe(&text);
	free(path);
}

int
doctor_workers(struct doctor_at *at, struct err *err)
{
	struct worker_finds all;
	int rc;

	look_at_letta_env(at);
	if (worker_find(at->host, &all, err) != 0)
		return doctor_pass(at, "worker-env-missing", err);
	rc = 0;
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = look_at(at, &all.list[i], err);
	if (rc == 0)
		compare(at, &all);
	worker_finds_clear(&all);
	return rc;
}
