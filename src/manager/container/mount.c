/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Putting a mount into a running container, and taking one out of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"

#define PIDFD 3
#define TREE_FD 4

/* A path below the container's root, which is this process's; no magic link leads out of it. */
static int open_inside(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (__u64)(flags | O_PATH | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof how);

	return fd < 0 ? -errno : fd;
}

static int make_one(int root, const char *path, bool directory)
{
	AUTO_CLOSE int parent = -1, file = -1;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char above[PATH_MAX] = "";

	if (slash)
		snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
	parent = open_inside(root, above, O_DIRECTORY);
	if (parent < 0)
		return parent;
	if (directory)
		return mkdirat(parent, name, 0755) && errno != EEXIST ? -errno : 0;
	file = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	return file < 0 && errno != EEXIST ? -errno : 0;
}

/* The mount point and the directories above it, those that are not there yet. */
static int make_point(int root, const char *target, bool directory)
{
	char path[PATH_MAX];
	int r = 0;

	if (strlen(target) >= sizeof path)
		return -ENAMETOOLONG;
	strcpy(path, target);
	for (char *at = strchr(path, '/'); !r && at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (path[0])
			r = make_one(root, path, true);
		*at = '/';
	}
	return r ? r : make_one(root, path, directory);
}

static int enter(void)
{
	int r = container_enter(PIDFD);
	int root;

	if (r)
		return r;
	close(PIDFD);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : root;
}

static int put(const char *target, const char *create)
{
	AUTO_CLOSE int root = enter();
	AUTO_CLOSE int point = -1;
	int r = root < 0 ? root : 0;

	if (!r && create[0] != '-')
		r = make_point(root, target, strcmp(create, "dir") == 0);
	if (r)
		return r;
	point = open_inside(root, target, 0);
	if (point < 0)
		return point;
	r = move_mount(TREE_FD, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r ? -errno : 0;
}

int command_mount(int argc, char **argv)
{
	int r;

	(void)argc;
	container_close_from(TREE_FD + 1);
	umask(022);
	r = put(argv[1], argv[2]);
	return r ? complain(argv[1], r) : 0;
}

/*
 * The mount point is left when it is not empty. A file is removed only where it has no content:
 * it was made for this mount then, as make_point() does.
 */
static void remove_point(const char *target)
{
	struct stat st;

	if (rmdir(target) && errno == ENOTDIR && lstat(target, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == 0)
		unlink(target);
}

static int take_out(const char *target, bool remove)
{
	AUTO_CLOSE int root = enter();

	if (root < 0)
		return root;
	if (fchdir(root))
		return -errno;
	while (target[0] == '/')
		target++;
	if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW))
		return -errno;
	if (remove)
		remove_point(target);
	return 0;
}

int command_umount(int argc, char **argv)
{
	int r;

	(void)argc;
	container_close_from(PIDFD + 1);
	r = take_out(argv[1], strcmp(argv[2], "remove") == 0);
	return r ? complain(argv[1], r) : 0;
}
