/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker: serves the mount on the keeper's fds until it is told to stop. It
 * does the same at its first start and at its thousandth: plays the saved
 * FUSE_INIT to a session per fd, then the journal, then reads requests.
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
