/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as block devices. */
#include "drivers/storage/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/error.h"

#define GIB (1024ULL * 1024 * 1024)
#define TRIES 100 /* others attach devices too */

static guint64 default_size(int fd)
{
	struct statvfs st;
	guint64 size = 5 * GIB;

	if (fstatvfs(fd, &st) == 0)
		size = (guint64)st.f_bavail * st.f_frsize / 5 / GIB * GIB;
	return CLAMP(size, 5 * GIB, 30 * GIB);
}

gboolean loop_create(const char *path, guint64 size, guint64 *ret_size, GError **error)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(error, errno, "Failed to create sparse file: open %s", path);
	if (!size)
		size = default_size(fd);
	if (ftruncate(fd, (off_t)size) < 0) {
		fail_errno(error, errno, "Failed to create sparse file: truncate %s", path);
		unlink(path);
		return FALSE;
	}
	*ret_size = size;
	return TRUE;
}

static int configure(int device, int file)
{
	struct loop_config config = { .fd = (__u32)file,
				      .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO };

	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno == EBUSY)
		return -1;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR; /* the file system has no direct I/O */
	return ioctl(device, LOOP_CONFIGURE, &config);
}

/* A free device with the file; -1 and EBUSY: somebody else was faster. */
static int attach_once(int control, int file, char **ret_device)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	g_autofree char *path = g_strdup_printf("/dev/loop%d", number);
	AUTO_CLOSE int device = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);

	if (device < 0 || configure(device, file) < 0)
		return -1;
	*ret_device = g_steal_pointer(&path);
	return take_fd(&device);
}

int loop_attach(const char *path, char **ret_device, GError **error)
{
	AUTO_CLOSE int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	AUTO_CLOSE int file = open(path, O_RDWR | O_CLOEXEC);
	int device = -1;

	for (int i = 0; control >= 0 && file >= 0 && i < TRIES; i++) {
		device = attach_once(control, file, ret_device);
		if (device >= 0)
			return device;
		if (errno != EBUSY && errno != ENXIO)
			break;
	}
	fail_errno(error, errno, "Failed to prepare loop device for \"%s\"", path);
	return -1;
}

gboolean loop_resize(const char *device, GError **error)
{
	AUTO_CLOSE int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, LOOP_SET_CAPACITY, 0) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to resize \"%s\"", device);
}
