#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/backup.h"
#include "flow/bundle.h"
#include "flow/endpoint.h"
#include "flow/restore.h"
#include "io/fs.h"
#include "io/journal.h"
#include "journal_bed.h"

#define ROWS 2500		/* more than two transactions */
#define SECRET "hush-hush-4711"
#define UUID_REST "-0000-4000-8000-000000000000"

static const struct conf_agent sage = { .name = "sage" };
static const struct bundle_about about = {
	.server = "cloud", .url = "https://letta.example.org",
	.letta = "0.16.2", .agent_id = "agent-1",
};

static const char shell[] = "{\"agents\":[{\"id\":\"agent-0\","
    "\"name\":\"Sage\",\"agent_type\":\"letta_v1_agent\",\"system\":\"\","
    "\"messages\":[{\"role\":\"user\",\"content\":[]}],"
    "\"in_context_message_ids\":[\"message-0\"],"
    "\"tool_exec_environment_variables\":{\"API\":\"" SECRET "\"},"
    "\"secrets\":{\"KEY\":\"" SECRET "\"}}],\"blocks\":[],\"tools\":["
    "{\"id\":\"tool-0\",\"name\":\"roll\",\"source_code\":\"def roll():\\n"
    "    pass\\n\"},{\"id\":\"tool-1\",\"name\":\"../roll\","
    "\"source_code\":\"x = 1\\n\"},{\"id\":\"tool-2\",\"name\":\"built_in\"}"
    "],\"mcp_servers\":[{\"server_name\":\"search\"}]}";
static const char state_text[] = "{\"version\":\"0.16.2\","
    "\"name\":\"Sage\",\"agent_type\":\"letta_v1_agent\","
    "\"message_ids\":[\"message-0\",\"message-2\"]}";

static char *
at(void **state, const char *name)
{
	const struct journal_bed *bed = *state;

	return mem_printf("%s/%s", bed->root, name);
}

static struct journal *
open_journal(void **state, const char *name)
{
	char *path = at(state, name);
	struct err err = ERR_INIT;
	struct journal *journal;

	OK(journal_open(path, true, &journal, &err));
	free(path);
	return journal;
}

static void
stage(struct journal *j, const char *what, const char *id, const char *body)
{
	char *scope = agent_scope("source", &sage, what);
	struct err err = ERR_INIT;
	bool added;

	OK(journal_page_begin(j, &err));
	OK(journal_row_add(j, scope, id, body, strlen(body), &added, &err));
	OK(journal_page_commit(j, scope, id, true, &err));
	free(scope);
}

static void
stage_history(struct journal *j, int rows)
{
	char *scope = agent_scope("source", &sage, "messages");
	struct err err = ERR_INIT;
	char id[32], body[256];
	bool added;

	OK(journal_page_begin(j, &err));
	for (int i = 0; i < rows; i++) {
		(void)snprintf(id, sizeof(id), "message-%d", i);
		(void)snprintf(body, sizeof(body), "{\"type\":\"message\","
		    "\"role\":\"%s\",\"content\":[{\"type\":\"text\","
		    "\"text\":\"%d \\ud800\"}],"
		    "\"created_at\":\"%d-01-01T00:00:00Z\"}",
		    i == 0 ? "system" : "user", i, i == 7 ? 3001 : 2025);
		OK(journal_row_add(j, scope, id, body, strlen(body), &added,
		    &err));
	}
	OK(journal_page_commit(j, scope, "x", true, &err));
	free(scope);
}

static void
put_facts(struct journal *j)
{
	char *key = agent_shell_key("source", &sage);
	struct err err = ERR_INIT;

	OK(journal_put(j, key, shell, &err));
	free(key);
	key = agent_state_key("source", &sage);
	OK(journal_put(j, key, state_text, &err));
	free(key);
}

