/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole small kernel files, read below a directory fd. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

/*
 * Appends the whole of an open file to the text, by pread from offset 0, so
 * that one fd serves many reads and threads. Negative errno on failure.
 */
int file_read(int fd, struct text *t);

/*
 * The same for a file that the kernel makes in one go (one record: cgroup files,
 * /proc/PID/..., meminfo, stat): what one read gives is all of it when it did not
 * fill the buffer, so that no second read is spent on the end.
 */
int file_read_record(int fd, struct text *t);

/* Opens `path` below `dirfd` read-only, reads it whole, closes it. */
int file_read_at(int dirfd, const char *path, struct text *t);
int file_read_record_at(int dirfd, const char *path, struct text *t);

/*
 * Opens a path below `dirfd` that may come from an outsider: never above the
 * directory, never through a symbolic link (RESOLVE_BENEATH, openat2(2)).
 * An fd or negative errno.
 */
int file_open_beneath(int dirfd, const char *path, int flags);

/* The target of a symbolic link as a C string in a buffer of `size` bytes. -ENAMETOOLONG if cut. */
int file_readlink_at(int dirfd, const char *path, char *buf, size_t size);
