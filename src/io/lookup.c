#include "base/base.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/dial.h"
#include "io/lookup.h"

/* What the child writes: at most a pipe's worth, so it never waits for us. */
struct answer {
	int code;		/* of getaddrinfo */
	int cause;		/* errno, for EAI_SYSTEM */
	size_t n;
	struct lookup_address list[LOOKUP_MAX];
};

static void
ask(const char *name, unsigned int port, struct answer *answer)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *a;
	struct lookup_address *to;
	char text[16];

	memset(answer, 0, sizeof(*answer));
	(void)snprintf(text, sizeof(text), "%u", port);
	answer->code = getaddrinfo(name, text, &hints, &list);
	answer->cause = errno;
	for (a = list; answer->code == 0 && a && answer->n < LOOKUP_MAX;
	    a = a->ai_next) {
		if (a->ai_addrlen > sizeof(to->addr))
			continue;
		to = &answer->list[answer->n++];
		memcpy(&to->addr, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
	}
	if (list)
		freeaddrinfo(list);
}

static void NORETURN
be_child(const char *name, unsigned int port, int fd)
{
	struct answer answer;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	ask(name, port, &answer);
	(void)!write(fd, &answer, sizeof(answer));
	_exit(0);
}

/* 0 with the child's answer, or -1. */
static int
wait_for(int fd, uint64_t deadline_ms, struct answer *answer,
    struct err *err)
{
	ssize_t got = 0;
	short events;
	int ready;

	ready = dial_wait(fd, POLLIN, &events,
	    (uint64_t)clock_left_ms(deadline_ms), err);
	if (ready < 0)
		return -1;
	if (ready == 0)
		return err_set(err, ERR_UNREACHABLE,
		    "no answer from the name service in time");
	/* One write below PIPE_BUF comes in one piece. */
	got = read(fd, answer, sizeof(*answer));
	if (got != (ssize_t)sizeof(*answer))
		return err_set(err, ERR_UNREACHABLE,
		    "the name service gave no answer");
	if (answer->code == EAI_SYSTEM)
		errno = answer->cause;
	if (answer->code == EAI_SYSTEM)
		return err_sys(err, ERR_UNREACHABLE, "name service");
	if (answer->code != 0)
		return err_set(err, ERR_UNREACHABLE, "%s",
		    gai_strerror(answer->code));
	if (answer->n == 0)
		return err_set(err, ERR_UNREACHABLE, "no address");
	return 0;
}

_Static_assert(sizeof(struct answer) <= 4096, "one write to a pipe");

int
lookup_name(const char *name, unsigned int port, uint64_t deadline_ms,
    struct lookup_address out[static LOOKUP_MAX], size_t *n, struct err *err)
{
	struct answer answer;
	int ends[2], rc = -1;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(err, ERR_FAILED, "look up %.255s", name);
	pid = fork();
	if (pid == 0)
		be_child(name, port, ends[1]);
	(void)close(ends[1]);
	if (pid < 0)
		(void)err_sys(err, ERR_FAILED, "fork");
	else
		rc = wait_for(ends[0], deadline_ms, &answer, err);
	(void)close(ends[0]);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (rc != 0)
		return err_ctx(err, "look up %.255s", name);
	*n = answer.n;
	memcpy(out, answer.list, answer.n * sizeof(*out));
	return 0;
}

bool
lookup_routed(const struct lookup_address *a)
{
	int fd = socket(a->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed;

	if (fd < 0)
		return false;
	/* Of a datagram socket it only looks the route up. */
	routed = connect(fd, (const struct sockaddr *)&a->addr,
	    a->len) == 0;
	(void)close(fd);
	return routed;
}

void
lookup_own_name(char out[static LOOKUP_OWN_SIZE])
{
	if (gethostname(out, LOOKUP_OWN_SIZE) != 0 || !out[0])
		(void)snprintf(out, LOOKUP_OWN_SIZE, "localhost");
	out[LOOKUP_OWN_SIZE - 1] = '\0';
}
