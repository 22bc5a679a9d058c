/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a container over SFTP: entered first, parsed then. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"
#include "sftp.h"

#define NAMESPACE_FD 3

/* HOW: "plain" of a privileged container, "mapped", or "shifted" by its mount as well. */
static int enter_rootfs(const char *rootfs, const char *how)
{
	bool mapped = strcmp(how, "plain") != 0;

	return container_enter_rootfs(rootfs, mapped ? NAMESPACE_FD : -1,
				      strcmp(how, "shifted") == 0);
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
	r = argc > 2 ? enter_rootfs(argv[1], argv[2]) : container_enter(NAMESPACE_FD);
	if (!r)
		r = container_drop_capabilities();
	close(NAMESPACE_FD);
	if (r)
		return complain("enter", r);
	umask(0);
	r = sftp_serve(STDIN_FILENO, STDOUT_FILENO, fds);
	return r < 0 ? 1 : 0;
}
