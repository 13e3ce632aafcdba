#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_hosts.h"
#include "io/host.h"

/* Trees on the four hosts of bed_hosts.h, and from each to each. */

static int
close_copies(void **state)
{
	char *small = mem_printf("%s/small", bed.sshd.dir);

	/* Left over only when a test failed. */
	(void)umount2(small, MNT_DETACH);
	free(small);
	return close_bed(state);
}

static char *
in(size_t i, const char *name)
{
	return bed_hosts_in(&bed, i, name);
}

/* Listing of a tree, one line an entry. */
static int
list_entry(void *ctx, const struct tree_entry *e, struct err *err)
{
	char hex[2 * TREE_HASH_SIZE + 1];

	(void)err;
	str_hex(e->hash, TREE_HASH_SIZE, hex);
	buf_printf(ctx, "%c %o %" PRIu64 " %s %s %s %" PRId64 "\n", e->type,
	    e->mode, e->size_bytes, e->path, e->link ? e->link : "-",
	    e->hashed ? hex : "-", e->type == 'd' ? 0 : e->mtime_ns);
	return 0;
}

static char *
listing(size_t i, const char *root)
{
	const char *const exclude[] = { "*.pyc", NULL };
	const struct tree_rules rules = { .exclude = exclude, .hash = true };
	struct buf text = BUF_INIT(4 * MIB);
	struct err err = ERR_INIT;

	ok(host_walk(bed.hosts[i], root, &rules, list_entry, &text, &err),
	    &err);
	return buf_take(&text);
}

/* 9 MB in few big and many small files, with links and an odd name. */
static char *
make_tree(void)
{
	static const char script[] = "mkdir -p $0/d/e $0/many && cd $0 && "
	    "head -c 5000000 /dev/urandom >big && "
	    "head -c 3000000 /dev/urandom >d/e/mid && : >empty && "
	    "ln -s ../big d/link && i=0 && while [ $i -lt 300 ]; do "
	    "head -c 4000 /dev/urandom >many/$i; i=$((i+1)); done && "
	    "printf x >\"odd 'name' \\$x\" && : >d/left.pyc && "
	    "chmod 750 d && chmod 600 big";
	char *root = mem_printf("%s/tree", bed.sshd.dir);
	const char *const argv[] = { "sh", "-c", script, root, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result r;
	struct err err = ERR_INIT;

	proc_result_init(&r, 1000);
	ok(host_run(bed.hosts[0], &spec, &r, &err), &err);
	if (r.status != 0)
		fail_msg("%s", buf_cstr(&r.err_out));
	proc_result_clear(&r);
	return root;
}

/* Names of a tree, to be sent. */
struct names {
	char **paths;
	size_t n;
};

static int
add_name(void *ctx, const struct tree_entry *e, struct err *err)
{
	struct names *names = ctx;

	(void)err;
	names->paths = mem_grow(names->paths, names->n + 1,
	    sizeof(*names->paths));
	names->paths[names->n++] = mem_strdup(e->path);
	return 0;
}

static void
get_names(const char *root, struct names *names)
{
	const char *const exclude[] = { "*.pyc", NULL };
	const struct tree_rules rules = { .exclude = exclude };
	struct err err = ERR_INIT;

	memset(names, 0, sizeof(*names));
	ok(host_walk(bed.hosts[0], root, &rules, add_name, names, &err),
	    &err);
}

static void
free_names(struct names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->paths[i]);
	free(names->paths);
}

static uint64_t last_at;

static void
at(uint64_t bytes)
{
	assert_true(bytes >= last_at);
	last_at = bytes;
}

/* From each host to each, itself too. */
static void
test_copy(void **state)
{
	char *root = make_tree(), *want, *got, *to;
	struct names names;
	size_t i, k;

	(void)state;
	get_names(root, &names);
	want = listing(0, root);
	for (i = 0; i < BED_HOSTS; i++) {
		got = listing(i, root);
		assert_string_equal(got, want);
		free(got);
	}
	for (i = 0; i < BED_HOSTS; i++) {
		for (k = 0; k < BED_HOSTS; k++) {
			struct tree_stats stats = { 0 };
			struct err err = ERR_INIT;

			to = in(k, "copy");
			last_at = 0;
			ok(host_copy(bed.hosts[i], root,
			    (const char *const *)names.paths, names.n,
			    bed.hosts[k], to, (uid_t)-1, (gid_t)-1, at,
			    &stats, &err), &err);
			assert_true(last_at > 8 * 1000 * 1000);
			assert_int_equal(stats.entries, names.n);
			assert_true(stats.bytes > 8 * 1000 * 1000);
			got = listing(k, to);
			assert_string_equal(got, want);
			free(got);
			ok(host_remove(bed.hosts[k], to, &err), &err);
			free(to);
		}
	}
	free_names(&names);
	free(want);
	free(root);
}