/* A journal with a source side in it. */
static struct journal *
staged(void **state, int rows)
{
	struct journal *j = open_journal(state, "one/journal.db");

	stage_history(j, rows);
	put_facts(j);
	stage(j, "passages", "passage-1", "{\"text\":\"a\"}");
	stage(j, "passages", "passage-2", "{\"text\":\"b\"}");
	stage(j, "blocks", "block-1", "{\"label\":\"human\"}");
	stage(j, "conversations", "conv-1", "{\"id\":\"conv-1\"}");
	stage(j, "conversation/conv-1", "message-9", "{\"role\":\"user\"}");
	return j;
}

static void
write_bundle(struct journal *j, const char *path,
    struct bundle_figures *figures)
{
	struct err err = ERR_INIT;

	OK(bundle_write(j, &sage, "source", &about, path, figures, &err));
}

/* A bundle of that many rows at root/sage; its path. */
static char *
make_bundle_of(void **state, int rows)
{
	struct journal *j = staged(state, rows);
	struct bundle_figures figures;
	char *path = at(state, "sage");

	write_bundle(j, path, &figures);
	journal_close(j);
	return path;
}

static char *
make_bundle(void **state)
{
	return make_bundle_of(state, 20);
}

static char *
read_file(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct buf text = BUF_INIT(64 * 1024 * 1024);
	struct err err = ERR_INIT;

	OK(fs_read(path, &text, NULL, &err));
	free(path);
	return buf_take(&text);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	char *path = mem_printf("%s/%s", dir, name);
	struct err err = ERR_INIT;

	OK(fs_replace(path, text, strlen(text), &meta, &err));
	free(path);
}

static const char *const written[] = {
	"shell.json", "state.json", "messages.jsonl", "archival.jsonl",
	"blocks.jsonl", "identities.jsonl", "conversations.jsonl",
	"conversations/conv-1.jsonl", "tools/roll.py", "tools/___roll.py",
	"originals/changes.jsonl", "losses.json",
};

static void
assert_mode(const char *dir, const char *name, mode_t mode)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	if ((st.st_mode & 07777) != mode)
		fail_msg("%s: %o", path, st.st_mode & 07777);
	free(path);
}

static void
count_names(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
}

static void
test_a_bundle_is_written(void **state)
{
	struct journal *j = staged(state, 20);
	const struct journal_bed *bed = *state;
	char *path = at(state, "sage"), *text;
	struct bundle_figures figures;
	struct err err = ERR_INIT;
	int names = 0;

	write_bundle(j, path, &figures);
	assert_int_equal(figures.messages, 20);
	assert_int_equal(figures.passages, 2);
	assert_int_equal(figures.conversations, 1);
	assert_int_equal(figures.files, sizeof(written) / sizeof(*written));
	assert_mode(path, ".", 0700);
	assert_mode(path, "tools", 0700);
	for (size_t i = 0; i < figures.files; i++) {
		assert_mode(path, written[i], 0600);
		text = read_file(path, written[i]);
		if (strstr(text, SECRET))
			fail_msg("%s has a secret", written[i]);
		free(text);
	}
	text = read_file(path, "losses.json");
	assert_non_null(strstr(text, "\"API\""));
	assert_non_null(strstr(text, "\"KEY\""));
	assert_non_null(strstr(text, "search"));
	free(text);
	/* Beside it there is nothing left: "one", and itself. */
	OK(fs_list(bed->root, count_names, &names, &err));
	assert_int_equal(names, 2);
	journal_close(j);
	free(path);
}

static void
test_changed_rows_keep_their_originals(void **state)
{
	char *path = make_bundle(state), *text, *line;

	text = read_file(path, "originals/changes.jsonl");
	line = strstr(text, "{\"id\":\"message-7\"");
	assert_non_null(line);
	assert_non_null(strstr(line, "date moved into 1900-2999"));
	assert_non_null(strstr(line, "3001-01-01T00:00:00Z"));
	free(text);
	free(path);
}

