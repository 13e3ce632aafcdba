#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/crontab.h"
#include "core/shpath.h"

/*
 * Input: a crontab, which is also read as a shell text.  Its lines must be
 * all of it, in order; each job that is put out of use must come back as it
 * was, and a line that is added must go without a trace.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "0123456789ab"
#define BEGIN "#sanctumctl-" MARK

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
path(void *ctx, enum shpath_role role, const char *path_seen)
{
	(void)ctx;
	(void)role;
	must(*path_seen == '/' && !strstr(path_seen, "//"));
}

static void
walk(const char *text, size_t len, enum crontab_form form)
{
	struct shpath_place place = { .home = "/h", .script = "/s/x" };
	struct buf a = BUF_INIT(CRONTAB_MAX_BYTES), b = a;
	struct crontab tab;
	struct crontab_line at;
	size_t end = 0;

	crontab_init(&tab, text, len, form);
	while (crontab_next(&tab, &at)) {
		must(at.begin == end && at.end > end && at.end <= len);
		must(at.text >= text + at.begin);
		must(at.text + at.len <= text + at.end);
		end = at.end;
		if (at.kind == CRONTAB_JOB) {
			must(at.command_len > 0);
			must(at.command + at.command_len <=
			    at.text + at.len);
			crontab_command(&at, &a, &b);
			shpath_each(buf_cstr(&a), a.len, &place, path, NULL);
		}
		crontab_setting(&at, &a, &b);
		buf_clear(&a);
		buf_clear(&b);
	}
	must(end == len);
}

/* A line of ours that was there before comes back with the others. */
static void
change(const char *text, size_t len, const char *line)
{
	struct buf b = BUF_INIT(2 * CRONTAB_MAX_BYTES);
	struct err err = ERR_INIT;
	size_t n, back;

	buf_add(&b, text, len);
	if (crontab_disable(&b, line, MARK, &n, &err) == 0 &&
	    crontab_enable(&b, line, MARK, &back, &err) == 0)
		must(n == back && b.len == len &&
		    memcmp(b.data, text, len) == 0);
	if (crontab_add(&b, "", line, MARK, &n, &err) == 0) {
		must(n == 1);
		must(crontab_remove(&b, line, MARK, &n, &err) == 0 && n == 1);
		must(b.len - len <= 1 && memcmp(b.data, text, len) == 0);
	}
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shpath_place place = { .home = "/h", .script = "/s/x" };
	const char *text = (const char *)data;
	struct crontab tab;
	struct crontab_line at;
	char *line;

	if (size == 0 || size > 65536)
		return 0;
	walk(text, size, CRONTAB_USER);
	walk(text, size, CRONTAB_SYSTEM);
	shpath_each(text, size, &place, path, NULL);
	crontab_init(&tab, text, size, CRONTAB_USER);
	if (memmem(text, size, BEGIN, strlen(BEGIN)) ||
	    !crontab_next(&tab, &at) || memchr(at.text, '\0', at.len))
		return 0;
	line = strndup(at.text, at.len);
	if (line)
		change(text, size, line);
	free(line);
	return 0;
}
