#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/nginx_dump.h"
#include "core/nginx_scratch.h"

/*
 * Input: what `nginx -T' prints.  Places that are told must be places; a
 * scratch file must name the file that it was made for.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWN "/etc/nginx/conf.d/sanctumctl-a.example.org.conf"
#define SCRATCH "/etc/nginx/scratch"

static const struct nginx_edge edge = {
	.site = "a.example.org",
	.ade_name = "ade.example.org",
	.ade_port = 8283,
};

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
scratch(const char *text, size_t len)
{
	struct buf out = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;
	char *path = NULL;

	if (nginx_scratch(text, len, OWN, SCRATCH, &out, &path, &err) == 0)
		must(path && strstr(buf_cstr(&out), "include " SCRATCH ";"));
	free(path);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nginx_dump found;
	char *text;

	if (size > 65536)
		return 0;
	text = strndup((const char *)data, size);
	if (!text)
		return 0;
	nginx_dump_read((const char *)data, size, OWN, &edge, &found);
	must(!*found.default_443 || strchr(found.default_443, ':'));
	must(!*found.same_name || strchr(found.same_name, ':'));
	must(found.n_foreign <= size);
	scratch(text, strlen(text));
	free(text);
	return 0;
}
