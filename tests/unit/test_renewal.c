#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/renewal.h"

/* As certbot 2.1.0 writes it. */
static const char whole[] =
    "# renew_before_expiry = 30 days\nversion = 2.1.0\n"
    "archive_dir = /etc/letsencrypt/archive/a\n"
    "cert = /etc/letsencrypt/live/a/cert.pem\n\n"
    "# Options used in the renewal process\n[renewalparams]\n"
    "account = 0123abcd\nauthenticator = standalone\n"
    "server = https://acme.example.org/dir\nkey_type = ecdsa\n"
    "renew_hook = nginx -s reload\n[[webroot_map]]\n";

static void
test_read(void **state)
{
	struct renewal renewal;
	struct err err = ERR_INIT;
	char *dir;

	(void)state;
	assert_int_equal(renewal_read(whole, &renewal, &err), 0);
	assert_string_equal(renewal.account, "0123abcd");
	assert_string_equal(renewal.server, "https://acme.example.org/dir");
	assert_string_equal(renewal.key_type, "ecdsa");
	assert_string_equal(renewal.authenticator, "standalone");
	assert_string_equal(renewal.renew_hook, "nginx -s reload");
	dir = renewal_account_dir(&renewal);
	assert_string_equal(dir, "acme.example.org/dir/0123abcd");
	free(dir);
}

static void
test_odd(void **state)
{
	static const char *const odd[] = {
		"", "account = a\n", "server = https://x/\n",
		"account = ../../x\nserver = https://x/\n",
		"account = a b\nserver = https://x/\n",
		"account = a\nserver = http://x/\n",
		"account = a\nserver = https://x/ y\n",
	};
	struct renewal renewal;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		err_clear(&err);
		assert_int_equal(renewal_read(odd[i], &renewal, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
	}
	assert_int_equal(renewal_read("account=a\nserver=https://x/../../y/\n",
	    &renewal, &err), 0);
	assert_null(renewal_account_dir(&renewal));
}

static void
test_render(void **state)
{
	const char *domains[] = { "b.example.org", "c.example.org" };
	struct buf out = BUF_INIT(8192);
	struct renewal renewal, again;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(renewal_read(whole, &renewal, &err), 0);
	renewal_render(&renewal, "b", "/srv/web", domains, 2, &out);
	assert_int_equal(renewal_read(buf_cstr(&out), &again, &err), 0);
	assert_string_equal(again.account, renewal.account);
	assert_string_equal(again.authenticator, "webroot");
	assert_string_equal(again.renew_hook, "");
	assert_non_null(strstr(buf_cstr(&out),
	    "privkey = /etc/letsencrypt/live/b/privkey.pem\n"));
	assert_non_null(strstr(buf_cstr(&out), "[[webroot_map]]\n"
	    "b.example.org = /srv/web\nc.example.org = /srv/web\n"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_render),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("renewal", tests, NULL, NULL);
}
