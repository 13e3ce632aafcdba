#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/b64.h"
#include "io/host_key.h"
#include "io/known_hosts.h"
#include "io/ssh_key.h"

/* Made with ssh-keygen; the fingerprints are what ssh-keygen -l says. */
#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJrqhHYmWWzT53yI" \
    "By7Bp9ijGMA1H7i0cNcEvGPJ/xKM"
#define PRINT_A \
    "SHA256:jFo3TcAwi1xRFfEAsgk5Ys8PvvbZKshfbFg1JPAfZzM"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEWLCG8ZDngBPR0t" \
    "CXee2ftFPP948UlFpv2SBUhHlsAZ"
#define PRINT_B \
    "SHA256:Peo0PS/ytRElyjgJB/D6ESlA3MABFOmI/2lrhnnTUb4"
#define KEY_E \
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlz" \
    "dHAyNTYAAABBBM9E2arEMBud2SKGdJHgDh3QMxefN14OmCa0d+ayJgodiq52" \
    "Tew4eSScgo7YxyNYFlskOvwOM/NCAPDS6gINUzU="
#define KEY_R "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQM="
/* ssh-keygen -H of "db.example.org" and of "[db.example.org]:2222". */
#define HASHED \
    "|1|ZWkCWD4J0Nrc5fsbP2wZsIQOANo=|3GcIjZSj" \
    "jwR2/KxR79TTZ/ol1eg="
#define HASHED_PORT \
    "|1|WetKUNyrc0zN6ox3Z+NexCAiqOU=|EH5Gqx2L" \
    "9Ek9r7NB3/Oj9i8TCb4="

static void
blob_of(const char *line, struct buf *blob)
{
	const char *text = strchr(line, ' ') + 1;

	assert_int_equal(b64_decode(blob, text, strlen(text)), 0);
}

static void
check(const char *text, const char *host, unsigned int port,
    const char *key, struct known_hosts_answer *a)
{
	struct buf blob = BUF_INIT(4096);
	struct known_hosts kh;

	blob_of(key, &blob);
	known_hosts_init(&kh, host, port);
	known_hosts_add(&kh, "kh", text, strlen(text));
	known_hosts_check(&kh, blob.data, blob.len, a);
	known_hosts_clear(&kh);
	buf_clear(&blob);
}

