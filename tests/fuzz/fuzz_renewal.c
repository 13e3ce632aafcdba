#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/acme_refusal.h"
#include "core/renewal.h"

/*
 * Input: certbot's file of a lineage, and what certbot says and logs.  What is
 * read of the first is read of the file that is made of it; the other asks for
 * no wait beyond two weeks.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1800000000)

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
make_again(const struct renewal *renewal)
{
	const char *domains[] = { "a.example.org" };
	struct buf out = BUF_INIT(65536);
	struct renewal again;
	struct err err = ERR_INIT;
	char *dir = renewal_account_dir(renewal);

	renewal_render(renewal, "a", "/srv", domains, 1, &out);
	must(renewal_read(buf_cstr(&out), &again, &err) == 0);
	must(str_eq(again.account, renewal->account));
	must(str_eq(again.server, renewal->server));
	must(!dir || (*dir != '/' && !strstr(dir, "..")));
	free(dir);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acme_refusal refusal;
	struct renewal renewal;
	struct err err = ERR_INIT;
	char *text;
	int64_t until;

	if (size > 65536)
		return 0;
	text = mem_strndup((const char *)data, size);
	if (renewal_read(text, &renewal, &err) == 0)
		make_again(&renewal);
	acme_refusal_read(text, text, NOW, &refusal);
	until = acme_refusal_until(&refusal, 3, NOW, NOW);
	must(until >= NOW && until <= NOW + 14 * 86400);
	free(text);
	return 0;
}
