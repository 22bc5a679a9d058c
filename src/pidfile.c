/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pid file. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shared.h"

static bool is_same_file(const char *path, int fd)
{
	struct stat by_path, by_fd;

	return stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 &&
	       by_path.st_dev == by_fd.st_dev && by_path.st_ino == by_fd.st_ino;
}

static int open_locked(const char *path)
{
	for (;;) {
		AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		int r;

		if (fd < 0)
			return -errno;
		/* A POSIX lock, as other makes of lxcfs take it, so that they see ours. */
		r = shared_lock(fd, 0, false);
		if (r < 0)
			return r;
		/* Its last owner may have removed it between the open and the lock. */
		if (is_same_file(path, fd))
			return take_fd(&fd);
	}
}

int pidfile_take(const char *path)
{
	AUTO_CLOSE int fd = open_locked(path);

	if (fd < 0)
		return fd;
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return -errno;
	return take_fd(&fd);
}

void pidfile_drop(const char *path, int fd)
{
	if (fd < 0)
		return;
	if (is_same_file(path, fd))
		unlink(path);
	close(fd);
}