static void
test_table(void **state)
{
	static const struct {
		const char *text;
		unsigned int port;
		enum known_hosts_verdict verdict;
		const char *where;
	} cases[] = {
		{ "", 22, KNOWN_HOSTS_UNKNOWN, "" },
		{ "db.example.org " KEY_A, 22, KNOWN_HOSTS_MATCH, "kh:1" },
		{ "db.example.org " KEY_A "\r\n", 22, KNOWN_HOSTS_MATCH,
		    "kh:1" },
		{ "db.example.org " KEY_A " a comment\n", 22,
		    KNOWN_HOSTS_MATCH, "kh:1" },
		{ "# c\n\n \t\nDB.Example.ORG\t" KEY_A "\n", 22,
		    KNOWN_HOSTS_MATCH, "kh:4" },
		{ "a,db.example.org,10.0.0.1 " KEY_A "\n", 22,
		    KNOWN_HOSTS_MATCH, "kh:1" },
		{ "db.example.org.evil " KEY_A "\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },
		{ "db.example " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN, "" },

		/* A port other than 22 is part of the name. */
		{ "db.example.org " KEY_A "\n", 2222, KNOWN_HOSTS_UNKNOWN,
		    "" },
		{ "[db.example.org]:2222 " KEY_A "\n", 2222,
		    KNOWN_HOSTS_MATCH, "kh:1" },
		{ "[db.example.org]:2222 " KEY_A "\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },

		/* Wildcards and "!". */
		{ "*.example.org " KEY_A "\n", 22, KNOWN_HOSTS_MATCH,
		    "kh:1" },
		{ "d?.e*l*.org " KEY_A "\n", 22, KNOWN_HOSTS_MATCH, "kh:1" },
		{ "*a*a*a*a*a*a*a*a*a*b " KEY_A "\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },
		{ "*,!db.example.org " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN,
		    "" },
		{ "!db.*,* " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN, "" },
		{ "!other,*.org " KEY_A "\n", 22, KNOWN_HOSTS_MATCH,
		    "kh:1" },

		/* Hashed names. */
		{ HASHED " " KEY_A "\n", 22, KNOWN_HOSTS_MATCH, "kh:1" },
		{ HASHED " " KEY_A "\n", 2222, KNOWN_HOSTS_UNKNOWN, "" },
		{ HASHED_PORT " " KEY_A "\n", 2222, KNOWN_HOSTS_MATCH,
		    "kh:1" },
		{ "|1|zzz|zzz " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN, "" },
		{ "|1| " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN, "" },
		{ "|1|||| " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN, "" },

		/* Another key of the type, of another type. */
		{ "db.example.org " KEY_B "\n", 22, KNOWN_HOSTS_MISMATCH,
		    "kh:1" },
		{ "db.example.org " KEY_B "\ndb.example.org " KEY_A "\n", 22,
		    KNOWN_HOSTS_MATCH, "kh:2" },
		{ "db.example.org " KEY_E "\n", 22, KNOWN_HOSTS_UNKNOWN,
		    "" },

		/* Marks: a revoked key stays so wherever the line is. */
		{ "@revoked * " KEY_A "\n", 22, KNOWN_HOSTS_IS_REVOKED,
		    "kh:1" },
		{ "db.example.org " KEY_A "\n@revoked * " KEY_A "\n", 22,
		    KNOWN_HOSTS_IS_REVOKED, "kh:2" },
		{ "@revoked * " KEY_A "\ndb.example.org " KEY_A "\n", 22,
		    KNOWN_HOSTS_IS_REVOKED, "kh:1" },
		{ "@revoked * " KEY_B "\ndb.example.org " KEY_A "\n", 22,
		    KNOWN_HOSTS_MATCH, "kh:2" },
		{ "@revoked " HASHED " " KEY_A "\n", 22,
		    KNOWN_HOSTS_IS_REVOKED, "kh:1" },
		{ "@revoked other.org " KEY_A "\n", 22, KNOWN_HOSTS_UNKNOWN,
		    "" },
		{ "@cert-authority *.example.org " KEY_A "\n", 22,
		    KNOWN_HOSTS_CERTIFICATE, "kh:1" },
		{ "@cert-authority * " KEY_B "\ndb.example.org " KEY_A "\n",
		    22, KNOWN_HOSTS_MATCH, "kh:2" },
		{ "@new-mark db.example.org " KEY_A "\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },

		/* Lines that are not of the format. */
		{ "db.example.org\n", 22, KNOWN_HOSTS_UNKNOWN, "" },
		{ "db.example.org ssh-ed25519\n", 22, KNOWN_HOSTS_UNKNOWN,
		    "" },
		{ "db.example.org ssh-ed25519 A!\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },
		{ "db.example.org ssh-ed25519 AAAA\n", 22,
		    KNOWN_HOSTS_UNKNOWN, "" },
		{ "@revoked\n@revoked *\n", 22, KNOWN_HOSTS_UNKNOWN, "" },
	};
	struct known_hosts_answer a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(cases[i].text, "DB.example.org", cases[i].port, KEY_A,
		    &a);
		if (a.verdict != cases[i].verdict)
			fail_msg("case %zu: verdict %d: %s", i, a.verdict,
			    cases[i].text);
		assert_string_equal(a.where, cases[i].where);
		assert_string_equal(a.seen, PRINT_A);
		assert_string_equal(a.type, "ssh-ed25519");
	}
}

static void
test_answer(void **state)
{
	struct known_hosts_answer a;

	(void)state;
	check("db " KEY_B "\n", "db", 22, KEY_A, &a);
	assert_string_equal(a.known, PRINT_B);
	check("db " KEY_R "\n", "db", 22, KEY_A, &a);
	assert_int_equal(a.verdict, KNOWN_HOSTS_UNKNOWN);
	assert_string_equal(a.other_type, "ssh-rsa");
	assert_string_equal(a.other_where, "kh:1");
}

static void
test_types(void **state)
{
	static const char text[] = "db " KEY_E "\n@revoked db " KEY_A "\n";
	struct buf list = BUF_INIT(256);
	struct known_hosts kh;

	(void)state;
	known_hosts_init(&kh, "db", 22);
	assert_false(host_key_types(&kh, &list));
	assert_non_null(strstr(buf_cstr(&list), "ssh-ed25519,ecdsa-"));
	buf_clear(&list);
	known_hosts_add(&kh, "kh", text, strlen(text));
	assert_true(host_key_types(&kh, &list));
	assert_string_equal(buf_cstr(&list), "ecdsa-sha2-nistp256");
	buf_clear(&list);
	known_hosts_clear(&kh);
}

static void
test_long_lines(void **state)
{
	struct known_hosts_answer a;
	struct buf text = BUF_INIT(1024 * 1024);

	(void)state;
	while (text.len < 100 * 1000)
		buf_str(&text, "x,");
	buf_str(&text, "db " KEY_A "\ndb " KEY_B "\n");
	check(buf_cstr(&text), "db", 22, KEY_A, &a);
	assert_int_equal(a.verdict, KNOWN_HOSTS_MISMATCH);
	assert_string_equal(a.where, "kh:2");
	buf_clear(&text);
}

static void
test_pinned(void **state)
{
	static const struct {
		const char *pin;
		enum err_kind kind;
	} cases[] = {
		{ PRINT_A, ERR_NONE },
		{ PRINT_A "=", ERR_NONE },
		{ PRINT_B, ERR_HOSTKEY },
		{ "SHA256:", ERR_HOSTKEY },
		{ "SHA256:abc", ERR_HOSTKEY },
		{ "MD5:00:11", ERR_USAGE },
		{ "", ERR_USAGE },
	};
	struct buf blob = BUF_INIT(4096);
	struct known_hosts kh;
	size_t i;

	(void)state;
	blob_of(KEY_A, &blob);
	known_hosts_init(&kh, "db", 22);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		int rc = host_key_judge(&kh, cases[i].pin, blob.data,
		    blob.len, &err);

		assert_int_equal(rc, cases[i].kind == ERR_NONE ? 0 : -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
	known_hosts_clear(&kh);
	buf_clear(&blob);
}

static void
test_base64(void **state)
{
	static const char *const bad[] = { "A", "QQ=A", "Q*", "QQ\n=x" };
	struct buf b = BUF_INIT(64);
	size_t i;

	(void)state;
	b64_encode(&b, "any carnal pleas", 16, 0);
	assert_string_equal(buf_cstr(&b), "YW55IGNhcm5hbCBwbGVhcw==");
	buf_clear(&b);
	b64_encode(&b, "any carnal pleasu", 17, 1);
	assert_string_equal(buf_cstr(&b), "YW55IGNhcm5hbCBwbGVhc3U");
	buf_clear(&b);
	assert_int_equal(b64_decode(&b, "YW55\nIGNh cm4=\n", 15), 0);
	assert_memory_equal(b.data, "any carn", 8);
	buf_clear(&b);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(b64_decode(&b, bad[i], strlen(bad[i])), -1);
		buf_clear(&b);
	}
}

static void
test_key_files(void **state)
{
	static const char plain[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAA\n"
	    "MwAAAAtzc2gtZWQyNTUxOQAAACAAAQIDBAUGBwgJCgsMDQ4PEBESExQV\n"
	    "FhcYGRobHB0eHwAAAARwcml2\n"
	    "-----END OPENSSH PRIVATE KEY-----\n";
	static const char rsa[] = "-----BEGIN RSA PRIVATE KEY-----\n"
	    "Proc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n";
	struct err err = ERR_INIT;
	struct ssh_key key;
	size_t i;

	(void)state;
	assert_int_equal(ssh_key_look(plain, strlen(plain), &key, &err), 0);
	assert_string_equal(key.type, "ssh-ed25519");
	assert_false(key.encrypted);
	assert_int_equal(key.blob.len, 51);
	buf_clear(&key.blob);
	assert_int_equal(ssh_key_look(rsa, strlen(rsa), &key, &err), 0);
	assert_string_equal(key.type, "ssh-rsa");
	assert_true(key.encrypted);
	buf_clear(&key.blob);

	/* Cut anywhere it is a failure or a key, never a wrong read. */
	for (i = 0; i < strlen(plain); i++) {
		char *cut = mem_dup(plain, i + 1);

		if (ssh_key_look(cut, i, &key, &err) != 0)
			assert_int_equal(err.kind, ERR_DATA);
		buf_clear(&key.blob);
		free(cut);
	}
	assert_true(ssh_key_is_usable("ecdsa-sha2-nistp384"));
	assert_false(ssh_key_is_usable("ssh-rsa"));
	assert_false(ssh_key_is_usable("sk-ssh-ed25519@openssh.com"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_key_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
