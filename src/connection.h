/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a keeper has the mount and the shared state from: a worker that handed
 * them over, the service manager's store, or a mount it makes itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "handoff.h"
#include "options.h"

/*
 * Fills in device and state, which become the caller's. `given` is what a worker
 * handed over, or NULL. A mount made here is put into the store; *ret_fresh tells, and
 * ret_dead the dead mounts that it took the place of. 0, or negative errno with a line in
 * problem; -EAGAIN where another keeper is at work on the mount.
 */
int connection_open(const struct options *options, const char *mountpoint,
		    const struct handoff *given, struct handoff *ret, bool *ret_fresh,
		    struct device_dead *ret_dead, char *problem, size_t size);
