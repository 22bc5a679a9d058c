/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a cgroup that hold pids: tasks, cgroup.procs and cgroup.threads,
 * told in the numbers of the caller's pid namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "cgroup/view_place.h"

/* A pid namespace, and how its numbers are to be had. */
struct pid_numbers {
	int procfd;	/* the host's /proc; borrowed */
	int nsfd;	/* of the namespace; -1 if it cannot be opened */
	char link[64];	/* "pid:[4026531836]" */
	unsigned depth; /* how many namespaces "NSpid:" counts down to it; 1 is the host's own */
	bool kernel;	/* the kernel translates, since 6.11; otherwise "NSpid:" is read */
};

#define PID_NUMBERS_NONE ((struct pid_numbers){ .procfd = -1, .nsfd = -1 })

/* The namespace that a process lives in. -ESRCH if it is gone. */
int pid_numbers_open(int procfd, pid_t process, struct pid_numbers *ret);
void pid_numbers_close(struct pid_numbers *numbers);

/* The host's pid as the namespace has it; 0: not to be seen there. */
pid_t pid_numbers_inside(const struct pid_numbers *numbers, pid_t pid);

/* And back; 0: the namespace has no such process, or thread where `threads` is set. */
pid_t pid_numbers_outside(const struct pid_numbers *numbers, pid_t pid, bool threads);

/* Appends a list of the host's pids, one a line, in the namespace's numbers. */
void pid_numbers_list(const struct pid_numbers *numbers, const char *list, struct text *t);

#define AUTO_PID_NUMBERS __attribute__((cleanup(pid_numbers_close)))

/* Does a file of this name hold pids? */
bool procs_is(const char *name);

/* Reads such a file for the caller. */
int procs_read(const struct tree_call *call, const struct place *place, struct text *text);

/*
 * Moves the one process that the caller names to the cgroup of the file. The
 * caller may move itself, what has its uid, and, as root of a user namespace,
 * what is of that; and never what is outside its own cgroup.
 */
int procs_write(const struct tree_call *call, const struct place *place, const char *data,
		size_t len);
