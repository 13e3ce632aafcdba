#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/cert.h"
#include "io/fs.h"
#include "io/proc.h"

#define DAY INT64_C(86400)

/* Certificates of openssl(1); skipped, by name, when there is none. */
static bool
have_openssl(void)
{
	const char *argv[] = { "openssl", "version", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result result;
	struct err err = ERR_INIT;
	int rc;

	proc_result_init(&result, 1000);
	rc = proc_run(&spec, &result, &err);
	proc_result_clear(&result);
	return rc == 0;
}

static int
set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/test_cert.XXXXXX", tmp ? tmp : "/tmp");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct err err = ERR_INIT;
	int rc = chdir("/");

	if (rc == 0)
		rc = fs_remove(*state, &err);
	free(*state);
	return rc;
}

/* A new certificate for so many days with that extension, if any. */
static void
make(const char *days, const char *extension, struct buf *pem)
{
	const char *argv[] = { "openssl", "req", "-x509", "-newkey", "ec",
		"-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-keyout", "key", "-subj", "/CN=common.test", "-days", days,
		extension ? "-addext" : NULL, extension, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result result;
	struct err err = ERR_INIT;

	if (!have_openssl())
		skip();
	proc_result_init(&result, 1024 * 1024);
	if (proc_run(&spec, &result, &err) != 0)
		fail_msg("%s", err.text);
	if (result.status != 0)
		fail_msg("%s", buf_cstr(&result.err_out));
	buf_add(pem, result.out.data, result.out.len);
	proc_result_clear(&result);
}

static void
parse(const struct buf *pem, struct cert *cert)
{
	struct err err = ERR_INIT;

	if (cert_parse(pem->data, pem->len, cert, &err) != 0)
		fail_msg("%s", err.text);
}

static void
refused(const char *text, size_t len, const char *words)
{
	struct err err = ERR_INIT;
	struct cert cert;

	assert_int_equal(cert_parse(text, len, &cert, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, words))
		fail_msg("%s", err.text);
}

static void
test_names_and_days(void **state)
{
	struct buf pem = BUF_INIT(65536);
	struct cert cert;

	(void)state;
	make("30", "subjectAltName=DNS:sanctum.test,DNS:*.wild.test,"
	    "IP:127.0.0.1,email:a@mail.test,URI:https://uri.test,"
	    "DNS:Other.Test", &pem);
	parse(&pem, &cert);
	assert_int_equal(cert.n_names, 3);
	assert_string_equal(cert.names[0], "sanctum.test");
	assert_string_equal(cert.names[1], "*.wild.test");
	assert_string_equal(cert.names[2], "Other.Test");
	assert_true(cert.seconds_left > 29 * DAY);
	assert_true(cert.seconds_left <= 30 * DAY);

	assert_true(cert_names(&cert, "sanctum.test"));
	assert_true(cert_names(&cert, "SANCTUM.test"));
	assert_true(cert_names(&cert, "other.test"));
	assert_false(cert_names(&cert, "sanctum.tes"));
	assert_false(cert_names(&cert, "sanctum.test."));
	assert_false(cert_names(&cert, "a.wild.test"));
	assert_false(cert_names(&cert, "127.0.0.1"));
	assert_false(cert_names(&cert, "mail.test"));
	assert_false(cert_names(&cert, "common.test"));
	assert_false(cert_names(&cert, ""));
	buf_clear(&pem);
}

static void
test_without_names(void **state)
{
	struct buf pem = BUF_INIT(65536);
	struct cert cert;

	(void)state;
	make("1", NULL, &pem);
	memset(&cert, 1, sizeof(cert));
	parse(&pem, &cert);
	assert_int_equal(cert.n_names, 0);
	assert_false(cert_names(&cert, "common.test"));
	buf_clear(&pem);
}

/* Of a chain the first one counts, and what stands before it does not. */
static void
test_the_first_of_a_chain(void **state)
{
	struct buf pem = BUF_INIT(65536);
	struct cert cert;

	(void)state;
	buf_str(&pem, "subject=CN = x\nwhatever\n");
	make("1", "subjectAltName=DNS:leaf.test", &pem);
	make("100", "subjectAltName=DNS:issuer.test", &pem);
	parse(&pem, &cert);
	assert_int_equal(cert.n_names, 1);
	assert_true(cert_names(&cert, "leaf.test"));
	assert_true(cert.seconds_left <= DAY);
	buf_clear(&pem);
}

/* Of 2020, made by openssl ca(1), which takes its dates as words. */
static void
test_one_that_is_over(void **state)
{
	static const char conf[] = "[ca]\ndefault_ca=c\n[c]\ndatabase=index\n"
	    "new_certs_dir=.\nserial=serial\npolicy=p\ndefault_md=sha256\n"
	    "x509_extensions=e\n[p]\ncommonName=supplied\n"
	    "[e]\nsubjectAltName=DNS:over.test\n";
	const char *script = "openssl req -new -newkey ec -pkeyopt "
	    "ec_paramgen_curve:prime256v1 -nodes -keyout k -out csr -subj "
	    "/CN=x && : >index && echo 01 >serial && openssl ca -batch "
	    "-config conf -selfsign -keyfile k -in csr -startdate "
	    "20200101000000Z -enddate 20200102000000Z -notext";
	const char *argv[] = { "sh", "-c", script, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	struct proc_result result;
	struct err err = ERR_INIT;
	struct cert cert;
	int64_t want;

	(void)state;
	if (!have_openssl())
		skip();
	assert_int_equal(fs_replace("conf", conf, strlen(conf), &meta, &err),
	    0);
	proc_result_init(&result, 65536);
	if (proc_run(&spec, &result, &err) != 0)
		fail_msg("%s", err.text);
	if (result.status != 0)
		fail_msg("%s", buf_cstr(&result.err_out));
	parse(&result.out, &cert);

	/* 2020-01-02T00:00:00Z, to the second, but for the second's turn. */
	want = 1577923200 - (int64_t)time(NULL);
	assert_true(cert.seconds_left == want ||
	    cert.seconds_left == want + 1);
	assert_true(cert_names(&cert, "over.test"));
	proc_result_clear(&result);
}

static void
test_garbage(void **state)
{
	static const char empty[] =
	    "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
	static const char junk[] = "-----BEGIN CERTIFICATE-----\n"
	    "AAAAAAAAAAAAAAAA\n-----END CERTIFICATE-----\n";
	struct buf pem = BUF_INIT(65536);
	size_t len;

	(void)state;
	refused("", 0, "no PEM certificate");
	refused("hello\n", 6, "no PEM certificate");
	refused("\0\0\0\0", 4, "no PEM certificate");
	refused(empty, strlen(empty), "no PEM certificate");
	refused(junk, strlen(junk), "no PEM certificate");
	refused("", (size_t)INT_MAX + 1, "over 2 GiB");
	make("1", "subjectAltName=DNS:a.test", &pem);

	/* Cut anywhere; without its last line break it is whole. */
	for (len = 0; len < pem.len - 1; len += 7)
		refused(pem.data, len, "no PEM certificate");
	buf_clear(&pem);
}

/* An encrypted one asks whoever sits there, unless it is told not to. */
static void
test_nobody_is_asked(void **state)
{
	static const char head[] = "-----BEGIN CERTIFICATE-----\n"
	    "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
	    "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
	    "-----END CERTIFICATE-----\n";
	int ends[2], saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	char text[8] = { 0 };

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "secret\n", 7), 7);
	(void)close(ends[1]);
	assert_int_equal(dup2(ends[0], 0), 0);
	refused(head, strlen(head), "no PEM certificate");
	assert_int_equal(read(0, text, 7), 7);
	assert_string_equal(text, "secret\n");
	if (saved >= 0) {
		assert_int_equal(dup2(saved, 0), 0);
		(void)close(saved);
	}
	(void)close(ends[0]);
}

