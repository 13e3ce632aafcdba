#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/doctor_part.h"
#include "io/host.h"

#define FULL_PERCENT 95
#define CLOCK_S 30

/* Column 5 of df -P is "97%", column 6 the mount point. */
static void
look_at_line(const struct doctor_at *at, const char *line, const char *id,
    const char *what)
{
	char use[32], mount[1024];
	uint64_t percent;
	size_t len;

	if (sscanf(line, "%*s %*s %*s %*s %31s %1023s", use, mount) != 2)
		return;
	len = strlen(use);
	if (len == 0 || use[len - 1] != '%')
		return;
	use[len - 1] = '\0';
	if (!str_u64(use, 1000, &percent))
		return;
	DOCTOR_JUDGE(at, mount, percent >= FULL_PERCENT, id, "%" PRIu64
	    " %% of its %s are used", percent, what);
}

/* Those filesystems that workers, databases and nginx write to. */
static int
look_at_disks(const struct doctor_at *at, const char *flags, const char *id,
    const char *what, struct err *err)
{
	const char *const argv[] = { "df", flags, "/", "/etc", "/home",
	    "/opt", "/root", "/srv", "/tmp", "/var", NULL };
	struct buf out = BUF_INIT(65536), seen = BUF_INIT(65536);
	char *line, *rest = NULL;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	for (line = rc == 0 && out.len > 0 ? strtok_r(out.data, "\n", &rest) :
	    NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		if (strstr(buf_cstr(&seen), line))
			continue;	/* the same one again */
		buf_printf(&seen, "%s\n", line);
		look_at_line(at, line, id, what);
	}
	buf_clear(&seen);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, id, err);
}

static int
look_at_clock(const struct doctor_at *at, struct err *err)
{
	static const char *const argv[] = { "date", "+%s", NULL };
	struct buf out = BUF_INIT(64);
	time_t before = time(NULL), after;
	uint64_t there = 0;
	int64_t off;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	after = time(NULL);
	if (rc == 0 && out.len > 0 && out.data[out.len - 1] == '\n')
		buf_truncate(&out, out.len - 1);
	if (rc == 0 && str_u64(buf_cstr(&out), INT64_MAX, &there)) {
		off = (int64_t)there < before ? (int64_t)there - before :
		    (int64_t)there > after ? (int64_t)there - after : 0;
		DOCTOR_JUDGE(at, NULL, off > CLOCK_S || off < -CLOCK_S,
		    "clock", "%+" PRId64 " s against this machine's", off);
	}
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "clock", err);
}

int
doctor_machine(struct doctor_at *at, struct err *err)
{
	if (look_at_disks(at, "-Pk", "disk-space", "space", err) != 0 ||
	    look_at_disks(at, "-Pi", "disk-inodes", "inodes", err) != 0)
		return -1;
	return look_at_clock(at, err);
}
