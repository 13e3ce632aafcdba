#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/worker.h"
#include "core/worker_env.h"

#define OLD_ID "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define NEW_ID "agent-5f0c9a51-0f2e-4c1b-9d0a-3b7c41b1e2aa"

/* A directory that matches is not entered. */
static bool
carried(const char *path)
{
	char part[256];

	for (size_t i = 0; path[i]; i++) {
		if (path[i] != '/')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (worker_leaves(part, false))
			return false;
	}
	return !worker_leaves(path, false);
}

static void
test_what_is_carried(void **state)
{
	static const char *const kept[] = {
		"broca", "broca/main.py", "broca/tools/start.sh",
		"broca/plugins/x/.env", "broca/x.env", "broca/.env.example",
		"smcp/.env.example", "broca/settings.json",
		"broca/runtime/core", "broca/runtime/core/agent.py",
		"smcp/core", "smcp/core/x.py", "broca/runtime/core/queue.py",
		"broca/run", "broca/run/otto_bridge",
		"broca/run/otto_bridge/state.json",
		"broca/run/otto_bridge/a.lock",
		"broca/plugins/telegram/settings.py",
		"broca/plugins/web_chat/__init__.py",
		"broca/database/models.py", "broca/database/session.py",
		"smcp/plugins/a.sh", "smcp/sanctum.db",
		"broca/other.db", "broca/catalog", "broca/changelog.md",
		"broca/backup", "broca/logs.py", "broca/venv.txt",
		"broca/.gitignore", "broca/.github/ci.yml", "otto/poetry.lock",
		"broca/uv.lock", "broca/.envrc", "broca/sanctum.dbx",
		"broca/x.log.txt", "a b/c'd", "broca/environment.yml",
		"broca/.env.example.md", "broca/tmp.py", "broca/template",
	};
	static const char *const left[] = {
		"broca/venv/bin/python", "smcp/.venv", "venv",
		"broca/tmp/x", "smcp/temp", "broca/.env.extra",
		"broca/.env.e2e", "broca/.env_old", "broca/.env-2024",
		"otto/node_modules/x/index.js",
		"broca/runtime/core/__pycache__/agent.cpython-311.pyc",
		"broca/main.pyc", "broca/.pytest_cache/v", "smcp/.ruff_cache",
		"smcp/.mypy_cache/x", "broca/htmlcov/index.html",
		"broca/.coverage", "broca/broca.pid", "broca/run/broca.pid",
		"broca/run/broca.lock", "broca/run/out.log",
		"broca/broca.log", "broca/broca.log.1", "smcp/logs",
		"smcp/logs/today", "broca/.env.bak", "broca/.env.old",
		"smcp/.env.local", "broca/.env.2025-01-01", "broca/.env~",
		"broca/settings.json.bak", "broca/sanctum.db.backup",
		"broca/bot.session", "broca/bot.session-journal",
		"broca/telegram_session_12.json", ".git/config",
		"broca/.git/HEAD", "smcp/.git", "broca/core",
		"broca/sanctum.db", "broca/sanctum.db-wal",
		"broca/sanctum.db-shm", "broca/sanctum.db-journal",
		"broca/.sanctumctl-0123456789abcdef",
		".env", "broca/.env", "smcp/.env", "start-sage-broca.sh",
		"smcp/start.sh", "broca/start-it.sh",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		if (!carried(kept[i]))
			fail_msg("left behind: %s", kept[i]);
	}
	for (i = 0; i < sizeof(left) / sizeof(*left); i++) {
		if (carried(left[i]))
			fail_msg("carried: %s", left[i]);
	}
	assert_false(carried(WORKER_DB));
}

static const struct worker_env *
target(void)
{
	static struct worker_env env = {
		.agent_id = NEW_ID,
		.url = "https://sanctum.example.org",
	};

	if (!env.token)
		env.token = secret_new("new-token", 9);
	return &env;
}

