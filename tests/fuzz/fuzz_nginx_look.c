#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/doctor.h"
#include "core/nginx_look.h"
#include "core/nginx_tree.h"

/*
 * Input: what `nginx -T' prints.  Each finding must be of a known trap and
 * have a place; parents stand before what is in them.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
tell(void *ctx, const struct doctor_finding *finding)
{
	(void)ctx;
	must(str_starts(finding->trap->id, "nginx-"));
	must(str_starts(finding->where, "h:"));
}

static void
each(void *ctx, const char *certificate, const char *key,
    const char *const *names, const char *where)
{
	(void)ctx;
	for (; *names; names++)
		must(strlen(*names) < 65536);
	must(certificate && key && str_starts(where, "h:"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doctor d = { .tell = tell };
	struct nginx_look look = { .host = "h", .doctor = &d,
	    .letta_ports = nginx_look_ports };
	struct nginx_tree *tree;
	struct err err = ERR_INIT;

	if (size > 4096 ||
	    nginx_tree_read((const char *)data, size, &tree, &err) != 0)
		return 0;
	for (int i = 0; i < nginx_tree_n(tree); i++)
		must(nginx_tree_parent(tree, i) < i);
	look.dump = tree;
	nginx_look(&look);
	nginx_look_certificates(&look, each, NULL);
	nginx_tree_free(tree);
	return 0;
}
