/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection with the kernel: /dev/fuse, the mount, and one clone of the
 * device per thread of the worker. The keeper holds all fds for as long as it
 * lives: closing a clone would end the requests read from it with ECONNABORTED.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "shared.h"

struct device {
	int fds[SHARED_SLOTS_MAX]; /* the first is the one that was mounted */
	unsigned count;
};

#define DEVICE_NONE ((struct device){ .count = 0 })

/* The device numbers of mounts whose server is gone. */
struct device_dead {
	struct {
		unsigned major, minor;
	} list[8];
	unsigned count;
};

/*
 * The absolute path of a mount point, in PATH_MAX bytes, without a look at it:
 * it may be dead, or wait for the worker that is yet to be started.
 */
int device_find_mountpoint(const char *given, char *ret);

/*
 * Makes the mount point usable: unmounts what a dead server left on it, and says what
 * that was. 0, or negative errno with a line in problem that says what to do.
 */
int device_check_mountpoint(const char *mountpoint, struct device_dead *ret, char *problem,
			    size_t size);

/*
 * Mounts and makes the clones, and reads FUSE_INIT into init without answering
 * it. 0, or negative errno with a line in problem. On failure nothing is mounted.
 */
int device_mount(const struct options *options, const char *mountpoint, unsigned threads,
		 struct device *ret, void *init, size_t *init_size, char *problem, size_t size);

/* Is the connection still there, that is, mounted somewhere and not aborted? */
bool device_is_alive(const struct device *device);

void device_close(struct device *device);
