#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/conf.h"

#include "conf_edit.h"

#define KEY "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDGuHIxLkvO3Vc8mUY"
#define UUID "10418b8d-37a5-4923-8f70-69ccc58d66ff"

/* One key and its type at a time. */
static const struct edit values[] = {
	{ agent, "kind = agent", "kind = agnt",
	    "j.conf:2: `kind' in [job]: `agnt' is not known (did "
	    "you mean `agent'?); known: agent, workers, greenfield, upgrade" },
	{ agent, "kind = agent", "name = x",
	    "j.conf:1: [job] needs `kind'" },
	{ agent, "kind = agent", "kind = agent\nname = Sage",
	    "j.conf:3: `name' in [job] is not a job name: 1 to 64 "
	    "of a-z, 0-9 and -: `Sage'" },
	{ green, "user = sanctum", "user = -oProxyCommand",
	    "j.conf:5: `user' in [host old] is not a user name: "
	    "`-oProxyCommand'" },
	{ green, "user = sanctum", "port = 65536",
	    "j.conf:5: `port' in [host old] is not a number from 1 "
	    "to 65535: `65536'" },
	{ green, "user = sanctum", "port = 0",
	    "j.conf:5: `port' in [host old] is not a number from 1 "
	    "to 65535: `0'" },
	{ green, "user = sanctum", "port = 65535", NULL },
	{ green, "user = sanctum", "host_key = " KEY " ; pinned",
	    NULL },
	{ green, "user = sanctum", "host_key = " KEY "=",
	    "j.conf:5: `host_key' in [host old] is not SHA256: and "
	    "43 characters, as `ssh-keygen -l' prints a key: `" KEY
	    "='" },
	{ green, "kind = greenfield", "kind = greenfield\nswitch = manual",
	    NULL },
	{ green, "kind = greenfield", "kind = greenfield\nswitch = no",
	    "j.conf:3: `switch' in [job]: `no' is not known; known: auto, "
	    "manual" },
	{ green, "kind = greenfield",
	    "kind = greenfield\nmax_freeze = 86400", NULL },
	{ green, "kind = greenfield", "kind = greenfield\nmax_freeze = 0",
	    "j.conf:3: `max_freeze' in [job] is not a number of seconds "
	    "from 1 to 86400: `0'" },
	{ green, "user = sanctum", "transport = libssh2", NULL },
	{ green, "user = sanctum", "transport = openssh", NULL },
	{ green, "user = sanctum", "transport = rsh",
	    "j.conf:5: `transport' in [host old]: `rsh' is not "
	    "known; known: libssh2, openssh" },
	{ green, "user = sanctum", "silence = 30", NULL },
	{ green, "user = sanctum", "silence = 0",
	    "j.conf:5: `silence' in [host old] is not a number of seconds "
	    "from 1 to 86400: `0'" },
	{ green, "user = sanctum", "identity_file = ~/.ssh/id",
	    NULL },
	{ green, "user = sanctum", "identity_file = id",
	    "j.conf:5: `identity_file' in [host old] is not a path "
	    "that begins with / or ~/: `id'" },
	{ green, "user = sanctum", "identity_file = a/b",
	    "j.conf:5: `identity_file' in [host old] is not a path "
	    "that begins with / or ~/: `a/b'" },
	{ green, "user = sanctum", "identity_file = ~bob/b",
	    "j.conf:5: `identity_file' in [host old] is not a path "
	    "that begins with / or ~/: `~bob/b'" },
	{ green, "address = 192.0.2.7", "address = 192.0.2.777",
	    "j.conf:7: `address' in [host node1] is neither a DNS "
	    "name nor an IP address: `192.0.2.777'" },
	{ green, "address = 192.0.2.7", "address = -x",
	    "j.conf:7: `address' in [host node1] is neither a DNS "
	    "name nor an IP address: `-x'" },
	{ green, "address = 192.0.2.7", "address = fe80::1", NULL },
	{ green, "address = 192.0.2.7", "address = a..b",
	    "j.conf:7: `address' in [host node1] is neither a DNS "
	    "name nor an IP address: `a..b'" },
	{ green, "address = 192.0.2.7\n", "",
	    "j.conf:6: [host node1] needs `address'" },
	{ green, "0.16.2", "latest",
	    "j.conf:13: `latest' is not a version: what it means "
	    "changes under you; write the one you tested, such as "
	    "0.16.2" },
	{ green, "0.16.2", "v0.16.2",
	    "j.conf:13: `version' in [letta new] is not a version "
	    "such as 0.16.2: `v0.16.2'" },
	{ green, "0.16.2", "0.16",
	    "j.conf:13: `version' in [letta new] is not a version "
	    "such as 0.16.2: `0.16'" },
	{ green, "0.16.2", "0..2",
	    "j.conf:13: `version' in [letta new] is not a version "
	    "such as 0.16.2: `0..2'" },
	{ green, "0.16.2", "1234567.0.0",
	    "j.conf:13: `version' in [letta new] is not a version "
	    "such as 0.16.2: `1234567.0.0'" },
	{ green, "0.16.2", "0.16.2.1",
	    "j.conf:13: `version' in [letta new] is not a version "
	    "such as 0.16.2: `0.16.2.1'" },
	{ green, "host = node1", "host = nod1",
	    "j.conf:12: `host' in [letta new]: there is no section "
	    "[host nod1] (did you mean `node1'?)" },
	{ green, "[edge node1]", "[edge nod1]",
	    "j.conf:15: `edge' in [edge nod1]: there is no section "
	    "[host nod1] (did you mean `node1'?)" },
	{ green, "site = sanctum.example.org", "site = 10.0.0.1",
	    "j.conf:16: `site' in [edge node1] is not a DNS name: "
	    "`10.0.0.1'" },
	{ green, "site = ", "ade = ade.example.org\nsite = ",
	    "j.conf:16: `ade' in [edge node1] is not NAME:PORT, such "
	    "as ade.example.org:8283: `ade.example.org'" },
	{ green, "site = ", "ade = ade.example.org:443\nsite = ",
	    NULL },
	{ green, "site = ", "ade = a_b:8283\nsite = ",
	    "j.conf:16: `ade' in [edge node1] is not a DNS name: "
	    "`a_b'" },
	{ green, "ops@example.org", "a@b@c.org",
	    "j.conf:17: `acme_email' in [edge node1] is not an "
	    "e-mail address: `a@b@c.org'" },
	{ green, "ops@example.org", "@c.org",
	    "j.conf:17: `acme_email' in [edge node1] is not an "
	    "e-mail address: `@c.org'" },
	{ green, "ops@example.org", "o ps@c.org",
	    "j.conf:17: `acme_email' in [edge node1] is not an "
	    "e-mail address: `o ps@c.org'" },
	{ green, "ops@example.org", "ops",
	    "j.conf:17: `acme_email' in [edge node1] is not an "
	    "e-mail address: `ops'" },
	{ green, "acme_email = ops@example.org\n", "",
	    "j.conf:15: [edge node1] needs `acme_email'" },
	{ green, "site = ", "connect_to = 127.0.0.1\n"
	    "acme_server = https://127.0.0.1:14000/dir\n"
	    "acme_ca_file = /etc/ssl/x.pem\nsite = ", NULL },
	{ green, "from = cloud:agent-", "from = agent-",
	    "j.conf:20: `from' in [agent sage] is neither "
	    "LETTA:agent-UUID (the id in lower case, as the server "
	    "writes it) nor bundle:PATH: `agent-" UUID "'" },
	{ green, "from = cloud:agent-" UUID, "from = bundle:~/minds/sage\n"
	    "tools = keep\ntool_errors = neutral\nlive_check = yes\n"
	    "model = openai/gpt-4o-mini\nembedding = openai/small",
	    "j.conf:8: nothing refers to [letta cloud]" },
	{ green, "from = cloud:agent-" UUID, "from = bundle:minds/sage",
	    "j.conf:20: `from' in [agent sage] is not a path that begins "
	    "with / or ~/: `bundle:minds/sage'" },
	{ green, "to = new", "to = new\ntools = overwrite",
	    "j.conf:22: `tools' in [agent sage]: `overwrite' is not known "
	    "(did you mean `override'?); known: stop, override, keep" },
	{ green, "to = new", "to = new\nrejects = drop",
	    "j.conf:22: `rejects' in [agent sage]: `drop' is not known "
	    "(did you mean `stop'?); known: stop, accept" },
	{ green, "to = new", "to = new\nrejects = accept", NULL },
	{ green, "to = new", "to = new\nraw_read = maybe",
	    "j.conf:22: `raw_read' in [agent sage]: `maybe' is not known; "
	    "known: no, yes" },
	{ green, "to = new", "to = new\nmodel = gpt-4o",
	    "j.conf:22: `model' in [agent sage] is not a model's handle, "
	    "PROVIDER/MODEL: `gpt-4o'" },
	{ green, "from = cloud:", "from = clod:",
	    "j.conf:20: `from' in [agent sage]: there is no section "
	    "[letta clod] (did you mean `cloud'?)" },
	{ green, "to = new", "to = new\nname = AI/ML",
	    "j.conf:22: `name' in [agent sage] holds a character "
	    "that Letta refuses in a name: letters, digits, blank, "
	    "- _ and ' are taken: `AI/ML'" },
	{ green, "agent = sage", "agent = saeg",
	    "j.conf:23: `agent' in [worker sage]: there is no "
	    "section [agent saeg] (did you mean `sage'?)" },
	{ workers, "agent = agent-1", "agent = agent-X",
	    "j.conf:10: `agent' in [worker sage] is not an id, "
	    "agent-UUID in lower case, which a job of kind workers "
	    "needs: `agent-X0418b8d-37a5-4923-8f70-69ccc58d66ff'" },
	{ workers, "from = old:/srv/sage", "from = /srv/sage",
	    "j.conf:12: `from' in [worker sage] is not HOST:PATH: "
	    "`/srv/sage'" },
	{ workers, "from = old:/srv/sage", "from = old:srv/sage",
	    "j.conf:12: `from' in [worker sage] is not a path that "
	    "begins with / or ~/: `old:srv/sage'" },
	{ workers, "from = old:/srv/sage", "from = old:/srv/../x",
	    "j.conf:12: `from' in [worker sage] has an empty, `.' or "
	    "`..' part: `old:/srv/../x'" },
	{ workers, "from = old:/srv/sage", "from = old:/srv//x",
	    "j.conf:12: `from' in [worker sage] has an empty, `.' or "
	    "`..' part: `old:/srv//x'" },
	{ workers, "from = old:/srv/sage", "from = old:/srv/..x",
	    NULL },
	{ workers, "from = old:/srv/sage", "from = old:~/a:b", NULL },
	{ workers, "from = old:/srv/sage", "from = old:/srv/",
	    "j.conf:12: `from' in [worker sage] ends with a slash: "
	    "`old:/srv/'" },
	{ workers, "from = old:/srv/sage", "from = old:~/",
	    "j.conf:12: `from' in [worker sage] is a whole root or "
	    "home directory: `old:~/'" },
	{ workers, "from = old:/srv/sage", "from = od:/srv/sage",
	    "j.conf:12: `from' in [worker sage]: there is no section "
	    "[host od] (did you mean `old'?)" },
	{ workers, "from = ", "trees = broca smpc\nfrom = ",
	    "j.conf:12: `trees' in [worker sage]: `smpc' is not "
	    "known (did you mean `smcp'?); known: broca, smcp, "
	    "otto" },
	{ workers, "from = ", "trees = broca broca\nfrom = ",
	    "j.conf:12: `trees' in [worker sage] has `broca' "
	    "twice" },
};

