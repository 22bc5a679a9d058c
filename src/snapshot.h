/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything a view may look at, read beforehand: a view computes and prints,
 * and never reads a file. Bytes and microseconds throughout.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cpulist.h"
#include "base/text.h"
#include "cgroup/cgroup.h"

/* What a view asks for, and what a snapshot has: bits of a mask. */
enum need {
	NEED_MEMORY = 1 << 0,
	NEED_HUGETLB = 1 << 1,	 /* with HOST_MEMINFO */
	NEED_CPUS = 1 << 2,	 /* the visible CPUs, after the quota where it counts */
	NEED_CPU_TIMES = 1 << 3, /* the shown counters of every visible CPU */
	NEED_IO = 1 << 4,
	NEED_TASKS = 1 << 5,
	NEED_AGE = 1 << 6, /* now, start, uptime */
	NEED_LOADAVG = 1 << 7,
	NEED_PRESSURE_CPU = 1 << 8,
	NEED_PRESSURE_IO = 1 << 9,
	NEED_PRESSURE_MEMORY = 1 << 10,
	NEED_PRESSURE_IRQ = 1 << 11,
	NEED_SLABINFO = 1 << 12,
	NEED_SWAP = 1 << 13, /* of memory the swap alone */
	/* The host's own files, see host_file. */
	NEED_HOST_MEMINFO = 1 << 16,
	NEED_HOST_STAT = 1 << 17,
	NEED_HOST_UPTIME = 1 << 18,
	NEED_HOST_CPUINFO = 1 << 19,
	NEED_HOST_DISKSTATS = 1 << 20,
	NEED_HOST_SWAPS = 1 << 21,
	NEED_HOST_SLABINFO = 1 << 22,
	NEED_HOST_ISOLATED = 1 << 23, /* sys/devices/system/cpu/isolated */
};

enum host_file {
	HOST_MEMINFO,
	HOST_STAT,
	HOST_UPTIME,
	HOST_CPUINFO,
	HOST_DISKSTATS,
	HOST_SWAPS,
	HOST_SLABINFO,
	HOST_ISOLATED,
	HOST_FILES,
};

#define NEED_HOST(file) ((unsigned)NEED_HOST_MEMINFO << (file))

/* The counters of one shown CPU, in microseconds; they never go back. */
struct cpu_times {
	uint64_t user, system, idle;
};

struct snapshot {
	unsigned flags; /* enum lxcfs_flags of lxcfs.h */
	unsigned have;	/* enum need */
	struct text host[HOST_FILES];

	struct cgroup_memory memory;
	struct cgroup_hugetlb hugetlb; /* of the default huge page size */

	struct cpulist cpus; /* the CPUs the container has: the same set in every file */
	size_t cpu_count;
	struct cgroup_quota quota;

	struct cpu_times *cpu_times; /* cpu_count of them, in the order of cpus; owned */
	struct cpu_times cpu_total;  /* of the container, however its CPUs changed */

	struct cgroup_io io;
	struct text pressure; /* of the one kind that was asked for */
	struct text slabinfo;

	uint64_t now;	     /* since the host's boot */
	uint64_t start;	     /* when the container started, since the host's boot */
	uint64_t uptime;     /* as the container shall see it */
	int64_t boot_offset; /* uptime - now: what its clock is ahead of the host's */

	struct {
		uint64_t processes; /* forks so far: the last pid given out in its pid namespace */
		uint64_t running, blocked, total; /* tasks */
	} tasks;
	uint64_t load[3]; /* 1, 5, 15 minutes, fixed point with 11 bits as in the kernel */
};

void snapshot_free(struct snapshot *snapshot);

#define AUTO_SNAPSHOT __attribute__((cleanup(snapshot_free)))
