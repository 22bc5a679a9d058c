/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quota groups of btrfs: limits of what a subvolume refers to, and how much that is. */
#include <btrfsutil.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "drivers/storage/btrfs.h"
#include "util/error.h"

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int enable(int fd)
{
	struct btrfs_ioctl_quota_ctl_args args = { .cmd = BTRFS_QUOTA_CTL_ENABLE };

	return ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args);
}

/*
 * With quotas on each subvolume has its group already: EEXIST, and EINVAL since Linux 6.7, which
 * wants to make these itself.
 */
static int create_group(int fd, guint64 id, gboolean create)
{
	struct btrfs_ioctl_qgroup_create_args args = { .create = create, .qgroupid = id };

	return ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &args);
}

static int limit_group(int fd, guint64 id, guint64 size)
{
	struct btrfs_ioctl_qgroup_limit_args args = {
		.qgroupid = id,
		.lim = { .flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
			 .max_rfer = size ? size : (guint64)-1 }, /* -1 takes a limit away */
	};

	return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args);
}

static int set_limit(int fd, guint64 id, guint64 size)
{
	if (limit_group(fd, id, size) == 0)
		return 0;
	if (errno == ENOTCONN && (!size || enable(fd) < 0)) /* quotas are off */
		return size ? -1 : 0;
	if (create_group(fd, id, TRUE) < 0 && errno != EEXIST && errno != EINVAL)
		return -1;
	return limit_group(fd, id, size);
}

gboolean btrfs_quota_set(const char *path, guint64 size, GError **error)
{
	AUTO_CLOSE int fd = open_dir(path);
	uint64_t id;

	if (fd >= 0 && btrfs_util_subvolume_id_fd(fd, &id) == BTRFS_UTIL_OK &&
	    set_limit(fd, id, size) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to set the quota of \"%s\"", path);
}

/* The item of TYPE of a group in the quota tree; FALSE when there is none. */
static gboolean find_item(int fd, guint32 type, guint64 id, void *item, gsize size)
{
	struct btrfs_ioctl_search_args args = {
		.key = { .tree_id = BTRFS_QUOTA_TREE_OBJECTID,
			 .max_objectid = 0,
			 .min_type = type,
			 .max_type = type,
			 .min_offset = id,
			 .max_offset = id,
			 .max_transid = (guint64)-1,
			 .nr_items = 1 },
	};
	struct btrfs_ioctl_search_header header;

	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) < 0 || args.key.nr_items == 0)
		return FALSE;
	memcpy(&header, args.buf, sizeof(header));
	if (header.type != type || header.offset != id || header.len < size)
		return FALSE;
	memcpy(item, args.buf + sizeof(header), size);
	return TRUE;
}

gboolean btrfs_quota_get(const char *path, guint64 *ret_limit, guint64 *ret_used)
{
	AUTO_CLOSE int fd = open_dir(path);
	struct btrfs_qgroup_info_item info;
	struct btrfs_qgroup_limit_item limit = { 0 };
	uint64_t id;

	/* What is counted comes to the tree with a commit. */
	if (fd < 0 || btrfs_util_subvolume_id_fd(fd, &id) != BTRFS_UTIL_OK ||
	    !find_item(fd, BTRFS_QGROUP_INFO_KEY, id, &info, sizeof(info)))
		return FALSE;
	find_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &limit, sizeof(limit));
	*ret_limit = le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER ? le64toh(limit.max_rfer)
									: 0;
	*ret_used = le64toh(info.rfer);
	return TRUE;
}

void btrfs_quota_forget(const char *pool_path, guint64 id)
{
	AUTO_CLOSE int fd = open_dir(pool_path);

	if (fd >= 0)
		create_group(fd, id, FALSE);
}
