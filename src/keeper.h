/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: owns the mount and the shared state, and sees to it that a worker
 * serves them. It answers no request and reads nothing that a container wrote.
 */
#pragma once

#include "handoff.h"
#include "options.h"

/*
 * Mounts (or, with a handoff or fds of the service manager, carries on with what
 * is mounted) and stays until it is told to stop or the file system is unmounted.
 * Returns the exit status of the program; has said on stderr why it failed.
 */
int keeper_run(const struct options *options, const struct program *program,
	       const struct handoff *handoff);