static void
test_values(void **state)
{
	(void)state;
	RUN_EDITS(values);
}

/* URLs and secrets: what is refused, and that no part of it is shown. */
static const char *const urls[][2] = {
	{ "ftp://h", "does not begin with https:// or http://" },
	{ "HTTP://h", "does not begin with https:// or http://" },
	{ "api.letta.com", "does not begin with https:// or "
	    "http://" },
	{ "https://", "has no host" },
	{ "https:///x", "has no host" },
	{ "https://u:hunter2@h/", "holds a user name or password: a "
	    "token is given with `token'" },
	{ "https://h?x=hunter2", "holds a query (`?')" },
	{ "https://h/#hunter2", "holds a fragment (`#')" },
	{ "https://h/a b", "holds a character that must be "
	    "escaped" },
	{ "https://h//", "has an empty, `.' or `..' part" },
	{ "https://h/a/../b", "has an empty, `.' or `..' part" },
	{ "https://h:0", "has a port that is not a number from 1 to "
	    "65535" },
	{ "https://h:", "has a port that is not a number from 1 to "
	    "65535" },
	{ "https://[::1]:0", "has a port that is not a number from 1 "
	    "to 65535" },
	{ "https://[::1", "has no valid host name or address" },
	{ "https://[::1]x", "has no valid host name or address" },
	{ "https://[::g]:1", "has no valid host name or address" },
	{ "https://::1", "has no valid host name or address" },
	{ "https://h_x", "has no valid host name or address" },
};

