#include "base/base.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"

#include "conf_edit.h"

static void
test_greenfield(void **state)
{
	struct conf *conf = parse_ok("etc/j.conf", green, sizeof(green) - 1);
	const struct conf_worker *worker = &conf->workers[0];
	const struct conf_letta *new = &conf->lettas[1];
	const struct conf_edge *edge = conf_find_edge(conf, "node1");

	(void)state;
	assert_int_equal(conf->kind, CONF_GREENFIELD);
	assert_string_equal(conf_kind_name(conf->kind), "greenfield");
	assert_string_equal(conf->name, "j");
	assert_string_equal(conf->path, "etc/j.conf");
	assert_int_equal(conf->n_hosts, 2);
	assert_int_equal(conf->n_lettas, 2);
	assert_int_equal(conf->n_edges, 1);
	assert_int_equal(conf->n_agents, 1);
	assert_int_equal(conf->n_workers, 1);
	assert_string_equal(conf->hosts[0].name, "old");
	assert_string_equal(conf->hosts[0].user, "sanctum");
	assert_int_equal(conf->hosts[0].port, 22);
	assert_int_equal(conf->hosts[1].line, 6);
	assert_null(conf->hosts[1].user);
	assert_false(conf->hosts[1].local);
	assert_string_equal(conf->lettas[0].url, "https://api.letta.com");
	assert_string_equal(conf->lettas[0].token.ref, "env:CLOUD_TOKEN");
	assert_int_equal(conf->lettas[0].token.line, 10);
	assert_null(conf->lettas[0].host);
	assert_null(conf->lettas[0].edge);
	assert_string_equal(worker->name, "sage");
	assert_string_equal(new->name, "new");
	assert_null(new->url);
	assert_ptr_equal(new->host, &conf->hosts[1]);
	assert_ptr_equal(new->edge, edge);
	assert_string_equal(new->version, "0.16.2");
	assert_string_equal(new->ca_file, "~/ca.pem");
	assert_int_equal(new->port, 18283);
	assert_ptr_equal(edge->host, new->host);
	assert_string_equal(edge->ade_name, "sanctum.example.org");
	assert_int_equal(edge->ade_port, 8283);
	assert_null(edge->acme_server);
	assert_ptr_equal(worker->agent, &conf->agents[0]);
	assert_ptr_equal(worker->agent->from, &conf->lettas[0]);
	assert_string_equal(worker->agent->from_id,
	    "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff");
	assert_null(worker->agent->target_name);
	assert_null(worker->agent_id);
	assert_ptr_equal(worker->server, new);
	assert_ptr_equal(worker->from_host, &conf->hosts[0]);
	assert_string_equal(worker->from_path, "~/sage");
	assert_ptr_equal(worker->to_host, &conf->hosts[1]);
	assert_string_equal(worker->to_path, "/srv/sage");
	assert_string_equal(worker->trees[0], "broca");
	assert_string_equal(worker->trees[1], "smcp");
	assert_null(worker->trees[2]);
	assert_null(conf_find_edge(conf, "old"));
	conf_free(conf);
}

static void
test_workers(void **state)
{
	struct conf *conf;
	struct buf text = BUF_INIT(4096);

	(void)state;
	edit(&text, workers, "to = here", "trees = otto  broca\nto = here");
	conf = parse_ok("w.conf", text.data, text.len);
	assert_int_equal(conf->kind, CONF_WORKERS);
	assert_true(conf->hosts[1].local);
	assert_string_equal(conf->workers[0].agent_id,
	    "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff");
	assert_null(conf->workers[0].agent);
	assert_string_equal(conf->workers[0].server->url,
	    "http://127.0.0.1:8283");
	assert_null(conf->workers[0].server->token.ref);
	assert_string_equal(conf->workers[0].trees[0], "otto");
	assert_string_equal(conf->workers[0].trees[1], "broca");
	assert_null(conf->workers[0].trees[2]);
	conf_free(conf);
	buf_clear(&text);
}

