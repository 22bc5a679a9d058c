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
		.needs = NEED_LOADAVG | NEED_TASKS | NEED_HOST_LOADAVG,
		.must = NEED_LOADAVG | NEED_TASKS | NEED_HOST_LOADAVG,
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
	{
		.path = "/proc/pressure/cpu",
		.mode = S_IFREG | 0666,
		.host = "proc/pressure/cpu",
		.needs = NEED_PRESSURE_CPU,
		.must = NEED_PRESSURE_CPU,
		.render = pressure_render,
		.explain = "the cgroup's own pressure file; zeros where the kernel keeps none",
	},
	{
		.path = "/proc/pressure/io",
		.mode = S_IFREG | 0666,
		.host = "proc/pressure/io",
		.needs = NEED_PRESSURE_IO,
		.must = NEED_PRESSURE_IO,
		.render = pressure_render,
		.explain = "the cgroup's own pressure file; zeros where the kernel keeps none",
	},
	{
		.path = "/proc/pressure/irq",
		.mode = S_IFREG | 0666,
		.host = "proc/pressure/irq",
		.needs = NEED_PRESSURE_IRQ,
		.must = NEED_PRESSURE_IRQ,
		.render = pressure_render,
		.explain = "the cgroup's own pressure file; zeros where the kernel keeps none",
	},
	{
		.path = "/proc/pressure/memory",
		.mode = S_IFREG | 0666,
		.host = "proc/pressure/memory",
		.needs = NEED_PRESSURE_MEMORY,
		.must = NEED_PRESSURE_MEMORY,
		.render = pressure_render,
		.explain = "the cgroup's own pressure file; zeros where the kernel keeps none",
	},
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
	{
		.path = "/sys/devices/system/cpu/offline",
		.mode = S_IFREG | 0444,
		.host = SYS_CPU "/offline",
		.needs = NEED_CPUS,
		.must = NEED_CPUS,
		.render = cpu_offline_render,
		.explain = "a container has no CPUs that are offline",
	},
	{
		.path = "/sys/devices/system/cpu/online",
		.mode = S_IFREG | 0444,
		.host = SYS_CPU "/online",
		.needs = NEED_CPUS,
		.must = NEED_CPUS,
		.render = cpu_online_render,
		.explain = "the container's CPUs",
	},
	{
		.path = "/sys/devices/system/cpu/possible",
		.mode = S_IFREG | 0444,
		.host = SYS_CPU "/possible",
		.needs = NEED_CPUS,
		.must = NEED_CPUS,
		.render = cpu_online_render,
		.explain = "the container's CPUs",
	},
	{
		.path = "/sys/devices/system/cpu/present",
		.mode = S_IFREG | 0444,
		.host = SYS_CPU "/present",
		.needs = NEED_CPUS,
		.must = NEED_CPUS,
		.render = cpu_online_render,
		.explain = "the container's CPUs",
	},
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
