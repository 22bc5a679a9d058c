/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a container over SFTP: entered first, parsed then. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"
#include "sftp.h"

#define NAMESPACE_FD 3

/* ROOTFS is of a stopped container, "=" in front of it: one without owners of its own. */
static int enter(const char *rootfs)
{
	bool shifted = rootfs && rootfs[0] == '=';
	bool mapped = fcntl(NAMESPACE_FD, F_GETFD) >= 0;

	if (!rootfs)
		return container_enter(NAMESPACE_FD);
	return container_enter_rootfs(rootfs + shifted, mapped ? NAMESPACE_FD : -1, shifted);
}

int command_files(int argc, char **argv)
{
	AUTO_CLOSE int fds = -1;
	int r;

	container_close_from(NAMESPACE_FD + 1);
	signal(SIGPIPE, SIG_IGN);
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return complain("/proc/self/fd", errno);
	r = enter(argc > 1 ? argv[1] : NULL);
	if (!r)
		r = container_drop_capabilities();
	close(NAMESPACE_FD);
	if (r)
		return complain("enter", r);
	umask(0);
	r = sftp_serve(STDIN_FILENO, STDOUT_FILENO, fds);
	return r < 0 ? 1 : 0;
}