/* Sections may stand in any order; so may CRLF, a BOM and comments be. */
static void
test_text(void **state)
{
	static const char text[] =
	    "\xef\xbb\xbf[ agent  sage ] ; the agent\r\n"
	    "from=a:agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\r\n"
	    "to\t=\tb\t; a comment\r\n"
	    "  # an indented comment, \x1f\r\n";
	static const char rest[] =
	    "name = Sage's \xc4\x80 2\r\n"
	    "\r\n"
	    "  ; a comment that is far longer than a line with a value may "
	    "be, because nobody wants to count the bytes of a comment, and "
	    "inih, which would cut it, never gets to see it; this one has "
	    "some two hundred and fifty bytes in all, with its two blanks\n"
	    "[letta a]\nurl = https://a.example\nca_file = /a b/c\n"
	    "[letta b]\nurl: https://b.example\n"
	    "[job]\nkind = agent\nname = x";
	struct buf all = BUF_INIT(4096);
	struct conf *conf;

	(void)state;
	buf_add(&all, text, strlen(text));
	parse_bad("j", all.data, all.len, "j:4: a NUL or another control "
	    "byte");
	buf_truncate(&all, strlen(text) - strlen("\x1f\r\n"));
	buf_str(&all, "\r\n");
	buf_str(&all, rest);
	conf = parse_ok("some job", all.data, all.len);
	assert_string_equal(conf->name, "x");
	assert_string_equal(conf->agents[0].name, "sage");
	assert_string_equal(conf->agents[0].target_name, "Sage's \xc4\x80 2");
	assert_string_equal(conf->agents[0].to->url, "https://b.example");
	assert_string_equal(conf->lettas[0].ca_file, "/a b/c");
	conf_free(conf);
	buf_clear(&all);
}

/* What inih would take, cut or join without a word. */
static const struct edit slips[] = {
	{ agent, "to = home", "to = home\n  more",
	    "j.conf:10: a line that begins with a blank: a value "
	    "does not go on over lines" },
	{ agent, "to = home", "\tto = home",
	    "j.conf:9: a line that begins with a blank: a value "
	    "does not go on over lines" },
	{ agent, "to = home", "to",
	    "j.conf:9: neither [section] nor `key = value'" },
	{ agent, "kind = agent", "kind\nfoo = 1",
	    "j.conf:2: neither [section] nor `key = value'" },
	{ agent, "to = home", "to =",
	    "j.conf:9: `to' has no value" },
	{ agent, "to = home", "to = ; home",
	    "j.conf:9: `to' has no value" },
	{ agent, "to = home", "to =;home",
	    "j.conf:9: `to' has no value" },
	{ agent, "to = home", "to = \"home\"",
	    "j.conf:9: `to' begins with a quote: values are written "
	    "without" },
	{ agent, "to = home", "to = home # there",
	    "j.conf:9: `to' has a `#' in it: a comment behind a "
	    "value begins with ` ;'" },
	{ agent, "to = home", "to = ho\tme",
	    "j.conf:9: `to' holds a control byte or is not UTF-8" },
	{ agent, "to = home", "to = ho\xff",
	    "j.conf:9: `to' holds a control byte or is not UTF-8" },
	{ agent, "to = home", "to = \xe2\x80\xaehome",
	    "j.conf:9: `to' holds a control byte or is not UTF-8" },
	{ agent, "to = home", "to = home\rx",
	    "j.conf:9: a NUL or another control byte" },
	{ agent, "to = home", "= home",
	    "j.conf:9: what stands before `=' is not a key: a-z, 0-9 "
	    "and _" },
	{ agent, "to = home", "to = home\nto = home",
	    "j.conf:10: `to' in [agent sage] is given twice, first "
	    "in line 9" },
	{ agent, "[agent sage]", "[letta cloud]",
	    "j.conf:7: [letta cloud] is given twice, first in line "
	    "3" },
	{ agent, "[job]\n", "[job]\nkind = agent\n[job]\n",
	    "j.conf:3: [job] is given twice, first in line 1" },
	{ agent, "[job]\nkind", "x = y\n[job]\nkind",
	    "j.conf:1: a key before the first [section]" },
	{ agent, "[job]\nkind = agent\n", "",
	    "j.conf:1: there is no section [job]" },
	{ agent, "[job]", "[job x]",
	    "j.conf:1: [job] has no name: `x'" },
	{ agent, "[agent sage]", "[agent sage",
	    "j.conf:7: a section's `[' without its `]'" },
	{ agent, "[agent sage]", "[agent sage] x",
	    "j.conf:7: text behind a section's `]'" },
	{ agent, "[agent sage]", "[agent sage];x",
	    "j.conf:7: text behind a section's `]'" },
	{ agent, "[agent sage]", "[ ]",
	    "j.conf:7: a section without a name: `[]'" },
	{ agent, "[agent sage]", "[agent]",
	    "j.conf:7: [agent] needs a name: [agent NAME]" },
	{ agent, "[agent sage]", "[agent a b]",
	    "j.conf:7: `a b' is not a section's name: 1 to 64 of "
	    "A-Z, a-z, 0-9, _ and -" },
	{ agent, "[agent sage]", "[agent \x80]",
	    "j.conf:7: a section's name holds a control byte or is "
	    "not UTF-8" },
	{ agent, "[agent sage]", "[agnet sage]",
	    "j.conf:7: unknown section [agnet] (did you mean "
	    "`agent'?)" },
	{ agent, "[agent sage]", "[zzzzzzzzzz sage]",
	    "j.conf:7: unknown section [zzzzzzzzzz]" },
	{ agent, "to = home", "too = home",
	    "j.conf:9: unknown key `too' in [agent sage] (did you "
	    "mean `to'?)" },
};

