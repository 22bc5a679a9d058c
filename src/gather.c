/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One small function for each thing a view may need; a table says which serves which need. */
#include "gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "gather_cpu.h"
#include "gather_tasks.h"

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < HOST_FILES; i++)
		text_free(&s->host[i]);
	text_free(&s->pressure);
	text_free(&s->slabinfo);
	cgroup_io_free(&s->io);
	free(s->cpu_times);
	s->cpu_times = NULL;
}

/* What a gathering function is given; it returns 0, or -ENODATA for "does not exist here". */
struct gathering {
	const struct host *host;
	struct history *history;
	const struct container *container;
	struct origins *why;
	struct snapshot *snapshot;
};

static int gather_memory(const struct gathering *g, unsigned need)
{
	(void)need;
	return cgroup_read_memory(g->container->cgroup, g->why, &g->snapshot->memory);
}

static int gather_swap(const struct gathering *g, unsigned need)
{
	(void)need;
	return cgroup_read_swap(g->container->cgroup, g->why, &g->snapshot->memory);
}

/* The number behind "label" in a "Label:   123 kB" file; 0 when it is not there. */
static uint64_t labelled(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	uint64_t value = 0;

	if (!at)
		return 0;
	at += strlen(label);
	at += strspn(at, " ");
	return number_take(&at, &value) < 0 ? 0 : value;
}

static int gather_hugetlb(const struct gathering *g, unsigned need)
{
	/* These lines are the last, and all behind this one. */
	const char *meminfo = strstr(text_str(&g->snapshot->host[HOST_MEMINFO]),
				     "\nHugePages_Total:");

	(void)need;
	if (!meminfo ||
	    (!labelled(meminfo, "\nHugetlb:") && !labelled(meminfo, "\nHugePages_Total:")))
		return -ENODATA; /* the host has no pool to share */
	return cgroup_read_hugetlb(g->container->cgroup, g->why,
				   labelled(meminfo, "\nHugepagesize:"), &g->snapshot->hugetlb);
}

static int gather_io(const struct gathering *g, unsigned need)
{
	(void)need;
	return cgroup_read_io(g->container->cgroup, g->why, &g->snapshot->io);
}

/* Is this a process of the host, in no container at all as far as this controller goes? */
static bool is_host(const struct gathering *g, enum cgroup_controller controller)
{
	return !g->container->own_pidns && cgroup_is_root(g->container->cgroup, controller);
}

/* In a container without pressure files the text stays empty: no pressure is known. */
static int gather_pressure(const struct gathering *g, unsigned need)
{
	const char *what = need == NEED_PRESSURE_CPU   ? "cpu"
			   : need == NEED_PRESSURE_IO  ? "io"
			   : need == NEED_PRESSURE_IRQ ? "irq"
						       : "memory";
	int r = cgroup_read_pressure(g->container->cgroup, g->why, what, &g->snapshot->pressure);

	return r == -ENODATA && !is_host(g, CGROUP_CORE) ? 0 : r;
}

static int gather_slabinfo(const struct gathering *g, unsigned need)
{
	int r = cgroup_read_slabinfo(g->container->cgroup, g->why, &g->snapshot->slabinfo);

	(void)need;
	return r == -ENODATA && !is_host(g, CGROUP_MEMORY) ? 0 : r;
}

/* "12345.67 ..." of /proc/uptime in microseconds. */
static int uptime_parse(const char *s, uint64_t *ret)
{
	uint64_t seconds, hundredths;

	if (number_take(&s, &seconds) < 0 || *s++ != '.' || number_take(&s, &hundredths) < 0)
		return -EINVAL;
	*ret = seconds * 1000000 + hundredths % 100 * 10000;
	return 0;
}

static int gather_age(const struct gathering *g, unsigned need)
{
	const struct container *c = g->container;
	struct snapshot *s = g->snapshot;
	int r;

	(void)need;
	if (is_host(g, CGROUP_CPUACCT))
		return -ENODATA;
	r = host_read(g->host, HOST_UPTIME, &s->host[HOST_UPTIME]);
	if (r == 0)
		r = uptime_parse(text_str(&s->host[HOST_UPTIME]), &s->now);
	if (r < 0)
		return r;
	s->start = number_min(c->start_us, s->now);
	/* With a clock of its own the container sees what that says, as in /proc/PID/stat. */
	if (c->own_timens && c->boottime_offset_us)
		s->start = -c->boottime_offset_us > 0 ? (uint64_t)-c->boottime_offset_us : 0;
	s->uptime = s->now - number_min(s->start, s->now);
	if (c->own_timens && c->boottime_offset_us > 0)
		s->uptime = s->now + (uint64_t)c->boottime_offset_us;
	s->boot_offset = (int64_t)(s->uptime - s->now);
	return 0;
}

static int gather_visible_cpus(const struct gathering *g, unsigned need)
{
	(void)need;
	return gather_cpus(g->host, g->container, g->snapshot->flags, g->why, g->snapshot);
}

static int gather_times(const struct gathering *g, unsigned need)
{
	(void)need;
	return gather_cpu_times(g->host, g->history, g->container, g->why, g->snapshot);
}

static int gather_task_counts(const struct gathering *g, unsigned need)
{
	(void)need;
	return gather_tasks(g->host, g->history, g->container, g->snapshot);
}

static int gather_loadavg(const struct gathering *g, unsigned need)
{
	struct history_load load;

	(void)need;
	history_load_get(g->history, g->container->id, &load);
	memcpy(g->snapshot->load, load.average, sizeof load.average);
	return 0;
}

/* In an order in which each finds what it builds on. */
static const struct {
	unsigned need;
	int (*gather)(const struct gathering *, unsigned need);
} steps[] = {
	{ NEED_MEMORY, gather_memory },
	{ NEED_SWAP, gather_swap },
	{ NEED_HUGETLB, gather_hugetlb },
	{ NEED_IO, gather_io },
	{ NEED_AGE, gather_age },
	{ NEED_CPUS, gather_visible_cpus },
	{ NEED_CPU_TIMES, gather_times },
	{ NEED_TASKS, gather_task_counts },
	{ NEED_LOADAVG, gather_loadavg },
	{ NEED_PRESSURE_CPU, gather_pressure },
	{ NEED_PRESSURE_IO, gather_pressure },
	{ NEED_PRESSURE_MEMORY, gather_pressure },
	{ NEED_PRESSURE_IRQ, gather_pressure },
	{ NEED_SLABINFO, gather_slabinfo },
};

static int gather_host(const struct gathering *g, unsigned needs)
{
	for (unsigned file = 0; file < HOST_FILES; file++) {
		struct text *text = &g->snapshot->host[file];
		int r;

		if (!(needs & NEED_HOST(file)))
			continue;
		r = host_read(g->host, file, text);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			g->snapshot->have |= NEED_HOST(file);
	}
	return 0;
}

int gather(const struct host *host, struct history *history, const struct container *container,
	   unsigned flags, unsigned needs, struct origins *why, struct snapshot *ret)
{
	struct gathering g = { host, history, container, why, ret };
	int r;

	ret->flags = flags;
	r = gather_host(&g, needs);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++) {
		int step;

		if (!(needs & steps[i].need))
			continue;
		step = steps[i].gather(&g, steps[i].need);
		if (step == -ENOMEM)
			r = step;
		if (step == 0)
			ret->have |= steps[i].need;
	}
	return r;
}
