/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces by their inode numbers, which have 32 bits; cgroups by a hash with one beyond. */
#include "owner.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

#define HOST_BIT (UINT64_C(1) << 63)

static int open_namespace(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static uint64_t our_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

static uint64_t cgroups_of(pid_t pid)
{
	AUTO_TEXT struct text text = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (file_read_at(AT_FDCWD, path, &text) < 0)
		return 0;
	return hash_string(text_str(&text)) | HOST_BIT;
}

uint64_t owner_of(pid_t pid)
{
	AUTO_CLOSE int fd = open_namespace(pid);
	uint64_t ours = our_namespace(), owner = inode_of(fd);

	if (owner == ours)
		return cgroups_of(pid);
	while (owner) {
		int parent = ioctl(fd, NS_GET_PARENT);
		uint64_t above = inode_of(parent);

		if (parent < 0)
			break;
		close(fd);
		fd = parent;
		if (above == ours)
			break;
		owner = above;
	}
	return owner;
}

bool owner_is_host(uint64_t owner)
{
	return owner & HOST_BIT;
}
