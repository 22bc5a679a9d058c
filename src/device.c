/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection with the kernel: /dev/fuse, the mount, the clones. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FUSE_SUPER_MAGIC 0x65735546

static int open_fuse(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Is something mounted right there? */
static bool is_mounted(const char *path, const struct stat *st)
{
	AUTO_FREE char *above = NULL;
	struct stat parent;

	return asprintf(&above, "%s/..", path) >= 0 && stat(above, &parent) == 0 &&
	       parent.st_dev != st->st_dev;
}

__attribute__((format(printf, 4, 5))) static int explain(int r, char *problem, size_t size,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem, size, format, args);
	va_end(args);
	return r;
}

int device_find_mountpoint(const char *given, char *ret)
{
	AUTO_FREE char *for_dir = strdup(given), *for_base = strdup(given);
	char dir[PATH_MAX];
	const char *base;

	if (!for_dir || !for_base)
		return -ENOMEM;
	base = basename(for_base);
	if (!strcmp(base, ".") || !strcmp(base, "..") || !strcmp(base, "/"))
		return realpath(given, ret) ? 0 : -errno;
	if (!realpath(dirname(for_dir), dir))
		return -errno;
	if (snprintf(ret, PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", base) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Known to the kernel itself, without the server. */
static void note_dead(const char *path, struct device_dead *dead)
{
	int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW;
	struct statx st;

	if (dead->count == ARRAY_SIZE(dead->list) ||
	    statx(AT_FDCWD, path, flags, STATX_TYPE, &st) < 0)
		return;
	dead->list[dead->count].major = st.stx_dev_major;
	dead->list[dead->count++].minor = st.stx_dev_minor;
}

int device_check_mountpoint(const char *path, struct device_dead *ret, char *problem, size_t size)
{
	struct device_dead dead = { .count = 0 };
	struct statfs fs;
	struct stat st;
	int tries = 0;

	/*
	 * statfs, as the kernel may know the attributes of a dead mount by heart. One
	 * on top of the other, where it was started again and again.
	 */
	while (statfs(path, &fs) < 0) {
		int r = -errno;

		if (r == -ENOENT)
			return explain(r, problem, size, "no mount point %s: make it with mkdir -p",
				       path);
		if (r == -ENOTCONN)
			note_dead(path, &dead);
		if (r != -ENOTCONN || tries++ == 100 || umount2(path, MNT_DETACH) < 0)
			return explain(r, problem, size,
				       "mount point %s cannot be used: try umount -l on it", path);
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return explain(-ENOTDIR, problem, size, "%s is no directory: name one to mount on",
			       path);
	if (fs.f_type == FUSE_SUPER_MAGIC && is_mounted(path, &st))
		return explain(-EBUSY, problem, size,
			       "%s is already mounted: stop that lxcfs or umount it first", path);
	*ret = dead;
	return 0;
}

static int mount_fuse(int fd, const struct options *o, const char *mountpoint)
{
	AUTO_FREE char *data = NULL;

	/* rootmode: type and permissions of the root, in octal. */
	if (asprintf(&data, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other%s", fd,
		     o->mount_data) < 0)
		return -ENOMEM;
	return mount(o->source, mountpoint, "fuse.lxcfs", o->mount_flags, data) < 0 ? -errno : 0;
}

/* Takes FUSE_INIT, which the kernel queued while it mounted. */
static int read_init(int fd, void *init, size_t *init_size)
{
	AUTO_FREE char *buf = malloc(65536);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	do
		n = read(fd, buf, 65536);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n > *init_size || (size_t)n < sizeof(struct fuse_in_header))
		return -EPROTO;
	memcpy(init, buf, (size_t)n);
	*init_size = (size_t)n;
	return 0;
}

static int add_clones(struct device *device, unsigned threads)
{
	while (device->count < threads) {
		uint32_t source = (uint32_t)device->fds[0];
		AUTO_CLOSE int fd = open_fuse();

		if (fd < 0)
			return fd;
		if (ioctl(fd, FUSE_DEV_IOC_CLONE, &source) < 0)
			return -errno;
		device->fds[device->count++] = take_fd(&fd);
	}
	return 0;
}

int device_mount(const struct options *o, const char *mountpoint, unsigned threads,
		 struct device *ret, void *init, size_t *init_size, char *problem, size_t size)
{
	struct device device = DEVICE_NONE;
	int r = open_fuse();

	if (r < 0)
		return explain(r, problem, size, "cannot open /dev/fuse (%s): try modprobe fuse",
			       strerror(-r));
	device.fds[device.count++] = r;
	r = mount_fuse(device.fds[0], o, mountpoint);
	if (r < 0) {
		device_close(&device);
		return explain(r, problem, size,
			       "cannot mount on %s (%s): run as root with CAP_SYS_ADMIN%s",
			       mountpoint, strerror(-r), *o->mount_data ? ", check -o" : "");
	}
	r = read_init(device.fds[0], init, init_size);
	if (r >= 0)
		r = add_clones(&device, threads);
	if (r < 0) {
		umount2(mountpoint, MNT_DETACH);
		device_close(&device);
		return explain(r, problem, size, "the kernel does not speak FUSE as expected: %s",
			       strerror(-r));
	}
	*ret = device;
	return 0;
}

bool device_is_alive(const struct device *device)
{
	struct pollfd p = { .fd = device->fds[0] };

	return device->count > 0 && poll(&p, 1, 0) >= 0 &&
	       !(p.revents & (POLLERR | POLLHUP | POLLNVAL));
}

void device_close(struct device *device)
{
	for (unsigned i = 0; i < device->count; i++)
		close(device->fds[i]);
	device->count = 0;
}
