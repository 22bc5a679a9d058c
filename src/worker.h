/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker: serves the mount on the keeper's fds until it is told to stop. It
 * does the same at its first start and at its thousandth: plays the saved
 * FUSE_INIT to a session per fd, then the journal, then reads requests.
 *
 * What is promised of its size and of its time:
 * - Threads: one for each device fd, at most SHARED_SLOTS_MAX, and up to three more; and for
 *   as long as the kernel holds them twice as many that were given up (pool.h).
 * - Files: the soft limit is raised to the hard one. What is kept open for containers stays
 *   below half of it, pressure triggers below a quarter and below 128 for each container.
 *   Files that readers hold open cost nothing here.
 * - Memory: 64 MiB for the texts that readers are in the middle of, whoever they are. Who
 *   comes later is kept at the cost of the container that has most.
 * - Time: a request that sleeps in the kernel for a second, or lasts for ten, is answered EIO
 *   and its thread replaced. From then on it is not tried again for a minute, and as long as
 *   it is stuck, and its container occupies at most half of the threads. Should none be left
 *   all the same, then after 10 s the keeper replaces the worker, and the next one answers
 *   EIO to what it was stuck in.
 */
#pragma once

#include "handoff.h"
#include "options.h"

/*
 * Returns the exit status: 0 when told to stop or when the file system was
 * unmounted; has said on stderr why it failed. A keeper that dies is replaced.
 */
int worker_run(const struct options *options, const struct program *program,
	       const struct handoff *handoff);