/* "good.test", NUL, ".evil.test" and other names that no host has. */
static void
test_odd_names(void **state)
{
	struct buf pem = BUF_INIT(65536), names = BUF_INIT(65536);
	struct cert cert;

	(void)state;
	make("1", "2.5.29.17=DER:30:16:82:14:67:6F:6F:64:2E:74:65:73:74:00:2E:"
	    "65:76:69:6C:2E:74:65:73:74", &pem);
	refused(pem.data, pem.len, "DNS names");
	buf_clear(&pem);

	/* 255 bytes are a name, 256 are not. */
	buf_str(&names, "subjectAltName=DNS:");
	for (int i = 0; i < 255; i++)
		buf_char(&names, i % 50 == 49 ? '.' : 'a');
	make("1", buf_cstr(&names), &pem);
	parse(&pem, &cert);
	assert_int_equal(strlen(cert.names[0]), 255);
	buf_clear(&pem);
	buf_char(&names, 'a');
	make("1", buf_cstr(&names), &pem);
	refused(pem.data, pem.len, "DNS names");
	buf_clear(&pem);
	buf_clear(&names);
}

static void
test_how_many_names(void **state)
{
	struct buf pem = BUF_INIT(65536), names = BUF_INIT(65536);
	struct cert cert;

	(void)state;
	buf_str(&names, "subjectAltName=DNS:n0.test");
	for (int i = 1; i < CERT_NAMES_MAX; i++)
		buf_printf(&names, ",DNS:n%d.test", i);
	make("1", buf_cstr(&names), &pem);
	parse(&pem, &cert);
	assert_int_equal(cert.n_names, CERT_NAMES_MAX);
	assert_true(cert_names(&cert, "n99.test"));
	buf_clear(&pem);
	buf_str(&names, ",DNS:n100.test");
	make("1", buf_cstr(&names), &pem);
	refused(pem.data, pem.len, "DNS names");
	buf_clear(&pem);
	buf_clear(&names);
}

static void
test_key_and_serial(void **state)
{
	struct buf pem = BUF_INIT(65536), other = BUF_INIT(65536);
	struct buf key = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct cert a, b;
	bool own;

	(void)state;
	make("1", "subjectAltName=DNS:other.test", &other);
	make("1", "subjectAltName=DNS:a.test", &pem);
	assert_int_equal(fs_read("key", &key, NULL, &err), 0);
	parse(&pem, &a);
	parse(&other, &b);
	assert_true(*a.serial);
	assert_string_not_equal(a.serial, b.serial);
	assert_int_equal(cert_key_matches(pem.data, pem.len, key.data,
	    key.len, &own, &err), 0);
	assert_true(own);
	assert_int_equal(cert_key_matches(other.data, other.len, key.data,
	    key.len, &own, &err), 0);
	assert_false(own);
	assert_int_equal(cert_key_matches(pem.data, pem.len, pem.data,
	    pem.len, &own, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	buf_clear(&key);
	buf_clear(&other);
	buf_clear(&pem);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(test_names_and_days),
		TEST(test_without_names),
		TEST(test_the_first_of_a_chain),
		TEST(test_one_that_is_over),
		TEST(test_key_and_serial),
		TEST(test_garbage),
		TEST(test_nobody_is_asked),
		TEST(test_odd_names),
		TEST(test_how_many_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
