#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/answer.h"
#include "core/nginx.h"
#include "core/nginx_tree.h"
#include "core/nginx_look.h"
#include "flow/command.h"
#include "flow/doctor_part.h"
#include "io/host.h"

#define ASK_MS 5000

static int
is_master(void *ctx, const struct procs_info *info, struct err *err)
{
	(void)err;
	if (info->argv_len > 0 && strstr(info->argv, "nginx: master process"))
		*(bool *)ctx = true;
	return 0;
}

/* What the loopback's port 80 answers for a name; "" when it does not. */
static int
served(const struct doctor_at *at, const char *name, struct buf *out,
    struct err *err)
{
	struct buf bytes = BUF_INIT(65536), ask = BUF_INIT(4096);
	struct answer answer;
	unsigned int line;
	bool ended = false;
	int rc;

	if (host_dial(at->host, 80, ASK_MS, &line, err) != 0)
		return -1;
	answer_init(&answer);
	buf_printf(&ask, "GET " NGINX_GENERATION_PATH " HTTP/1.1\r\n"
	    "Host: %s\r\nConnection: close\r\n\r\n", name);
	rc = host_talk(at->host, line, ask.data, ask.len, err);
	while (rc == 0 && !ended && !answer.done) {
		buf_clear(&bytes);
		rc = host_hear(at->host, line, ASK_MS, &bytes, &ended, err);
		if (rc == 0 && bytes.len == 0)
			break;
		if (rc == 0)
			rc = answer_feed(&answer, bytes.data, bytes.len, out,
			    err);
	}
	if (host_hangup(at->host, line, err) != 0)
		rc = -1;
	answer_clear(&answer);
	buf_clear(&bytes);
	buf_clear(&ask);
	return rc;
}

/* The first 16 hexadecimal digits of `return 200 "GENERATION\n"'. */
static bool
generation_of(const struct doctor_at *at, int location,
    char out[static NGINX_GENERATION_SIZE])
{
	int at_return = nginx_tree_next(at->nginx, location, -1, "return");
	const char *text;

	if (at_return < 0 || nginx_tree_n_words(at->nginx, at_return) < 3)
		return false;
	text = nginx_tree_words(at->nginx, at_return)[2];
	if (strspn(text, "0123456789abcdef") < NGINX_GENERATION_SIZE - 1)
		return false;
	(void)snprintf(out, NGINX_GENERATION_SIZE, "%s", text);
	return true;
}

/* One server block of ours on port 80: does nginx serve this rendering? */
static int
look_at_generation(const struct doctor_at *at, int location, struct err *err)
{
	const struct nginx_tree *dump = at->nginx;
	int server = nginx_tree_parent(dump, location), name, listen;
	char wanted[NGINX_GENERATION_SIZE];
	struct buf seen = BUF_INIT(65536);
	int rc = 0;

	if (server < 0)
		return 0;
	name = nginx_tree_next(dump, server, -1, "server_name");
	listen = nginx_tree_next(dump, server, -1, "listen");
	if (name < 0 || listen < 0 || nginx_tree_n_words(dump, name) < 2 ||
	    !str_eq(nginx_tree_words(dump, listen)[1], "80") ||
	    !generation_of(at, location, wanted))
		return 0;
	if (served(at, nginx_tree_words(dump, name)[1], &seen, err) != 0)
		rc = doctor_pass(at, "nginx-generation", err);
	else {
		buf_truncate(&seen, strcspn(buf_cstr(&seen), "\n"));
		DOCTOR_JUDGE(at, nginx_tree_file(dump, location),
		    !str_eq(buf_cstr(&seen), wanted), "nginx-generation",
		    "generation %s is on disk, `%.64s' is served", wanted,
		    buf_cstr(&seen));
	}
	buf_clear(&seen);
	return rc;
}

static int
look_at_generations(const struct doctor_at *at, struct err *err)
{
	const char *const *words;

	for (int i = 0; i < nginx_tree_n(at->nginx); i++) {
		words = nginx_tree_words(at->nginx, i);
		if (nginx_tree_n_words(at->nginx, i) == 3 &&
		    str_eq(words[0], "location") &&
		    str_eq(words[2], NGINX_GENERATION_PATH) &&
		    look_at_generation(at, i, err) != 0)
			return -1;
	}
	return 0;
}

static int
look_at_process(const struct doctor_at *at, struct err *err)
{
	bool running = false;

	if (host_processes(at->host, NULL, is_master, &running, err) != 0)
		return doctor_pass(at, "nginx-stopped", err);
	DOCTOR_JUDGE(at, NULL, !running, "nginx-stopped",
	    "no process `nginx: master process'");
	return running ? look_at_generations(at, err) : 0;
}

static void
look_at_test(const struct doctor_at *at, int status, const struct buf *said)
{
	struct buf line = BUF_INIT(4096);

	command_said(&line, said, 400);
	DOCTOR_JUDGE(at, NULL, status != 0, "nginx-test", "%s",
	    buf_cstr(&line));
	if (status == 0)
		DOCTOR_JUDGE(at, NULL, said->len > 0 &&
		    strstr(said->data, "[warn]") != NULL, "nginx-warning",
		    "%s", buf_cstr(&line));
	buf_clear(&line);
}

/* -T is -t, and prints every file that was read. */
int
doctor_nginx(struct doctor_at *at, struct err *err)
{
	static const char *const argv[] = { "nginx", "-T", NULL };
	struct buf out = BUF_INIT(DOCTOR_TEXT_MAX);
	struct buf said = BUF_INIT(DOCTOR_TEXT_MAX);
	struct nginx_look look = { .host = at->name, .doctor = at->d,
	    .letta_ports = at->letta_ports };
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, &said, err);
	if (rc == 0 && status != 127)
		look_at_test(at, status, &said);
	if (rc == 0 && status == 0)
		rc = nginx_tree_read(buf_cstr(&out), out.len, &at->nginx,
		    err);
	buf_clear(&out);
	buf_clear(&said);
	if (rc != 0)
		return doctor_pass(at, "nginx-test", err);
	if (!at->nginx)
		return 0;
	look.dump = at->nginx;
	nginx_look(&look);
	for (const unsigned int *port = at->letta_ports; *port; port++) {
		if (nginx_look_passes(&look, *port))
			return look_at_process(at, err);
	}
	return 0;
}
