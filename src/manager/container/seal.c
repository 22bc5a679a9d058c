/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running from a sealed copy in memory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3; older ones do not know it and need none */
#endif

static bool is_sealed(int program)
{
	int seals = fcntl(program, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int copy_to_memory(int program)
{
	AUTO_CLOSE int copy = memfd_create("lxd-container",
					   MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	struct stat st;
	off_t at = 0;

	if (copy < 0 && errno == EINVAL)
		copy = memfd_create("lxd-container", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0 || fstat(program, &st))
		return -errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(copy, program, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n ? -errno : -EIO;
	}
	if (fcntl(copy, F_ADD_SEALS, SEALS))
		return -errno;
	return take_fd(&copy);
}

int container_seal(char **argv)
{
	AUTO_CLOSE int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int copy = -1;

	if (program < 0)
		return -errno;
	if (is_sealed(program))
		return 0;
	copy = copy_to_memory(program);
	if (copy < 0)
		return copy;
	fexecve(copy, argv, environ);
	return -errno;
}