/* A text that must become want, with so many keys changed. */
static void
expect_edit(const struct worker_env *env, const char *text, const char *want,
    size_t changed, bool names_agent)
{
	struct worker_env_result result = { 0 };
	struct buf b = BUF_INIT(DOTENV_MAX_BYTES);
	struct err err = ERR_INIT;

	buf_str(&b, text);
	if (worker_env_edit(&b, "broca/.env", "broca", env, &result,
	    &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&b), want);
	assert_int_equal(b.len, strlen(want));
	assert_int_equal(b.max, DOTENV_MAX_BYTES);
	assert_int_equal(result.changed, changed);
	assert_int_equal(result.names_agent, names_agent);
	buf_wipe(&b);
}

/* A text that must be refused and stay byte for byte. */
static void
expect_refused_for(const struct worker_env *env, const char *text,
    const char *words)
{
	struct worker_env_result result = { 0 };
	struct buf b = BUF_INIT(DOTENV_MAX_BYTES);
	struct err err = ERR_INIT;

	buf_str(&b, text);
	assert_int_equal(worker_env_edit(&b, "broca/.env", "broca", env,
	    &result, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!str_starts(err.text, "broca/.env") || !strstr(err.text, words))
		fail_msg("%s", err.text);
	assert_null(strstr(err.text, "new-token"));
	assert_null(strstr(err.text, "0ld"));
	assert_string_equal(buf_cstr(&b), text);
	buf_wipe(&b);
}

static void
expect_refused(const char *text, const char *words)
{
	expect_refused_for(target(), text, words);
}

static void
test_every_key_of_the_table(void **state)
{
	(void)state;
	expect_edit(target(),
	    "# Broca\n"
	    "AGENT_ID=" OLD_ID "\n"
	    "LETTA_AGENT_ID=\"" OLD_ID "\"\n"
	    "AGENT_ENDPOINT=http://localhost:8283   # here\n"
	    "export LETTA_SERVER_URL='http://localhost:8283'\n"
	    "AGENT_API_KEY=old\n"
	    "LETTA_API_KEY=old\n"
	    "LETTA_SERVER_PASSWORD = old\n"
	    "TELEGRAM_BOT_TOKEN=1:keep\n",
	    "# Broca\n"
	    "AGENT_ID=" NEW_ID "\n"
	    "LETTA_AGENT_ID=\"" NEW_ID "\"\n"
	    "AGENT_ENDPOINT=https://sanctum.example.org   # here\n"
	    "export LETTA_SERVER_URL='https://sanctum.example.org'\n"
	    "AGENT_API_KEY=new-token\n"
	    "LETTA_API_KEY=new-token\n"
	    "LETTA_SERVER_PASSWORD = new-token\n"
	    "TELEGRAM_BOT_TOKEN=1:keep\n", 7, true);
}

static void
test_nothing_is_added(void **state)
{
	(void)state;
	expect_edit(target(), "", "", 0, false);
	expect_edit(target(), "DEBUG_MODE=false", "DEBUG_MODE=false", 0,
	    false);
	expect_edit(target(), "#AGENT_ID=x\nMY_AGENT_ID=x\nAGENT_IDS=x\n"
	    "agent_id=x\nX='\nMY_AGENT_ID=x\n'\n", "#AGENT_ID=x\n"
	    "MY_AGENT_ID=x\nAGENT_IDS=x\nagent_id=x\nX='\nMY_AGENT_ID=x\n'\n",
	    0, false);
	expect_edit(target(), "LETTA_AGENT_ID=x\n", "LETTA_AGENT_ID=" NEW_ID
	    "\n", 1, false);
}

static void
test_what_is_right_stays_as_it_is(void **state)
{
	(void)state;
	expect_edit(target(), "AGENT_ID = '" NEW_ID "' # mine\nA=b",
	    "AGENT_ID = '" NEW_ID "' # mine\nA=b", 0, true);
	expect_edit(target(), "AGENT_ID=" NEW_ID "\nAGENT_API_KEY=",
	    "AGENT_ID=" NEW_ID "\nAGENT_API_KEY=new-token", 1, true);

	/* KEY alone unsets it, so it has no value to be right. */
	expect_edit(target(), "AGENT_ID\nA=b\n", "AGENT_ID=" NEW_ID "\nA=b\n",
	    1, true);
}

static void
test_line_breaks_are_kept(void **state)
{
	(void)state;
	expect_edit(target(), "A=1\r\nAGENT_ID=old\r\n\r\nB=2\nAGENT_API_KEY="
	    "\"old\"\r\n", "A=1\r\nAGENT_ID=" NEW_ID "\r\n\r\nB=2\n"
	    "AGENT_API_KEY=new-token\r\n", 2, true);
	expect_edit(target(), "AGENT_ID=old\r", "AGENT_ID=" NEW_ID "\r", 1,
	    true);
}

/*
 * The token in the file is the old server's: with the new URL it would go to
 * the new one.
 */
static void
test_without_a_token_an_old_one_is_refused(void **state)
{
	static const struct worker_env env = {
		.agent_id = NEW_ID,
		.url = "http://127.0.0.1:8283",
		.server = "new",
	};
	static const char *const refused[] = {
		"AGENT_API_KEY=0ld\nAGENT_ENDPOINT=x\nAGENT_ID=x\n",
		"AGENT_ID=x\nexport LETTA_API_KEY='0ld'\n",
		"LETTA_SERVER_PASSWORD=\nLETTA_SERVER_PASSWORD=0ld\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		expect_refused_for(&env, refused[i], "[letta new]");
	expect_edit(&env, "AGENT_API_KEY=\nLETTA_API_KEY\nAGENT_ID=x\n"
	    "LETTA_SERVER_PASSWORD=''\n", "AGENT_API_KEY=\nLETTA_API_KEY\n"
	    "AGENT_ID=" NEW_ID "\nLETTA_SERVER_PASSWORD=''\n", 1, true);
	expect_edit(&env, "#AGENT_API_KEY=0ld\nAGENT_ENDPOINT=x\n",
	    "#AGENT_API_KEY=0ld\nAGENT_ENDPOINT=http://127.0.0.1:8283\n",
	    1, false);
}

/* The last one counts, and the others must not come back to life. */
static void
test_every_assignment_of_a_key(void **state)
{
	(void)state;
	expect_edit(target(), "AGENT_ID=a\nexport AGENT_ID='b'\nX=1\nAGENT_ID"
	    "\n", "AGENT_ID=" NEW_ID "\nexport AGENT_ID=" NEW_ID "\nX=1\n"
	    "AGENT_ID=" NEW_ID "\n", 1, true);
	expect_edit(target(), "AGENT_ID=a\nAGENT_ID=" NEW_ID "\n",
	    "AGENT_ID=" NEW_ID "\nAGENT_ID=" NEW_ID "\n", 1, true);
}

/* What Broca would refuse, or garble every answer with. */
static void
test_guard(void **state)
{
	static const char good[] = "AGENT_ENDPOINT=https://a.org\n"
	    "AGENT_API_KEY=k\nDEBUG_MODE=False\n";
	static const struct { const char *line, *words; } bad[] = {
		{ "DEBUG_MODE=true\n", "DEBUG_MODE is not `false'" },
		{ "DEBUG_MODE\n", "[env sage]" },
		{ "AGENT_ENDPOINT=https://TEST-x.org\n", "`test-'" },
		{ "AGENT_API_KEY=0ld-Your_key\n", "`your_'" },
		{ "AGENT_ENDPOINT=localhost\n", "`localhost'" },
		{ "TELEGRAM_OWNER_ID=1\nTELEGRAM_OWNER_USERNAME=u\n",
		    "both given" },
	};
	const struct worker_env env = { .name = "sage" };
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;
	bool background = false;

	(void)state;
	assert_int_equal(worker_env_guard(good, strlen(good), ".env", &env,
	    &background, &err), 0);
	assert_true(background);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		buf_str(&text, good);
		buf_str(&text, bad[i].line);
		assert_int_equal(worker_env_guard(text.data, text.len,
		    ".env", &env, &background, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_non_null(strstr(err.text, bad[i].words));
		assert_null(strstr(err.text, "0ld"));
		buf_clear(&text);
	}
	buf_str(&text, good);
	buf_str(&text, "USE_BACKGROUND_PROCESSING=false\n");
	assert_int_equal(worker_env_guard(text.data, text.len, ".env", &env,
	    &background, &err), 0);
	assert_false(background);
	buf_clear(&text);
}

/* [env]: a tree's own line wins, and a key of the table gives way. */
static void
test_extras(void **state)
{
	static const struct worker_env_extra extras[] = {
		{ "X", NULL, "1" }, { "X", "broca", "2" },
		{ "AGENT_ENDPOINT", NULL, "http://127.0.0.1:8283" },
		{ "Y", "smcp", "3" },
	};
	struct worker_env env = *target();

	(void)state;
	env.extras = extras;
	env.n_extras = 4;
	expect_edit(&env, "X=a\nY=b\nAGENT_ENDPOINT=c\nAGENT_ID=d\n",
	    "X=2\nY=b\nAGENT_ENDPOINT=http://127.0.0.1:8283\nAGENT_ID="
	    NEW_ID "\n", 3, true);
}

/* The first key could be changed and a later one cannot: none is. */
static void
test_all_or_none(void **state)
{
	(void)state;
	expect_refused("AGENT_ID=a\nX='\nAGENT_API_KEY=0ld\n'\n",
	    ":3: ");
	expect_refused("AGENT_ID=a\nX='y\nAGENT_ID=0ld\nY='0ld'\n",
	    ":3: ");
	expect_refused("\xef\xbb\xbf" "A=1\nAGENT_ID=a\n", "byte order mark");
	expect_refused("AGENT_ID=a\nB=\xff\n", "UTF-8");
}

static void
test_a_database_elsewhere_is_refused(void **state)
{
	(void)state;
	expect_refused("AGENT_ID=a\nDB_PATH=/var/lib/broca.db\n", " DB_PATH ");
	expect_refused("export TEST_DB_PATH='x'\n", " TEST_DB_PATH ");
	expect_refused("DB_PATH=\n", " DB_PATH ");
	expect_edit(target(), "# DB_PATH=/x\nOTHER_DB_PATH=/x\n",
	    "# DB_PATH=/x\nOTHER_DB_PATH=/x\n", 0, false);
}

/* A new value that needs more room than the buffer has. */
static void
test_no_room(void **state)
{
	static const char text[] = "AGENT_ID=a\n";
	struct worker_env_result result = { 0 };
	struct buf b = BUF_INIT(sizeof(text));
	struct err err = ERR_INIT;

	(void)state;
	buf_str(&b, text);
	assert_int_equal(worker_env_edit(&b, "x", NULL, target(), &result,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_string_equal(buf_cstr(&b), text);
	buf_wipe(&b);
}

static void
test_a_masked_copy_shows_no_token(void **state)
{
	static const char text[] =
	    "AGENT_ID=" OLD_ID "\n"
	    "LETTA_AGENT_ID=" NEW_ID "\n"
	    "AGENT_ENDPOINT=https://x.example\n"
	    "LETTA_SERVER_URL=https://y.example\n"
	    "DEBUG_MODE=true\n"
	    "AGENT_API_KEY=tok1\n"
	    "LETTA_API_KEY='tok2'\n"
	    "LETTA_SERVER_PASSWORD=\"tok3\"\n"
	    "TELEGRAM_BOT_TOKEN=tok4\n";
	struct buf out = BUF_INIT(4096);

	(void)state;
	dotenv_mask(text, strlen(text), worker_env_shown(), &out);
	assert_null(strstr(buf_cstr(&out), "tok"));
	assert_non_null(strstr(buf_cstr(&out), "LETTA_AGENT_ID=" NEW_ID));
	assert_non_null(strstr(buf_cstr(&out), "AGENT_ID=" OLD_ID));
	assert_non_null(strstr(buf_cstr(&out), "https://x.example"));
	assert_non_null(strstr(buf_cstr(&out), "https://y.example"));
	assert_non_null(strstr(buf_cstr(&out), "DEBUG_MODE=true"));
	buf_clear(&out);
}

static int
forget_token(void **state)
{
	(void)state;
	secret_free((struct secret *)(uintptr_t)target()->token);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_carried),
		cmocka_unit_test(test_every_key_of_the_table),
		cmocka_unit_test(test_nothing_is_added),
		cmocka_unit_test(test_what_is_right_stays_as_it_is),
		cmocka_unit_test(test_line_breaks_are_kept),
		cmocka_unit_test(test_every_assignment_of_a_key),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_extras),
		cmocka_unit_test(test_without_a_token_an_old_one_is_refused),
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_a_database_elsewhere_is_refused),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_a_masked_copy_shows_no_token),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, forget_token);
}
