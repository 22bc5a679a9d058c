/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process beside the worker that starts another keeper when the worker says that its
 * own is gone: the worker itself may neither fork nor mount by then (sandbox.h). All it
 * can be told is to do this one thing, and it ends with its worker, however that ends.
 */
#pragma once

#include <sys/types.h>

#include "handoff.h"

struct starter {
	int fd; /* the worker's end of a socket pair, -1: none */
	pid_t pid;
};

#define STARTER_NONE ((struct starter){ .fd = -1 })

/* Forks it, with the fds of the handoff. While there is one thread. 0 or negative errno. */
int starter_open(const struct program *program, const struct handoff *handoff, struct starter *ret);

/* Has a keeper started: its pid, or negative errno. -EPIPE when the starter is gone. */
int starter_start(const struct starter *starter);

/* Ends it and waits for its end. */
void starter_close(struct starter *starter);
