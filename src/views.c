/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of all virtual files and of the directories that lead to them. */
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "view.h"

#define DIRECTORY(p)                              \
	{                                         \
		.path = p, .mode = S_IFDIR | 0555 \
	}
#define SYS_CPU "sys/devices/system/cpu"

#define PRESSURE(name, need)                                                               \
	{                                                                                  \
		.path = "/proc/pressure/" name, .mode = S_IFREG | 0666,                    \
		.host = "proc/pressure/" name, .needs = need, .must = need,                \
		.render = pressure_render,                                                 \
		.explain = "the cgroup's own pressure file; zeros where the kernel keeps " \
			   "none",                                                         \
	}

#define CPUS(name, renderer, why)                                                               \
	{                                                                                       \
		.path = "/" SYS_CPU "/" name, .mode = S_IFREG | 0444, .host = SYS_CPU "/" name, \
		.needs = NEED_CPUS, .must = NEED_CPUS, .render = renderer, .explain = why,      \
	}

const struct view views[] = {
	DIRECTORY("/"),
	DIRECTORY("/proc"),
	{
		.path = "/proc/cpuinfo",
		.mode = S_IFREG | 0444,
		.host = "proc/cpuinfo",
		.needs = NEED_CPUS | NEED_HOST_CPUINFO,
		.must = NEED_CPUS | NEED_HOST_CPUINFO,
		.render = cpuinfo_render,
		.explain = "the host's text, for the container's CPUs; siblings and cores counted "
			   "among them",
	},
	{
		.path = "/proc/diskstats",
		.mode = S_IFREG | 0444,
		.host = "proc/diskstats",
		.needs = NEED_IO | NEED_HOST_DISKSTATS,
		.must = NEED_IO | NEED_HOST_DISKSTATS,
		.render = diskstats_render,
		.explain = "requests and bytes per device from the I/O controller; names from the "
			   "host; times are not known per cgroup and 0",
	},
	{
		.path = "/proc/loadavg",
		.mode = S_IFREG | 0444,
		.host = "proc/loadavg",
		.needs = NEED_LOADAVG | NEED_TASKS,
		.must = NEED_LOADAVG | NEED_TASKS,
		.render = loadavg_render,
		.explain = "running tasks of the container, averaged as the kernel does; needs "
			   "--enable-loadavg",
	},
	{
		.path = "/proc/meminfo",
		.mode = S_IFREG | 0444,
		.host = "proc/meminfo",
		.needs = NEED_MEMORY | NEED_HUGETLB | NEED_HOST_MEMINFO,
		.must = NEED_MEMORY | NEED_HOST_MEMINFO,
		.render = meminfo_render,
		.explain = "MemTotal = least of memory limit and host; MemFree = MemTotal - memory "
			   "used; MemAvailable = MemFree + clean file pages and reclaimable slab; "
			   "lines that a cgroup does not count are 0",
	},
	DIRECTORY("/proc/pressure"),
	PRESSURE("cpu", NEED_PRESSURE_CPU),
	PRESSURE("io", NEED_PRESSURE_IO),
	PRESSURE("irq", NEED_PRESSURE_IRQ),
	PRESSURE("memory", NEED_PRESSURE_MEMORY),
	{
		.path = "/proc/slabinfo",
		.mode = S_IFREG | 0400,
		.host = "proc/slabinfo",
		.needs = NEED_SLABINFO | NEED_HOST_SLABINFO,
		.must = NEED_SLABINFO | NEED_HOST_SLABINFO,
		.render = slabinfo_render,
		.explain = "the cgroup's slabs where the kernel lists them (v1), else the header "
			   "alone",
	},
	{
		.path = "/proc/stat",
		.mode = S_IFREG | 0444,
		.host = "proc/stat",
		.needs = NEED_CPUS | NEED_CPU_TIMES | NEED_TASKS | NEED_AGE | NEED_HOST_STAT,
		.must = NEED_CPUS | NEED_CPU_TIMES | NEED_AGE | NEED_HOST_STAT,
		.render = stat_render,
		.explain =
			"user and system time of the cgroup, the rest of its CPUs' time is idle; "
			"btime = when the container started; interrupts and context switches "
			"are not known per cgroup and 0",
	},
	{
		.path = "/proc/swaps",
		.mode = S_IFREG | 0444,
		.host = "proc/swaps",
		.needs = NEED_SWAP | NEED_HOST_SWAPS,
		.must = NEED_SWAP | NEED_HOST_SWAPS,
		.render = swaps_render,
		.explain = "one line with SwapTotal and the swap used; nothing without swap",
	},
	{
		.path = "/proc/uptime",
		.mode = S_IFREG | 0444,
		.host = "proc/uptime",
		.needs = NEED_AGE | NEED_CPUS | NEED_CPU_TIMES,
		.must = NEED_AGE,
		.render = uptime_render,
		.explain =
			"since the container's init started, or by its time namespace; idle time "
			"of its CPUs",
	},
	DIRECTORY("/sys"),
	DIRECTORY("/sys/devices"),
	DIRECTORY("/sys/devices/system"),
	{
		.path = "/sys/devices/system/cpu/isolated",
		.mode = S_IFREG | 0444,
		.host = SYS_CPU "/isolated",
		.needs = NEED_CPUS | NEED_HOST_ISOLATED,
		.must = NEED_CPUS | NEED_HOST_ISOLATED,
		.render = cpu_isolated_render,
		.explain = "the host's isolated CPUs among the container's",
	},
	CPUS("offline", cpu_offline_render, "a container has no CPUs that are offline"),
	CPUS("online", cpu_online_render, "the container's CPUs"),
	CPUS("possible", cpu_online_render, "the container's CPUs"),
	CPUS("present", cpu_online_render, "the container's CPUs"),
};

const size_t views_count = ARRAY_SIZE(views);

const struct view *view_find(const char *path)
{
	for (size_t i = 0; i < views_count; i++) {
		if (strcmp(views[i].path, path) == 0)
			return &views[i];
	}
	return NULL;
}
