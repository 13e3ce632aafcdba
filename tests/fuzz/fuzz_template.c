#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/template.h"

/*
 * Input: a type, a value up to the first NUL, then the template.  A value
 * that is taken must hold nothing that nginx's syntax knows.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct template_value v[2] = {
		{ "v", TEMPLATE_HOSTNAME, NULL },
		{ "port", TEMPLATE_PORT, "8283" },
	};
	const char *all = (const char *)data, *nul;
	struct buf out = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;
	bool used;
	int rc;

	if (size < 2)
		return 0;
	nul = memchr(all + 1, '\0', size - 1);
	if (!nul)
		return 0;
	v[0].type = (enum template_type)(data[0] % (TEMPLATE_TOKEN + 1));
	v[0].value = all + 1;
	size -= (size_t)(nul + 1 - all);
	used = memmem(nul + 1, size, "@{port}", 7) != NULL;
	rc = template_fill("t", nul + 1, size, v, used ? 2 : 1, &out, &err);
	if (rc != 0 && (out.len != 0 || err.kind != ERR_DATA))
		abort();
	if (rc == 0 && (strpbrk(all + 1, ";{}$\"'\\#\n\r\t\033") ||
	    (v[0].type != TEMPLATE_HOSTNAMES && strchr(all + 1, ' '))))
		abort();
	buf_clear(&out);
	return 0;
}
