#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "golden.h"

void
golden_load(const char *name, struct buf *out)
{
	const char *top = getenv("srcdir");
	char path[512], data[4096];
	size_t n;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/tests/golden/%s",
	    top ? top : ".", name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	while ((n = fread(data, 1, sizeof(data), file)) > 0)
		buf_add(out, data, n);
	(void)fclose(file);
}
