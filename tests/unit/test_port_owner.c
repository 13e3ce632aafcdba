#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/port_owner.h"
#include "io/host.h"

#define MUST(call) do {						\
	if ((call) != 0)					\
		fail_msg("%s: %s", #call, err.text);		\
} while (0)

/* A child that waits; with of, it has a child of its own, whose pid is *of. */
static pid_t
start(pid_t *of)
{
	int line[2];
	pid_t pid, own = 0;

	assert_int_equal(pipe(line), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		own = of ? fork() : 1;
		/* A test that fails does not end the second. */
		(void)close(STDOUT_FILENO);
		(void)close(STDERR_FILENO);
		(void)alarm(60);
		if (own != 0)
			(void)!write(line[1], &own, sizeof(own));
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(line[0], &own, sizeof(own)), sizeof(own));
	(void)close(line[0]);
	(void)close(line[1]);
	if (of)
		*of = own;
	return pid;
}

static bool
has(const struct buf *words, pid_t pid)
{
	char *word = mem_printf(" %ld:", (long)pid);
	bool found = strstr(words->data, word) || strncmp(words->data,
	    word + 1, strlen(word + 1)) == 0;

	free(word);
	return found;
}

/* What a service has started lives on when its first process is gone. */
static void
test_a_family_lives_as_long_as_one_of_it(void **state)
{
	const struct host_spec spec = { .name = "here", .local = true };
	struct buf words = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct host *host;
	pid_t child, other, first = start(&child), lives = 0;
	const pid_t pids[] = { first, 0 };

	(void)state;
	other = start(NULL);
	MUST(host_open(&spec, &host, &err));
	MUST(port_owner_family(host, pids, 2, &words, &err));
	assert_true(has(&words, first));
	assert_true(has(&words, child));
	assert_false(has(&words, other));
	assert_false(has(&words, getpid()));

	(void)kill(first, SIGKILL);
	assert_int_equal(waitpid(first, NULL, 0), first);
	MUST(port_owner_lives(host, buf_cstr(&words), &lives, &err));
	assert_int_equal(lives, child);
	(void)kill(child, SIGKILL);
	/* Its parent is gone: whoever takes it up reaps it. */
	while (lives != 0)
		MUST(port_owner_lives(host, buf_cstr(&words), &lives, &err));
	MUST(port_owner_lives(host, "", &lives, &err));
	assert_int_equal(lives, 0);

	(void)kill(other, SIGKILL);
	assert_int_equal(waitpid(other, NULL, 0), other);
	host_close(host);
	buf_clear(&words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_family_lives_as_long_as_one_of_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
