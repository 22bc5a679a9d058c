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

struct container {
	pid_t init;	   /* init of the pid namespace, as the engine's pid namespace numbers it */
	bool own_pidns;	   /* false: the host's pid namespace, init is the host's */
	uint64_t start_us; /* when init started, since the host's boot; 0 for the host's */
	bool own_timens;
	int64_t boottime_offset_us; /* of the container's time namespace */
	uint64_t id;		    /* a hash of what identifies it, the same in every engine */
	struct cgroup *cgroup;
};

/* The containers met lately, with their open files; shared by all threads, bounded. */
struct containers;

/*
 * `procfd` is the host's /proc; both must outlive the containers. The files that are kept
 * open for them are at most 9/4 of cgroups->kept_max, those in cgroups among them.
 */
int containers_open(int procfd, struct cgroups *cgroups, struct containers **ret);
void containers_close(struct containers *containers);

/*
 * The container of a thread or process, asked of the kernel anew every time: what is
 * kept is never older than the question. -ESRCH when the caller is gone or not visible.
 * To be given back with container_put().
 */
int container_of(struct containers *containers, pid_t caller, struct container **ret);

/* NULL is ignored. */
void container_put(struct containers *containers, struct container *container);

/* Releases what a container that was filled by hand holds. */
void container_free(struct container *container);
