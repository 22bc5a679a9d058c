/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The visible CPUs are the cgroup's that are online; their times come by way of the history. */
#include "gather_cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "lxcfs.h"

#define SECOND_US 1000000

/* A process of the host that is in no cgroup which says anything about CPUs. */
static bool has_all_cpus(const struct container *container)
{
	const struct cgroup *cg = container->cgroup;

	return !container->own_pidns && cgroup_is_root(cg, CGROUP_CPUSET) &&
	       cgroup_is_root(cg, CGROUP_CPU) && cgroup_is_root(cg, CGROUP_CPUACCT);
}

/* As many CPUs as keep busy what the quota allows. */
static size_t quota_cpus(const struct cgroup_quota *quota)
{
	uint64_t whole = quota->quota_us / quota->period_us;

	return (size_t)number_max(whole + (quota->quota_us % quota->period_us > 0), 1);
}

/* The quota where it counts. */
static struct cgroup_quota quota_of(const struct container *container, unsigned flags,
				    struct origins *why)
{
	struct cgroup_quota quota = { CGROUP_NO_LIMIT, 100000 };

	if (flags & LXCFS_CFS)
		cgroup_read_quota(container->cgroup, why, &quota);
	return quota;
}

static bool has_quota(const struct snapshot *s)
{
	return s->quota.quota_us != CGROUP_NO_LIMIT;
}

/* The host's online CPUs, from which all others are taken. */
static int online_cpus(const struct host *host, struct origins *why, struct cpulist *ret)
{
	AUTO_TEXT struct text list = { 0 };
	struct cpulist cpus;
	int r = host_cpus(host, &cpus);

	if (r < 0)
		return r == -ENOMEM ? r : -ENODATA;
	if (why) {
		cpulist_print(&cpus, &list);
		origin_note(why, "CPUs online", text_str(&list), "sys/devices/system/cpu/online");
	}
	*ret = cpus;
	return 0;
}

int gather_cpus(const struct host *host, const struct container *container, unsigned flags,
		struct origins *why, struct snapshot *ret)
{
	struct cpulist online, cpus;
	int r;

	if (has_all_cpus(container))
		return -ENODATA;
	r = online_cpus(host, why, &online);
	if (r < 0)
		return r;
	r = cgroup_read_cpus(container->cgroup, why, &cpus);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		cpulist_and(&cpus, &online);
	if (r < 0 || cpulist_next(&cpus, 0) == CPULIST_MAX)
		cpus = online;
	ret->flags = flags;
	ret->quota = quota_of(container, flags, why);
	if (has_quota(ret))
		cpulist_truncate(&cpus, quota_cpus(&ret->quota));
	ret->cpus = cpus;
	ret->cpu_count = cpulist_count(&cpus);
	return 0;
}

/* How busy each CPU was so far, by number, up to the highest visible one. */
struct busy {
	uint64_t *ticks; /* USER_HZ or microseconds: only their relation counts */
	size_t count;
};

/* "cpu3 user nice system idle iowait irq softirq ...": the time not spent waiting. */
static void busy_line(struct line line, struct busy *busy)
{
	static const bool counts[] = { true, true, true, false, false, true, true };
	const char *p = line.start + 3;
	uint64_t cpu, sum = 0;

	if (number_take(&p, &cpu) < 0 || cpu >= busy->count)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(counts) && *p == ' '; i++) {
		uint64_t value = 0;

		p++;
		if (number_take(&p, &value) == -EINVAL)
			break;
		sum += counts[i] ? value : 0;
	}
	busy->ticks[cpu] = sum;
}

static int busy_of_host(const struct host *host, struct snapshot *s, struct busy *busy)
{
	struct text *stat = &s->host[HOST_STAT];
	const char *cursor;
	struct line line;
	int r = stat->len ? 0 : host_read(host, HOST_STAT, stat);

	if (r < 0)
		return r == -ENOMEM ? r : 0; /* all alike, then */
	cursor = text_str(stat);
	while (line_next(&cursor, &line) && line_starts(&line, "cpu"))
		busy_line(line, busy);
	return 0;
}

static int busy_fill(const struct host *host, const struct cgroup_cputime *time, struct snapshot *s,
		     struct busy *busy)
{
	size_t count = 0;

	cpulist_each(cpu, &s->cpus)
		count = cpu + 1;
	busy->ticks = calloc(count, sizeof *busy->ticks);
	if (!busy->ticks)
		return -ENOMEM;
	busy->count = count;
	if (!time->count)
		return busy_of_host(host, s, busy);
	for (size_t i = 0; i < count && i < time->count; i++)
		busy->ticks[i] = time->cpu[i].user_us + time->cpu[i].system_us;
	return 0;
}

/* Time that the shown CPUs gain in a second. */
static uint64_t capacity_us(const struct snapshot *s)
{
	uint64_t all = s->cpu_count * SECOND_US;

	if (!has_quota(s))
		return all;
	return number_min(all, number_scale(s->quota.quota_us, SECOND_US, s->quota.period_us));
}

static int times_of(struct history *history, uint64_t id, const struct cgroup_cputime *time,
		    const struct busy *busy, struct snapshot *s)
{
	AUTO_FREE struct cpu_times *times = calloc(s->cpu_count, sizeof *times);
	struct history_cpu now;
	int r;

	if (!times)
		return -ENOMEM;
	now = (struct history_cpu){
		.now = s->now,
		.start = s->start,
		.user = time->user_us,
		.system = time->system_us,
		.cpus = &s->cpus,
		.count = s->cpu_count,
		.capacity = capacity_us(s),
		.busy = busy->ticks,
		.busy_count = busy->count,
		.busy_is_own = time->count > 0,
		.total_only = !busy->count,
	};
	r = history_cpu_times(history, id, &now, times, &s->cpu_total);
	if (r == 0)
		s->cpu_times = take_ptr(times);
	return r;
}

/*
 * How busy the host's CPUs are is a long text to read: where only the total is asked for
 * it can wait, but for a container's first answer.
 */
static int times_fill(const struct host *host, struct history *history, uint64_t id,
		      const struct cgroup_cputime *time, struct snapshot *s)
{
	struct busy busy = { 0 };
	int r = -EAGAIN;

	if (!time->count && !(s->have & NEED_HOST_STAT))
		r = times_of(history, id, time, &busy, s);
	if (r != -EAGAIN)
		return r;
	r = busy_fill(host, time, s, &busy);
	if (r == 0)
		r = times_of(history, id, time, &busy, s);
	free(busy.ticks);
	return r;
}

int gather_cpu_times(const struct host *host, struct history *history,
		     const struct container *container, struct origins *why, struct snapshot *ret)
{
	struct cgroup_cputime time = { 0 };
	int r;

	if (!(ret->have & NEED_AGE) || !ret->cpu_count)
		return -ENODATA;
	r = cgroup_read_cputime(container->cgroup, why, &time);
	if (r == 0)
		r = times_fill(host, history, container->id, &time, ret);
	cgroup_cputime_free(&time);
	return r;
}
