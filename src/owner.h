/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom a request counts against, where everybody gets a share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The outermost pid namespace around a process that is not our own, so that what is nested
 * in a container, by whomever, counts as that container; and of our own (the host's) the
 * processes in the same cgroups. 0 when it cannot be told, as the process is gone.
 */
uint64_t owner_of(pid_t pid);

/* Is it one of our own pid namespace? */
bool owner_is_host(uint64_t owner);
