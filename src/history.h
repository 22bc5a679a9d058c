/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is shown but not kept by the kernel, container by container: the CPU time
 * shown so far, from which later answers go on so that no counter ever goes back,
 * and load averages. Lives in memory that outlasts the process that fills it: an
 * update is either seen whole or not at all, also when its writer is killed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

struct history;

/* Bytes for a host with this many CPUs; sparse, a container's place is touched when used. */
size_t history_size(unsigned cpus);

/*
 * Takes up the memory (zeroed, or left by an earlier engine; one of another
 * layout or size is started afresh); NULL: private memory. -EINVAL when it is
 * too small. history_close() leaves the given memory as it is.
 */
int history_open(void *memory, size_t size, unsigned cpus, struct history **ret);
void history_close(struct history *history);

/* CPU time of a container at one moment; all in microseconds. */
struct history_cpu {
	uint64_t now, start;	    /* since the host's boot */
	uint64_t user, system;	    /* used by the whole container, ever growing */
	const struct cpulist *cpus; /* the shown CPUs */
	size_t count;		    /* how many these are */
	uint64_t capacity;	    /* time that all these gain in a second: at most count s */
	/*
	 * How busy each CPU of the host was so far, by CPU number, in any unit: tells on which
	 * of them the container's time was spent. Where the kernel tells the container's own
	 * time per CPU, it is that.
	 */
	const uint64_t *busy;
	size_t busy_count;
	bool busy_is_own; /* it is that; then the first answer is split the same way */
	bool total_only;  /* busy is not known: the CPUs get their part with the next answer */
};

/*
 * What the CPUs shall show: user, system and idle for each shown CPU, and for
 * all together. Goes on from what was shown last; the first answer is made from
 * the container's age and use alone. A moment before the last one, or the same, is
 * answered with what was shown then. -EINVAL without CPUs, -EAGAIN when the first
 * answer is for the total alone, -EBUSY when a stopped
 * process holds on to a container that nobody asked for before.
 */
int history_cpu_times(struct history *history, uint64_t container, const struct history_cpu *now,
		      struct cpu_times *ret_cpus, struct cpu_times *ret_total);

/*
 * The last pid of the container's namespace seen so far and this one: the larger. `task`
 * stands for the task that has this pid, 0: none; as long as it is the youngest, its pid
 * need not be looked up again.
 */
uint64_t history_last_pid(struct history *history, uint64_t container, uint64_t task, uint64_t pid);

/* The last pid seen so far when this task was the last one looked up; false when not. */
bool history_last_pid_of(struct history *history, uint64_t container, uint64_t task, uint64_t *ret);

/* Load averages, 11-bit fixed point as in the kernel's include/linux/sched/loadavg.h. */
struct history_load {
	uint64_t average[3]; /* 1, 5, 15 minutes */
	uint64_t sampled;    /* when, microseconds since the host's boot; 0: never */
};
void history_load_get(struct history *history, uint64_t container, struct history_load *ret);
void history_load_set(struct history *history, uint64_t container, const struct history_load *load);
