/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The threads that asked lately: a thread's pid namespace is the same all its life,
 * and its open /proc/TID/cgroup tells whether it still lives; so a thread that asks
 * again costs one read.
 */
#pragma once

#include <sys/types.h>

#include "base/text.h"
#include "namespace.h"

struct callers;

/* Keeps at most so many files open. */
int callers_open(int procfd, unsigned files_max, struct callers **ret);
void callers_close(struct callers *callers);

/*
 * The link of the thread's pid namespace and the present text of its /proc/TID/cgroup,
 * appended to `cgroup`. -ESRCH when there is no such thread.
 */
int caller_read(struct callers *callers, pid_t tid, char ret_pidns[NAMESPACE_LINK_MAX],
		struct text *cgroup);