static void
test_syntax(void **state)
{
	(void)state;
	RUN_EDITS(slips);
	parse_bad("j", "", 0, "j:1: there is no section [job]");
	parse_bad("j", NULL, 0, "j:1: there is no section [job]");
	parse_bad("j", "[job]\nki\0nd = agent\n", 20,
	    "j:2: a NUL or another control byte");
}

/* A line is taken whole or refused, at each length around the limits. */
static void
test_long(void **state)
{
	struct buf text = BUF_INIT(2 * CONF_SIZE_MAX);
	struct conf *conf;

	(void)state;
	for (int len = 1; len < 1000; len++) {
		buf_truncate(&text, 0);
		buf_printf(&text, "%sname = ", agent);
		for (int i = 7; i < len; i++)
			buf_char(&text, 'x');
		if (len <= 7)
			continue;
		if (len > CONF_LINE_MAX) {
			buf_str(&text, len % 2 ? "\n" : "");
			parse_bad("j", text.data, text.len,
			    "j:10: a line longer than 196 bytes");
			continue;
		}
		buf_str(&text, len % 2 ? "\r\n" : "");
		conf = parse_ok("j", text.data, text.len);
		assert_int_equal(strlen(conf->agents[0].target_name),
		    len - 7);
		conf_free(conf);
	}

	/* Names of 64 bytes that differ in the last: inih cuts at 49. */
	buf_truncate(&text, 0);
	buf_printf(&text, "[job]\nkind=agent\n[letta %064d]\nurl=http://a\n"
	    "[letta %064d]\nurl=http://b\n[agent x]\nto=%064d\n"
	    "from=%064d:agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\n",
	    1, 2, 2, 1);
	conf = parse_ok("j", text.data, text.len);
	assert_string_equal(conf->agents[0].to->url, "http://b");
	conf_free(conf);

	buf_printf(&text, "[agent %065d]\n", 1);
	parse_bad("j", text.data, text.len, "j:10: `0000000000000000000000000"
	    "0000000000000000000000000000000000000001' is not a section's "
	    "name: 1 to 64 of A-Z, a-z, 0-9, _ and -");

	while (text.len <= CONF_SIZE_MAX)
		buf_str(&text, "\n");
	parse_bad("j", text.data, text.len,
	    "j:1: larger than 1048576 bytes");

	buf_truncate(&text, 0);
	buf_str(&text, "[job]\n");
	for (int i = 0; i < CONF_SECTIONS_MAX; i++)
		buf_printf(&text, "[host h%d]\n", i);
	parse_bad("j", text.data, text.len, "j:4097: more than 4096 sections");
	buf_clear(&text);
}