static const char *const tokens[][2] = {
	{ "hunter2", "is given as plain text: write env:NAME, "
	    "file:PATH or cmd:PROGRAM ARGUMENT..." },
	{ "sk-hunter2:x", "is given as plain text: write env:NAME, "
	    "file:PATH or cmd:PROGRAM ARGUMENT..." },
	{ "ENV:hunter2", "is given as plain text: write env:NAME, "
	    "file:PATH or cmd:PROGRAM ARGUMENT..." },
	{ "env:hunter-2", "has no valid variable name after "
	    "`env:'" },
	{ "env:2hunter2", "has no valid variable name after "
	    "`env:'" },
	{ "env:", "has no valid variable name after `env:'" },
	{ "file:hunter2", "needs a plain path that begins with / or "
	    "~/ after `file:'" },
	{ "cmd:", "has no program right after `cmd:'" },
	{ "cmd: x", "has no program right after `cmd:'" },
	{ "cmd:echo 'hunter2'", "has a quote or backslash after "
	    "`cmd:', which takes words separated by blanks and no "
	    "shell" },
};

/* A token in places where none belongs. */
static const struct edit misplaced[] = {
	{ agent, "to = home", "token hunter2",
	    "j.conf:9: neither [section] nor `key = value'" },
	{ agent, "to = home", "token sk-hunter2=",
	    "j.conf:9: what stands before `=' is not a key: a-z, 0-9 "
	    "and _" },
	{ agent, "[agent", "password = hunter2\n[agent",
	    "j.conf:7: unknown key `password' in [letta home]" },
	{ agent, "[agent", "token = \"hunter2\"\n[agent",
	    "j.conf:7: `token' begins with a quote: values are "
	    "written without" },
	{ agent, "[agent", "token = env:X # hunter2\n[agent",
	    "j.conf:7: `token' has a `#' in it: a comment behind a "
	    "value begins with ` ;'" },
	{ agent, "[agent", "token = cmd:/bin/x a b\n[agent", NULL },
	{ agent, "[agent", "token = file:/run/x\n[agent", NULL },
};

