/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that serve: a session for each device fd. One that is stuck in the kernel is
 * given up: its request is answered EIO, and another thread takes over its device fd and
 * slot, so that whatever the kernel does with one container's files, the others are served.
 *
 * Stuck is what did not end within ten seconds; or all threads, when they slept on the spot
 * for one second and all for the same sender. A kernel that is slow for everybody, as where
 * cgroups come and go by the thousand, costs nobody an answer. Looked for is only while there
 * is something to look at: a request that lasts, or no thread free.
 */
#pragma once

#include <stdbool.h>

#include "device.h"
#include "fs.h"
#include "shared.h"

struct pool;

struct pool_options {
	struct fs *fs;
	const struct shared *shared;
	const struct device *device;
	bool psi_poll, debug;
};

/* Makes the sessions. fs, shared and device stay the caller's, for as long as the pool lives. */
int pool_open(const struct pool_options *options, struct pool **ret);

/* Releases a pool that pool_stop() has ended, or that was never started. */
void pool_close(struct pool *pool);

/* Replays what a crash left, and starts the threads. */
int pool_start(struct pool *pool);

/* Readable when pool_look() is to be called before its time. */
int pool_fd(const struct pool *pool);

/* Gives up what is stuck. The milliseconds until it is to be called again, -1: never. */
int pool_look(struct pool *pool);

/* True when no thread serves any more: the file system was unmounted. */
bool pool_has_ended(const struct pool *pool);

/* True when a thread that was given up runs on and on, which only the worker's end ends. */
bool pool_is_spoiled(const struct pool *pool);

/* Ends the threads after their requests. False when one is left, which uses fs and engine. */
bool pool_stop(struct pool *pool, int timeout_ms);