struct seen {
	int n;
	int stop_at;
	char refs[256];
};

static int
see(void *ctx, const struct conf_secret *secret, struct err *err)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->refs);

	(void)snprintf(seen->refs + used, sizeof(seen->refs) - used,
	    "%d %s;", secret->line, secret->ref);
	if (++seen->n == seen->stop_at)
		return err_set(err, ERR_MISSING, "not there");
	return 0;
}

/* Free keys, below the worker they are for; secrets by reference alone. */
static void
test_env(void **state)
{
	static const char at[] = "[worker sage]\n";
	static const struct edit edits[] = {
		{ workers, at, "[env sage]\nAGENT_ID = x\n[worker sage]\n",
		    "j.conf:10: `AGENT_ID' in [env sage] is given by `agent' "
		    "of the worker" },
		{ workers, at, "[env sage]\nX_TOKEN = hush\n[worker sage]\n",
		    "j.conf:10: `X_TOKEN' in [env sage] looks like a secret "
		    "and is given as plain text: write env:NAME, file:PATH or "
		    "cmd:PROGRAM" },
		{ workers, at, "[env sage]\nA-B = x\n[worker sage]\n",
		    "j.conf:10: what stands before `=' is neither a "
		    "variable's name nor NAME@TREE" },
		{ workers, at, "[env sage]\nA@x = x\n[worker sage]\n",
		    "j.conf:10: `A@x' in [env sage] names no tree behind `@': "
		    "broca, smcp or otto" },
		{ workers, at, "[env sage]\nA = 1\nA = 2\n[worker sage]\n",
		    "j.conf:11: `A' in [env sage] is given twice, first in "
		    "line 10" },
		{ workers, at, "[env sage]\nA = x${B}\n[worker sage]\n",
		    "j.conf:10: `A' in [env sage] holds \"${\", which a .env "
		    "has no escape for" },
		{ workers, at, "[env sag]\nA = x\n[worker sage]\n",
		    "j.conf:9: `env' in [env sag]: there is no section "
		    "[worker sag] (did you mean `sage'?)" },
		{ workers, at, "[env sage]\n[worker sage]\n", NULL },
	};
	struct conf *conf;
	struct buf text = BUF_INIT(4096);
	struct seen all = { .n = 0 };
	struct err err = ERR_INIT;

	(void)state;
	RUN_EDITS(edits);
	edit(&text, workers, at, "[env sage]\nDEBUG_MODE = false\nA@smcp = "
	    "env:B\nA = two words\n[worker sage]\n");
	conf = parse_ok("w.conf", text.data, text.len);
	assert_int_equal(conf->workers[0].n_env, 3);
	assert_string_equal(conf->workers[0].env[0].key, "DEBUG_MODE");
	assert_string_equal(conf->workers[0].env[0].value, "false");
	assert_null(conf->workers[0].env[0].tree);
	assert_string_equal(conf->workers[0].env[1].key, "A");
	assert_string_equal(conf->workers[0].env[1].tree, "smcp");
	assert_null(conf->workers[0].env[1].value);
	assert_string_equal(conf->workers[0].env[2].value, "two words");
	assert_int_equal(conf_secrets(conf, see, &all, &err), 0);
	assert_string_equal(all.refs, "11 env:B;");
	conf_free(conf);
	buf_clear(&text);
}

