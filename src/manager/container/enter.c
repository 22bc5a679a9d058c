/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going where a container's files are: nothing that it wrote is looked at before that. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"

#define KEPT \
	((1u << CAP_CHOWN) | (1u << CAP_DAC_OVERRIDE) | (1u << CAP_FOWNER) | (1u << CAP_FSETID))

/* Root of the namespace that has just been joined; until then the ids are those of nobody. */
static int become_root(void)
{
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return -errno;
	return 0;
}

int container_enter(int pidfd)
{
	prctl(PR_SET_DUMPABLE, 0);
	if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS)) {
		/* EINVAL: it has ours, as a privileged container does */
		if (errno != EINVAL || setns(pidfd, CLONE_NEWNS))
			return -errno;
	}
	if (chdir("/"))
		return -errno;
	return become_root();
}

/* The directory as a mount of its own that is nowhere, seen through the namespace's ids or not. */
static int rootfs_tree(const char *root, int userns, bool shifted)
{
	AUTO_CLOSE int tree = open_tree(AT_FDCWD, root,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (__u64)userns,
	};

	if (tree < 0)
		return -errno;
	if (shifted && userns >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr))
		return -errno;
	return take_fd(&tree);
}

int container_enter_rootfs(const char *root, int userns, bool shifted)
{
	AUTO_CLOSE int tree = -1;

	prctl(PR_SET_DUMPABLE, 0);
	if (unshare(CLONE_NEWNS))
		return -errno;
	tree = rootfs_tree(root, userns, shifted);
	if (tree < 0)
		return tree;
	if (fchdir(tree) || chroot("."))
		return -errno;
	if (userns >= 0 && setns(userns, CLONE_NEWUSER))
		return -errno;
	return become_root();
}

int container_drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { KEPT, KEPT, 0 }, { 0, 0, 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &head, data))
		return -errno;
	return 0;
}
