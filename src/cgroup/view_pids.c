/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pids in the numbers of another namespace, without a process there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "cgroup/view_procs.h"
#include "namespace.h"

/* linux/nsfs.h of kernel 6.11: from the numbers of a namespace to ours, and back. */
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(NSIO, 0x6, int)
#endif
#ifndef NS_GET_PID_IN_PIDNS
#define NS_GET_PID_IN_PIDNS _IOR(NSIO, 0x8, int)
#endif

int pid_numbers_open(int procfd, pid_t process, struct pid_numbers *ret)
{
	struct pid_numbers numbers = { .procfd = procfd, .nsfd = -1 };
	char name[32], path[64];
	pid_t pids[PIDNS_LEVELS];
	int r;

	snprintf(name, sizeof name, "%d", process);
	numbers.depth = process_numbers(procfd, name, pids);
	if (!numbers.depth)
		return -ESRCH;
	snprintf(path, sizeof path, "%d/ns/pid", process);
	r = file_readlink_at(procfd, path, numbers.link, sizeof numbers.link);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	numbers.nsfd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	/* An older kernel says ENOTTY. */
	numbers.kernel = numbers.nsfd >= 0 &&
			 ioctl(numbers.nsfd, NS_GET_PID_IN_PIDNS, process) >= 0;
	*ret = numbers;
	return 0;
}

void pid_numbers_close(struct pid_numbers *numbers)
{
	cleanup_close(&numbers->nsfd);
	numbers->nsfd = -1;
}

/* Is the namespace the one `up` levels above the process's own? (NS_GET_PARENT: kernel 4.9) */
static bool is_ancestor(const struct pid_numbers *numbers, const char *process, unsigned up)
{
	AUTO_CLOSE int fd = -1;
	char path[300];
	struct stat a, b;

	snprintf(path, sizeof path, "%s/ns/pid", process);
	fd = openat(numbers->procfd, path, O_RDONLY | O_CLOEXEC);
	for (; fd >= 0 && up; up--) {
		int parent = ioctl(fd, NS_GET_PARENT);

		close(fd);
		fd = parent;
	}
	return fd >= 0 && numbers->nsfd >= 0 && fstat(fd, &a) == 0 &&
	       fstat(numbers->nsfd, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static bool is_same(const struct pid_numbers *numbers, const char *process)
{
	char path[300], link[sizeof numbers->link];

	snprintf(path, sizeof path, "%s/ns/pid", process);
	return file_readlink_at(numbers->procfd, path, link, sizeof link) == 0 &&
	       strcmp(link, numbers->link) == 0;
}

/* What the namespace calls a process or thread of /proc ("12", "12/task/13"), 0 if nothing. */
static pid_t inside_by_status(const struct pid_numbers *numbers, const char *process,
			      pid_t *ret_outside)
{
	pid_t pids[PIDNS_LEVELS];
	unsigned depth = process_numbers(numbers->procfd, process, pids);

	if (depth < numbers->depth)
		return 0;
	if (depth == numbers->depth ? !is_same(numbers, process)
				    : !is_ancestor(numbers, process, depth - numbers->depth))
		return 0;
	*ret_outside = pids[0];
	return pids[numbers->depth - 1];
}

pid_t pid_numbers_inside(const struct pid_numbers *numbers, pid_t pid)
{
	char name[32];
	int inside;

	if (numbers->depth == 1 || pid <= 0)
		return pid;
	if (numbers->kernel) {
		inside = ioctl(numbers->nsfd, NS_GET_PID_IN_PIDNS, pid);
		return inside > 0 ? inside : 0;
	}
	snprintf(name, sizeof name, "%d", pid);
	return inside_by_status(numbers, name, &pid);
}

/* Looks for the process, or thread, in a directory of processes: /proc, then /proc/PID/task. */
static pid_t search(const struct pid_numbers *numbers, const char *directory, pid_t pid,
		    bool threads)
{
	int fd = openat(numbers->procfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	pid_t outside = 0;
	struct dirent *entry;

	if (!dir)
		cleanup_close(&fd);
	while (dir && (entry = readdir(dir))) {
		char process[2 * sizeof entry->d_name], tasks[3 * sizeof entry->d_name];
		pid_t found;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(process, sizeof process, "%.270s/%.200s", directory, entry->d_name);
		found = inside_by_status(numbers, process, &outside);
		if (found && found == pid)
			return outside;
		snprintf(tasks, sizeof tasks, "%s/task", process);
		if (found && threads && (outside = search(numbers, tasks, pid, false)))
			return outside;
	}
	return 0;
}

pid_t pid_numbers_outside(const struct pid_numbers *numbers, pid_t pid, bool threads)
{
	int outside;

	if (numbers->depth == 1 || pid <= 0)
		return pid;
	if (numbers->kernel) {
		outside = ioctl(numbers->nsfd, NS_GET_PID_FROM_PIDNS, pid);
		return outside > 0 ? outside : 0;
	}
	return search(numbers, ".", pid, threads);
}

void pid_numbers_list(const struct pid_numbers *numbers, const char *list, struct text *t)
{
	struct line line;

	while (line_next(&list, &line)) {
		const char *p = line.start;
		uint64_t pid;
		pid_t inside;

		if (number_take(&p, &pid) < 0 || pid > INT32_MAX)
			continue;
		inside = pid_numbers_inside(numbers, (pid_t)pid);
		if (inside <= 0)
			continue;
		text_u64(t, (uint64_t)inside, 0);
		text_putc(t, '\n');
	}
}
