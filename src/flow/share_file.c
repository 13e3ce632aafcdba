#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/share_file.h"
#include "io/fs.h"

int
share_file_read(const char *name, char **path, struct buf *text,
    struct err *err)
{
	const char *templates = getenv("SANCTUMCTL_TEMPLATES");

	*path = templates && *templates ?
	    mem_printf("%s/../share/%s", templates, name) :
	    mem_printf(PKGDATADIR "/%s", name);
	if (fs_read(*path, text, NULL, err) != 0)
		return -1;
	return buf_check(text, *path, err);
}