static void
test_secrets(void **state)
{
	struct conf *conf = parse_ok("j.conf", green, sizeof(green) - 1);
	struct seen all = { .n = 0 }, some = { .stop_at = 2 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(conf_secrets(conf, see, &all, &err), 0);
	assert_string_equal(all.refs, "10 env:CLOUD_TOKEN;"
	    "14 file:~/new.token;");
	assert_int_equal(conf_secrets(conf, see, &some, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_string_equal(err.text, "j.conf:14: not there");
	conf_free(conf);
	conf_free(NULL);
}

static void
test_expand_home(void **state)
{
	static const char *const cases[][2] = {
		{ "~/a", "/home/x/a" }, { "/a/~/b", "/a/~/b" },
		{ "~b", "~b" },
	};
	char *path;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		path = conf_expand_home(cases[i][0], "/home/x");
		assert_string_equal(path, cases[i][1]);
		free(path);
	}
}

static void
read_file(const char *path, struct buf *out)
{
	char block[4096];
	size_t n;
	FILE *file = fopen(path, "re");

	if (!file) {
		fail_msg("%s: %s", path, strerror(errno));
		return;
	}
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(out, block, n);
	assert_int_equal(ferror(file), 0);
	(void)fclose(file);
}

static void
source_path(char *out, size_t size, const char *below)
{
	const char *top = getenv("srcdir");

	(void)snprintf(out, size, "%s/%s", top ? top : ".", below);
}

/* What we ship is taken; each shows every section that its kind has. */
static void
test_examples(void **state)
{
	static const char *const names[] = { "agent", "workers",
	    "greenfield", "upgrade" };
	char below[64], path[4096];
	struct conf *conf;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct buf text = BUF_INIT(CONF_SIZE_MAX);

		(void)snprintf(below, sizeof(below), "etc/%s.conf",
		    names[i]);
		source_path(path, sizeof(path), below);
		read_file(path, &text);
		conf = parse_ok(path, text.data, text.len);
		assert_string_equal(conf_kind_name(conf->kind), names[i]);
		assert_int_equal(conf->n_upgrades, i == 3);
		assert_true(str_eq(names[i], "workers") || i == 3 ||
		    conf->n_agents > 0);
		assert_true(str_eq(names[i], "agent") || i == 3 ||
		    conf->n_workers > 0);
		conf_free(conf);
		buf_clear(&text);
	}
}

/* Its compose file sets the password, which an upgrade leaves as it is. */
static void
test_token_of_compose(void **state)
{
	static const char text[] = "[job]\nkind = upgrade\nname = a\n"
	    "[host h]\naddress = local\n"
	    "[letta old]\nhost = h\nport = 8283\ncompose = /c.yaml\n"
	    "service = letta\ntoken = env:OLD\n"
	    "[letta new]\nhost = h\nport = 8283\nversion = 0.16.2\n"
	    "runtime = compose\n%s"
	    "[upgrade home]\nfrom = old\nto = new\n";
	static const char *const given[] = { "", "token = env:NEW\n" };
	char job[1024];
	struct conf *conf;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(job, sizeof(job), text, given[i]);
		conf = parse_ok("job", job, strlen(job));
		assert_string_equal(conf->upgrades[0].to->token.ref, i == 0 ?
		    "env:OLD" : "env:NEW");
		conf_free(conf);
	}
}

/*
 * Whole files with a mistake.  Their first line is "# " and the message that
 * they must give, from the line number on.
 */
static void
test_golden(void **state)
{
	char path[4096], name[300], message[1024];
	struct dirent *entry;
	size_t n = 0, len;
	DIR *dir;

	(void)state;
	source_path(path, sizeof(path), "tests/golden/conf");
	dir = opendir(path);
	if (!dir) {
		fail_msg("%s: %s", path, strerror(errno));
		return;
	}
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		struct buf text = BUF_INIT(CONF_SIZE_MAX);

		if (!str_ends(entry->d_name, ".conf"))
			continue;
		(void)snprintf(name, sizeof(name), "tests/golden/conf/%s",
		    entry->d_name);
		source_path(path, sizeof(path), name);
		read_file(path, &text);
		assert_true(str_starts(buf_cstr(&text), "# "));
		len = strcspn(text.data, "\n");
		(void)snprintf(message, sizeof(message), "%s:%.*s",
		    entry->d_name, (int)len - 2, text.data + 2);
		parse_bad(entry->d_name, text.data, text.len, message);
		buf_clear(&text);
		n++;
	}
	(void)closedir(dir);
	assert_true(n > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greenfield),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_expand_home),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_token_of_compose),
		cmocka_unit_test(test_golden),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
