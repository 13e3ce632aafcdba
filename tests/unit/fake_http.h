#ifndef TESTS_FAKE_HTTP_H
#define TESTS_FAKE_HTTP_H

#include <sys/types.h>

struct buf;

/*
 * A fake server: a child that reads requests from a real socket and gives
 * the answers of a script, whatever was asked.  It writes "#connection\n" and
 * each request, its chunks joined, to a log that the test reads at the end.
 */
enum fake_then {
	FAKE_KEEP,		/* wait for the next request on it */
	FAKE_CLOSE,
	FAKE_HANG,		/* no more answers; wait until it is left */
	FAKE_STOP_PARENT	/* SIGTERM to the client, then FAKE_HANG */
};

struct fake_turn {
	const char *answer;	/* NULL ends the script */
	enum fake_then then;
};

struct fake_http {
	pid_t pid;
	int listener;
	int log;
	char url[64];
	unsigned int port;
};

/* Listen on a free port of 127.0.0.1. */
int fake_http_listen(unsigned int *port);

void fake_http_start(struct fake_http *, const struct fake_turn *);

/*
 * End it, after the client has closed; its log is appended.  Fails the test
 * when the server did not end well.
 */
void fake_http_stop(struct fake_http *, struct buf *log);

/* A call that must work, with its own words when it does not. */
#define OK(call) do {						\
	if ((call) != 0)					\
		fail_msg("%s: %s", #call, err.text);		\
} while (0)

/* A call that must fail with this kind and these words. */
#define FAILS(call, want, words) do {				\
	err_clear(&err);					\
	if ((call) != -1)					\
		fail_msg("no failure: %s (%s)", #call, words);	\
	if (err.kind != (want) || !strstr(err.text, words))	\
		fail_msg("%s: %s", err_word(err.kind), err.text);\
} while (0)

#endif /* !TESTS_FAKE_HTTP_H */
