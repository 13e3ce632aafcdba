#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/acme_refusal.h"

#define NOW INT64_C(1800000000)		/* 2027-01-15T08:00:00Z */

#define RUN "2027-01-15 08:00:00,1:DEBUG:certbot._internal.main:certbot " \
    "version: 2.1.0\n"
#define ANSWER(status) "DEBUG:acme.client:Received response:\nHTTP " status \
    "\nServer: x\n"

static void
read_one(const char *said, const char *log, enum acme_refusal_kind kind,
    int64_t retry)
{
	struct acme_refusal refusal;

	acme_refusal_read(said, log, NOW, &refusal);
	assert_int_equal(refusal.kind, kind);
	assert_int_equal(refusal.retry_unix, retry);
}

static void
test_kinds(void **state)
{
	(void)state;
	read_one("", "", ACME_REFUSAL_OTHER, 0);
	read_one("Another instance of Certbot is already running.", "",
	    ACME_REFUSAL_LOCKED, 0);
	read_one("Some challenges have failed.", RUN ANSWER("429") "\n",
	    ACME_REFUSAL_INVALID, 0);
	/* The nonce of a retry that went well is no reason. */
	read_one("x", RUN "Retrying request after error:\n"
	    "urn:ietf:params:acme:error:badNonce :: y\n"
	    "acme.messages.Error: urn:ietf:params:acme:error:malformed :: z",
	    ACME_REFUSAL_OTHER, 0);
	read_one("x", RUN
	    "acme.messages.Error: urn:ietf:params:acme:error:badNonce :: z",
	    ACME_REFUSAL_BAD_NONCE, 0);
	read_one("x", RUN ANSWER("503") "Retry-After: 5\n\n",
	    ACME_REFUSAL_BUSY, NOW + 5);
}

static void
test_when(void **state)
{
	static const char said[] = "There were too many requests of a given "
	    "type :: too many certificates, retry after 2027-01-15 09:00:00 "
	    "UTC: see https://example.org";

	(void)state;
	read_one("x", RUN ANSWER("429") "Retry-After: 90\n\n{}",
	    ACME_REFUSAL_RATE_LIMITED, NOW + 90);
	read_one("x", RUN ANSWER("429") "retry-after: Fri, 15 Jan 2027 "
	    "08:10:00 GMT\r\n\n", ACME_REFUSAL_RATE_LIMITED, NOW + 600);
	read_one(said, "", ACME_REFUSAL_RATE_LIMITED, NOW + 3600);
	read_one(said, RUN ANSWER("429") "Retry-After: 90\n\n",
	    ACME_REFUSAL_RATE_LIMITED, NOW + 90);
	read_one("too many requests of a given type, retry after "
	    "2099-01-01T00:00:00Z", "", ACME_REFUSAL_RATE_LIMITED,
	    NOW + 14 * 86400);
	/* A header behind the answer's end, nonsense, another run's. */
	read_one("x", RUN ANSWER("429") "\nRetry-After: 90\n",
	    ACME_REFUSAL_RATE_LIMITED, 0);
	read_one("x", RUN ANSWER("429") "Retry-After: soon\n\n",
	    ACME_REFUSAL_RATE_LIMITED, 0);
	read_one("x", RUN ANSWER("429") "Retry-After: 90\n\n" RUN,
	    ACME_REFUSAL_OTHER, 0);
}

static int64_t
until(enum acme_refusal_kind kind, int64_t retry, unsigned int failures,
    int64_t first)
{
	const struct acme_refusal refusal = { kind, retry };

	return acme_refusal_until(&refusal, failures, first, NOW);
}

static void
test_until(void **state)
{
	(void)state;
	assert_int_equal(until(ACME_REFUSAL_OTHER, 0, 0, NOW), NOW);
	assert_int_equal(until(ACME_REFUSAL_BAD_NONCE, 0, 0, NOW), NOW);
	assert_int_equal(until(ACME_REFUSAL_RATE_LIMITED, NOW + 7, 0, NOW),
	    NOW + 7);
	assert_int_equal(until(ACME_REFUSAL_RATE_LIMITED, NOW - 7, 0, NOW),
	    NOW + 3600);
	assert_int_equal(until(ACME_REFUSAL_RATE_LIMITED, 0, 0, NOW),
	    NOW + 3600);
	assert_int_equal(until(ACME_REFUSAL_INVALID, 0, 2, NOW - 100), NOW);
	assert_int_equal(until(ACME_REFUSAL_INVALID, 0, 3, NOW - 100),
	    NOW + 3500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_until),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme_refusal", tests, NULL, NULL);
}
