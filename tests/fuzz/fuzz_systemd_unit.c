#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/pm2.h"
#include "core/supervisord.h"
#include "core/systemd_unit.h"

/*
 * Input: a unit, a configuration of supervisord, a dump of pm2.  Each program
 * that is put out of use must come back as it was.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "0123456789ab"

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
change(const char *text, size_t len, const char *name)
{
	struct buf b = BUF_INIT(64 * 65536);
	struct err err = ERR_INIT;
	bool off, on;

	buf_add(&b, text, len);
	must(supervisord_disable(&b, name, MARK, &off, &err) == 0);
	must(supervisord_enable(&b, name, MARK, &on, &err) == 0);
	must(off == on && b.len == len && memcmp(b.data, text, len) == 0);
	buf_clear(&b);
}

static void
app(void *ctx, const struct pm2_app *one)
{
	(void)ctx;
	must(one->name && one->cwd && one->script && one->status);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct supervisord_program p;
	struct err err = ERR_INIT;
	struct systemd_unit u;
	size_t at = 0, end = 0;
	char *name = NULL;

	if (size == 0 || size > 65536)
		return 0;
	systemd_unit_init(&u);
	systemd_unit_read(&u, text, size);
	systemd_unit_clear(&u);
	if (pm2_read(text, size, app, NULL, &err) != 0)
		err_clear(&err);
	while (supervisord_next(text, size, &at, &p)) {
		must(p.begin >= end && p.end > p.begin && p.end <= size);
		end = p.end;
		if (!name && !p.disabled)
			name = strdup(p.name);
		supervisord_program_clear(&p);
	}
	if (name && !memmem(text, size, MARK, strlen(MARK)))
		change(text, size, name);
	free(name);
	return 0;
}
