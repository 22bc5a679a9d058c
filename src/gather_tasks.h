/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts the tasks of a container, each of its threads being one, from /proc/TID/stat
 * of every thread in its cgroup and below.
 */
#pragma once

#include "container.h"
#include "history.h"
#include "host.h"
#include "snapshot.h"

/* So many tasks are looked at; in a larger container the counts are those of the first. */
#define TASKS_MAX 4096

struct tasks {
	uint64_t running; /* R */
	uint64_t blocked; /* D */
	uint64_t total;
	/* The one that started last, as the engine's pid namespace numbers it; 0: none seen. */
	uint64_t youngest;
	uint64_t youngest_start; /* clock ticks since the host's boot */
};

/*
 * Counts what is in the cgroup now; tasks that end meanwhile are passed over. -ENODATA
 * where the container has no cgroup of its own, -ENOENT when that is gone.
 */
int tasks_count(const struct host *host, struct cgroup *cgroup, struct tasks *ret);

/*
 * Fills snapshot->tasks. The reader counts as running, for so it would be while it
 * read the kernel's file; here it sleeps until it has its answer. `processes` is the
 * number of the youngest task in the container's pid namespace and never goes back; in
 * the host's pid namespace it is that of the youngest task in the cgroup. Errors as above.
 */
int gather_tasks(const struct host *host, struct history *history,
		 const struct container *container, struct snapshot *ret);
