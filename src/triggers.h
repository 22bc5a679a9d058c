/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pressure triggers: which open file has one, has it fired, and who is to be
 * woken. One thread waits for all of them. What it takes to arm them again is
 * in the shared state, so that a poller does not notice a new worker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lxcfs.h"
#include "shared.h"

struct triggers;

/*
 * Starts the thread and arms again what the state holds. notify_fd is the FUSE
 * device fd that wakeups are written to; engine and shared stay the caller's.
 */
int triggers_open(struct lxcfs *engine, const struct shared *shared, int notify_fd,
		  struct triggers **ret);

/* Stops the thread; what is in the shared state stays for the next worker. */
void triggers_close(struct triggers *triggers);

/*
 * Arms a trigger for an open file, as a write to it asks. -EBUSY where it has
 * one, -ENOSPC where the caller's container (with all
 * that is nested in it), or everybody, has enough,
 * -EINVAL and -EOPNOTSUPP as lxcfs_trigger().
 */
int triggers_arm(struct triggers *triggers, const struct lxcfs_caller *caller, uint64_t handle,
		 const char *path, const char *text, size_t len);

/*
 * poll(2) of an open pressure file: the events that hold. poll_key is what the
 * kernel wants to be woken by, 0 for nothing.
 */
unsigned triggers_poll(struct triggers *triggers, const struct lxcfs_caller *caller,
		       uint64_t handle, uint64_t poll_key);

/* Disarms the trigger of a file that was closed, if it has one. */
void triggers_drop(struct triggers *triggers, uint64_t handle);
