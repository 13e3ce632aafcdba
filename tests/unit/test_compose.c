#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/compose.h"

static const struct compose_spec full = {
	.image = "letta/letta:0.16.2", .port = 18283,
	.env_file = "/etc/letta/letta.env",
	.postgres_image = "pgvector/pgvector:0.8.0-pg16",
	.postgres_env_file = "/etc/letta/postgres.env",
	.redis_image = "redis:7.4.2-alpine",
};

static void
test_only_the_loopback_is_offered(void **state)
{
	struct buf out = BUF_INIT(COMPOSE_MAX);
	struct compose_spec alone = full;
	struct err err = ERR_INIT;
	const char *ports;

	(void)state;
	assert_int_equal(compose_render(&full, &out, &err), 0);
	ports = strstr(buf_cstr(&out), "    ports:\n"
	    "      - \"127.0.0.1:18283:8283\"\n    volumes:\n");
	assert_non_null(ports);
	assert_null(strstr(ports + 12, "ports:"));
	/* Never the name that a clone of Letta's repository gives it. */
	assert_non_null(strstr(buf_cstr(&out), "\nname: sanctumctl-letta\n"));
	assert_non_null(strstr(buf_cstr(&out), "      postgres:\n"
	    "        condition: service_healthy\n"));
	assert_non_null(strstr(buf_cstr(&out), "\n  redis: {}\n"));
	buf_clear(&out);
	alone.postgres_image = alone.redis_image = NULL;
	assert_int_equal(compose_render(&alone, &out, &err), 0);
	assert_null(strstr(buf_cstr(&out), "postgres"));
	assert_null(strstr(buf_cstr(&out), "depends_on"));
	buf_clear(&out);
}

static void
refuse(const char *image, const char *env_file, const char *said)
{
	struct buf out = BUF_INIT(COMPOSE_MAX);
	struct compose_spec spec = full;
	struct err err = ERR_INIT;

	spec.image = image;
	spec.env_file = env_file;
	assert_int_equal(compose_render(&spec, &out, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.text, said));
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

static void
test_what_moves_or_ends_a_scalar_is_refused(void **state)
{
	static const char sum[] = "x@sha256:"
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct buf out = BUF_INIT(COMPOSE_MAX);
	struct compose_spec digest = full;
	struct err err = ERR_INIT;

	(void)state;
	refuse("letta/letta", "/e", "is not pinned");
	refuse("letta/letta:latest", "/e", "is not pinned");
	refuse("letta/letta:nightly", "/e", "is not pinned");
	refuse("host:5000/letta", "/e", "is not pinned");
	refuse("letta:1\"\n    privileged: true", "/e", "characters");
	refuse("letta:${TAG}", "/e", "characters");
	refuse("letta:1", "/e\" x", "env file");
	refuse("letta:1", "relative", "env file");
	digest.image = sum;
	assert_int_equal(compose_render(&digest, &out, &err), 0);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_loopback_is_offered),
		cmocka_unit_test(test_what_moves_or_ends_a_scalar_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
