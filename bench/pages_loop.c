/*
 * One pass of a database between two hosts, for bench/pages:
 *
 *     pages first|second FROM TO KEY KNOWN_HOSTS DB COPY
 *
 * FROM and TO are addresses, or "here".  Prints name=value lines.
 */
#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/host.h"

#define FROM_SUMS "~/.cache/sanctumctl/bench/from.sums"
#define TO_SUMS "~/.cache/sanctumctl/bench/to.sums"
#define CACHE "~/.cache/sanctumctl/bench"

struct bench {
	struct host *from;
	struct host *to;
	const char *db;
	const char *copy;
};

static int
open_host(const char *address, char **argv, struct host **out,
    struct err *err)
{
	const struct host_spec spec = { .name = address,
		.local = str_eq(address, "here"), .address = address,
		.port = 22, .user = "root", .identity_file = argv[4],
		.known_hosts_file = argv[5] };

	return host_open(&spec, out, err);
}

static int
first(const struct bench *b, struct err *err)
{
	static const char *const names[] = { "sanctum.db" };
	char *dir = mem_strndup(b->copy,
	    (size_t)(strrchr(b->copy, '/') - b->copy));
	const char *snapshot = CACHE "/sanctum.db";
	struct db_pages_stats stats;
	struct db_report report;
	struct tree_stats sent;
	int rc;

	rc = host_mkdirs(b->from, CACHE, 0700, err);
	if (rc == 0)
		rc = host_remove(b->from, snapshot, err);
	if (rc == 0)
		rc = host_snapshot(b->from, b->db, snapshot, &report, err);
	if (rc == 0)
		rc = host_db_sums(b->from, snapshot, FROM_SUMS, &stats, err);
	if (rc == 0)
		rc = host_mkdirs(b->to, dir, 0700, err);
	if (rc == 0)
		rc = host_copy(b->from, CACHE, names, 1, b->to, dir,
		    (uid_t)-1, (gid_t)-1, NULL, &sent, err);
	/* Sums are not believed of a file that has only just come. */
	clock_sleep_ms(2500);
	if (rc == 0)
		rc = host_db_sums(b->to, b->copy, TO_SUMS, &stats, err);
	if (rc == 0)
		rc = host_remove(b->from, snapshot, err);
	free(dir);
	return rc;
}

static int
second(const struct bench *b, struct err *err)
{
	struct db_pages_stats stats;
	const uint64_t begun = clock_ms();

	if (host_db_delta(b->from, b->db, FROM_SUMS, b->to, b->copy, TO_SUMS,
	    &stats, err) != 0)
		return -1;
	(void)printf("bytes=%" PRIu64 "\npages=%" PRIu64 "\nchanged=%" PRIu64
	    "\nwire=%" PRIu64 "\n", stats.size_bytes, stats.pages,
	    stats.changed, stats.wire_bytes);
	(void)printf("ms=%" PRIu64 "\n", clock_ms() - begun);
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench b = { .from = NULL };
	struct err err = ERR_INIT;
	uint64_t begun;
	int rc;

	if (argc != 8)
		return 2;
	b.db = argv[6];
	b.copy = argv[7];
	rc = open_host(argv[2], argv, &b.from, &err);
	if (rc == 0)
		rc = open_host(argv[3], argv, &b.to, &err);
	begun = clock_ms();
	if (rc == 0)
		rc = str_eq(argv[1], "first") ? first(&b, &err) :
		    second(&b, &err);
	if (rc == 0 && str_eq(argv[1], "first"))
		(void)printf("ms=%" PRIu64 "\n", clock_ms() - begun);
	if (rc != 0)
		(void)fprintf(stderr, "pages: %s\n", err.text);
	host_close(b.to);
	host_close(b.from);
	return rc == 0 ? 0 : 1;
}
