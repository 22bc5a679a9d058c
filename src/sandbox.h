/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two processes give up once they are set up, so that whoever finds a way
 * into one of them finds little there: capabilities, new privileges by execve(2),
 * and in the worker all system calls that it does not use.
 *
 * No Landlock: its domains also forbid to look at processes outside of them, and the
 * links below /proc/PID/ns are how a caller's container is found. No mount namespace
 * either: the mount has to appear in the host's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Capabilities, a bit each as in /proc/PID/status; what stays of those that there are. */
uint64_t sandbox_keeper_capabilities(void);
uint64_t sandbox_worker_capabilities(bool psi_poll);

/* Leaves the keeper what it takes to unmount and to start workers. 0 or negative errno. */
int sandbox_keeper(void);

/*
 * Leaves the worker what it takes to read /proc and /sys and to change cgroups for
 * callers. It can start threads and no process from then on. To be called while there
 * is one thread. 0 or negative errno; what could be given up has been.
 */
int sandbox_worker(bool psi_poll);

/*
 * The second half of it: a filter under which every other system call fails with ENOSYS
 * and is reported to the kernel's audit log. Never a kill: a call that a new libc makes
 * must not take the file system away.
 */
int sandbox_filter(void);
