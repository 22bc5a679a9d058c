/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read for every thread, and no memory: this runs with every read of /proc/stat. */
#include "gather_tasks.h"

#include <stdio.h>

#include "base/number.h"
#include "namespace.h"

#define PID_BITS 22 /* PID_MAX_LIMIT of linux/threads.h */

/* What is seen of one container while its tasks are looked at. */
struct survey {
	const struct host *host;
	unsigned left; /* how many may still be looked at */
	struct tasks tasks;
};

/* Of tasks that started within one clock tick the highest number is the youngest. */
static void task_add(struct tasks *tasks, uint64_t pid, const struct task_stat *stat)
{
	tasks->total++;
	tasks->running += stat->state == 'R';
	tasks->blocked += stat->state == 'D';
	if (stat->start > tasks->youngest_start ||
	    (stat->start == tasks->youngest_start && pid > tasks->youngest)) {
		tasks->youngest = pid;
		tasks->youngest_start = stat->start;
	}
}

/* Ends the listing (with 1) when enough were looked at. 0: not visible from here. */
static int thread_add(void *arg, uint64_t tid)
{
	struct survey *survey = arg;
	struct task_stat stat;

	if (!survey->left--)
		return 1;
	if (tid > 0 && tid <= INT32_MAX &&
	    task_stat_read(survey->host->tasks, (pid_t)tid, &stat) == 0)
		task_add(&survey->tasks, tid, &stat);
	return 0;
}

int tasks_count(const struct host *host, struct cgroup *cgroup, struct tasks *ret)
{
	struct survey survey = { .host = host, .left = TASKS_MAX };
	int r = cgroup_each_thread(cgroup, thread_add, &survey);

	if (r < 0)
		return r;
	*ret = survey.tasks;
	return 0;
}

/* The task's number in the container's own pid namespace; 0 if it has none or is gone. */
static uint64_t inner_pid(const struct host *host, const struct container *container, uint64_t tid)
{
	pid_t numbers[PIDNS_LEVELS], init[PIDNS_LEVELS];
	unsigned count, level = 2;
	char name[32];

	if (!container->own_pidns || !tid)
		return tid;
	snprintf(name, sizeof name, "%llu", (unsigned long long)tid);
	count = process_numbers(host->procfd, name, numbers);
	if (count > 2) { /* containers in containers: the init tells at which level this one is */
		snprintf(name, sizeof name, "%d", container->init);
		level = process_numbers(host->procfd, name, init);
	}
	return level && level <= count ? (uint64_t)numbers[level - 1] : 0;
}

int gather_tasks(const struct host *host, struct history *history,
		 const struct container *container, struct snapshot *ret)
{
	struct tasks tasks;
	uint64_t last, task;
	int r = tasks_count(host, container->cgroup, &tasks);

	if (r < 0)
		return r;
	task = tasks.youngest_start << PID_BITS | tasks.youngest;
	if (!history_last_pid_of(history, container->id, task, &last))
		last = history_last_pid(history, container->id, task,
					inner_pid(host, container, tasks.youngest));
	ret->tasks.processes = last;
	ret->tasks.running = tasks.running + 1;
	ret->tasks.blocked = tasks.blocked;
	ret->tasks.total = number_max(tasks.total, ret->tasks.running);
	return 0;
}
