/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a caller's pid to its container: the init of its pid namespace, and the
 * cgroup whose numbers it is shown.
 *
 * The init's cgroup counts, so that a sub-cgroup inside a container changes
 * nothing. But where several containers share a pid namespace (a pod), or where
 * the caller shares the host's, the caller's own cgroup counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup/cgroup.h"

/* The pid namespaces met so far; shared by all threads. */
struct containers;

struct container {
	pid_t init; /* init of the pid namespace, as the engine's pid namespace numbers it */
	bool own_pidns; /* false: the host's pid namespace, init is the host's */
	uint64_t start_us; /* when init started, since the host's boot; 0 for the host's */
	bool own_timens;
	int64_t boottime_offset_us; /* of the container's time namespace */
	uint64_t id; /* a hash of what identifies it, the same in every engine */
	struct cgroup *cgroup;
};

/* `procfd` is the host's /proc and must stay open. */
int containers_open(int procfd, const struct cgroups *cgroups, struct containers **ret);
void containers_close(struct containers *containers);

/*
 * The container of a thread or process. -ESRCH when the caller is gone or not
 * visible. The caller of this function owns the result: container_free().
 */
int container_of(struct containers *containers, pid_t caller, struct container *ret);
void container_free(struct container *container);
