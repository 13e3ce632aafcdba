#include "base/base.h"

#include "base/err.h"
#include "core/jdoc.h"
#include "core/pm2.h"

static const char *
text_of(const struct jdoc *app, const char *key)
{
	const char *text = jdoc_get_str(app, key);

	return text ? text : "";
}

int
pm2_read(const char *text, size_t len,
    void (*each)(void *ctx, const struct pm2_app *), void *ctx,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	const struct jdoc *item;
	struct pm2_app app;
	int rc = -1;

	if (doc && jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "not a list of apps");
	else if (doc) {
		rc = 0;
		for (size_t i = 0; i < jdoc_len(doc); i++) {
			item = jdoc_at(doc, i);
			app.name = jdoc_get_str(item, "name");
			app.cwd = text_of(item, "pm_cwd");
			app.script = text_of(item, "pm_exec_path");
			app.status = text_of(item, "status");
			if (app.name)
				each(ctx, &app);
		}
	}
	jdoc_free(doc);
	return rc;
}