static void
test_hidden(void **state)
{
	struct buf text = BUF_INIT(4096);
	char value[128], message[256];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		(void)snprintf(value, sizeof(value), "url = %s\n",
		    urls[i][0]);
		(void)snprintf(message, sizeof(message),
		    "j:4: `url' in [letta cloud] %s", urls[i][1]);
		buf_truncate(&text, 0);
		edit(&text, agent, "url = https://api.letta.com\n", value);
		parse_bad("j", text.data, text.len, message);
	}
	for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++) {
		(void)snprintf(value, sizeof(value), "token = %s\n[letta h",
		    tokens[i][0]);
		(void)snprintf(message, sizeof(message),
		    "j:5: `token' in [letta cloud] %s", tokens[i][1]);
		buf_truncate(&text, 0);
		edit(&text, agent, "[letta h", value);
		parse_bad("j", text.data, text.len, message);
	}
	buf_clear(&text);
	RUN_EDITS(misplaced);
}

/* Keys of one section, and sections, against each other. */
static const struct edit clashes[] = {
	{ workers, "address = local", "address = local\nuser = root",
	    "j.conf:7: `user' in [host here] has no effect: address "
	    "`local' is this machine, without SSH" },
	{ agent, "url = https://api.letta.com\n", "",
	    "j.conf:3: [letta cloud] needs `url' or `host'" },
	{ green, "host = node1", "host = node1\nurl = https://x",
	    "j.conf:11: [letta new] has both `url' and `host'" },
	{ agent, "[agent", "port = 1\n[agent",
	    "j.conf:7: `port' in [letta home] goes with `host': a "
	    "url holds its port itself" },
	{ green, "host = node1", "host = node1\nca_file = /x",
	    "j.conf:13: `ca_file' in [letta new] goes with `url': "
	    "for `host' it is that of the [edge]" },
	{ agent, "url = https://api.letta.com",
	    "host = h\n[host h]\naddress = local",
	    "j.conf:4: `host' in [letta cloud]: a job of kind agent "
	    "reaches its servers by `url'" },
	{ workers, "url = http://127.0.0.1:8283", "host = old",
	    "j.conf:8: `host' in [letta home]: a job of kind workers "
	    "reaches its servers by `url'" },
	{ green, "host = node1", "host = old",
	    "j.conf:12: `host' in [letta new]: there is no section "
	    "[edge old]" },
	{ green, "url = https://api.letta.com/", "host = node1",
	    "j.conf:11: [letta new] and [letta cloud] are both "
	    "behind [edge node1]" },
	{ green, "host = node1", "url = https://x",
	    "j.conf:15: [edge node1] needs a [letta NAME] with `host "
	    "= node1'" },
	{ green, "site = ", "ade = SANCTUM.example.org:443\nsite = ",
	    "j.conf:16: `ade' in [edge node1] is the same name and "
	    "port as `site'" },
	{ green, "site = ", "ade = a.example.org:80\nsite = ",
	    "j.conf:16: `ade' in [edge node1] is on port 80, which "
	    "ACME and the redirect use" },
	{ green, "site = ", "ade = a.example.org:18283\nsite = ",
	    "j.conf:15: `ade' of [edge node1] and `port' of [letta "
	    "new] are both 18283" },
	{ agent, "to = home", "to = cloud",
	    "j.conf:9: `to' in [agent sage] is the server that "
	    "`from' names" },
	{ agent, "[agent sage]", "[agent agent-" UUID "]",
	    "j.conf:7: [agent agent-" UUID "] has an id for its "
	    "name: `agent' of a [worker] could mean either" },
	{ workers, "server = home\n", "",
	    "j.conf:9: [worker sage] needs `server', since its "
	    "`agent' is an id" },
	{ green, "agent = sage", "agent = sage\nserver = cloud",
	    "j.conf:24: `server' in [worker sage] is not where its "
	    "`agent' goes" },
	{ green, "agent = sage", "agent = sage\nserver = new", NULL },
	{ green, "agent = sage", "agent = agent-" UUID
	    "\nserver = new", NULL },
	{ workers, "to = here:/srv/sage", "to = old:/srv/sage/new",
	    "j.conf:13: `to' in [worker sage] is the directory of "
	    "`from', or one lies within the other" },
	{ workers, "to = here:/srv/sage", "to = twin:/srv\n"
	    "[host twin]\naddress = OLD.example.org\nuser = x\n",
	    "j.conf:13: `to' in [worker sage] is the directory of "
	    "`from', or one lies within the other" },
	{ workers, "from = old:/srv/sage", "from = old:/srv/sag\n"
	    "[worker b]\nagent = agent-" UUID "\nserver = home\n"
	    "from = old:/srv/sage", "j.conf:9: [worker sage] needs "
	    "`to'" },
};

