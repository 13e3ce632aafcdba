#include "base/base.h"

#include <sys/xattr.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

#define NAME_LIST_MAX 65536	/* what Linux gives at most */
#define VALUE_MAX 65536
#define ACL_VERSION 2
#define ACL_HEAD 4
#define ACL_ENTRY 8
#define ACL_USER 0x02
#define ACL_GROUP 0x08
#define ACL_NOBODY UINT32_MAX	/* no id of ours: the list is not set */

/* One attribute of a block. */
struct xattr {
	char name[256];
	const unsigned char *value;
	size_t len;
};

enum xattr_kind {
	XATTR_USER,
	XATTR_ACL,
	XATTR_CAPABILITY,
	XATTR_OTHER
};

static enum xattr_kind
kind_of(const char *name)
{
	if (str_starts(name, "user."))
		return XATTR_USER;
	if (str_eq(name, "system.posix_acl_access") ||
	    str_eq(name, "system.posix_acl_default"))
		return XATTR_ACL;
	return str_eq(name, "security.capability") ? XATTR_CAPABILITY :
	    XATTR_OTHER;
}

static int
by_name(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

/* The value of one attribute behind its name; one that is gone is nothing. */
static int
add_value(int fd, const char *name, struct buf *out, struct err *err)
{
	unsigned char *value = mem_alloc(VALUE_MAX), number[4];
	unsigned char name_len = (unsigned char)strlen(name);
	ssize_t len = fgetxattr(fd, name, value, VALUE_MAX);
	int rc = 0;

	if (len >= 0) {
		tree_path_put(number, (uint64_t)len, sizeof(number));
		buf_add(out, &name_len, 1);
		buf_add(out, name, name_len);
		buf_add(out, number, sizeof(number));
		buf_add(out, value, (size_t)len);
	} else if (errno != ENODATA) {
		rc = err_sys(err, ERR_FAILED, "read its attribute %s", name);
	}
	free(value);
	return rc;
}

static void
add_left(struct buf *left, const char *name)
{
	if (left->len > 0)
		buf_str(left, ", ");
	str_printable(left, name, strlen(name));
}

/* names: as listxattr(2) gives them. */
static int
sort_out(int fd, const char *names, size_t len, bool others,
    struct buf *out, struct buf *left, struct err *err)
{
	const char *sorted[NAME_LIST_MAX / 8];
	enum xattr_kind kind;
	size_t n = 0;

	for (size_t at = 0; at < len && n < NAME_LIST_MAX / 8;
	    at += strlen(names + at) + 1)
		sorted[n++] = names + at;
	if (n > 1)
		qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		kind = kind_of(sorted[i]);
		if (kind == XATTR_USER || (others && kind != XATTR_OTHER)) {
			if (add_value(fd, sorted[i], out, err) != 0)
				return -1;
		} else if (kind == XATTR_OTHER && left) {
			add_left(left, sorted[i]);
		}
	}
	if (out->full)
		return err_set(err, ERR_DATA, "extended attributes of more "
		    "than %d bytes", TREE_XATTRS_MAX);
	return 0;
}

int
tree_xattr_read(int fd, bool others, struct buf *out, struct buf *left,
    struct err *err)
{
	ssize_t len = flistxattr(fd, NULL, 0);
	char *names;
	int rc = 0;

	/* Most have none: one call, and no memory. */
	if (len == 0 || (len < 0 && errno == ENOTSUP))
		return 0;
	names = mem_alloc(NAME_LIST_MAX);
	len = flistxattr(fd, names, NAME_LIST_MAX);
	if (len < 0)
		rc = err_sys(err, ERR_FAILED, "list its attributes");
	else if (len > 0)
		rc = sort_out(fd, names, (size_t)len, others, out, left, err);
	free(names);
	return rc;
}

int
tree_xattr_sum(struct hash *hash, const struct buf *block,
    unsigned char sum[static TREE_XATTRS_SUM], struct err *err)
{
	unsigned char digest[HASH_SIZE];

	memset(sum, 0, TREE_XATTRS_SUM);
	if (block->len == 0)
		return 0;
	hash_add(hash, block->data, block->len);
	if (hash_end(hash, digest, err) != 0)
		return -1;
	memcpy(sum, digest, TREE_XATTRS_SUM);
	return 0;
}

/* The next attribute of a block: false when it is malformed. */
static bool
next(const unsigned char *block, size_t len, size_t *at, struct xattr *x)
{
	size_t left = len - *at, name_len = block[*at];

	if (name_len == 0 || left < 1 + name_len + 4)
		return false;
	memcpy(x->name, block + *at + 1, name_len);
	x->name[name_len] = '\0';
	x->len = (size_t)tree_path_get(block + *at + 1 + name_len, 4);
	*at += 1 + name_len + 4;
	if (strlen(x->name) != name_len || x->len > VALUE_MAX ||
	    x->len > len - *at)
		return false;
	x->value = block + *at;
	*at += x->len;
	return true;
}

static uint32_t
acl_id(const struct tree_id *ids, size_t n, uint32_t from)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i].from == from)
			return ids[i].to;
	return ACL_NOBODY;
}

/*
 * An access list with our ids in place of the source's: false when it names
 * somebody who is not here, for then it would let in somebody else.
 */
static bool
map_acl(const struct tree_owner *owner, const struct xattr *x,
    unsigned char *out)
{
	uint32_t id;

	if (x->len < ACL_HEAD || (x->len - ACL_HEAD) % ACL_ENTRY != 0 ||
	    tree_path_get(x->value, 4) != ACL_VERSION)
		return false;
	memcpy(out, x->value, x->len);
	for (size_t at = ACL_HEAD; at < x->len; at += ACL_ENTRY) {
		id = (uint32_t)tree_path_get(out + at + 4, 4);
		switch (tree_path_get(out + at, 2)) {
		case ACL_USER:
			id = acl_id(owner->users, owner->n_users, id);
			break;
		case ACL_GROUP:
			id = acl_id(owner->groups, owner->n_groups, id);
			break;
		default:
			continue;
		}
		if (id == ACL_NOBODY)
			return false;
		tree_path_put(out + at + 4, id, 4);
	}
	return true;
}

static bool
set_acl(int fd, const struct xattr *x, const struct tree_owner *owner)
{
	unsigned char *mapped = mem_alloc(x->len + 1);
	bool done = map_acl(owner, x, mapped) &&
	    fsetxattr(fd, x->name, mapped, x->len, 0) == 0;

	free(mapped);
	return done;
}

int
tree_xattr_write(int fd, const struct buf *block,
    const struct tree_owner *owner, uint64_t *lost, struct err *err)
{
	const unsigned char *data = (const unsigned char *)block->data;
	struct xattr x;
	size_t at = 0;

	while (at < block->len) {
		if (!next(data, block->len, &at, &x))
			return err_set(err, ERR_DATA, "its attributes in the "
			    "stream are malformed");
		switch (kind_of(x.name)) {
		case XATTR_USER:
			if (fsetxattr(fd, x.name, x.value, x.len, 0) != 0)
				return err_sys(err, ERR_FAILED, "set its "
				    "attribute %s", x.name);
			break;
		case XATTR_ACL:
			*lost += !set_acl(fd, &x, owner);
			break;
		case XATTR_CAPABILITY:
			*lost += !owner->setuid || fsetxattr(fd, x.name,
			    x.value, x.len, 0) != 0;
			break;
		case XATTR_OTHER:
			return err_set(err, ERR_DATA, "an attribute in the "
			    "stream that is never carried");
		}
	}
	return 0;
}
