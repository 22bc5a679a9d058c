/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading whole files: one pread where the buffer is large enough, more where not. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A page is what most kernel files fit in, and the least that a seq_file hands out at once. */
#define FILE_CHUNK 4096
#define ROOM_LEAST 64 /* with less room than this more is made before a read */

/* A signal is no reason to give up a read; as many are: somebody wants the thread back. */
#define INTERRUPTS_MAX 4

static int read_until(int fd, bool record, struct text *t)
{
	size_t start = t->len;
	unsigned interrupts = 0;

	for (;;) {
		char *to = text_reserve(t, t->cap - t->len < ROOM_LEAST ? FILE_CHUNK : 0);
		size_t room;
		ssize_t n;

		if (!to)
			return t->error;
		room = t->cap - t->len - 1;
		n = pread(fd, to, room, (off_t)(t->len - start));
		if (n < 0 && errno == EINTR && ++interrupts < INTERRUPTS_MAX)
			continue;
		if (n < 0)
			return -errno;
		t->len += (size_t)n;
		t->data[t->len] = '\0';
		if (n == 0 || (record && (size_t)n < room))
			return 0;
	}
}

int file_read(int fd, struct text *t)
{
	return read_until(fd, false, t);
}

int file_read_record(int fd, struct text *t)
{
	return read_until(fd, true, t);
}

int file_read_at(int dirfd, const char *path, struct text *t)
{
	AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : file_read(fd, t);
}

int file_read_record_at(int dirfd, const char *path, struct text *t)
{
	AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : file_read_record(fd, t);
}

int file_open_beneath(int dirfd, const char *path, int flags)
{
	/* openat2 refuses O_NOCTTY next to O_PATH, unlike openat */
	int extra = O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY);
	struct open_how how = {
		.flags = (unsigned)(flags | extra),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

int file_readlink_at(int dirfd, const char *path, char *buf, size_t size)
{
	ssize_t n = readlinkat(dirfd, path, buf, size);

	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}
