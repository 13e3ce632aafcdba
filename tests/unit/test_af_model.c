#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af_model.h"
#include "core/jdoc.h"

/* What a server offers, as far as it matters. */
static const char list[] =
    "[{\"handle\":\"p/big\",\"name\":\"big\",\"model\":\"big\","
    "\"model_endpoint\":\"http://here\",\"model_endpoint_type\":\"openai\","
    "\"context_window\":30000,\"max_context_window\":64000,"
    "\"temperature\":1.0,\"max_tokens\":4096,\"enable_reasoner\":true,"
    "\"model_wrapper\":null,\"provider_type\":\"openai\"},"
    "{\"handle\":\"p/bigger\",\"model\":\"bigger\","
    "\"context_window\":9000,\"max_tokens\":100},"
    "{\"no\":\"handle\"}]";

static struct jdoc *
parse(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s", err.text);
	return doc;
}

/* What becomes of a configuration on a server that offers this handle. */
static void
assert_llm(const char *config, const char *handle, const char *expected)
{
	struct jdoc *offered = parse(list), *was = parse(config), *is;
	const struct jdoc *found = af_model_find(offered, handle);
	struct buf out = BUF_INIT(64 * 1024);

	assert_non_null(found);
	is = af_model_llm(was, found);
	jdoc_write_canonical(is, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
	jdoc_free(is);
	jdoc_free(was);
	jdoc_free(offered);
}

/* The same model: where it is changes, how it is used does not. */
static void
test_same_model(void **state)
{
	(void)state;
	assert_llm("{\"handle\":\"p/big\",\"model\":\"x\","
	    "\"model_endpoint\":\"http://there\",\"context_window\":32000,"
	    "\"temperature\":0.7,\"max_tokens\":9000,"
	    "\"put_inner_thoughts_in_kwargs\":true}", "p/big",
	    "{\"context_window\":32000,\"handle\":\"p/big\","
	    "\"max_tokens\":9000,\"model\":\"big\","
	    "\"model_endpoint\":\"http://here\","
	    "\"model_endpoint_type\":\"openai\","
	    "\"put_inner_thoughts_in_kwargs\":true,\"temperature\":0.7}");
}

static void
test_window_is_capped(void **state)
{
	(void)state;
	assert_llm("{\"handle\":\"p/bigger\",\"context_window\":32000}",
	    "p/bigger", "{\"context_window\":9000,\"handle\":\"p/bigger\","
	    "\"model\":\"bigger\"}");
}

/* Another one: its limits are its own, and so is whether it reasons. */
static void
test_other_model(void **state)
{
	(void)state;
	assert_llm("{\"handle\":\"q/old\",\"context_window\":8000,"
	    "\"temperature\":0.2,\"max_tokens\":9,\"enable_reasoner\":false,"
	    "\"reasoning_effort\":\"high\"}", "p/big",
	    "{\"context_window\":8000,\"enable_reasoner\":true,"
	    "\"handle\":\"p/big\",\"max_tokens\":4096,\"model\":\"big\","
	    "\"model_endpoint\":\"http://here\","
	    "\"model_endpoint_type\":\"openai\",\"temperature\":0.2}");
	assert_llm("null", "p/bigger", "{\"context_window\":9000,"
	    "\"handle\":\"p/bigger\",\"max_tokens\":100,"
	    "\"model\":\"bigger\"}");
}

static void
test_embedding(void **state)
{
	struct jdoc *was = parse("{\"handle\":\"a\",\"embedding_dim\":1,"
	    "\"embedding_chunk_size\":77}");
	struct jdoc *offered = parse("{\"handle\":\"b\",\"name\":\"n\","
	    "\"embedding_dim\":2,\"embedding_chunk_size\":300}");
	struct jdoc *is = af_model_embedding(was, offered);
	struct buf out = BUF_INIT(1024);

	(void)state;
	jdoc_write_canonical(is, &out);
	assert_string_equal(buf_cstr(&out), "{\"embedding_chunk_size\":77,"
	    "\"embedding_dim\":2,\"handle\":\"b\"}");
	buf_clear(&out);
	jdoc_free(was);
	jdoc_free(offered);
	jdoc_free(is);
}

static void
test_diff(void **state)
{
	struct jdoc *was = parse("{\"a\":1,\"b\":\"x\\u001b\",\"c\":null,"
	    "\"gone\":2}");
	struct jdoc *is = parse("{\"a\":1,\"b\":\"y\",\"d\":null,\"e\":3}");
	struct buf out = BUF_INIT(4096);

	(void)state;
	af_model_diff(was, is, &out);
	assert_string_equal(buf_cstr(&out), "  b: \"x\\u001b\" -> \"y\"\n"
	    "  e: null -> 3\n  gone: 2 -> null\n");
	buf_truncate(&out, 0);
	af_model_diff(is, is, &out);
	assert_int_equal(out.len, 0);
	af_model_diff(NULL, is, &out);
	assert_non_null(strstr(buf_cstr(&out), "  a: null -> 1\n"));
	buf_clear(&out);
	jdoc_free(was);
	jdoc_free(is);
}

static void
assert_near(const char *handle, size_t most, const char *expected)
{
	struct jdoc *offered = parse(list);
	struct buf out = BUF_INIT(4096);

	af_model_near(offered, handle, most, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
	jdoc_free(offered);
}

static void
test_near(void **state)
{
	struct jdoc *offered = parse(list);

	(void)state;
	assert_null(af_model_find(offered, "p/bigg"));
	assert_null(af_model_find(NULL, "p/big"));
	jdoc_free(offered);
	assert_near("p/bigge", 3, "p/bigger, p/big");
	assert_near("p/bigge", 1, "p/bigger");
	assert_near("quite/another", 3, "p/big");
	assert_near("p/quite-another", 3, "p/big, p/bigger");
	assert_near("p/quite-another", 1, "p/big");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_model),
		cmocka_unit_test(test_window_is_capped),
		cmocka_unit_test(test_other_model),
		cmocka_unit_test(test_embedding),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_near),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