static void
test_together(void **state)
{
	struct buf text = BUF_INIT(4096);

	(void)state;
	RUN_EDITS(clashes);

	buf_printf(&text, "%s[worker b]\nagent = agent-" UUID "\n"
	    "server = home\nfrom = old:/srv/b\nto = here:/srv/sage/sub\n",
	    workers);
	parse_bad("j", text.data, text.len, "j:14: `to' of [worker b] and of "
	    "[worker sage] are one directory, or one lies within the other");
	buf_truncate(&text, 0);
	buf_printf(&text, "%s[worker b]\nagent = agent-" UUID "\n"
	    "server = home\nfrom = old:/srv/sage\nto = here:/srv/b\n",
	    workers);
	parse_bad("j", text.data, text.len, "j:14: `from' of [worker b] and "
	    "of [worker sage] are one directory, or one lies within the other");
	buf_truncate(&text, 0);
	buf_printf(&text, "%s[worker b]\nagent = agent-" UUID "\n"
	    "server = home\nfrom = old:/srv/sage2\nto = here:/srv/sage-2\n",
	    workers);
	conf_free(parse_ok("j", text.data, text.len));
	buf_truncate(&text, 0);
	buf_printf(&text, "%s[agent b]\nfrom = cloud:agent-" UUID "\n"
	    "to = home\n", agent);
	parse_bad("j", text.data, text.len, "j:10: [agent b] and [agent "
	    "sage] move the same agent");
	buf_clear(&text);
}