/* After a failure on either side both hosts answer as before. */
static void
check_usable(void)
{
	struct err err = ERR_INIT;
	struct fs_meta meta;
	size_t i;

	for (i = 0; i < BED_HOSTS; i++) {
		ok(host_stat(bed.hosts[i], bed.dirs[i], &meta, &err), &err);
		assert_int_equal(meta.type, FS_DIR);
	}
}

static void
test_copy_source_fails(void **state)
{
	const char *const paths[] = { "", "big", "no-such", NULL };
	char *root = mem_printf("%s/tree", bed.sshd.dir), *to;
	size_t i, k;

	(void)state;
	for (i = 0; i < BED_HOSTS; i++) {
		for (k = 0; k < BED_HOSTS; k++) {
			struct tree_stats stats;
			struct err err = ERR_INIT;

			to = in(k, "half");
			assert_int_equal(host_copy(bed.hosts[i], root, paths,
			    3, bed.hosts[k], to, (uid_t)-1, (gid_t)-1, NULL,
			    &stats, &err), -1);
			assert_int_equal(err.kind, ERR_STALE);
			assert_true(str_starts(err.text,
			    host_name(bed.hosts[i])));
			assert_non_null(strstr(err.text, "no-such"));
			check_usable();
			err_clear(&err);
			ok(host_remove(bed.hosts[k], to, &err), &err);
			free(to);
		}
	}
	free(root);
}

/* A target that fails at once, and one that is full half-way. */
static void
test_copy_target_fails(void **state)
{
	const char *const paths[] = { "", "big", NULL };
	char *root = mem_printf("%s/tree", bed.sshd.dir);
	char *small = mem_printf("%s/small", bed.sshd.dir), *to;
	size_t i, k, full;

	(void)state;
	assert_int_equal(mkdir(small, 0700), 0);
	if (mount("tmpfs", small, "tmpfs", 0, "size=4m") != 0) {
		free(small);
		free(root);
		skip();		/* needs root */
	}
	for (i = 0; i < BED_HOSTS; i++) {
		for (k = 0; k < BED_HOSTS; k++) {
			for (full = 0; full < 2; full++) {
				struct tree_stats stats;
				struct err err = ERR_INIT;

				to = mem_printf("%s/%s", full ? small :
				    "/dev/null", "t");
				assert_int_equal(host_copy(bed.hosts[i],
				    root, paths, 2, bed.hosts[k], to,
				    (uid_t)-1, (gid_t)-1, NULL, &stats,
				    &err), -1);
				assert_true(str_starts(err.text,
				    host_name(bed.hosts[k])));
				assert_non_null(strstr(err.text, to));
				check_usable();
				err_clear(&err);
				if (full)
					ok(host_remove(bed.hosts[k], to,
					    &err), &err);
				free(to);
			}
		}
	}
	assert_int_equal(umount(small), 0);
	free(small);
	free(root);
}

static int
stop_walk(void *ctx, const struct tree_entry *e, struct err *err)
{
	size_t *left = ctx;

	(void)e;
	if ((*left)-- > 0)
		return 0;
	return err_set(err, ERR_STALE, "enough");
}

static int
walk_inside(void *ctx, const struct tree_entry *e, struct err *err)
{
	struct fs_meta meta;

	(void)e;
	return host_stat(ctx, "/", &meta, err);
}

static void
test_walk_callback(void **state)
{
	char *root = mem_printf("%s/tree", bed.sshd.dir);
	const struct tree_rules rules = { .hash = true };
	size_t i, left;

	(void)state;
	for (i = 0; i < BED_HOSTS; i++) {
		struct err err = ERR_INIT;

		left = 3;
		assert_int_equal(host_walk(bed.hosts[i], root, &rules,
		    stop_walk, &left, &err), -1);
		assert_int_equal(err.kind, ERR_STALE);
		assert_non_null(strstr(err.text, "enough"));
		check_usable();
	}
	/* A call from within is refused, and does no harm. */
	for (i = 1; i < BED_HOSTS; i++) {
		struct err err = ERR_INIT;

		assert_int_equal(host_walk(bed.hosts[i], root, &rules,
		    walk_inside, bed.hosts[i], &err), -1);
		assert_non_null(strstr(err.text, "another request"));
		check_usable();
	}
	free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_source_fails),
		cmocka_unit_test(test_copy_target_fails),
		cmocka_unit_test(test_walk_callback),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_copies);
}
