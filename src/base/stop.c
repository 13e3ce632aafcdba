#include "base/base.h"

#include <signal.h>

#include "base/err.h"
#include "base/stop.h"

/* The first signal that came; 0 before. */
static volatile sig_atomic_t caught;
/* Signals that came since the hold began; -1: there is none. */
static volatile sig_atomic_t held = -1;

static void
on_signal(int number)
{
	if (held >= 0)
		held = held + 1;
	if (caught == 0)
		caught = number;
}

/* One that came before the hold does not count as its first. */
static bool
is_held(void)
{
	return held >= 0 && held < 2;
}

void
stop_hold(void)
{
	held = 0;
}

void
stop_release(void)
{
	held = -1;
}

void
stop_catch(void)
{
	static const int asks[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction old;

	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		if (asks[i] == SIGHUP &&
		    sigaction(SIGHUP, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(asks[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
	(void)sigaction(SIGXFSZ, &action, NULL);
}

bool
stop_asked(void)
{
	return caught != 0 && !is_held();
}

int
stop_check(struct err *err)
{
	int number = caught;

	switch (is_held() ? 0 : number) {
	case 0:
		return 0;
	case SIGINT:
		return err_set(err, ERR_INTERRUPTED, "interrupted by SIGINT");
	case SIGTERM:
		return err_set(err, ERR_INTERRUPTED, "interrupted by SIGTERM");
	default:
		return err_set(err, ERR_INTERRUPTED, "interrupted by SIGHUP");
	}
}
