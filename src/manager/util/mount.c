/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts through fsopen, open_tree, mount_setattr and move_mount. */
#include "util/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/error.h"

/* glibc 2.36 has these in <sys/mount.h>, which cannot be had together with <linux/mount.h>. */
extern int umount2(const char *target, int flags);
#define OPEN_TREE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
#define UNMOUNT_DETACH 2
#define UNMOUNT_NOFOLLOW 8

static int sys_move_mount(int from, const char *to)
{
	return (int)syscall(SYS_move_mount, from, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

/* Options that belong to the mount, not to the file system. */
static const struct {
	const char *name;
	unsigned set, clear;
} attributes[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "defaults", 0, 0 },
};

static gboolean take_attribute(const char *word, unsigned *attrs)
{
	for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++)
		if (strcmp(attributes[i].name, word) == 0) {
			*attrs = (*attrs & ~attributes[i].clear) | attributes[i].set;
			return TRUE;
		}
	return FALSE;
}

/* What the file system has to say about the last failure, or errno's words. */
static char *fs_words(int fs, int code)
{
	char text[512];
	ssize_t n = fs < 0 ? -1 : read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return g_strdup(g_strerror(code));
	text[n] = '\0';
	g_strchomp(text);
	return g_strdup(text + 2); /* "e " */
}

static int fs_option(int fs, const char *word)
{
	g_autofree char *key = g_strdup(word);
	char *value = strchr(key, '=');

	if (!value)
		return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0);
	*value++ = '\0';
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int fs_configure(int fs, const char *source, const char *options, unsigned *attrs)
{
	g_auto(GStrv) words = g_strsplit(options ? options : "", ",", -1);

	for (char **w = words; *w; w++) {
		if (!**w)
			continue;
		if (strcmp(*w, "ro") == 0 && fs_option(fs, *w) < 0)
			return -1;
		if (!take_attribute(*w, attrs) && fs_option(fs, *w) < 0)
			return -1;
	}
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

gboolean mount_fs(const char *type, const char *source, const char *target, const char *options,
		  GError **error)
{
	AUTO_CLOSE int fs = -1, mnt = -1;
	g_autofree char *words = NULL;
	unsigned attrs = 0;
	int code;

	fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (fs >= 0 && fs_configure(fs, source, options, &attrs) == 0)
		mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
	if (mnt >= 0 && sys_move_mount(mnt, target) == 0)
		return TRUE;
	code = errno;
	words = fs_words(fs, code);
	return fail(error, 500, "Failed to mount \"%s\" on \"%s\" using \"%s\": %s", source, target,
		    type, words);
}

int mount_detached(const char *path, gboolean recursive, gboolean readonly, int userns_fd,
		   GError **error)
{
	unsigned deep = recursive ? AT_RECURSIVE : 0;
	struct mount_attr attr = { .attr_set = readonly ? MOUNT_ATTR_RDONLY : 0 };
	AUTO_CLOSE int fd = -1;

	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (guint64)userns_fd;
	}
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_FLAGS | deep);
	if (fd < 0 || (attr.attr_set && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | deep,
						&attr, sizeof(attr)) < 0)) {
		fail_errno(error, errno, "Failed to bind \"%s\"", path);
		return -1;
	}
	return take_fd(&fd);
}

gboolean mount_attach(int mount_fd, const char *target, GError **error)
{
	if (sys_move_mount(mount_fd, target) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to mount on \"%s\"", target);
}

gboolean mount_bind(const char *source, const char *target, gboolean recursive, gboolean readonly,
		    GError **error)
{
	AUTO_CLOSE int fd = mount_detached(source, recursive, readonly, -1, error);

	return fd >= 0 && mount_attach(fd, target, error);
}

gboolean mount_propagation(const char *target, const char *how, GError **error)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (!mount_is_point(target) && !mount_bind(target, target, TRUE, FALSE, error))
		return FALSE;
	if (strcmp(how, "shared") == 0)
		attr.propagation = MS_SHARED;
	else if (strcmp(how, "slave") == 0)
		attr.propagation = MS_SLAVE;
	if (syscall(SYS_mount_setattr, AT_FDCWD, target, AT_SYMLINK_NOFOLLOW, &attr,
		    sizeof(attr)) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to make \"%s\" %s", target, how);
}

gboolean mount_is_point(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

gboolean mount_remove(const char *path, gboolean lazy, GError **error)
{
	/* EINVAL: no mount (any more); ENOENT: nothing at all. */
	while (umount2(path, UNMOUNT_NOFOLLOW | (lazy ? UNMOUNT_DETACH : 0)) == 0)
		;
	if (errno == EINVAL || errno == ENOENT)
		return TRUE;
	return fail_errno(error, errno, "Failed to unmount \"%s\"", path);
}

char *mount_fs_name(const char *path)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} names[] = {
		{ BTRFS_SUPER_MAGIC, "btrfs" },
		{ EXT4_SUPER_MAGIC, "ext4" },
		{ XFS_SUPER_MAGIC, "xfs" },
		{ TMPFS_MAGIC, "tmpfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" },
		{ NFS_SUPER_MAGIC, "nfs" },
		{ 0x2fc12fc1, "zfs" },
		{ FUSE_SUPER_MAGIC, "fuse" },
	};
	struct statfs st;

	if (statfs(path, &st) < 0)
		return g_strdup("");
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if ((unsigned long)st.f_type == names[i].magic)
			return g_strdup(names[i].name);
	return g_strdup_printf("0x%lx", (unsigned long)st.f_type);
}
