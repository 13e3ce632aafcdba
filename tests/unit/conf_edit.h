#ifndef UNIT_CONF_EDIT_H
#define UNIT_CONF_EDIT_H

/*
 * One good job file of each kind, and what must happen to it when one place
 * of it is changed.  For test_conf.c and test_conf_value.c, which include
 * what this needs before it.
 */

/* The numbers of these lines are part of the messages below. */
static const char green[] =
    "[job]\n"					/* 1 */
    "kind = greenfield\n"
    "[host old]\n"
    "address = old.example.org\n"
    "user = sanctum\n"				/* 5 */
    "[host node1]\n"
    "address = 192.0.2.7\n"
    "[letta cloud]\n"
    "url = https://api.letta.com/\n"
    "token = env:CLOUD_TOKEN\n"			/* 10 */
    "[letta new]\n"
    "host = node1\n"
    "version = 0.16.2\n"
    "token = file:~/new.token\n"
    "[edge node1]\n"				/* 15 */
    "site = sanctum.example.org\n"
    "acme_email = ops@example.org\n"
    "ca_file = ~/ca.pem\n"
    "[agent sage]\n"
    "from = cloud:agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\n" /* 20 */
    "to = new\n"
    "[worker sage]\n"
    "agent = sage\n"
    "from = old:~/sage\n"
    "to = node1:/srv/sage\n";			/* 25 */

static const char workers[] =
    "[job]\n"					/* 1 */
    "kind = workers\n"
    "[host old]\n"
    "address = old.example.org\n"
    "[host here]\n"				/* 5 */
    "address = local\n"
    "[letta home]\n"
    "url = http://127.0.0.1:8283\n"
    "[worker sage]\n"
    "agent = agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\n"	/* 10 */
    "server = home\n"
    "from = old:/srv/sage\n"
    "to = here:/srv/sage\n";

static const char agent[] =
    "[job]\n"					/* 1 */
    "kind = agent\n"
    "[letta cloud]\n"
    "url = https://api.letta.com\n"
    "[letta home]\n"				/* 5 */
    "url = https://[2001:db8::1]:8283/letta\n"
    "[agent sage]\n"
    "from = cloud:agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\n"
    "to = home\n";

static struct conf *
parse_ok(const char *path, const char *text, size_t len)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;

	if (conf_parse(path, text, len, &conf, &err) != 0)
		fail_msg("%s", err.text);
	assert_non_null(conf);
	assert_int_equal(err.kind, ERR_NONE);
	return conf;
}

static void
parse_bad(const char *path, const char *text, size_t len,
    const char *message)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;

	if (conf_parse(path, text, len, &conf, &err) == 0)
		fail_msg("accepted, without: %s", message);
	assert_null(conf);
	assert_string_equal(err.text, message);
	assert_int_equal(err.kind, ERR_USAGE);
}

/* base with the first old replaced by new. */
static void
edit(struct buf *out, const char *base, const char *old, const char *new)
{
	const char *at = strstr(base, old);

	if (!at)
		fail_msg("not in the text: %s", old);
	buf_add(out, base, (size_t)(at - base));
	buf_str(out, new);
	buf_str(out, at + strlen(old));
}

struct edit {
	const char *base, *old, *new, *message;
};

static void
run_edits(const struct edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf text = BUF_INIT(64 * 1024);

		edit(&text, edits[i].base, edits[i].old, edits[i].new);
		if (edits[i].message)
			parse_bad("j.conf", text.data, text.len,
			    edits[i].message);
		else
			conf_free(parse_ok("j.conf", text.data, text.len));
		buf_clear(&text);
	}
}

#define RUN_EDITS(edits) run_edits(edits, sizeof(edits) / sizeof(*(edits)))

#endif /* !UNIT_CONF_EDIT_H */