/* Which sections a job of each kind has. */
static const struct edit kinds[] = {
	{ agent, "kind = agent", "kind = workers",
	    "j.conf:7: a job of kind workers has no section [agent "
	    "NAME]" },
	{ agent, "kind = agent", "kind = greenfield",
	    "j.conf:1: a job of kind greenfield needs a section "
	    "[edge NAME]" },
	{ green, "kind = greenfield", "kind = agent",
	    "j.conf:22: a job of kind agent has no section [worker "
	    "NAME]" },
	{ workers, "kind = workers", "kind = agent",
	    "j.conf:1: a job of kind agent needs a section [agent "
	    "NAME]" },
	{ workers, "[worker", "[edge old]\nsite = a.b\n"
	    "acme_email = a@b.c\n[worker",
	    "j.conf:9: a job of kind workers has no section [edge "
	    "NAME]" },
	{ green, "[agent", "[edge old]\nsite = a.b\n"
	    "acme_email = a@b.c\n[agent",
	    "j.conf:19: a job of kind greenfield has only one "
	    "section [edge NAME]" },
	{ green, "[agent", "[letta x]\nurl = https://x\n[agent a]\n"
	    "from = cloud:agent-00418b8d-37a5-4923-8f70-69ccc58d66ff"
	    "\nto = x\n[agent",
	    "j.conf:21: [agent a] goes to `x', but this job's edge "
	    "serves `new'" },
	{ green, "to = node1:/srv/sage", "to = old:/srv/sage",
	    "j.conf:22: [worker sage] goes to host `old', but this "
	    "job's edge is on `node1'" },
	{ agent, "[agent", "[letta x]\nurl = https://x\n[agent",
	    "j.conf:7: nothing refers to [letta x]" },
	{ agent, "[agent", "[host x]\naddress = x\n[agent",
	    "j.conf:7: nothing refers to [host x]" },
};

static void
test_kinds(void **state)
{
	char path[200];

	(void)state;
	RUN_EDITS(kinds);
	parse_bad("w", "# x\n[job]\nkind = workers\n", 25, "w:2: a job "
	    "of kind workers needs a section [worker NAME]");

	/* An edge and an agent alone, and two agents. */
	for (int i = 0; i < 2; i++) {
		struct buf text = BUF_INIT(4096);
		const char *old = strstr(green, "[host old]");
		const char *node1 = strstr(green, "[host node1]");
		const char *worker = strstr(green, "[worker");

		buf_add(&text, green, (size_t)(old - green));
		buf_add(&text, node1, (size_t)(worker - node1));
		if (i > 0)
			buf_str(&text, "[agent b]\nto = new\nfrom = cloud:"
			    "agent-00418b8d-37a5-4923-8f70-69ccc58d66ff\n");
		conf_free(parse_ok("j", text.data, text.len));
		buf_clear(&text);
	}

	/* A job's name from its file's. */
	parse_bad("My Job.conf", agent, sizeof(agent) - 1, "My Job.conf:1: "
	    "[job] needs `name': the file's name cannot be one (1 to 64 of "
	    "a-z, 0-9 and -)");
	parse_bad("/x/.conf", agent, sizeof(agent) - 1, "/x/.conf:1: "
	    "[job] needs `name': the file's name cannot be one (1 to 64 of "
	    "a-z, 0-9 and -)");
	memset(path, 'a', 65);
	(void)snprintf(path + 65, sizeof(path) - 65, ".conf");
	conf_free(parse_ok(path + 1, agent, sizeof(agent) - 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_kinds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