/* Written, read, written: the bytes are the same but for the manifest. */
static void
test_a_bundle_read_is_what_was_written(void **state)
{
	struct journal *one = staged(state, ROWS);
	struct journal *two = open_journal(state, "two/journal.db");
	char *a = at(state, "a"), *b = at(state, "b"), *x, *y;
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	write_bundle(one, a, &figures);
	OK(bundle_load(a, &sage, "source", false, two, &err));
	write_bundle(two, b, &figures);
	assert_int_equal(figures.messages, ROWS);
	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		x = read_file(a, written[i]);
		y = read_file(b, written[i]);
		if (!str_eq(x, y))
			fail_msg("%s differs", written[i]);
		free(x);
		free(y);
	}
	journal_close(one);
	journal_close(two);
	free(a);
	free(b);
}

/* A second load does nothing; one of another bundle begins anew. */
static void
test_what_is_staged_already_stays(void **state)
{
	struct journal *one = staged(state, 20), *two;
	char *a = at(state, "a"), *b = at(state, "b");
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	write_bundle(one, a, &figures);
	stage(one, "messages", "message-more", "{\"role\":\"user\"}");
	write_bundle(one, b, &figures);
	two = open_journal(state, "two/journal.db");
	OK(bundle_load(a, &sage, "source", false, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"), 20);
	stage(two, "messages", "mark", "{}");
	OK(bundle_load(a, &sage, "source", false, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"), 21);
	OK(bundle_load(a, &sage, "source", true, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"), 20);
	OK(bundle_load(b, &sage, "source", false, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"), 21);
	assert_int_equal(journal_bed_count(two,
	    "source/sage/conversation/conv-1"), 1);
	journal_close(one);
	journal_close(two);
	free(a);
	free(b);
}

/* Whoever drops a side blanks its facts: then it is read again. */
static void
test_a_side_that_was_dropped_is_read_again(void **state)
{
	char *path = make_bundle(state), *key;
	struct journal *j = open_journal(state, "two/journal.db");
	struct err err = ERR_INIT;

	OK(bundle_load(path, &sage, "source", false, j, &err));
	OK(journal_scope_drop(j, "source/sage/messages", &err));
	key = agent_shell_key("source", &sage);
	OK(journal_put(j, key, "", &err));
	OK(bundle_load(path, &sage, "source", false, j, &err));
	assert_int_equal(journal_bed_count(j, "source/sage/messages"), 20);
	journal_close(j);
	free(key);
	free(path);
}

/* A reader that stops in the middle goes on behind its last page. */
static void
test_a_load_that_was_cut_goes_on(void **state)
{
	struct journal *one = staged(state, ROWS), *two;
	char *a = at(state, "a"), *whole, *digest, *fact;
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	write_bundle(one, a, &figures);
	two = open_journal(state, "two/journal.db");
	/* What a kill behind the first page leaves. */
	OK(bundle_digest(a, &digest, &err));
	fact = mem_printf("%s begun", digest);
	OK(journal_put(two, "agent.sage.source-bundle", fact, &err));
	OK(journal_page_begin(two, &err));
	for (int i = 0; i < 1000; i++) {
		char id[32];
		bool added;

		(void)snprintf(id, sizeof(id), "message-%d", i);
		OK(journal_row_add(two, "source/sage/messages", id, "{}", 2,
		    &added, &err));
	}
	OK(journal_page_commit(two, "source/sage/messages", "1000", false,
	    &err));
	OK(bundle_load(a, &sage, "source", false, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"),
	    ROWS);
	/* The first page was not read once more. */
	OK(journal_row_get(two, "source/sage/messages", "message-3", &whole,
	    &err));
	assert_string_equal(whole, "{}");
	free(whole);
	journal_close(one);
	journal_close(two);
	free(fact);
	free(digest);
	free(a);
}

/* What a check finds, a line each. */
static int
note(void *ctx, const char *file, const char *what, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s: %s\n", file, what);
	return 0;
}

/* The bundle is refused for this, by the check and by a reader. */
static void
assert_refused(void **state, const char *path, const char *file,
    const char *why)
{
	struct journal *j = open_journal(state, "refuse/journal.db");
	struct buf found = BUF_INIT(65536);
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	OK(bundle_check(path, note, &found, &figures, &err));
	if (!strstr(buf_cstr(&found), file) || !strstr(buf_cstr(&found), why))
		fail_msg("%s, %s: %s", file, why, buf_cstr(&found));
	FAILS(bundle_load(path, &sage, "source", true, j, &err), ERR_DATA,
	    why);
	journal_close(j);
	buf_clear(&found);
}

static void
test_a_sound_bundle_has_no_finding(void **state)
{
	struct buf found = BUF_INIT(65536);
	struct bundle_figures figures;
	char *path = make_bundle(state);
	struct err err = ERR_INIT;

	OK(bundle_check(path, note, &found, &figures, &err));
	assert_string_equal(buf_cstr(&found), "");
	assert_int_equal(figures.messages, 20);
	assert_int_equal(figures.passages, 2);
	buf_clear(&found);
	free(path);
}

static void
test_a_byte_that_was_changed(void **state)
{
	char *path = make_bundle_of(state, ROWS), *text;
	struct journal *j;

	/* Two pages are in the journal before the sum tells. */
	text = read_file(path, "messages.jsonl");
	strstr(text, "\"text\":\"2400 ")[8] = '3';
	write_file(path, "messages.jsonl", text);
	free(text);
	assert_refused(state, path, "messages.jsonl", "SHA-256");
	/* And nothing of it is staged. */
	j = open_journal(state, "refuse/journal.db");
	assert_int_equal(journal_bed_count(j, "source/sage/messages"), 0);
	journal_close(j);
	free(path);
}

static void
test_files_that_were_cut_or_are_gone(void **state)
{
	char *path = make_bundle(state), *text, *full;

	text = read_file(path, "archival.jsonl");
	text[strlen(text) - 5] = '\0';
	write_file(path, "archival.jsonl", text);
	assert_refused(state, path, "archival.jsonl", "cut short");
	strchr(text, '\n')[1] = '\0';
	write_file(path, "archival.jsonl", text);
	free(text);
	assert_refused(state, path, "archival.jsonl", "bytes; the manifest");
	full = mem_printf("%s/archival.jsonl", path);
	assert_int_equal(unlink(full), 0);
	free(full);
	assert_refused(state, path, "archival.jsonl", "is not there");
	free(path);
}

static void
test_files_that_nobody_knows(void **state)
{
	char *path = make_bundle(state), *full;

	write_file(path, "extra.txt", "x");
	assert_refused(state, path, "extra.txt", "not in the manifest");
	full = mem_printf("%s/extra.txt", path);
	assert_int_equal(unlink(full), 0);
	free(full);
	write_file(path, "tools/more.py", "x");
	assert_refused(state, path, "tools/more.py", "not in the manifest");
	full = mem_printf("%s/tools/more.py", path);
	assert_int_equal(unlink(full), 0);
	free(full);
	full = mem_printf("%s/more", path);
	assert_int_equal(mkdir(full, 0700), 0);
	assert_refused(state, path, "more", "not in the manifest");
	free(full);
	free(path);
}

static void
test_links_and_devices(void **state)
{
	char *path = make_bundle(state);
	char *full = mem_printf("%s/archival.jsonl", path);
	char *beside = at(state, "beside");

	assert_int_equal(rename(full, beside), 0);
	assert_int_equal(symlink(beside, full), 0);
	assert_refused(state, path, "archival.jsonl", "symbolic link");
	assert_int_equal(unlink(full), 0);
	assert_int_equal(mkfifo(full, 0600), 0);
	assert_refused(state, path, "archival.jsonl", "not a regular file");
	free(beside);
	free(full);
	free(path);
}

/* A folder of the bundle that leads elsewhere. */
static void
test_a_folder_that_is_a_link(void **state)
{
	char *path = make_bundle(state);
	char *full = mem_printf("%s/tools", path), *beside;

	beside = at(state, "beside");
	assert_int_equal(rename(full, beside), 0);
	assert_int_equal(symlink(beside, full), 0);
	assert_refused(state, path, "tools", "");
	free(beside);
	free(full);
	free(path);
}

/* The manifest's sum is right and its content is not. */
static void
reseal(const char *path, const char *name, const char *text)
{
	char *manifest = read_file(path, "manifest.json"), *digest = NULL;
	char *full = mem_printf("%s/%s.af", path, name), *key, *entry;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(65536);

	/* bundle_digest sums up a whole file that ends in .af. */
	write_file(path, "sum.af", text);
	free(full);
	full = mem_printf("%s/sum.af", path);
	OK(bundle_digest(full, &digest, &err));
	assert_int_equal(unlink(full), 0);
	write_file(path, name, text);
	key = mem_printf("{\"path\":\"%s\",", name);
	entry = strstr(manifest, key);
	assert_non_null(entry);
	buf_add(&out, manifest, (size_t)(entry - manifest));
	buf_printf(&out, "%s\"sha256\":\"%s\",\"size\":%zu", key, digest,
	    strlen(text));
	buf_str(&out, strstr(entry, ",\"rows\""));
	write_file(path, "manifest.json", buf_cstr(&out));
	buf_clear(&out);
	free(key);
	free(digest);
	free(full);
	free(manifest);
}

static void
test_rows_that_are_none(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{\"id\":\"a\",\"row\":{}}\n{\"id\":\"b\",\"row\":7}\n",
		    "line 2: not an id and a row" },
		{ "{\"id\":\"a\",\"row\":{}}\nnonsense\n", "line 2" },
		{ "{\"id\":\"a\",\"row\":{\"t\":\"\xff\"}}\n", "line 1" },
		{ "{\"id\":\"a\",\"row\":{}}\n", "1 rows; the manifest" },
	};
	char *path = make_bundle(state);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		reseal(path, "archival.jsonl", cases[i].text);
		assert_refused(state, path, "archival.jsonl", cases[i].why);
	}
	free(path);
}

static void
test_one_id_for_two_rows(void **state)
{
	char *path = make_bundle(state);
	struct journal *j = open_journal(state, "two/journal.db");
	struct err err = ERR_INIT;

	reseal(path, "archival.jsonl", "{\"id\":\"a\",\"row\":{}}\n"
	    "{\"id\":\"a\",\"row\":{}}\n");
	FAILS(bundle_load(path, &sage, "source", false, j, &err), ERR_DATA,
	    "line 2: a second row of this id");
	journal_close(j);
	free(path);
}

/* A line of 40 MB is refused in the memory of the longest allowed one. */
static void
test_a_huge_line(void **state)
{
	char *path = make_bundle(state);
	size_t len = (size_t)40 * 1024 * 1024;
	char *text = mem_alloc(len + 1);

	memset(text, 'x', len);
	text[len] = '\0';
	reseal(path, "archival.jsonl", text);
	free(text);
	assert_refused(state, path, "archival.jsonl", "a line longer than");
	free(path);
}

static void
test_a_row_in_context_that_is_missing(void **state)
{
	const char *told;
	struct buf found = BUF_INIT(65536);
	struct bundle_figures figures;
	char *path = make_bundle(state);
	struct err err = ERR_INIT;

	reseal(path, "state.json", "{\"name\":\"Sage\",\"message_ids\":"
	    "[\"message-0\",\"message-gone\",\"message-0\","
	    "\"message-gone\"]}\n");
	OK(bundle_check(path, note, &found, &figures, &err));
	told = strstr(buf_cstr(&found), "message-gone");
	assert_non_null(told);
	assert_null(strstr(told + 1, "message-gone"));
	assert_null(strstr(buf_cstr(&found), "message-0"));
	buf_clear(&found);
	free(path);
}

/* Whoever writes a bundle chooses its ids; a terminal only shows them. */
static void
test_an_id_with_an_escape_in_it(void **state)
{
	struct buf found = BUF_INIT(65536);
	struct bundle_figures figures;
	char *path = make_bundle(state);
	struct err err = ERR_INIT;

	reseal(path, "state.json", "{\"name\":\"Sage\",\"message_ids\":"
	    "[\"message-\\u001b[2Jx\"]}\n");
	OK(bundle_check(path, note, &found, &figures, &err));
	assert_non_null(strstr(buf_cstr(&found), "message-\\x1b[2Jx"));
	assert_null(strchr(buf_cstr(&found), '\033'));
	buf_clear(&found);
	free(path);
}

/* Nothing behind a link of a backup is read, nor are its names told. */
static void
test_agents_of_a_backup_that_are_a_link(void **state)
{
	const struct journal_bed *bed = *state;
	struct buf found = BUF_INIT(65536);
	struct backup_figures figures;
	char *agents = at(state, "agents");
	struct err err = ERR_INIT;

	write_file(bed->root, BACKUP_INDEX, "{\"format\":1,\"agents\":[]}");
	assert_int_equal(symlink("/etc", agents), 0);
	OK(backup_check(bed->root, note, &found, &figures, &err));
	assert_non_null(strstr(buf_cstr(&found), "agents: neither a file"));
	assert_null(strstr(buf_cstr(&found), "passwd"));
	buf_clear(&found);
	free(agents);
}

static void
write_index(const char *dir, unsigned int agents)
{
	struct buf index = BUF_INIT(4 * 1024 * 1024);

	buf_str(&index, "{\"format\":1,\"agents\":[");
	for (unsigned int i = 0; i < agents; i++)
		buf_printf(&index, "%s{\"id\":\"agent-%08x" UUID_REST "\","
		    "\"name\":\"Sage\",\"digest\":\"00\",\"path\":"
		    "\"agents/agent-%08x" UUID_REST "\"}",
		    i > 0 ? "," : "", i, i);
	buf_str(&index, "]}");
	write_file(dir, BACKUP_INDEX, buf_cstr(&index));
	buf_clear(&index);
}

/* Known before a server is stopped, not when its database is gone. */
static void
test_a_backup_that_no_restore_takes(void **state)
{
	char name[] = "target", url[] = "https://letta.example";
	const struct endpoint to = { .name = name, .url = url };
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;

	write_index(bed->root, CONF_SECTIONS_MAX - 2);
	OK(restore_fits(bed->root, &to, &err));
	write_index(bed->root, CONF_SECTIONS_MAX - 1);
	FAILS(restore_fits(bed->root, &to, &err), ERR_USAGE, "4095 agents "
	    "are more than one restore takes");
}

static void
test_no_bundle_at_all(void **state)
{
	struct journal *j = open_journal(state, "two/journal.db");
	const struct journal_bed *bed = *state;
	struct buf found = BUF_INIT(65536);
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	FAILS(bundle_load("/nowhere/x", &sage, "source", false, j, &err),
	    ERR_MISSING, "/nowhere/x");
	FAILS(bundle_load(bed->root, &sage, "source", false, j, &err),
	    ERR_DATA, "no bundle");
	err_clear(&err);
	OK(bundle_check(bed->root, note, &found, &figures, &err));
	assert_non_null(strstr(buf_cstr(&found), "no bundle"));
	buf_clear(&found);
	journal_close(j);
}

/* What is there is never replaced; what a dead process left is removed. */
static void
test_a_place_that_is_taken(void **state)
{
	struct journal *j = staged(state, 3);
	char *path = at(state, "sage"), *dead, *live;
	struct bundle_figures figures;
	struct err err = ERR_INIT;
	struct fs_meta meta;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	dead = mem_printf("%s/.sage.partial-%ld", ((struct journal_bed *)
	    *state)->root, (long)pid);
	live = mem_printf("%s/.sage.partial-%ld", ((struct journal_bed *)
	    *state)->root, (long)getppid());
	OK(fs_mkdirs(dead, 0700, &err));
	OK(fs_mkdirs(live, 0700, &err));
	write_bundle(j, path, &figures);
	OK(fs_stat(dead, &meta, &err));
	assert_int_equal(meta.type, FS_NONE);
	OK(fs_stat(live, &meta, &err));
	assert_int_equal(meta.type, FS_DIR);
	FAILS(bundle_write(j, &sage, "source", &about, path, &figures, &err),
	    ERR_USAGE, "something is there already");
	FAILS(bundle_write(j, &sage, "source", &about, "/nowhere/x/y",
	    &figures, &err), ERR_USAGE, "/nowhere/x");
	journal_close(j);
	free(live);
	free(dead);
	free(path);
}

static void
test_an_agent_that_was_not_read(void **state)
{
	struct journal *j = open_journal(state, "one/journal.db");
	char *path = at(state, "sage");
	struct bundle_figures figures;
	struct err err = ERR_INIT;
	struct fs_meta meta;

	FAILS(bundle_write(j, &sage, "source", &about, path, &figures, &err),
	    ERR_FAILED, "has not been read");
	OK(fs_stat(path, &meta, &err));
	assert_int_equal(meta.type, FS_NONE);
	journal_close(j);
	free(path);
}

/* An agent file written, read, written: the same bytes. */
static void
test_a_plain_agent_file(void **state)
{
	struct journal *one = staged(state, ROWS), *two;
	char *a = at(state, "a.af"), *b = at(state, "b.af"), *x, *y;
	struct bundle_figures figures;
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;

	OK(bundle_write_af(one, &sage, "source", a, &figures, &err));
	assert_int_equal(figures.messages, ROWS);
	assert_mode(bed->root, "a.af", 0600);
	two = open_journal(state, "two/journal.db");
	OK(bundle_load(a, &sage, "source", false, two, &err));
	assert_int_equal(journal_bed_count(two, "source/sage/messages"),
	    ROWS);
	OK(bundle_write_af(two, &sage, "source", b, &figures, &err));
	x = read_file(bed->root, "a.af");
	y = read_file(bed->root, "b.af");
	assert_string_equal(x, y);
	assert_null(strstr(x, SECRET));
	free(x);
	free(y);
	journal_close(one);
	journal_close(two);
	free(a);
	free(b);
}

/* Letters of any language stay; what a server refuses is replaced. */
static void
test_names_in_an_agent_file(void **state)
{
	static const struct {
		const char *name, *in_file;
	} cases[] = {
		{ "Zo\xc3\xab", "\"name\":\"Zo\xc3\xab\"" },
		{ "AI/ML Expert", "\"name\":\"AI-ML Expert\"" },
		{ "", "\"name\":\"agent\"" },
	};
	const struct journal_bed *bed = *state;
	struct journal *j = staged(state, 3);
	char *path = at(state, "n.af"), *text, *key, *fact;
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	key = agent_state_key("source", &sage);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fact = mem_printf("{\"name\":\"%s\",\"message_ids\":["
		    "\"message-0\"]}", cases[i].name);
		OK(journal_put(j, key, fact, &err));
		OK(bundle_write_af(j, &sage, "source", path, &figures, &err));
		text = read_file(bed->root, "n.af");
		if (!strstr(text, cases[i].in_file))
			fail_msg("%s: %.200s", cases[i].name, text);
		assert_int_equal(unlink(path), 0);
		free(text);
		free(fact);
	}
	journal_close(j);
	free(key);
	free(path);
}

static void
test_ids_of_an_agent_file(void **state)
{
	const struct journal_bed *bed = *state;
	struct journal *j = open_journal(state, "two/journal.db");
	char *path = at(state, "x.af"), *text, *key;
	struct err err = ERR_INIT;

	write_file(bed->root, "x.af", "{\"agents\":[{\"in_context_message_"
	    "ids\":[\"m-1\"],\"messages\":[{\"id\":\"m-1\",\"t\":\"\\ud800\"},"
	    "\n{\"id\":\"m-1\"}],\"name\":\"N\",\"secrets\":{\"K\":\""
	    SECRET "\"}}],\"blocks\":[],\"tools\":[]}");
	OK(bundle_load(path, &sage, "target", false, j, &err));
	OK(journal_row_get(j, "target/sage/messages", "m-1", &text, &err));
	assert_string_equal(text, "{\"id\":\"m-1\",\"t\":\"\\ud800\"}");
	free(text);
	OK(journal_row_get(j, "target/sage/messages", "m-1~2", &text, &err));
	assert_string_equal(text, "{\"id\":\"m-1\"}");
	free(text);
	key = agent_state_key("target", &sage);
	OK(journal_get(j, key, &text, &err));
	assert_string_equal(text, "{\"name\":\"N\",\"message_ids\":[\"m-1\"]}");
	free(text);
	free(key);
	key = agent_shell_key("target", &sage);
	OK(journal_get(j, key, &text, &err));
	assert_null(strstr(text, SECRET));
	assert_null(strstr(text, "m-1"));
	free(text);
	free(key);
	journal_close(j);
	free(path);
}

static void
test_an_agent_file_that_was_cut(void **state)
{
	const struct journal_bed *bed = *state;
	struct journal *one = staged(state, 20);
	struct journal *two = open_journal(state, "two/journal.db");
	char *a = at(state, "a.af"), *text;
	struct bundle_figures figures;
	struct err err = ERR_INIT;

	OK(bundle_write_af(one, &sage, "source", a, &figures, &err));
	text = read_file(bed->root, "a.af");
	text[strlen(text) / 2] = '\0';
	write_file(bed->root, "a.af", text);
	FAILS(bundle_load(a, &sage, "source", false, two, &err), ERR_DATA,
	    "cut short");
	assert_int_equal(journal_bed_count(two, "source/sage/messages"), 0);
	journal_close(one);
	journal_close(two);
	free(text);
	free(a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_bundle_is_written),
		TEST(test_changed_rows_keep_their_originals),
		TEST(test_a_bundle_read_is_what_was_written),
		TEST(test_what_is_staged_already_stays),
		TEST(test_a_side_that_was_dropped_is_read_again),
		TEST(test_a_load_that_was_cut_goes_on),
		TEST(test_a_sound_bundle_has_no_finding),
		TEST(test_a_byte_that_was_changed),
		TEST(test_files_that_were_cut_or_are_gone),
		TEST(test_files_that_nobody_knows),
		TEST(test_links_and_devices),
		TEST(test_a_folder_that_is_a_link),
		TEST(test_rows_that_are_none),
		TEST(test_one_id_for_two_rows),
		TEST(test_a_huge_line),
		TEST(test_a_row_in_context_that_is_missing),
		TEST(test_an_id_with_an_escape_in_it),
		TEST(test_agents_of_a_backup_that_are_a_link),
		TEST(test_a_backup_that_no_restore_takes),
		TEST(test_no_bundle_at_all),
		TEST(test_a_place_that_is_taken),
		TEST(test_an_agent_that_was_not_read),
		TEST(test_a_plain_agent_file),
		TEST(test_names_in_an_agent_file),
		TEST(test_ids_of_an_agent_file),
		TEST(test_an_agent_file_that_was_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
