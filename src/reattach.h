/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lxcfs --reattach: running containers whose views are dead, as every process of an
 * lxcfs was killed, get those of the one that serves now. In all mount namespaces;
 * safe to repeat; who has no views gets none.
 */
#pragma once

#include "device.h"
#include "handoff.h"
#include "options.h"

/* The command. The exit status of the program; says on stderr what was done. */
int reattach_run(const struct options *options);

/*
 * Starts the command in the background, for views of the mounts that were found dead on
 * the mount point. It waits until the file system is served. While the caller still has
 * all its rights. 0 or negative errno.
 */
int reattach_start(const struct program *program, const char *mountpoint,
		   const struct device_dead *dead);
