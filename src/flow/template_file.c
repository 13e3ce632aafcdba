#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/template_file.h"
#include "io/fs.h"

int
template_file_read(const char *name, char **path, struct buf *text,
    struct err *err)
{
	const char *dir = getenv("SANCTUMCTL_TEMPLATES");

	*path = mem_printf("%s/%s%s", dir && *dir ? dir :
	    PKGDATADIR "/templates/nginx", strchr(name, '/') ? "../" : "",
	    name);
	if (fs_read(*path, text, NULL, err) != 0)
		return err_ctx(err, "template");
	return buf_check(text, *path, err);
}
