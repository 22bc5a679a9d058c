/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Three system calls for a process, and no memory: this runs with every read of /proc/stat. */
#include "gather_tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/line.h"
#include "base/number.h"

#define STAT_MAX \
	1024 /* the first 22 fields of /proc/PID/stat are shorter, comm has 64 bytes at most */
#define PID_BITS 22	/* PID_MAX_LIMIT of linux/threads.h */
#define PIDNS_LEVELS 33 /* MAX_PID_NS_LEVEL of kernel/pid_namespace.c and the first one */

/* Fields of /proc/PID/stat by their number in proc(5). */
enum { FIELD_STATE = 3, FIELD_THREADS = 20, FIELD_START = 22 };

struct task_stat {
	char state;
	uint64_t threads;
	uint64_t start; /* clock ticks since the host's boot */
};

/* What is seen of one container while its tasks are looked at. */
struct survey {
	const struct host *host;
	uint32_t pid[TASKS_MAX];
	size_t count;
	struct tasks tasks;
};

/* comm is what a process calls itself: it ends at the last parenthesis, whatever is in it. */
static int stat_parse(const char *text, struct task_stat *ret)
{
	const char *comm_end = strrchr(text, ')');
	struct task_stat stat = { 0 };
	struct line rest, word;

	if (!comm_end)
		return -EINVAL;
	rest = (struct line){ comm_end + 1, strlen(comm_end + 1) };
	for (int field = FIELD_STATE; field <= FIELD_START; field++) {
		const char *p;

		if (!line_word(&rest, &word))
			return -EINVAL;
		p = word.start;
		if (field == FIELD_STATE)
			stat.state = *p;
		else if ((field == FIELD_THREADS && number_take(&p, &stat.threads) < 0) ||
			 (field == FIELD_START && number_take(&p, &stat.start) < 0))
			return -EINVAL;
	}
	*ret = stat;
	return 0;
}

/* One read gives the whole line; a vanished task gives an error here or at the open. */
static int stat_read(int dirfd, const char *path, struct task_stat *ret)
{
	AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char buf[STAT_MAX];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof buf - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return stat_parse(buf, ret);
}

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

static void threads_add(struct survey *survey, uint32_t pid)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%u/task", pid);
	fd = openat(survey->host->procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		cleanup_close(&fd);
	while (dir && survey->tasks.total < TASKS_MAX && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		struct task_stat stat;
		uint64_t tid;

		if (number_parse(name, &tid) < 0)
			continue;
		snprintf(path, sizeof path, "%llu/stat", (unsigned long long)tid);
		if (stat_read(fd, path, &stat) == 0)
			task_add(&survey->tasks, tid, &stat);
	}
}

static void process_add(struct survey *survey, uint32_t pid)
{
	struct task_stat stat;
	char path[64];

	snprintf(path, sizeof path, "%u/stat", pid);
	if (stat_read(survey->host->procfd, path, &stat) < 0)
		return;
	if (stat.threads > 1)
		threads_add(survey, pid);
	else
		task_add(&survey->tasks, pid, &stat);
}

/* Ends the listing (with 1) when there is no room for another. 0: not visible from here. */
static int pid_add(void *arg, uint64_t pid)
{
	struct survey *survey = arg;

	if (survey->count == TASKS_MAX)
		return 1;
	if (pid > 0 && pid <= INT32_MAX)
		survey->pid[survey->count++] = (uint32_t)pid;
	return 0;
}

static int pid_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int tasks_count(const struct host *host, struct cgroup *cgroup, struct tasks *ret)
{
	struct survey survey;
	int r;

	survey.host = host;
	survey.count = 0;
	survey.tasks = (struct tasks){ 0 };
	r = cgroup_each_process(cgroup, pid_add, &survey);
	if (r < 0)
		return r;
	/* v1 lists a process in every cgroup that has a thread of it. */
	qsort(survey.pid, survey.count, sizeof survey.pid[0], pid_compare);
	for (size_t i = 0; i < survey.count && survey.tasks.total < TASKS_MAX; i++) {
		if (i == 0 || survey.pid[i] != survey.pid[i - 1])
			process_add(&survey, survey.pid[i]);
	}
	*ret = survey.tasks;
	return 0;
}

/*
 * The numbers of a task in the pid namespaces from the engine's inwards, "NSpid:" of
 * /proc/PID/status; how many these are, 0 where they are not known.
 */
static size_t nspid_read(const struct host *host, uint64_t pid, uint64_t numbers[PIDNS_LEVELS])
{
	AUTO_TEXT struct text status = { 0 };
	struct line line, word;
	const char *cursor;
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof path, "%llu/status", (unsigned long long)pid);
	if (file_read_at(host->procfd, path, &status) < 0)
		return 0;
	cursor = text_str(&status);
	while (line_next(&cursor, &line)) {
		if (!line_starts(&line, "NSpid:"))
			continue;
		line_word(&line, &word);
		while (count < PIDNS_LEVELS && line_word(&line, &word)) {
			const char *p = word.start;

			if (number_take(&p, &numbers[count]) < 0)
				return 0;
			count++;
		}
		break;
	}
	return count;
}

/* The task's number in the container's own pid namespace; 0 if it has none or is gone. */
static uint64_t inner_pid(const struct host *host, const struct container *container, uint64_t pid)
{
	uint64_t numbers[PIDNS_LEVELS], init[PIDNS_LEVELS];
	size_t count, level = 2;

	if (!container->own_pidns || !pid)
		return pid;
	count = nspid_read(host, pid, numbers);
	if (count >
	    2) /* containers in containers: only the init tells at which level this one is */
		level = nspid_read(host, (uint64_t)container->init, init);
	return level && level <= count ? numbers[level - 1] : 0;
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
